import { type Measured, type OursMeasured, trainOurs } from "./ours.ts";
import { runPeer } from "./peers.ts";

/** Agent steps per CPU-second and per second of wall time, ours against a peer, taken in turns in one run. */
export interface Comparison {
  readonly name: string;
  readonly peer: string;
  readonly ours: readonly OursMeasured[];
  readonly peers: readonly Measured[];
}

interface Variant {
  readonly name: string;
  readonly flags: readonly string[];
  readonly learnerThreads?: number;
}

export interface Protocol {
  readonly name: string;
  readonly peer: string;
  readonly script: string;
  readonly env: string;
  readonly peerSteps: number;
  readonly variants: readonly Variant[];
}

const mujoco = ["--env", "HalfCheetah-v4", "--algo", "ppo", "--set", "clip=0.3", "--total-steps", "163840"];
const atari = ["--env", "Pong-v5", "--algo", "ppo", "--total-steps", "14336"];

/** The protocols of ALGORITHMS on one environment each; both sides run the same PPO settings. */
export const protocols: readonly Protocol[] = [
  {
    name: "HalfCheetah-v4, 128 envs x 32 steps, 10 epochs",
    peer: "Stable-Baselines3 + EnvPool",
    script: "sb3.py",
    env: "HalfCheetah-v4",
    peerSteps: 81920,
    variants: [
      { name: "policy lag 0", flags: mujoco },
      { name: "policy lag 1", flags: [...mujoco, "--policy-lag", "1"] },
    ],
  },
  {
    name: "Pong-v5, 16 envs x 128 steps, 4 epochs",
    peer: "PyTorch on EnvPool, CleanRL style",
    script: "torchAtari.py",
    env: "Pong-v5",
    peerSteps: 8192,
    variants: [
      { name: "policy lag 0", flags: atari },
      { name: "policy lag 0, two learner threads", flags: atari, learnerThreads: 2 },
      { name: "policy lag 1", flags: [...atari, "--policy-lag", "1"] },
    ],
  },
];

/** `rounds` times: every variant of ours, then the peer. */
export async function compareEndToEnd(
  protocol: Protocol,
  rounds: number,
  say: (line: string) => void,
): Promise<Comparison[]> {
  const ours = protocol.variants.map((): OursMeasured[] => []);
  const peers: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [i, variant] of protocol.variants.entries()) {
      say(`${protocol.name}, ${variant.name}: run ${round + 1} of ${rounds}`);
      ours[i]!.push(await trainOurs(variant.flags, variant.learnerThreads ?? 1));
    }
    say(`${protocol.name}, ${protocol.peer}: run ${round + 1} of ${rounds}`);
    peers.push(await runPeer(protocol.script, ["--env", protocol.env, "--steps", String(protocol.peerSteps)]));
  }
  return protocol.variants.map((variant, i) => ({
    name: `${protocol.name}, ${variant.name}`,
    peer: protocol.peer,
    ours: ours[i]!,
    peers,
  }));
}

export const perCpuSecond = (measured: Measured): number => measured.agentSteps / measured.cpuSeconds;
export const perSecond = (measured: Measured): number => measured.agentSteps / measured.wallSeconds;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
