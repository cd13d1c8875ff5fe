"""The paper's MuJoCo protocol with PPO or ANO, in plain PyTorch on EnvPool: the curves that docs/results.md sets beside ours.

Usage: python torchMujoco.py --env Hopper-v4 --algo ano --eps 0.3 --seed 1 --steps 500000 --curve FILE.csv
Writes agent_steps, episodes, mean_return (raw, last 100 episodes) for each round, and the file only once the run is whole.
Written from the formulas of the paper, apart from our TypeScript. Observation statistics move on before every step, as
gymnasium's NormalizeObservation has it; ours do so between rounds, which --statistics round does here.
"""
import argparse, collections, csv, json, os, resource, time

import envpool
import numpy as np
import torch
from moments import Moments
from torch import nn

ENVS, HORIZON, EPOCHS, MINIBATCHES = 128, 32, 10, 4
GAMMA, LAMBDA, VALUE_CLIP, LEARNING_RATE = 0.99, 0.95, 0.3, 3e-4


class Environments:
    """128 EnvPool environments that reset at once where an episode ends and hand the last observation out apart."""

    def __init__(self, name, seed, statistics):
        self.pool = envpool.make(name, env_type="gymnasium", num_envs=ENVS, num_threads=1, seed=10_000 * seed)
        self.observed, self.returned = Moments(self.pool.observation_space.shape), Moments()
        self.discounted, self.sums = np.zeros(ENVS), np.zeros(ENVS)
        self.newest, self.episodes = collections.deque(maxlen=100), 0
        self.statistics, self.waiting = statistics, []

    def start(self):
        return self.observe(self.pool.reset()[0])

    def observe(self, raw):
        self.waiting.append(raw.copy())
        if self.statistics == "step":
            self.fold(0)
        return self.normalised(raw)

    def fold(self, left):
        """All observations so far, but for the newest `left`."""
        while len(self.waiting) > left:
            self.observed.fold(self.waiting.pop(0))

    def end_round(self):
        """The newest observation is the next round's first."""
        self.fold(1)

    def normalised(self, raw):
        scaled = (raw - self.observed.mean) / np.sqrt(self.observed.variance + 1e-8)
        return torch.tensor(np.clip(scaled, -10, 10), dtype=torch.float32)

    def step(self, actions):
        """-> first observations, scaled rewards, terminated, done, {environment: the last observation}."""
        raw, rewards, terminated, truncated, _ = self.pool.step(actions.astype(np.float64))
        self.sums += rewards
        self.discounted = GAMMA * self.discounted + rewards
        self.returned.fold(self.discounted)
        scaled = np.clip(rewards / np.sqrt(self.returned.variance + 1e-8), -10, 10)
        done, ended = terminated | truncated, None
        ids = np.flatnonzero(done)
        if len(ids) > 0:
            self.newest.extend(self.sums[ids])
            self.episodes += len(ids)
            self.sums[ids] = self.discounted[ids] = 0
            ended, raw = raw[ids], raw.copy()
            raw[ids] = self.pool.reset(ids.astype(np.int32))[0]
        first = self.observe(raw)
        return first, scaled, terminated, done, None if ended is None else (ids, self.normalised(ended))


def layer(inputs, outputs, gain=2**0.5):
    module = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(module.weight, gain)
    nn.init.zeros_(module.bias)
    return module


class Agent(nn.Module):
    def __init__(self, observation, action):
        super().__init__()
        tower = lambda outputs, gain: nn.Sequential(
            layer(observation, 256), nn.Tanh(), layer(256, 256), nn.Tanh(), layer(256, outputs, gain)
        )
        self.actor, self.critic, self.log_std = tower(action, 0.01), tower(1, 1.0), nn.Parameter(torch.zeros(action))

    def value(self, observations):
        return self.critic(observations).squeeze(-1)

    def log_prob(self, means, actions):
        z = (actions - means) * torch.exp(-self.log_std)
        return (-0.5 * z * z - self.log_std - 0.5 * np.log(2 * np.pi)).sum(-1)


def ppo(ratio, advantage, eps):
    return torch.min(ratio * advantage, ratio.clamp(1 - eps, 1 + eps) * advantage)


def ano(ratio, advantage, eps):
    """A f(r) where A >= 0, A (2 - f(2 - r)) else; f has its maximum at 1 + eps and slope 1 at 1."""
    k, sigmoid, log_sigmoid = eps / np.log(2), torch.sigmoid, nn.functional.logsigmoid
    base = lambda x: 45 / 16 * (0.5 * log_sigmoid(2 * x) - 2 * sigmoid(x))
    shaped = lambda r: 1 + k * (base((r - 1 - eps) / k) - base(torch.tensor(-np.log(2), dtype=torch.float32)))
    return torch.where(advantage >= 0, advantage * shaped(ratio), advantage * (2 - shaped(2 - ratio)))


def collect(agent, envs, observation, buffers):
    observations, actions, log_probs, values, following, rewards, terminated, done = buffers
    for t in range(HORIZON):
        with torch.no_grad():
            means = agent.actor(observation)
            action = means + torch.exp(agent.log_std) * torch.randn_like(means)
            observations[t], actions[t], values[t] = observation, action, agent.value(observation)
            log_probs[t] = agent.log_prob(means, action)
            if t > 0:
                following[t - 1][~done[t - 1]] = values[t][~done[t - 1]]
            observation, scaled, ends, over, ended = envs.step(action.numpy())
            rewards[t], terminated[t], done[t] = torch.tensor(scaled), torch.tensor(ends), torch.tensor(over)
            if ended is not None:
                following[t][torch.tensor(ended[0])] = agent.value(ended[1])
    with torch.no_grad():
        following[-1][~done[-1]] = agent.value(observation)[~done[-1]]
    return observation


def advantages_of(rewards, values, following, terminated, done):
    advantages, carried = torch.zeros_like(rewards), torch.zeros(ENVS)
    for t in reversed(range(HORIZON)):
        error = rewards[t] + GAMMA * following[t] * ~terminated[t] - values[t]
        carried = error + GAMMA * LAMBDA * ~done[t] * carried
        advantages[t] = carried
    return advantages


def update(agent, optimizer, objective, eps, batch):
    observations, actions, log_probs, values, advantages = batch
    returns = advantages + values
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(actions)).split(len(actions) // MINIBATCHES):
            x, a, v = observations[chosen], advantages[chosen], values[chosen]
            log_ratio = agent.log_prob(agent.actor(x), actions[chosen]) - log_probs[chosen]
            a = (a - a.mean()) / (a.std() + 1e-8)
            policy_loss = -objective(log_ratio.clamp(-20, 20).exp(), a, eps).mean()
            value, target = agent.value(x), returns[chosen]
            near = v + (value - v).clamp(-VALUE_CLIP, VALUE_CLIP)
            value_loss = 0.5 * torch.max((value - target) ** 2, (near - target) ** 2).mean()
            optimizer.zero_grad()
            (policy_loss + 0.5 * value_loss).backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()


def train(args):
    """-> [(agent steps, episodes, mean return or nan)] by round."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    envs = Environments(args.env, args.seed, args.statistics)
    shapes = (envs.pool.observation_space.shape[0], envs.pool.action_space.shape[0])
    agent = Agent(*shapes)
    optimizer = torch.optim.Adam(agent.parameters(), eps=1e-5, fused=True)
    numbers = [torch.zeros((HORIZON, ENVS, *shape)) for shape in [(shapes[0],), (shapes[1],), (), (), (), ()]]
    flags = [torch.zeros((HORIZON, ENVS), dtype=torch.bool) for _ in range(2)]
    rounds, curve, observation = -(-args.steps // (ENVS * HORIZON)), [], envs.start()
    for k in range(rounds):
        optimizer.param_groups[0]["lr"] = args.learning_rate * (1 - k / rounds)
        observation = collect(agent, envs, observation, [*numbers, *flags])
        observations, actions, log_probs, values, following, rewards = numbers
        advantages = advantages_of(rewards, values, following, *flags)
        batch = [x.flatten(0, 1) for x in (observations, actions, log_probs, values, advantages)]
        update(agent, optimizer, {"ppo": ppo, "ano": ano}[args.algo], args.eps, batch)
        envs.end_round()
        mean = float(np.mean(envs.newest)) if envs.newest else float("nan")
        curve.append(((k + 1) * ENVS * HORIZON, envs.episodes, mean))
    return curve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", default="HalfCheetah-v4")
    parser.add_argument("--algo", choices=["ppo", "ano"], default="ano")
    parser.add_argument("--eps", type=float, default=0.3, help="PPO's clip, ANO's half-width")
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--statistics", choices=["step", "round"], default="step", help="when observation statistics move on")
    parser.add_argument("--curve", required=True)
    args = parser.parse_args()
    started = time.perf_counter()
    curve = train(args)
    with open(args.curve + ".part", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["agent_steps", "episodes", "mean_return"])
        writer.writerows((steps, episodes, "" if np.isnan(mean) else f"{mean:.3f}") for steps, episodes, mean in curve)
    os.replace(args.curve + ".part", args.curve)
    own = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "agentSteps": curve[-1][0], "meanReturn": curve[-1][2], "wallSeconds": round(time.perf_counter() - started, 1),
        "cpuSeconds": round(own.ru_utime + own.ru_stime, 1), "torch": torch.__version__, "envpool": envpool.__version__,
    }))


if __name__ == "__main__":
    main()
