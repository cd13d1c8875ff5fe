"""Records test/golden/torchUpdate.json, torchObjectives.json, torchReference.json and torchTrustRegion.json: minibatch steps taken by PyTorch in float64, written independently of our code.

Usage: python test/learner/recordTorch.py  (the venv of bench/peers/install.sh)
Losses are written from the paper's formulas (arXiv 2605.02320 for ANO: the base kernel phi, not the stable form we use).
"""
import json, math, pathlib

import torch
from torchNetworks import conv, dense, f32, outputs, pack, parameter_shapes

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)
LOG2 = math.log(2)


def ano(r, a, eps_pos, eps_neg):
    def f(r, eps):
        phi = lambda z: torch.log1p(torch.exp(-2 * z * LOG2)) + 4 / (1 + torch.exp(-z * LOG2))
        scale = 45 * eps / (32 * LOG2)
        return 1 + scale * (phi(torch.tensor(-1.0)) - phi((r - 1 - eps) / eps))

    return torch.where(a >= 0, a * f(r, eps_pos), a * (2 - f(2 - r, eps_neg)))


def ppo(r, a, clip):
    return torch.min(r * a, torch.clamp(r, 1 - clip, 1 + clip) * a)


def spo(r, a, eps):
    return r * a - a.abs() * (r - 1) ** 2 / (2 * eps)


def papo(r, log_ratio, a, d, v, s):
    """The proximal objective of absolute policy optimization, as ALGORITHMS.md states it."""
    clip, gamma, w1, w2, k = s["clip"], s["gamma"], s["omega1"], s["omega2"], s["papoK"]
    c = torch.clamp(r, 1 - clip, 1 + clip)
    surrogate = torch.min(r * a, c * a).mean()
    kl = ((r - 1) - log_ratio).mean()
    m = w1 * torch.min((r - 1) * d**2 + 2 * r * d * w2, (c - 1) * d**2 + 2 * c * d * w2).mean()
    keep = surrogate + v.mean() - 4 * gamma * kl * a.max() / (1 - gamma) ** 2 >= 0
    j2 = surrogate**2 + 2 * v.mean() * surrogate if keep else torch.tensor(0.0)
    w = w1 * (1 - gamma**2) / k * (a**2 + 2 * a.abs() * v).mean() - j2
    return surrogate - k * (m + w)


def record(net, algo, size, steps, changes):
    settings = {
        "algo": algo, "epsPos": 0.3, "epsNeg": 0.2, "clip": 0.2, "entropyCoef": 0.01, "valueCoef": 0.5, "valueClip": 0.3,
        "maxGradNorm": 0.5, "adamBeta1": 0.9, "adamBeta2": 0.999, "adamEps": 1e-5, "normalizeAdvantages": True, **changes,
    }
    shapes = parameter_shapes(net)
    p = {}
    for name, shape in shapes.items():
        scale = 0.1 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[:-1]))
        p[name] = f32(*shape, scale=scale).requires_grad_()
    case = {"network": net, "settings": settings, "minibatchSize": size, "initial": {n: pack(x) for n, x in p.items()}, "steps": []}
    initial = {name: x.detach().clone() for name, x in p.items()}
    optimizer = torch.optim.Adam(p.values(), lr=1e-3, eps=settings["adamEps"])
    for k in range(steps):
        frames = net["input"]["frames"]
        shape = net["input"]["shape"]
        if frames:
            observations = torch.randint(0, 256, (size, shape[1], shape[2], shape[0])).double()
        else:
            observations = f32(size, *shape)
        with torch.no_grad():
            old, old_value = outputs(net, p, observations)
            actions = old.sample()
            actions = actions if net["distribution"]["kind"] == "categorical" else actions.float().double()
            log_probs = (old.log_prob(actions) + 0.3 * torch.randn(size)).float().double()
            values = (old_value + 0.4 * torch.randn(size)).float().double()
        advantages, returns = f32(size), f32(size)
        rate = 1e-3 * (1 - k / steps)
        policy, value = outputs(net, p, observations)
        log_ratio = policy.log_prob(actions) - log_probs
        r = log_ratio.exp()
        a = (advantages - advantages.mean()) / (advantages.std() + 1e-8) if settings["normalizeAdvantages"] else advantages
        extras = {}
        if algo in ("ano", "gano"):
            each = ano(r, a, settings["epsPos"], settings["epsNeg"])
        elif algo in ("ppo", "grpo"):
            each = ppo(r, a, settings["clip"])
        elif algo == "spo":
            each = spo(r, a, settings["clip"])
        elif algo.startswith("ppo-kl"):
            with torch.no_grad():
                start, _ = outputs(net, initial, observations)
            beta = 2.0 ** (k - 1)
            each = r * a - beta * torch.distributions.kl_divergence(start, policy)
            rows = start.logits if hasattr(start, "logits") else torch.cat([start.base_dist.loc, start.base_dist.scale.log()], 1)
            extras = {"klCoef": pack(torch.tensor([beta])), "oldPolicy": pack(rows)}
        elif algo == "trpo":
            each = r * a
        elif algo == "papo":
            d = f32(size, scale=2.0)
            each = papo(r, log_ratio, a, d, values, settings)
            extras = {"tdErrors": pack(d)}
        else:
            each = policy.log_prob(actions) * a
        if algo in ("grpo", "gano"):  # held to a reference: the initial policy, on other inputs so that it is not the same at the first step
            with torch.no_grad():
                reference, _ = outputs(net, initial, observations + 0.1)
                against_old = (reference.log_prob(actions) - log_probs).float().double()
            q = (log_probs + against_old - policy.log_prob(actions)).exp()  # pi_ref / pi
            each = each - settings["referenceKlCoef"] * (q - 1 - q.log())
            extras = {"referenceLogRatios": pack(against_old)}
        policy_loss = -each.mean()
        error = (value - returns) ** 2
        if settings["valueClip"] is not None:
            near = values + torch.clamp(value - values, -settings["valueClip"], settings["valueClip"])
            error = torch.max(error, (near - returns) ** 2)
        value_loss = 0.5 * error.mean()
        entropy = policy.entropy().mean()
        loss = policy_loss + settings["valueCoef"] * value_loss - settings["entropyCoef"] * entropy
        if algo == "trpo":  # its minibatches are the critic's
            loss = settings["valueCoef"] * value_loss
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(p.values(), settings["maxGradNorm"])
        optimizer.step()
        half = torch.where(a >= 0, settings["epsPos"], settings["epsNeg"]) if algo in ("ano", "gano") else settings["clip"]
        if algo.startswith("ppo-kl") or algo in ("a2c", "pg", "trpo"):
            half = math.inf
        metrics = {
            "loss": loss, "policyLoss": policy_loss, "valueLoss": value_loss, "entropy": entropy,
            "approxKl": ((r - 1) - log_ratio).mean(), "clipFraction": ((r - 1).abs() > half).double().mean(),
            "gradientNorm": norm, "ratioMin": r.min(), "ratioMax": r.max(),
        }
        discrete = net["distribution"]["kind"] == "categorical"
        case["steps"].append({
            "learningRate": rate,
            "observations": pack(observations, torch.uint8 if frames else torch.float32),
            "actions": pack(actions, torch.int32 if discrete else torch.float32),
            "logProbs": pack(log_probs), "advantages": pack(advantages), "returns": pack(returns), "values": pack(values), **extras,
            "metrics": {name: x.item() for name, x in metrics.items()},
        })
    case["final"] = {n: pack(x, torch.float64) for n, x in p.items()}
    return case


def record_trpo(net, size, parts, settings):
    """One policy step of TRPO on size x parts samples: the Hessian of the mean KL by double backpropagation."""
    p = {}
    for name, shape in parameter_shapes(net).items():
        scale = 0.1 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[:-1]))
        p[name] = f32(*shape, scale=scale).requires_grad_()
    policy_names = [n for n in p if not n.startswith("critic.")]
    theta = [p[n] for n in policy_names]
    samples = size * parts
    frames, shape = net["input"]["frames"], net["input"]["shape"]
    if frames:
        observations = torch.randint(0, 256, (samples, shape[1], shape[2], shape[0])).double()
    else:
        observations = f32(samples, *shape)
    with torch.no_grad():
        old, _ = outputs(net, p, observations)
        discrete = net["distribution"]["kind"] == "categorical"
        actions = old.sample() if discrete else old.sample().float().double()
        log_probs = (old.log_prob(actions) + 0.05 * torch.randn(samples)).float().double()
        start = {n: x.clone() for n, x in p.items()}
    advantages = f32(samples)

    def terms():
        policy, _ = outputs(net, p, observations)
        surrogate = ((policy.log_prob(actions) - log_probs).exp() * advantages).mean()
        return surrogate, torch.distributions.kl_divergence(old, policy).mean()

    flat = lambda tensors: torch.cat([t.reshape(-1) for t in tensors])
    surrogate, kl = terms()
    g = flat(torch.autograd.grad(surrogate, theta, retain_graph=True))
    first = flat(torch.autograd.grad(kl, theta, create_graph=True))
    fvp = lambda v: flat(torch.autograd.grad((first * v).sum(), theta, retain_graph=True)) + settings["cgDamping"] * v
    x, r, d = torch.zeros_like(g), g.clone(), g.clone()
    for _ in range(settings["cgIterations"]):
        fd = fvp(d)
        step = (r @ r) / (d @ fd)
        x, new = x + step * d, r - step * fd
        d, r = new + (new @ new) / (r @ r) * d, new
    full = math.sqrt(2 * settings["maxKl"] / (x @ fvp(x)).item()) * x
    chosen, tries = None, 0
    while chosen is None and tries < settings["lineSearchTries"]:
        with torch.no_grad():
            at = 0
            for n in policy_names:
                part = full[at:at + p[n].numel()].reshape(p[n].shape)
                p[n].copy_(start[n] + settings["lineSearchRatio"] ** tries * part)
                at += p[n].numel()
            tries += 1
            after, after_kl = terms()
            if after > surrogate and after_kl <= settings["maxKl"]:
                chosen = (after.item(), after_kl.item())
    assert chosen is not None
    return {
        "network": net, "settings": settings, "minibatchSize": size, "samples": samples,
        "initial": {n: pack(t) for n, t in start.items()}, "final": {n: pack(t, torch.float64) for n, t in p.items()},
        "observations": pack(observations, torch.uint8 if frames else torch.float32),
        "actions": pack(actions, torch.int32 if discrete else torch.float32),
        "logProbs": pack(log_probs), "advantages": pack(advantages),
        "surrogate": [surrogate.item(), chosen[0]], "kl": chosen[1], "tries": tries, "gradientNorm": g.norm().item(),
    }


def main():
    gaussian = {
        "input": {"shape": [5], "frames": False, "normalize": None}, "trunk": [],
        "actor": [dense(16, "tanh"), dense(16, "tanh"), dense(2, "none")],
        "critic": [dense(16, "tanh"), dense(16, "tanh"), dense(1, "none")],
        "distribution": {"kind": "gaussian", "actions": 2, "logStd": 0},
    }
    categorical = {
        "input": {"shape": [4], "frames": False, "normalize": None}, "trunk": [dense(24, "relu")],
        "actor": [dense(20, "none")], "critic": [dense(1, "none")],
        "distribution": {"kind": "categorical", "actions": 20},
    }
    frames = {
        "input": {"shape": [2, 20, 16], "frames": True, "normalize": None},
        "trunk": [conv(8, 4, 2), conv(8, 3, 2), dense(16, "relu")], "actor": [dense(3, "none")], "critic": [dense(1, "none")],
        "distribution": {"kind": "categorical", "actions": 3},
    }
    cases = [
        record(gaussian, "ano", 32, 5, {}),
        record(gaussian, "ppo", 32, 5, {"valueClip": None, "entropyCoef": 0}),
        record(categorical, "ano", 32, 5, {"normalizeAdvantages": False}),
        record(categorical, "ppo", 32, 5, {}),
        record(frames, "ano", 12, 5, {"epsPos": 0.1, "epsNeg": 0.1, "valueClip": 0.1}),
        record(frames, "ppo", 12, 5, {"clip": 0.1, "maxGradNorm": 0.05}),
    ]
    target = pathlib.Path(__file__).parent.parent / "golden" / "torchUpdate.json"
    target.write_text(json.dumps({"torch": torch.__version__, "cases": cases}) + "\n")
    for net in (gaussian, categorical):
        net["actor"][-1]["units"] = net["distribution"]["actions"] = 3
    for part in ("actor", "critic"):
        gaussian[part] = [dense(8, "tanh"), gaussian[part][-1]]
    categorical["trunk"] = [dense(12, "relu")]
    papo_settings = {"gamma": 0.99, "omega1": 0.005, "omega2": 0.005, "papoK": 7}
    more = [
        record(gaussian, "spo", 32, 4, {}),
        record(categorical, "spo", 32, 4, {"clip": 0.1}),
        record(gaussian, "ppo-kl-fixed", 32, 4, {}),
        record(categorical, "ppo-kl-adaptive", 32, 4, {"entropyCoef": 0}),
        record(gaussian, "a2c", 32, 4, {}),
        record(categorical, "pg", 32, 4, {"valueCoef": 0, "valueClip": None}),
        record(gaussian, "papo", 32, 4, papo_settings),
        record(categorical, "papo", 32, 4, {"clip": 0.3, **papo_settings, "gamma": 0.5, "omega1": 0.02, "omega2": 0.01}),
    ]
    more.append(record(gaussian, "trpo", 32, 4, {"entropyCoef": 0, "normalizeAdvantages": False}))
    trpo = {"maxKl": 0.01, "cgIterations": 10, "cgDamping": 0.1, "lineSearchTries": 10, "lineSearchRatio": 0.5}
    small_frames = {**frames, "input": {**frames["input"], "shape": [2, 12, 12]}, "trunk": [conv(4, 4, 2), dense(8, "relu")]}
    steps = [
        record_trpo(gaussian, 16, 4, trpo),
        record_trpo(categorical, 16, 4, {**trpo, "maxKl": 0.05}),
        record_trpo(small_frames, 12, 2, {**trpo, "cgIterations": 4}),
    ]
    groups = {"valueCoef": 0, "normalizeAdvantages": False}
    held = [
        record(gaussian, "grpo", 32, 4, {**groups, "referenceKlCoef": 0.04}),
        record(categorical, "grpo", 32, 4, {**groups, "referenceKlCoef": 2.0, "entropyCoef": 0}),
        record(gaussian, "gano", 32, 4, {**groups, "referenceKlCoef": 2.0}),
        record(categorical, "gano", 32, 4, {**groups, "referenceKlCoef": 0.04}),
    ]
    (target.parent / "torchReference.json").write_text(json.dumps({"torch": torch.__version__, "cases": held}) + "\n")
    (target.parent / "torchTrustRegion.json").write_text(json.dumps({"torch": torch.__version__, "cases": steps}) + "\n")
    (target.parent / "torchObjectives.json").write_text(json.dumps({"torch": torch.__version__, "cases": more}) + "\n")


if __name__ == "__main__":
    main()
