"""Compares bench/peers/torchMujoco.py with golden values, and with sums over all that its environments gave. One JSON line:
the largest relative difference of each. Usage: python checkTorchMujoco.py BENCH_PEERS_FOLDER GOLDEN_FOLDER (PyTorch, EnvPool)."""
import json, pathlib, sys

sys.path.insert(0, sys.argv[1])
import envpool
import numpy as np
import torch
import torchMujoco as peer

golden = lambda name: json.loads((pathlib.Path(sys.argv[2]) / f"{name}.json").read_text())
double = lambda x: torch.tensor(x, dtype=torch.float64)
off = lambda got, want: float(np.max(np.abs(np.asarray(got) - np.asarray(want)) / np.maximum(1, np.abs(np.asarray(want)))))


def ano():
    worst = []
    for case in golden("ano_objective"):
        if case["epsPos"] != case["epsNeg"]:
            continue  # the peer has one eps
        ratio = double(case["r"]).requires_grad_()
        value = peer.ano(ratio, double(case["A"]), case["epsPos"])
        value.backward()
        worst.append(off([value.item(), ratio.grad.item()], [case["objective"], case["dObjectiveDr"]]))
    assert len(worst) > 50
    return max(worst)


def advantages():
    worst = []
    for case in golden("gae"):
        peer.HORIZON, peer.ENVS = np.shape(case["rewards"])
        peer.GAMMA, peer.LAMBDA = case["gamma"], case["lambda_"]
        terminated, truncated = (torch.tensor(case[name], dtype=torch.bool) for name in ("terminated", "truncated"))
        numbers = [double(case[name]) for name in ("rewards", "values", "nextValues")]
        worst.append(off(peer.advantages_of(*numbers, terminated, terminated | truncated), case["advantages"]))
    return max(worst)


def statistics():
    """60 steps of random actions, in which pendulums fall; beside it the same steps, their statistics taken anew over the
    whole history each time."""
    peer.ENVS, peer.GAMMA = 8, 0.99
    envs = peer.Environments("InvertedPendulum-v4", 3, "step")
    beside = envpool.make("InvertedPendulum-v4", env_type="gymnasium", num_envs=8, num_threads=1, seed=30_000)
    actions, returns = np.random.default_rng(1).uniform(-3, 3, (60, 8, 1)), np.zeros(8)
    seen, totals, episodes, worst = [beside.reset()[0].copy()], [], 0, {"rewards": [], "observations": []}

    def moments(history):  # beside them 1e-4 samples of mean 0 and variance 1
        n, flat = sum(map(len, history)), np.concatenate(history)
        mean = flat.sum(0) / (n + 1e-4)
        return mean, (((flat - mean) ** 2).sum(0) + 1e-4 * (1 + mean**2)) / (n + 1e-4)

    def normalised(raw):
        mean, variance = moments(seen)
        return np.clip((raw - mean) / np.sqrt(variance + 1e-8), -10, 10)

    worst["observations"].append(off(envs.start(), normalised(seen[-1])))
    for action in actions:
        first, scaled, _, done, ended = envs.step(action)
        raw, rewards, terminated, truncated, _ = beside.step(action)
        raw, over = raw.copy(), terminated | truncated
        returns = 0.99 * returns + rewards
        totals.append(returns.copy())
        worst["rewards"].append(off(scaled, np.clip(rewards / np.sqrt(moments(totals)[1] + 1e-8), -10, 10)))
        returns[over] = 0
        last, ids = raw[over].copy(), np.flatnonzero(over)
        if len(ids) > 0:
            raw[ids] = beside.reset(ids.astype(np.int32))[0]
        seen.append(raw)
        worst["observations"].append(off(first, normalised(raw)))
        assert (done == over).all() and (ended is None) == (len(ids) == 0)
        if ended is not None:
            episodes += len(ids)
            worst["observations"].append(off(ended[1], normalised(last)))
    return {"episodes": episodes, "counted": envs.episodes, **{name: max(each) for name, each in worst.items()}}


print(json.dumps({"ano": ano(), "advantages": advantages(), **statistics()}))
