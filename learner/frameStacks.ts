import { shapeError } from "../shared/errors.ts";

export interface FrameShape {
  readonly stack: number; // S, frames
  readonly pixels: number; // P = H * W
}

/** One EnvBatch's rollout as it travels: each frame once. */
export interface FrameRollout {
  readonly steps: number; // T
  readonly batch: number; // E
  readonly initialStack: Uint8Array; // [E, S, P] at step 0, oldest first
  readonly frames: Uint8Array; // [T-1, E, P] newest frame at steps 1..T-1
  readonly stackRefilled: Uint8Array; // [T-1, E] 1: the whole stack is the newest frame
  readonly finalIndices: Int32Array; // [K] t * E + e, ascending: see Rollout.finalIndices
  readonly finalObservations: Uint8Array; // [K, S, P]
}

/**
 * Rebuilds what each action answered: whole stacks, channels last, into `stacks` [T, columns, P, S] uint8 at columns
 * first .. first + E - 1. Throws SHAPE.
 */
export function buildStacks(
  shape: FrameShape,
  rollout: FrameRollout,
  stacks: Uint8Array,
  columns: number,
  first: number,
): void {
  const { stack, pixels } = shape;
  const { steps, batch } = rollout;
  const expected = {
    initialStack: batch * stack * pixels,
    frames: (steps - 1) * batch * pixels,
    stackRefilled: (steps - 1) * batch,
    finalObservations: rollout.finalIndices.length * stack * pixels,
  };
  for (const field of ["initialStack", "frames", "stackRefilled", "finalObservations"] as const)
    if (rollout[field].length !== expected[field]) throw shapeError(field, expected[field], rollout[field]);
  if (stacks.length !== steps * columns * pixels * stack)
    throw shapeError("stacks", steps * columns * pixels * stack, stacks);
  for (let e = 0; e < batch; e++) firstStack(shape, rollout.initialStack, e, stacks, first + e);
  const appendFrame = stack === 4 ? appendToFour(stacks) : appendToAny(stacks, stack);
  let final = 0;
  for (let t = 1; t < steps; t++)
    for (let e = 0; e < batch; e++) {
      const cell = (t - 1) * batch + e;
      const frame = rollout.frames.subarray(cell * pixels, (cell + 1) * pixels);
      const target = (t * columns + first + e) * pixels;
      const refilled = rollout.stackRefilled[cell] === 1;
      let previous = target - columns * pixels;
      if (rollout.finalIndices[final] === cell) {
        const end = (final + 1) * stack * pixels;
        // a lost life: the episode's last frame came before this one
        if (!refilled) appendFrame(rollout.finalObservations.subarray(end - pixels, end), target, previous, false);
        previous = target;
        final++;
      }
      appendFrame(frame, target, previous, refilled);
    }
}

function firstStack(
  { stack, pixels }: FrameShape,
  planes: Uint8Array,
  e: number,
  stacks: Uint8Array,
  column: number,
): void {
  for (let s = 0; s < stack; s++) {
    const plane = (e * stack + s) * pixels;
    let to = column * pixels * stack + s;
    for (let p = 0; p < pixels; p++, to += stack) stacks[to] = planes[plane + p]!;
  }
}

/** Writes the stack at pixel `target` from the one before at `previous`: drops its oldest frame, appends `frame`. */
type AppendFrame = (frame: Uint8Array, target: number, previous: number, refilled: boolean) => void;

/** Four frames a pixel are one 32-bit word, the oldest in its low byte (little-endian): 4 times fewer operations. */
function appendToFour(stacks: Uint8Array): AppendFrame {
  const words = new Uint32Array(stacks.buffer, stacks.byteOffset, stacks.length / 4);
  return (frame, target, previous, refilled) => {
    if (refilled) for (let p = 0; p < frame.length; p++) words[target + p] = frame[p]! * 0x01010101;
    else for (let p = 0; p < frame.length; p++) words[target + p] = (words[previous + p]! >>> 8) | (frame[p]! << 24);
  };
}

function appendToAny(stacks: Uint8Array, stack: number): AppendFrame {
  return (frame, target, previous, refilled) => {
    for (let p = 0; p < frame.length; p++) {
      const to = (target + p) * stack;
      const from = (previous + p) * stack;
      for (let s = 0; s < stack - 1; s++) stacks[to + s] = refilled ? frame[p]! : stacks[from + s + 1]!;
      stacks[to + stack - 1] = frame[p]!;
    }
  };
}
