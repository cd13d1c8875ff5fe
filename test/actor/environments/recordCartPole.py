"""Records Gymnasium's CartPole-v1 for cartPole.test.ts.

Run with any Python that has gymnasium 1.x: python test/actor/environments/recordCartPole.py > test/actor/environments/cartPole.json
"""
import json
import random

import gymnasium
import numpy

env = gymnasium.make("CartPole-v1").unwrapped
draw = random.Random(7)
episodes = []
for seed in range(6):
    first, _ = env.reset(seed=seed)
    episode = {"start": [float(x) for x in env.state], "actions": [], "states": []}
    terminated = False
    while not terminated and len(episode["actions"]) < 120:
        # leans against the pole most of the time, so that episodes last
        lean = 1 if env.state[2] + 0.5 * env.state[3] > 0 else 0
        action = lean if draw.random() < (0.5, 0.8, 0.9, 0.95)[seed % 4] else 1 - lean
        observation, reward, terminated, _, _ = env.step(action)
        episode["actions"].append(action)
        episode["states"].append([float(x) for x in env.state])
        assert reward == 1.0 and (observation == numpy.array(env.state, dtype=numpy.float32)).all()
    episode["terminated"] = bool(terminated)
    episodes.append(episode)
print(json.dumps({"gymnasium": gymnasium.__version__, "episodes": episodes}))
