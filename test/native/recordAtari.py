"""Records what EnvPool 1.2.5 shows, for atariParity.test.ts. Run with a Python that has envpool and numpy:

    python test/native/recordAtari.py > test/native/reference/atari.json

Without random no-ops (noop_max=1) EnvPool's games are functions of the actions alone, which come from a linear
congruential generator that the test has, too. A step is one line: the CRC-32 of the observation's bytes; where it is
not 0, the reward; where the episode ended, how, whether the game did, and the CRC-32 of the observation after the reset.
"""

import json
import sys
import zlib

import envpool
import numpy as np

STEPS = 450
# id, options in EnvPool's names, actions kept for so many steps (long ones lose games faster)
CASES = [
    ("Pong-v5", {}, 3),
    ("Breakout-v5", {"episodic_life": True}, 4),
    ("Breakout-v5", {"episodic_life": False, "use_fire_reset": False}, 4),
    ("SpaceInvaders-v5", {"episodic_life": True}, 5),
    ("Seaquest-v5", {"episodic_life": True, "max_episode_steps": 150}, 5),
    ("BeamRider-v5", {"episodic_life": True}, 5),
    ("Riverraid-v5", {"episodic_life": True}, 5),
    ("ChopperCommand-v5", {"episodic_life": True}, 5),
    ("DemonAttack-v5", {"episodic_life": True}, 5),
    ("Freeway-v5", {"max_episode_steps": 100}, 5),
    ("Tutankham-v5", {"episodic_life": True}, 5),
    ("Asteroids-v5", {"episodic_life": True}, 5),
    ("RoadRunner-v5", {"episodic_life": True}, 5),
    ("AirRaid-v5", {"episodic_life": True}, 5),
    ("Skiing-v5", {"frame_skip": 3, "stack_num": 2}, 5),
    ("UpNDown-v5", {"episodic_life": True, "frame_skip": 1}, 5),
    ("DoubleDunk-v5", {}, 5),
    ("Centipede-v5", {"full_action_space": True, "frame_skip": 2}, 5),
]


def actions(count):
    state = 12345
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        yield (state >> 16) % count


def digest(observation):
    return f"{zlib.crc32(np.ascontiguousarray(observation).tobytes()):08x}"


def record(task, options, hold):
    env = envpool.make(task, env_type="gymnasium", num_envs=1, noop_max=1, reward_clip=True, **options)
    count = env.action_space.n
    stream = actions(count)
    observation, _ = env.reset()
    first = digest(observation)
    steps = []
    action = 0
    while len(steps) < STEPS:
        if len(steps) % hold == 0:
            action = next(stream)
        observation, reward, terminated, truncated, info = env.step(np.array([action]))
        done = bool(terminated[0] or truncated[0])
        step = digest(observation)
        if info["reward"][0] != 0 or done:
            step += f" {int(info['reward'][0])}"
        assert reward[0] == np.sign(info["reward"][0])
        if done:
            # EnvPool resets in the next call, whose action it ignores
            game_over = "over" if info["terminated"][0] else "goes-on"
            observation, *_ = env.step(np.array([0]))
            step += f" {'truncated' if truncated[0] else 'terminated'} {game_over} {digest(observation)}"
        steps.append(step)
    env.close()
    return {"id": task, "options": options, "hold": hold, "actions": int(count), "first": first, "steps": steps}


lines = []
for case in CASES:
    recorded = record(*case)
    steps = ",\n".join(json.dumps(step) for step in recorded.pop("steps"))
    lines.append(json.dumps(recorded)[:-1] + ', "steps": [\n' + steps + "]}")
sys.stdout.write('{"envpool": "' + envpool.__version__ + '", "cases": [\n' + ",\n".join(lines) + "\n]}\n")
