"""PPO on EnvPool Atari in plain PyTorch, in the single-file style of CleanRL, with the paper's Atari protocol.

Usage: python torchAtari.py --env Pong-v5 --steps 6144 [--seed 1]
Prints one JSON line with steps, wall and CPU seconds; the first round (imports, warm-up) is not counted.
"""
import argparse, json, resource, time

import envpool
import numpy as np
import torch
from torch import nn


def layer(module, gain=2**0.5):
    nn.init.orthogonal_(module.weight, gain)
    nn.init.zeros_(module.bias)
    return module


class Agent(nn.Module):
    def __init__(self, actions):
        super().__init__()
        self.trunk = nn.Sequential(
            layer(nn.Conv2d(4, 32, 8, 4)), nn.ReLU(), layer(nn.Conv2d(32, 64, 4, 2)), nn.ReLU(),
            layer(nn.Conv2d(64, 64, 3, 1)), nn.ReLU(), nn.Flatten(), layer(nn.Linear(3136, 512)), nn.ReLU(),
        )
        self.policy = layer(nn.Linear(512, actions), 0.01)
        self.value = layer(nn.Linear(512, 1), 1.0)

    def forward(self, frames):
        hidden = self.trunk(frames / 255.0)
        return torch.distributions.Categorical(logits=self.policy(hidden)), self.value(hidden).squeeze(-1)


def cpu_seconds():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def advantages_of(rewards, values, dones, last_value, last_done, gamma=0.99, lam=0.95):
    advantages = torch.zeros_like(rewards)
    carried = 0
    for t in reversed(range(len(rewards))):
        alive = 1.0 - (last_done if t == len(rewards) - 1 else dones[t + 1])
        following = last_value if t == len(rewards) - 1 else values[t + 1]
        carried = rewards[t] + gamma * following * alive - values[t] + gamma * lam * alive * carried
        advantages[t] = carried
    return advantages


def update(agent, optimizer, batch, clip=0.1, epochs=4, minibatches=4):
    frames, actions, log_probs, advantages, returns, values = batch
    size = len(actions) // minibatches
    for _ in range(epochs):
        for chosen in torch.randperm(len(actions)).split(size):
            policy, value = agent(frames[chosen])
            ratio = (policy.log_prob(actions[chosen]) - log_probs[chosen]).exp()
            a = advantages[chosen]
            a = (a - a.mean()) / (a.std() + 1e-8)
            policy_loss = -torch.min(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()
            clipped = values[chosen] + (value - values[chosen]).clamp(-clip, clip)
            value_loss = 0.5 * torch.max((value - returns[chosen]) ** 2, (clipped - returns[chosen]) ** 2).mean()
            loss = policy_loss + 0.5 * value_loss - 0.01 * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", default="Pong-v5")
    parser.add_argument("--steps", type=int, default=6144)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    envs, horizon = 16, 128
    pool = envpool.make(
        args.env, env_type="gymnasium", num_envs=envs, seed=args.seed, episodic_life=True, reward_clip=True
    )
    agent = Agent(pool.action_space.n)
    optimizer = torch.optim.Adam(agent.parameters(), lr=2.5e-4, eps=1e-5)
    frame = torch.tensor(pool.reset()[0])
    done = torch.zeros(envs)
    frames = torch.zeros((horizon, envs, 4, 84, 84))
    actions, log_probs, values, rewards, dones = (torch.zeros((horizon, envs)) for _ in range(5))
    rounds = -(-args.steps // (envs * horizon)) + 1
    for k in range(rounds):
        if k == 1:
            wall, cpu = time.perf_counter(), cpu_seconds()
        optimizer.param_groups[0]["lr"] = 2.5e-4 * (1 - k / rounds)
        for t in range(horizon):
            frames[t], dones[t] = frame, done
            with torch.no_grad():
                policy, values[t] = agent(frames[t])
                action = policy.sample()
                actions[t], log_probs[t] = action, policy.log_prob(action)
            obs, reward, terminated, truncated, _ = pool.step(action.numpy().astype(np.int32))
            frame, rewards[t] = torch.tensor(obs), torch.tensor(reward)
            done = torch.tensor(np.logical_or(terminated, truncated)).float()
        with torch.no_grad():
            last_value = agent(frame.float())[1]
        advantages = advantages_of(rewards, values, dones, last_value, done)
        flat = [x.flatten(0, 1) for x in (frames, actions, log_probs, advantages, advantages + values, values)]
        update(agent, optimizer, flat)
    print(json.dumps({
        "agentSteps": (rounds - 1) * envs * horizon, "wallSeconds": time.perf_counter() - wall,
        "cpuSeconds": cpu_seconds() - cpu,
    }))


if __name__ == "__main__":
    main()
