import { z } from "zod";

export type OptionValues = Readonly<Record<string, number | boolean>>;

/** One version of a robot's task, as Gymnasium 1.4 has it. */
export interface MujocoVersion {
  readonly model: string; // MJCF file of Gymnasium's wheel
  readonly options: z.ZodRawShape; // every option with its default, which stands only here
  readonly observationSize: (options: OptionValues) => number;
}

export interface MujocoFamily {
  readonly actions: number; // A
  readonly actionLimit: number; // ctrlrange of every actuator: -limit to limit
  readonly frameSkip: number; // simulator steps per agent step; an option of version 5
  readonly maxEpisodeSteps: number;
  readonly versions: Readonly<Partial<Record<4 | 5, MujocoVersion>>>;
}

const real = (value: number, what: string) => z.number().default(value).describe(what);
const yesNo = (value: boolean, what: string) => z.boolean().default(value).describe(what);

/** `<name>Min` and `<name>Max`: RunConfig's environment options are single values. */
const range = (name: string, low: number, high: number, what: string): z.ZodRawShape => ({
  [`${name}Min`]: real(low, `lower end of ${what}`),
  [`${name}Max`]: real(high, `upper end of ${what}`),
});

const resetNoise = (size: number) => ({
  resetNoiseScale: z.number().nonnegative().default(size).describe("size of the random offset of the first state"),
});
const forward = (weight: number) => ({ forwardRewardWeight: real(weight, "weight of the forward velocity") });
const control = (weight: number) => ({ ctrlCostWeight: real(weight, "weight of the sum of squared actions") });
const excludePositions = {
  excludeCurrentPositionsFromObservation: yesNo(true, "leave the position on the ground out of the observation"),
};
const health = (reward: number, low: number, high: number) => ({
  healthyReward: real(reward, "reward of each healthy step"),
  terminateWhenUnhealthy: yesNo(true, "end the episode when the robot is unhealthy"),
  ...range("healthyZ", low, high, "the healthy heights, in metres"),
});
const contactForces = {
  contactCostWeight: real(5e-4, "weight of the sum of squared contact forces"),
  ...range("contactForce", -1, 1, "the contact forces; beyond it they are clipped"),
};

const both = (version: MujocoVersion): MujocoFamily["versions"] => ({ 4: version, 5: version });
const seen = (excludedPositions: number, options: OptionValues): number =>
  options.excludeCurrentPositionsFromObservation ? 0 : excludedPositions;

const HalfCheetah: MujocoFamily = {
  actions: 6,
  actionLimit: 1,
  frameSkip: 5,
  maxEpisodeSteps: 1000,
  versions: both({
    model: "half_cheetah.xml",
    options: { ...forward(1), ...control(0.1), ...resetNoise(0.1), ...excludePositions },
    observationSize: (options) => 17 + seen(1, options),
  }),
};

const Swimmer: MujocoFamily = {
  actions: 2,
  actionLimit: 1,
  frameSkip: 4,
  maxEpisodeSteps: 1000,
  versions: both({
    model: "swimmer.xml",
    options: { ...forward(1), ...control(1e-4), ...resetNoise(0.1), ...excludePositions },
    observationSize: (options) => 8 + seen(2, options),
  }),
};

const Hopper: MujocoFamily = {
  actions: 3,
  actionLimit: 1,
  frameSkip: 4,
  maxEpisodeSteps: 1000,
  versions: both({
    model: "hopper.xml",
    options: {
      ...forward(1),
      ...control(1e-3),
      ...health(1, 0.7, Number.POSITIVE_INFINITY),
      ...range("healthyState", -100, 100, "every healthy joint position and velocity but the first two"),
      ...range("healthyAngle", -0.2, 0.2, "the healthy torso angles, in radians"),
      ...resetNoise(5e-3),
      ...excludePositions,
    },
    observationSize: (options) => 11 + seen(1, options),
  }),
};

const walkerOptions = {
  ...forward(1),
  ...control(1e-3),
  ...health(1, 0.8, 2),
  ...range("healthyAngle", -1, 1, "the healthy torso angles, in radians"),
  ...resetNoise(5e-3),
  ...excludePositions,
};
const Walker2d: MujocoFamily = {
  actions: 6,
  actionLimit: 1,
  frameSkip: 4,
  maxEpisodeSteps: 1000,
  versions: {
    // version 5 gives both feet the same friction
    4: { model: "walker2d.xml", options: walkerOptions, observationSize: (options) => 17 + seen(1, options) },
    5: { model: "walker2d_v5.xml", options: walkerOptions, observationSize: (options) => 17 + seen(1, options) },
  },
};

const antOptions = {
  ...control(0.5),
  ...health(1, 0.2, 1),
  ...contactForces,
  ...resetNoise(0.1),
  ...excludePositions,
};
const Ant: MujocoFamily = {
  actions: 8,
  actionLimit: 1,
  frameSkip: 5,
  maxEpisodeSteps: 1000,
  versions: {
    4: {
      model: "ant.xml",
      options: { ...antOptions, useContactForces: yesNo(false, "observe contact forces and charge for them") },
      observationSize: (options) => 27 + seen(2, options) + (options.useContactForces ? 84 : 0),
    },
    5: {
      model: "ant.xml",
      options: { ...antOptions, ...forward(1), includeCfrcExtInObservation: yesNo(true, "observe contact forces") },
      observationSize: (options) => 27 + seen(2, options) + (options.includeCfrcExtInObservation ? 78 : 0),
    },
  },
};

const humanoidOptions = {
  ...forward(1.25),
  ...control(0.1),
  ...health(5, 1, 2),
  ...resetNoise(1e-2),
  ...excludePositions,
};
const humanoidParts = {
  includeCinertInObservation: 130,
  includeCvelInObservation: 78,
  includeQfrcActuatorInObservation: 17,
  includeCfrcExtInObservation: 78,
};
const Humanoid: MujocoFamily = {
  actions: 17,
  actionLimit: 0.4,
  frameSkip: 5,
  maxEpisodeSteps: 1000,
  versions: {
    // version 4 observes the rows of the world, too, which are always 0
    4: { model: "humanoid.xml", options: humanoidOptions, observationSize: (options) => 376 + seen(2, options) },
    5: {
      model: "humanoid.xml",
      options: {
        ...humanoidOptions,
        contactCostWeight: real(5e-7, "weight of the sum of squared contact forces"),
        ...range("contactCost", Number.NEGATIVE_INFINITY, 10, "the contact cost; beyond it it is clipped"),
        includeCinertInObservation: yesNo(true, "observe the bodies' inertias about the centre of mass"),
        includeCvelInObservation: yesNo(true, "observe the bodies' velocities about the centre of mass"),
        includeQfrcActuatorInObservation: yesNo(true, "observe the actuators' forces"),
        includeCfrcExtInObservation: yesNo(true, "observe the contact forces"),
      },
      observationSize: (options) =>
        Object.entries(humanoidParts).reduce(
          (size, [option, part]) => size + (options[option] ? part : 0),
          45 + seen(2, options),
        ),
    },
  },
};

const InvertedPendulum: MujocoFamily = {
  actions: 1,
  actionLimit: 3,
  frameSkip: 2,
  maxEpisodeSteps: 1000,
  versions: {
    4: { model: "inverted_pendulum.xml", options: {}, observationSize: () => 4 },
    5: { model: "inverted_pendulum.xml", options: resetNoise(0.01), observationSize: () => 4 },
  },
};

const InvertedDoublePendulum: MujocoFamily = {
  actions: 1,
  actionLimit: 1,
  frameSkip: 5,
  maxEpisodeSteps: 1000,
  versions: {
    4: { model: "inverted_double_pendulum.xml", options: {}, observationSize: () => 11 },
    5: {
      model: "inverted_double_pendulum.xml",
      options: { healthyReward: real(10, "reward of each step that does not end the episode"), ...resetNoise(0.1) },
      observationSize: () => 9,
    },
  },
};

const Reacher: MujocoFamily = {
  actions: 2,
  actionLimit: 1,
  frameSkip: 2,
  maxEpisodeSteps: 50,
  versions: {
    4: { model: "reacher.xml", options: {}, observationSize: () => 11 },
    5: {
      model: "reacher.xml",
      options: {
        rewardDistWeight: real(1, "weight of the distance to the target"),
        rewardControlWeight: real(1, "weight of the sum of squared actions"),
      },
      observationSize: () => 10,
    },
  },
};

const Pusher: MujocoFamily = {
  actions: 7,
  actionLimit: 2,
  frameSkip: 5,
  maxEpisodeSteps: 100,
  versions: {
    5: {
      model: "pusher_v5.xml",
      options: {
        rewardNearWeight: real(0.5, "weight of the distance from arm to object"),
        rewardDistWeight: real(1, "weight of the distance from object to goal"),
        rewardControlWeight: real(0.1, "weight of the sum of squared actions"),
      },
      observationSize: () => 23,
    },
  },
};

export const mujocoFamilies: Readonly<Record<string, MujocoFamily>> = {
  HalfCheetah,
  Ant,
  Hopper,
  Walker2d,
  Humanoid,
  Swimmer,
  InvertedPendulum,
  InvertedDoublePendulum,
  Reacher,
  Pusher,
};
