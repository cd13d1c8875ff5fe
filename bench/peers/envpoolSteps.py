"""EnvPool's environment steps alone, for bench/environmentSpeed.ts: one line in (a number of batch steps), one JSON line out.

Usage: python envpoolSteps.py --env HalfCheetah-v4 --envs 64
Actions are drawn once, uniform in the action space; one thread, so that CPU time is work and not waiting.
"""
import argparse, json, sys, time

import envpool
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--env", required=True)
parser.add_argument("--envs", type=int, required=True)
args = parser.parse_args()

# Atari as the training protocol has it
options = {"episodic_life": True, "reward_clip": True} if "episodic_life" in envpool.make_spec(args.env).config._fields else {}
pool = envpool.make(args.env, env_type="gymnasium", num_envs=args.envs, num_threads=1, seed=1, **options)
random = np.random.default_rng(1)
space = pool.action_space
if hasattr(space, "n"):
    actions = [random.integers(0, space.n, args.envs).astype(np.int32) for _ in range(64)]
else:
    actions = [random.uniform(space.low, space.high, (args.envs, *space.shape)) for _ in range(64)]
pool.reset()
step = 0
for line in sys.stdin:
    began = time.process_time()
    for _ in range(int(line)):
        pool.step(actions[step % 64])
        step += 1
    print(json.dumps({"cpuSeconds": time.process_time() - began}), flush=True)
