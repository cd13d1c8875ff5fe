import type {
  Environment,
  EnvironmentSpec,
  EpisodeRandom,
  ObservationArray,
  Picture,
  PictureSize,
  StepOutcome,
} from "../../shared/environment.ts";
import { OperatorError } from "../../shared/errors.ts";
import { Painter } from "./painter.ts";

const gravity = 9.8; // m/s^2
const cartMass = 1; // kg
const poleMass = 0.1; // kg
const totalMass = cartMass + poleMass;
const poleHalfLength = 0.5; // m
const poleMassLength = poleMass * poleHalfLength;
const forceSize = 10; // N
const stepSeconds = 0.02;
const angleLimit = (12 * 2 * Math.PI) / 360; // rad
const positionLimit = 2.4; // m

/**
 * Gymnasium's CartPole-v1 (Barto, Sutton and Anderson 1983), and the example of an environment written in TypeScript.
 * Observation: cart position (m) and velocity, pole angle (rad) and angular velocity. Action 0 pushes left, 1 right.
 * Reward 1 per step, the last one included; ends where cart or pole leave their limits, truncated after 500 steps.
 */
export default class CartPole implements Environment {
  readonly spec: EnvironmentSpec = {
    id: "CartPole-v1",
    observation: { dtype: "float32", shape: [4], frameStack: null },
    action: { kind: "discrete", count: 2 },
    maxEpisodeSteps: 500,
    framesPerStep: 1,
  };
  readonly presentation = { secondsPerStep: stepSeconds, actionNames: ["left", "right"] };
  readonly #state = new Float64Array(4); // position, velocity, angle, angular velocity

  constructor(options: Readonly<Record<string, unknown>> = {}) {
    const [option] = Object.keys(options);
    if (option !== undefined)
      throw new OperatorError(
        "CONFIG",
        `envOptions.${option} is no option of CartPole-v1, which has none.`,
        "Remove it.",
      );
  }

  reset(random: EpisodeRandom, observation: ObservationArray): void {
    for (let i = 0; i < 4; i++) this.#state[i] = random.uniform() * 0.1 - 0.05;
    observation.set(this.#state);
  }

  step(action: number | Float32Array, observation: ObservationArray): StepOutcome {
    const s = this.#state;
    const force = action === 1 ? forceSize : -forceSize;
    const cos = Math.cos(s[2]!);
    const sin = Math.sin(s[2]!);
    // Florian 2007, "Correct equations for the dynamics of the cart-pole system", eqs. 23 and 24, without friction
    const pushed = (force + poleMassLength * s[3]! ** 2 * sin) / totalMass;
    const angular = (gravity * sin - cos * pushed) / (poleHalfLength * (4 / 3 - (poleMass * cos ** 2) / totalMass));
    const linear = pushed - (poleMassLength * angular * cos) / totalMass;
    s[0] = s[0]! + stepSeconds * s[1]!;
    s[1] = s[1]! + stepSeconds * linear;
    s[2] = s[2]! + stepSeconds * s[3]!;
    s[3] = s[3]! + stepSeconds * angular;
    observation.set(s);
    return { reward: 1, terminated: Math.abs(s[0]) > positionLimit || Math.abs(s[2]) > angleLimit };
  }

  /** The track with its limits, the cart and the pole, seen from the side. */
  render(size: PictureSize): Picture {
    const { width, height } = size;
    const metre = width / (2 * positionLimit + 0.8); // in pixels
    const track = height * 0.72;
    const cart = width / 2 + this.#state[0]! * metre;
    const hinge = track - 0.28 * metre;
    const [sin, cos] = [Math.sin(this.#state[2]!), Math.cos(this.#state[2]!)];
    const length = 2 * poleHalfLength * metre * 1.3;
    const thin = Math.max(2, height / 120);
    const painter = new Painter(size, [238, 242, 247]);
    painter.line([0, track], [width, track], thin, [148, 163, 184]);
    for (const side of [-1, 1]) {
      const x = width / 2 + side * positionLimit * metre;
      painter.line([x, track - 0.12 * metre], [x, track + 0.12 * metre], thin, [239, 68, 68]);
    }
    painter.box([cart, track - 0.14 * metre], { width: 0.7 * metre, height: 0.3 * metre }, 0.06 * metre, [51, 65, 85]);
    painter.line([cart, hinge], [cart + length * sin, hinge - length * cos], 0.11 * metre, [217, 119, 6]);
    painter.line([cart, hinge], [cart, hinge], 0.07 * metre, [254, 243, 199]);
    return painter.picture();
  }

  save(): Uint8Array {
    return new Uint8Array(this.#state.slice().buffer);
  }

  load(state: Uint8Array): void {
    const bytes = Uint8Array.from(state);
    if (bytes.length !== 32)
      throw new OperatorError(
        "CORRUPT",
        `A CartPole-v1 state has 32 bytes, got ${bytes.length}.`,
        "Use a state that save() gave.",
      );
    const numbers = new Float64Array(bytes.buffer);
    if (!numbers.every(Number.isFinite))
      throw new OperatorError(
        "CORRUPT",
        `A CartPole-v1 state holds ${numbers.join(", ")}.`,
        "Use a state that save() gave.",
      );
    this.#state.set(numbers);
  }
}
