import { crc32c } from "@node-rs/crc32";
import fc from "fast-check";
import { compressSync } from "lz4-napi";
import { describe, expect, it } from "vitest";
import type { Rollout__Output as RolloutMessage } from "../../proto/gen/anchorage/v1/Rollout.ts";
import type { Tensor__Output as Tensor } from "../../proto/gen/anchorage/v1/Tensor.ts";
import { learnerProto } from "../../proto/load.ts";
import { OperatorError } from "../../shared/errors.ts";
import type { Rollout } from "../../shared/rollout.ts";
import { decodeRollout, encodeRollout } from "../../shared/rolloutCodec.ts";
import { continuousConfig, continuousSpec, sampleRollout, stackedConfig, stackedSpec } from "./sampleRollout.ts";

const { requestSerialize, requestDeserialize } = learnerProto.Learner.service.Collect;

/** Over the real wire format, as gRPC does it. */
function overTheWire(message: RolloutMessage): RolloutMessage {
  const received = requestDeserialize(requestSerialize({ rollout: message }));
  if (received.rollout === null || received.rollout === undefined) throw new Error("no rollout");
  return received.rollout;
}

function codeAndText(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof OperatorError) return error.message;
    throw error;
  }
  return "accepted";
}

const families = [
  { name: "stacked frames", config: stackedConfig, spec: stackedSpec },
  { name: "continuous", config: continuousConfig, spec: continuousSpec },
];

describe.each(families)("rollout codec: $name", ({ config, spec }) => {
  const encode = (rollout: Rollout): RolloutMessage => encodeRollout(rollout, 7, config, spec);
  const decode = (message: RolloutMessage): Rollout => decodeRollout(overTheWire(message), config, spec);

  it("gives back every rollout exactly", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), (seed) => {
        const rollout = sampleRollout(config, spec, seed);
        expect(decode(encode(rollout))).toEqual(rollout);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it("gives arrays with buffers of their own, which can be transferred", () => {
    const rollout = decode(encode(sampleRollout(config, spec)));
    for (const array of Object.values(rollout).filter(ArrayBuffer.isView))
      expect([array.byteOffset, array.byteLength]).toEqual([0, array.buffer.byteLength]);
  });

  it("keeps lease and key beside the data", () => {
    const message = overTheWire(encode(sampleRollout(config, spec)));
    expect(message).toMatchObject({
      lease_id: 7,
      run_id: "run-1",
      generation: 2,
      env_batch: 1,
      round: 3,
      actor_id: "actor-1",
    });
  });

  it("detects any flipped bit of tensors and state by the checksum", () => {
    for (const field of ["observations", "actions", "log_probs", "final_indices", "final_observations"] as const) {
      const message = overTheWire(encode(sampleRollout(config, spec)));
      message[field]!.data[3]! ^= 4;
      expect(codeAndText(() => decodeRollout(message, config, spec))).toMatch(/^\[CORRUPT\] Rollout field checksum/);
    }
    const message = overTheWire(encode(sampleRollout(config, spec)));
    message.end_state[0]! ^= 1;
    expect(codeAndText(() => decodeRollout(message, config, spec))).toContain("field checksum");
  });

  it.each<[string, Partial<Rollout>, RegExp]>([
    [
      "log_probs",
      { logProbs: new Float32Array(config.rolloutSteps * config.envBatchSize).fill(Number.NaN) },
      /NUMERIC.*log_probs has NaN at element 0/,
    ],
    [
      "rewards",
      { rewards: new Float32Array(config.rolloutSteps * config.envBatchSize).fill(Infinity) },
      /NUMERIC.*rewards has Infinity/,
    ],
    ["values", { values: new Float32Array(3) }, /SHAPE.*values has 3 elements/],
    [
      "terminated",
      { terminated: new Uint8Array(config.rolloutSteps * config.envBatchSize).fill(2) },
      /NUMERIC.*terminated has 2 at element 0/,
    ],
    ["end_state", { endState: new Uint8Array(0) }, /SHAPE.*end_state is empty/],
    [
      "episodes",
      { episodes: [{ step: config.rolloutSteps, environment: 0, return: 1, length: 1 }] },
      /MISMATCH.*episodes/,
    ],
    [
      "episodes",
      { episodes: [{ step: 0, environment: 0, return: Number.NaN, length: 1 }] },
      /NUMERIC.*episodes has the return NaN/,
    ],
    ["round", { key: { ...sampleRollout(config, spec).key, round: 10_000 } }, /MISMATCH.*round is 10000/],
    ["env_batch", { key: { ...sampleRollout(config, spec).key, envBatch: 2 } }, /MISMATCH.*env_batch is 2/],
    [
      "policy.digest",
      { key: { ...sampleRollout(config, spec).key, policyDigest: "abc" } },
      /MISMATCH.*policy.digest is "abc"/,
    ],
    ["run_id", { key: { ...sampleRollout(config, spec).key, runId: "" } }, /MISMATCH.*run_id is empty/],
    [
      "timing",
      { timing: { environmentSeconds: -1, inferenceSeconds: 0, totalSeconds: 0 } },
      /NUMERIC.*environment_seconds is -1/,
    ],
  ])("refuses a bad %s and names it", (_field, bad, message) => {
    expect(codeAndText(() => decode(encode({ ...sampleRollout(config, spec), ...bad })))).toMatch(message);
  });

  it.each<[string, (message: RolloutMessage) => void, RegExp]>([
    ["no policy", (m) => Object.assign(m, { policy: null }), /policy is missing/],
    ["a missing tensor", (m) => Object.assign(m, { rewards: null }), /rewards is missing/],
    [
      "another dtype",
      (m) => Object.assign(m.log_probs as Tensor, { dtype: "INT32" }),
      /log_probs has dtype INT32, expected FLOAT32/,
    ],
    ["another shape", (m) => m.values!.shape.reverse(), /values has shape/],
    ["a short tensor", (m) => Object.assign(m.values as Tensor, { data: Buffer.alloc(4) }), /values has 4 bytes/],
    [
      "too many finals",
      (m) => Object.assign(m.final_indices as Tensor, { shape: [4_000_000_000] }),
      /final_indices has shape \[4000000000\]/,
    ],
    ["another state digest", (m) => Object.assign(m, { end_state_digest: "00" }), /end_state_digest is 00/],
  ])("refuses %s", (_what, spoil, text) => {
    const message = overTheWire(encode(sampleRollout(config, spec)));
    spoil(message);
    expect(codeAndText(() => decodeRollout(message, config, spec))).toMatch(text);
  });

  it("refuses final indices that are not exactly the truncated cells, ascending", () => {
    const rollout = sampleRollout(config, spec);
    expect(rollout.finalIndices.length).toBeGreaterThan(1);
    const reversed = { ...rollout, finalIndices: rollout.finalIndices.slice().reverse() };
    expect(codeAndText(() => decode(encode(reversed)))).toMatch(/MISMATCH.*final_indices/);
    const fewer = {
      ...rollout,
      finalIndices: rollout.finalIndices.slice(1),
      finalObservations: rollout.finalObservations.slice(
        rollout.finalObservations.length / rollout.finalIndices.length,
      ),
    };
    expect(codeAndText(() => decode(encode(fewer)))).toMatch(/MISMATCH.*final_indices/);
  });

  it("refuses a cell that ends both ways, and a value after a terminal one", () => {
    const rollout = sampleRollout(config, spec);
    const both = { ...rollout, terminated: rollout.truncated.slice() };
    expect(codeAndText(() => decode(encode(both)))).toMatch(/MISMATCH.*(truncated|next_values)/);
    const worth = { ...rollout, nextValues: rollout.nextValues.slice().fill(1) };
    expect(codeAndText(() => decode(encode(worth)))).toMatch(/MISMATCH.*next_values has 1/);
  });
});

describe("rollout codec: discrete actions and compression", () => {
  const sample = sampleRollout(stackedConfig, stackedSpec);
  const encode = (rollout: Rollout): RolloutMessage => encodeRollout(rollout, 1, stackedConfig, stackedSpec);
  const decode = (m: RolloutMessage): Rollout => decodeRollout(overTheWire(m), stackedConfig, stackedSpec);

  it("refuses an action the environment does not have", () => {
    const actions = Int32Array.from(sample.actions).fill(6, 2, 3);
    expect(codeAndText(() => decode(encode({ ...sample, actions })))).toMatch(
      /actions has 6 at element 2, expected 0..5/,
    );
  });

  it("sends frames as LZ4, smaller than they are", () => {
    const { observations } = encode({ ...sample, observations: sample.observations.slice().fill(87) });
    expect(observations?.compression).toBe("LZ4");
    expect(observations?.data.length).toBeLessThan(40); // 4 * 3 * 30 equal bytes
  });

  it("refuses a block that decodes to another length or not at all, with a checksum that fits", () => {
    const message = overTheWire(encode(sample));
    message.stack_refilled!.data.fill(0);
    const frames = message.observations as Tensor;
    for (const [block, text] of [
      [compressSync(Buffer.alloc(100)).subarray(4), /CORRUPT.*observations decodes to 100 bytes, expected 360/],
      [compressSync(Buffer.alloc(1000)).subarray(4), /CORRUPT.*observations is not an LZ4 block of its shape/],
      [Buffer.from([0xff, 0xff, 0xff]), /CORRUPT.*observations is not an LZ4 block of its shape/],
    ] as const) {
      frames.data = block;
      message.checksum = checksum(message);
      expect(codeAndText(() => decodeRollout(message, stackedConfig, stackedSpec))).toMatch(text);
    }
  });
});

/** As proto/anchorage/v1/learner.proto says: crc32c over the data of tensors 10..21, then end_state. */
function checksum(m: RolloutMessage): number {
  const ordered = [m.observations, m.initial_stack, m.stack_refilled, m.actions, m.log_probs, m.values];
  ordered.push(m.next_values, m.rewards, m.terminated, m.truncated, m.final_indices, m.final_observations);
  return crc32c(Buffer.concat([...ordered.map((tensor) => (tensor as Tensor).data), m.end_state]));
}
