/**
 * What a score is measured against: (score - random) / (reference - random). 0 is a random agent, 1 the reference.
 * An environment that is in no table is not normalised.
 */
export interface Reference {
  readonly kind: "human" | "expert";
  readonly random: number;
  readonly reference: number;
}

export const referenceSources = {
  human:
    "Atari: a professional game tester and a uniformly random agent, each episode begun with up to 30 no-ops and cut at " +
    "108 000 frames; DeepMind's dqn_zoo (github.com/google-deepmind/dqn_zoo, dqn_zoo/atari_data.py, commit 359945d), the " +
    "table of Wang et al. 2016 (arXiv:1511.06581) and Badia et al. 2020 (Agent57, arXiv:2003.13350).",
  expert:
    "MuJoCo, Gymnasium -v4: the expert agents and uniformly random actions of the JAT data set (Gallouédec et al. 2024, " +
    "arXiv:2402.09844; github.com/huggingface/jat, jat/eval/rl/scores_dict.json, commit 834b49c), means of their episodes. " +
    "It is not the table behind the ANO paper's figures, which the paper does not give: normalised scores cannot be set " +
    "beside that paper's.",
} as const;

// Gymnasium id: random, expert. -v5 pays other rewards in several of them and has no published table here.
const experts: Readonly<Record<string, readonly [number, number]>> = {
  "Ant-v4": [-59.9453595321772, 5846.416114737026],
  "HalfCheetah-v4": [-284.9692070102587, 7437.771578301211],
  "Hopper-v4": [18.380233718806398, 1858.728422163856],
  "Humanoid-v4": [122.02474415145262, 6281.018018388748],
  "InvertedDoublePendulum-v4": [57.45508886511171, 9338.693291506766],
  "InvertedPendulum-v4": [6.07022623665313, 475.3978],
  "Pusher-v4": [-149.68649210713016, -25.21096888868585],
  "Reacher-v4": [-43.00200688412679, -5.678413943281723],
  "Swimmer-v4": [0.8049658244923349, 92.17642051688989],
  "Walker2d-v4": [2.6813128248995066, 4631.216752362732],
};

// ALE name: random, human. VideoPinball's random score is dqn_zoo's; other publications have 0.
const humans: Readonly<Record<string, readonly [number, number]>> = {
  Alien: [227.8, 7127.7],
  Amidar: [5.8, 1719.5],
  Assault: [222.4, 742],
  Asterix: [210, 8503.3],
  Asteroids: [719.1, 47388.7],
  Atlantis: [12850, 29028.1],
  BankHeist: [14.2, 753.1],
  BattleZone: [2360, 37187.5],
  BeamRider: [363.9, 16926.5],
  Berzerk: [123.7, 2630.4],
  Bowling: [23.1, 160.7],
  Boxing: [0.1, 12.1],
  Breakout: [1.7, 30.5],
  Centipede: [2090.9, 12017],
  ChopperCommand: [811, 7387.8],
  CrazyClimber: [10780.5, 35829.4],
  Defender: [2874.5, 18688.9],
  DemonAttack: [152.1, 1971],
  DoubleDunk: [-18.6, -16.4],
  Enduro: [0, 860.5],
  FishingDerby: [-91.7, -38.7],
  Freeway: [0, 29.6],
  Frostbite: [65.2, 4334.7],
  Gopher: [257.6, 2412.5],
  Gravitar: [173, 3351.4],
  Hero: [1027, 30826.4],
  IceHockey: [-11.2, 0.9],
  Jamesbond: [29, 302.8],
  Kangaroo: [52, 3035],
  Krull: [1598, 2665.5],
  KungFuMaster: [258.5, 22736.3],
  MontezumaRevenge: [0, 4753.3],
  MsPacman: [307.3, 6951.6],
  NameThisGame: [2292.3, 8049],
  Phoenix: [761.4, 7242.6],
  Pitfall: [-229.4, 6463.7],
  Pong: [-20.7, 14.6],
  PrivateEye: [24.9, 69571.3],
  Qbert: [163.9, 13455],
  Riverraid: [1338.5, 17118],
  RoadRunner: [11.5, 7845],
  Robotank: [2.2, 11.9],
  Seaquest: [68.4, 42054.7],
  Skiing: [-17098.1, -4336.9],
  Solaris: [1236.3, 12326.7],
  SpaceInvaders: [148, 1668.7],
  StarGunner: [664, 10250],
  Surround: [-10, 6.5],
  Tennis: [-23.8, -8.3],
  TimePilot: [3568, 5229.2],
  Tutankham: [11.4, 167.6],
  UpNDown: [533.4, 11693.2],
  Venture: [0, 1187.5],
  VideoPinball: [16256.9, 17667.9],
  WizardOfWor: [563.5, 4756.5],
  YarsRevenge: [3092.9, 54576.9],
  Zaxxon: [32.5, 9173.3],
};

/** The reference of an environment id, or null where none is published for it. */
export function referenceOf(environment: string): Reference | null {
  const game = /^(.+)-v5$/.exec(environment)?.[1];
  const [kind, row] =
    game !== undefined && Object.hasOwn(humans, game)
      ? (["human", humans[game]!] as const)
      : Object.hasOwn(experts, environment)
        ? (["expert", experts[environment]!] as const)
        : [null, null];
  return kind === null ? null : { kind, random: row[0], reference: row[1] };
}

export function normalised(score: number, { random, reference }: Reference): number {
  return (score - random) / (reference - random);
}
