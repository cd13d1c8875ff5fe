"""Stable-Baselines3 PPO on EnvPool with the paper's MuJoCo protocol; prints one JSON line with steps, wall and CPU seconds.

Usage: python sb3.py --env HalfCheetah-v4 --steps 61440 [--seed 1] [--curve]
The clock starts after the first round, so that neither imports nor warm-up are counted.
"""
import argparse, json, resource, time

import envpool
import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, VecNormalize


class EnvPoolVecEnv(VecEnv):
    """EnvPool resets on the step after an episode's end; SB3 wants the first observation at once and the last one in info."""

    def __init__(self, env_id, num_envs, seed):
        self.pool = envpool.make(env_id, env_type="gymnasium", num_envs=num_envs, seed=seed)
        low = np.full(self.pool.observation_space.shape, -np.inf, np.float32)
        obs_space = gymnasium.spaces.Box(low, -low, dtype=np.float32)
        action = self.pool.action_space
        super().__init__(num_envs, obs_space, gymnasium.spaces.Box(action.low, action.high, dtype=np.float32))

    def reset(self):
        return self.pool.reset()[0].astype(np.float32)

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        obs, rewards, terminated, truncated, _ = self.pool.step(self.actions.astype(np.float64))
        done = terminated | truncated
        infos = [{} for _ in range(self.num_envs)]
        obs = obs.astype(np.float32)
        for i in np.flatnonzero(done):
            infos[i] = {"terminal_observation": obs[i].copy(), "TimeLimit.truncated": bool(truncated[i])}
        if done.any():
            ids = np.flatnonzero(done).astype(np.int32)
            obs[ids] = self.pool.reset(ids)[0].astype(np.float32)
        return obs, rewards.astype(np.float32), done, infos

    def close(self):
        pass

    def get_attr(self, name, indices=None):
        return [None] * self.num_envs

    def set_attr(self, *args, **kwargs):
        raise NotImplementedError

    def env_method(self, *args, **kwargs):
        raise NotImplementedError

    def env_is_wrapped(self, wrapper, indices=None):
        return [False] * self.num_envs


def cpu_seconds():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


class Clock(BaseCallback):
    """Starts the clock at the second round's first step and, with a curve, records the mean return each 10 rounds."""

    def __init__(self, curve):
        super().__init__()
        self.started = None
        self.rounds = 0
        self.curve = [] if curve else None

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        if self.rounds == 1:
            self.started = (self.num_timesteps, time.perf_counter(), cpu_seconds())
        self.rounds += 1

    def _on_rollout_end(self):
        if self.curve is not None and len(self.model.ep_info_buffer) > 0:
            self.curve.append((self.num_timesteps, float(np.mean([e["r"] for e in self.model.ep_info_buffer]))))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", default="HalfCheetah-v4")
    parser.add_argument("--steps", type=int, default=61440)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clip", type=float, default=0.3)
    parser.add_argument("--curve", action="store_true")
    args = parser.parse_args()
    env = VecNormalize(VecMonitor(EnvPoolVecEnv(args.env, 128, args.seed)), clip_obs=10, clip_reward=10)
    model = PPO(
        "MlpPolicy", env, n_steps=32, batch_size=1024, n_epochs=10, learning_rate=lambda left: 3e-4 * left,
        gamma=0.99, gae_lambda=0.95, clip_range=args.clip, clip_range_vf=0.3, ent_coef=0.0, vf_coef=0.5, max_grad_norm=0.5,
        policy_kwargs=dict(net_arch=dict(pi=[256, 256], vf=[256, 256]), activation_fn=torch.nn.Tanh, ortho_init=True),
        seed=args.seed, device="cpu", stats_window_size=128,
    )
    clock = Clock(args.curve)
    model.learn(args.steps, callback=clock)
    steps0, wall0, cpu0 = clock.started
    print(json.dumps({
        "agentSteps": model.num_timesteps - steps0, "wallSeconds": time.perf_counter() - wall0,
        "cpuSeconds": cpu_seconds() - cpu0, "curve": clock.curve,
    }))


if __name__ == "__main__":
    main()
