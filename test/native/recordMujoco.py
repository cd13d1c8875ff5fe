"""Records Gymnasium's MuJoCo environments for mujocoParity.test.ts: golden/mujoco/<id>.json.gz.

    python -m venv venv && venv/bin/pip install "gymnasium[mujoco]==1.4.0" "mujoco==3.6.0"
    venv/bin/python test/native/recordMujoco.py

Actions are float32, as Gymnasium's action spaces are, and a third of them lie outside the actuators' range (the
pendulums begin with an episode of small ones, or they would never stand). Every episode ends where Gymnasium ends it
or after 30 steps, before any time limit; Humanoid, whose observations are long, after 20.
"""

import gzip
import json
import pathlib
import re
import warnings

import gymnasium
import mujoco
import numpy as np

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).parent / "golden" / "mujoco"
FREE = {"excludeCurrentPositionsFromObservation": False}
WIDE = {"terminateWhenUnhealthy": False}

# options beside the defaults, in our names
VARIANTS = {
    "HalfCheetah-v4": [{"forwardRewardWeight": 2.5, "ctrlCostWeight": 0.3, **FREE}],
    "HalfCheetah-v5": [{"frameSkip": 3, **FREE}],
    "Swimmer-v4": [{"forwardRewardWeight": 3, "ctrlCostWeight": 0.2, **FREE}],
    "Swimmer-v5": [{"frameSkip": 2, **FREE}],
    "Hopper-v4": [WIDE, {"healthyReward": 3, "ctrlCostWeight": 0.1, **FREE}],
    "Hopper-v5": [WIDE, {"healthyStateMin": -2, "healthyStateMax": 2, **FREE}],
    "Walker2d-v4": [WIDE, {"healthyReward": 3, **FREE}],
    "Walker2d-v5": [WIDE, {"healthyAngleMin": -0.05, "healthyAngleMax": 0.05, **FREE}],
    "Ant-v4": [{"useContactForces": True}, {"useContactForces": True, "contactForceMin": -3, "contactForceMax": 2, **FREE}],
    "Ant-v5": [{"includeCfrcExtInObservation": False, "forwardRewardWeight": 2, **FREE}, {"contactCostWeight": 0.1, **WIDE}],
    "Humanoid-v4": [{"healthyZMax": 1.402, **FREE}, {"healthyZMax": 1.402, **WIDE}],
    "Humanoid-v5": [
        {"includeCinertInObservation": False, "includeQfrcActuatorInObservation": False, **FREE},
        {"includeCvelInObservation": False, "includeCfrcExtInObservation": False, "contactCostWeight": 1e-3, "contactCostMax": 0.5, **WIDE},
    ],
    "InvertedDoublePendulum-v5": [{"healthyReward": 2}],
    "Reacher-v5": [{"rewardDistWeight": 3, "rewardControlWeight": 0.3}],
    "Pusher-v5": [{"rewardNearWeight": 2, "rewardDistWeight": 3, "rewardControlWeight": 0.3}],
}
NAMES = ["HalfCheetah", "Ant", "Hopper", "Walker2d", "Humanoid", "Swimmer", "InvertedPendulum", "InvertedDoublePendulum", "Reacher"]
IDS = [f"{name}-v{version}" for name in NAMES for version in (4, 5)] + ["Pusher-v5"]


def gymnasium_arguments(options):
    """healthyZMin and healthyZMax -> healthy_z_range; other names: camelCase -> snake_case."""
    arguments = {}
    for name, value in options.items():
        snake = re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
        if snake.endswith(("_min", "_max")):
            end = 0 if snake.endswith("_min") else 1
            arguments.setdefault(snake[:-4] + "_range", [-np.inf, np.inf])[end] = value
        else:
            arguments[snake] = value
    if "healthy_z_range" in arguments:
        arguments["healthy_z_range"][0] = 1.0  # Humanoid's default lower end: only the upper one is varied
    return arguments


def starts(env, random):
    """An ordinary first state, one with fast joints, and one that leaves the healthy region soon."""
    data, model = env.unwrapped.data, env.unwrapped.model
    env.reset(seed=int(random.integers(1 << 30)))
    qpos, qvel = data.qpos.copy(), data.qvel.copy()
    yield qpos, qvel
    yield qpos, qvel + random.uniform(-12, 12, model.nv)
    leaving = qvel.copy()
    leaving[: min(3, model.nv)] += (3.0, 2.5, 2.5)[: model.nv]
    yield qpos + random.uniform(-0.05, 0.05, model.nq), leaving


def record(env, qpos, qvel, random, steps, scale):
    """One episode: set_state after a reset, as reset_model does, then actions until its end."""
    simulator = env.unwrapped
    env.reset(seed=0)
    mujoco.mj_resetData(simulator.model, simulator.data)
    simulator.set_state(qpos, qvel)
    first = simulator._get_obs()
    low, high = env.action_space.low, env.action_space.high
    actions, observations, rewards, terminated = [], [], [], False
    while len(actions) < steps and not terminated:
        action = (scale * random.uniform(low, high)).astype(np.float32)
        observation, reward, terminated, truncated, _ = env.step(action)
        assert not truncated
        actions.append(action.tolist())
        observations.append(observation.tolist())
        rewards.append(float(reward))
    state = {"qpos": qpos.tolist(), "qvel": qvel.tolist(), "observation": first.tolist()}
    return {"start": state, "actions": actions, "observations": observations, "rewards": rewards, "terminated": bool(terminated)}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(IDS):
        random = np.random.default_rng(index)
        cases = []
        for options in [{}, *VARIANTS.get(name, [])]:
            env = gymnasium.make(name, **gymnasium_arguments(options))
            steps = 20 if name.startswith("Humanoid") else 30
            scales = [0.02 if name.startswith("Inverted") else 1.5, 1.5, 1.5]
            episodes = [
                record(env, qpos, qvel, random, steps, scale)
                for (qpos, qvel), scale in zip(starts(env, random), scales)
            ]
            cases.append({"options": options, "episodes": episodes})
            ends = [f"{len(e['actions'])}{'!' if e['terminated'] else ''}" for e in episodes]
            print(name, options, ends, flush=True)
            env.close()
        text = json.dumps({"id": name, "cases": cases}, allow_nan=False, separators=(",", ":"))
        (OUT / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
