"""One PPO minibatch step in eager PyTorch, as CleanRL and Stable-Baselines3 write it, for bench/compiledStep.ts.

Usage: python torchStep.py mlp|cnn THREADS; each line on stdin is a number of steps to take, each line on stdout the CPU
and wall milliseconds that they took. Sizes: see bench/compiledStep.ts.
"""
import json, sys, time

import torch
from torch import nn

kind, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.set_num_interop_threads(1)
torch.manual_seed(1)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        tower = lambda out: nn.Sequential(nn.Linear(17, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, out))
        self.actor, self.critic, self.log_std = tower(6), tower(1), nn.Parameter(torch.zeros(1, 6))

    def forward(self, x, actions):
        mean = self.actor(x)
        policy = torch.distributions.Normal(mean, self.log_std.expand_as(mean).exp())
        return policy.log_prob(actions).sum(1), policy.entropy().sum(1), self.critic(x)


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(),
        )
        self.actor, self.critic = nn.Linear(512, 6), nn.Linear(512, 1)

    def forward(self, x, actions):
        hidden = self.trunk(x / 255.0)
        policy = torch.distributions.Categorical(logits=self.actor(hidden))
        return policy.log_prob(actions), policy.entropy(), self.critic(hidden)


if kind == "mlp":
    size, clip, model = 1024, 0.2, Mlp()
    observations, actions = torch.randn(size, 17), torch.randn(size, 6)
else:
    size, clip, model = 512, 0.1, Cnn()
    observations, actions = torch.randint(0, 256, (size, 4, 84, 84), dtype=torch.uint8), torch.randint(0, 6, (size,))
advantages, returns, values = torch.randn(size), torch.randn(size), 0.3 * torch.randn(size)
with torch.no_grad():
    old_log_probs = model(observations, actions)[0] + 0.1 * torch.randn(size)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, eps=1e-5)


def step():
    log_probs, entropy, new_values = model(observations, actions)
    log_ratio = log_probs - old_log_probs
    ratio = log_ratio.exp()
    with torch.no_grad():
        kl = ((ratio - 1) - log_ratio).mean()
        fraction = ((ratio - 1.0).abs() > clip).float().mean().item()
    a = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    policy_loss = torch.max(-a * ratio, -a * torch.clamp(ratio, 1 - clip, 1 + clip)).mean()
    v = new_values.view(-1)
    clipped = values + torch.clamp(v - values, -clip, clip)
    value_loss = 0.5 * torch.max((v - returns) ** 2, (clipped - returns) ** 2).mean()
    loss = policy_loss - 0.01 * entropy.mean() + 0.5 * value_loss
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()


for line in sys.stdin:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(int(line)):
        step()
    print(json.dumps({"cpuMs": 1e3 * (time.process_time() - cpu), "wallMs": 1e3 * (time.perf_counter() - wall)}), flush=True)
