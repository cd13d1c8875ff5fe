import fc from "fast-check";
import { expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { PolicyChunks, parseChunk } from "../../actor/policyChunks.ts";
import type { ActorMessage__Output } from "../../proto/gen/anchorage/v1/ActorMessage.ts";
import type { CheckpointChunk__Output } from "../../proto/gen/anchorage/v1/CheckpointChunk.ts";
import { learnerProto } from "../../proto/load.ts";
import { CheckpointAssembly, checkpointChunkBytes, sha256 } from "../../shared/checkpointTransfer.ts";
import { DeployConfig } from "../../shared/deployConfig.ts";
import { EnvironmentSpec } from "../../shared/environment.ts";
import { OperatorError } from "../../shared/errors.ts";
import { parseFingerprint } from "../../shared/fingerprint.ts";
import { chunkBytes, chunkHeader } from "../../shared/policySnapshot.ts";
import { resolveRunConfig } from "../../shared/presets.ts";
import { decodeRollout, encodeRollout } from "../../shared/rolloutCodec.ts";
import { RunConfig } from "../../shared/runConfig.ts";
import { checkWire } from "../../shared/wireBounds.ts";
import { cases, refusesClearly } from "./fuzzCases.ts";
import { continuousConfig, continuousSpec, sampleRollout, stackedConfig, stackedSpec } from "./sampleRollout.ts";

const runs = [
  { config: stackedConfig, spec: stackedSpec },
  { config: continuousConfig, spec: continuousSpec },
] as const;
const { Collect } = learnerProto.Learner.service;
const rollouts = runs.map(({ config, spec }) => encodeRollout(sampleRollout(config, spec), 7, config, spec));
const wire = rollouts.map((rollout) => Collect.requestSerialize({ rollout } as never));

it("a rollout comes back from the wire as it was, whatever its numbers", () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...runs), (number, { config, spec }) => {
      const rollout = sampleRollout(config, spec, number);
      const sent = Collect.requestSerialize({ rollout: encodeRollout(rollout, 1, config, spec) } as never);
      const got = Collect.requestDeserialize(sent) as ActorMessage__Output;
      expect(decodeRollout(got.rollout!, config, spec)).toEqual(rollout);
    }),
    cases(100),
  );
});

it("a rollout with bytes changed on the way is never taken for another one", () => {
  const place = fc.record({ which: fc.nat(1), at: fc.nat(), to: fc.nat(255) });
  fc.assert(
    fc.property(place, fc.nat(3), ({ which, at, to }, cut) => {
      const bytes = Buffer.from(wire[which]!);
      bytes[at % bytes.length] = to;
      const { config, spec } = runs[which]!;
      let message: ActorMessage__Output;
      try {
        message = Collect.requestDeserialize(
          cut === 0 ? bytes.subarray(0, at % bytes.length) : bytes,
        ) as ActorMessage__Output;
      } catch {
        return; // no protobuf any more: grpc-js answers INTERNAL
      }
      if (message.rollout) refusesClearly(() => decodeRollout(message.rollout!, config, spec));
    }),
    cases(1_500),
  );
});

/** Fields of a rollout, or of one of its tensors, made to be something else. */
const wild = fc.oneof(
  fc.constantFrom<unknown>(
    0,
    -1,
    1,
    255,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 53,
    1e308,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "",
    null,
  ),
  fc.string(),
  fc.array(fc.nat(), { maxLength: 5 }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom("UINT8", "INT32", "FLOAT32", "NONE", "LZ4", 5),
);

it("any field of a rollout may be anything: refused with its name, or decoded with the run's lengths", () => {
  const message = rollouts.map((rollout) => rollout as unknown as Record<string, unknown>);
  const change = fc.nat(1).chain((which) =>
    fc.record({
      which: fc.constant(which),
      field: fc.constantFrom(...Object.keys(message[which]!)),
      part: fc.constantFrom("", "dtype", "shape", "compression", "data"),
      value: wild,
    }),
  );
  fc.assert(
    fc.property(change, ({ which, field, part, value }) => {
      const { config, spec } = runs[which]!;
      const old = message[which]![field];
      const isTensor = old !== null && typeof old === "object" && "dtype" in old;
      const sent = { ...message[which], [field]: isTensor && part !== "" ? { ...old, [part]: value } : value };
      let got: ActorMessage__Output;
      try {
        got = Collect.requestDeserialize(Collect.requestSerialize({ rollout: sent } as never)) as ActorMessage__Output;
      } catch {
        return; // cannot even be sent
      }
      refusesClearly(() => {
        const rollout = decodeRollout(got.rollout!, config, spec);
        expect(rollout.rewards.length).toBe(config.rolloutSteps * config.envBatchSize);
      });
    }),
    cases(1_500),
  );
});

it("kept: a compression that does not exist lets no tensor of another length through", () => {
  const { config, spec } = runs[1];
  const rewards = { ...rollouts[1]!.rewards!, compression: 5 as never, data: Buffer.alloc(3) };
  expect(() => decodeRollout({ ...rollouts[1]!, rewards }, config, spec)).toThrow(/rewards has compression 5/);
});

it("kept: an LZ4 block that would decode to more than its shape asks for no memory", () => {
  const { config, spec } = runs[0];
  const bomb = Buffer.concat([Buffer.from([0x1f, 0, 1, 0]), Buffer.alloc(1_000_000, 0xff), Buffer.from([0])]); // 255 MB
  const observations = { ...rollouts[0]!.observations!, compression: "LZ4" as const, data: bomb };
  const before = process.memoryUsage().rss;
  expect(() => decodeRollout({ ...rollouts[0]!, observations }, config, spec)).toThrow(OperatorError);
  expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
});

it("random bytes and random elements never get past the wire check with more than is allowed", () => {
  const bounds = { 2: { most: 1, of: { 22: { most: 3 }, 10: { most: 1, of: { 2: { most: 4, packedBytes: 8 } } } } } };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        checkWire(bytes, bounds, "message");
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
    cases(2_000),
  );
  for (const ours of wire) checkWire(ours, { 2: { most: 1, of: { 22: { most: 100 } } } }, "message");
});

const header = fc.oneof(
  fc.constantFrom("", "-1", "0", "1", "786432", "1e9", "NaN", "999999999999999", "0x10", " 1", "１"),
  fc.nat().map(String),
  fc.string(),
);

it("policy chunks: whatever a publisher sends, what is whole has its digest, and memory is bounded", () => {
  const honest = Buffer.alloc(chunkBytes + 1000, 3);
  const digest = sha256(honest);
  const forged = fc.record({
    version: header,
    digest: fc.oneof(
      fc.constant(digest),
      fc.string(),
      fc.nat(9).map((n) => String(n).repeat(64)),
    ),
    offset: fc.oneof(header, fc.constantFrom("0", String(chunkBytes))),
    total: fc.oneof(header, fc.constant(String(honest.length))),
    data: fc.oneof(
      fc.constantFrom(honest.subarray(0, chunkBytes), honest.subarray(chunkBytes)),
      fc.uint8Array({ maxLength: 2_000 }),
    ),
  });
  fc.assert(
    fc.property(fc.array(forged, { maxLength: 12 }), (messages) => {
      const chunks = new PolicyChunks(3);
      const send = (fields: Record<string, string>, data: Uint8Array) => {
        const names = chunkHeader as Record<string, string>;
        const get = (name: string): string => fields[Object.keys(names).find((key) => names[key] === name) ?? ""] ?? "";
        const chunk = parseChunk({ get }, data);
        if (chunk === null) return;
        expect(chunk.offset + chunk.data.length).toBeLessThanOrEqual(chunk.total);
        if (chunks.add(chunk) === "whole") expect(sha256(chunks.hold(chunk.digest)!.bytes)).toBe(chunk.digest);
      };
      for (const { data, ...fields } of messages) send(fields, data);
      // asked for directly, the honest one is whole after one more round at most, whatever was sent live before
      for (const at of [0, chunkBytes, 0, chunkBytes]) {
        const data = honest.subarray(at, at + chunkBytes);
        chunks.add({ version: 1, digest, offset: at, total: honest.length, data }, "fetched");
      }
      expect(chunks.has(digest)).toBe(true);
    }),
    cases(150),
  );
});

it("a checkpoint stream in any order of parts is whole as announced, or refused", () => {
  const bytes = Buffer.from("everything that a learner needs");
  const good = { generation: 1, update: 2, total_bytes: bytes.length, sha256: sha256(bytes), mean_return: 0 };
  const part = fc.oneof(
    fc.constant({ header: good }),
    fc
      .record({ total: fc.oneof(fc.nat(), fc.constantFrom(-1, 2 ** 53, Number.NaN)), digest: fc.string() })
      .map((wrong) => ({
        header: { ...good, total_bytes: wrong.total, sha256: wrong.digest },
      })),
    fc.constantFrom({ data: bytes }, { data: bytes.subarray(0, 5) }, { data: bytes.subarray(5) }, {}),
    fc.uint8Array({ maxLength: 50 }).map((data) => ({ data: Buffer.from(data) })),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const assembly = new CheckpointAssembly();
      refusesClearly(() => {
        for (const one of parts) assembly.add(one as CheckpointChunk__Output);
        const { bytes: got } = assembly.finish();
        expect(sha256(got)).toBe(assembly.header!.sha256);
        expect(got.length).toBe(assembly.header!.total_bytes);
      });
    }),
    cases(1_000),
  );
  expect(checkpointChunkBytes).toBeLessThanOrEqual(4 * 2 ** 20); // what coordinator/limits.ts lets through
});

const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const polluting = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"build":"x"}';

it("JSON in messages: anything is refused, deep or huge or polluting", () => {
  const json = fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom(polluting, deep(100_000), "", "null", `"${"x".repeat(1e5)}"`),
  );
  fc.assert(
    fc.property(json, (text) => {
      refusesClearly(() => parseFingerprint(text));
      expect(() => EnvironmentSpec.parse(JSON.parse(text))).toThrow();
    }),
    cases(500),
  );
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

it("an environment that no learner could hold is refused, as its parts are", () => {
  const spec = (shape: number[]) => ({ ...continuousSpec, observation: { ...continuousSpec.observation, shape } });
  for (const shape of [[1e9, 1e9], Array(50).fill(1), [2 ** 23], [0], [-1], [1.5], []])
    expect(EnvironmentSpec.safeParse(spec(shape)).success).toBe(false);
  expect(EnvironmentSpec.safeParse(spec([210, 160, 3])).success).toBe(true);
});

it("run and deploy configs: any value of any field is a config or a clear error; nothing pollutes", () => {
  const fields = [...Object.keys(RunConfig.shape), "__proto__", "constructor", "nonsense"];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...fields), wild, { maxKeys: 4 }), (given) => {
      refusesClearly(() => resolveRunConfig({ env: "CartPole-v1", ...given } as never));
    }),
    cases(500),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...Object.keys(DeployConfig.shape), "__proto__"), wild), (given) => {
      const parsed = DeployConfig.safeParse(given);
      if (parsed.success) expect(DeployConfig.parse(parsed.data)).toEqual(parsed.data);
    }),
    cases(500),
  );
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

it("kept: a number of environments that is absurd is refused, not searched for divisors until memory ends", () => {
  const given = { env: "CartPole-v1", envs: 2 ** 32 - 1, envBatchSize: 2 };
  expect(() => resolveRunConfig(given)).toThrow(/envBatchSize=2 does not divide envs=4294967295/);
});

it("a YAML file of aliases of aliases does not grow in memory", () => {
  const lines = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`);
  expect(() => parseYaml(["a0: &a0 x", ...lines].join("\n"))).toThrow(/alias/i);
});
