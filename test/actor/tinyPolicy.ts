import { createHash } from "node:crypto";
import protobuf from "protobufjs";
import type { EnvironmentSpec } from "../../shared/environment.ts";
import type { PolicySnapshot } from "../../shared/policySnapshot.ts";

/** The few messages of onnx.proto that a linear policy needs. */
const onnx = protobuf
  .parse(
    `
  syntax = "proto3";
  message Model { int64 ir_version = 1; string producer_name = 2; Graph graph = 7; repeated Opset opset_import = 8; }
  message Opset { string domain = 1; int64 version = 2; }
  message Graph { repeated Node node = 1; string name = 2; repeated Initializer initializer = 5; repeated Value input = 11; repeated Value output = 12; }
  message Node { repeated string input = 1; repeated string output = 2; string op_type = 4; repeated Attribute attribute = 5; }
  message Attribute { string name = 1; int64 i = 3; int32 type = 20; }
  message Initializer { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message Value { string name = 1; Type type = 2; }
  message Type { TensorType tensor_type = 1; }
  message TensorType { int32 elem_type = 1; Shape shape = 2; }
  message Shape { repeated Dim dim = 1; }
  message Dim { oneof value { int64 dim_value = 1; string dim_param = 2; } }
`,
    { keepCase: true },
  )
  .root.lookupType("Model");

const float32 = 1;
const uint8 = 2;
const int64 = 7;

export interface TinyPolicyOptions {
  readonly seed?: number; // of the weights
  readonly scale?: number; // of the weights
  readonly logStd?: number;
}

/** A linear policy and value function of the raw observation, as an ONNX snapshot of the contract. */
export function tinyPolicy(spec: EnvironmentSpec, version: number, options: TinyPolicyOptions = {}): PolicySnapshot {
  const { seed = version + 1, scale = 0.5, logStd = -0.5 } = options;
  const { shape, dtype } = spec.observation;
  const inputs = shape.reduce((all, extent) => all * extent, 1);
  const discrete = spec.action.kind === "discrete";
  const actions = spec.action.kind === "discrete" ? spec.action.count : spec.action.low.length;
  let state = seed >>> 0;
  const weights = (count: number): Buffer => {
    const values = Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state / 2147483648 - 1) * (dtype === "uint8" ? scale / 255 : scale);
    });
    return Buffer.from(values.buffer);
  };
  const node = (op_type: string, input: string[], output: string, attribute: object[] = []) => ({
    op_type,
    input,
    output: [output],
    attribute,
  });
  const value = (name: string, elem_type: number, extents: readonly number[]) => ({
    name,
    type: {
      tensor_type: { elem_type, shape: { dim: [{ dim_param: "E" }, ...extents.map((dim_value) => ({ dim_value }))] } },
    },
  });
  const floats = (name: string, dims: number[], raw_data: Buffer) => ({ name, dims, data_type: float32, raw_data });
  const preferences = discrete ? "logits" : "mean";
  const nodes = [
    node("Cast", ["observations"], "x", [{ name: "to", i: float32, type: 2 }]),
    node("Flatten", ["x"], "flat", [{ name: "axis", i: 1, type: 2 }]),
    node("Gemm", ["flat", "actorWeight", "actorBias"], preferences),
    node("MatMul", ["flat", "criticWeight"], "column"),
    node("Squeeze", ["column", "axis"], "value"),
  ];
  if (!discrete) nodes.push(node("Sub", ["mean", "mean"], "zeros"), node("Add", ["zeros", "logStd"], "log_std"));
  const graph = {
    name: "tiny",
    node: nodes,
    initializer: [
      floats("actorWeight", [inputs, actions], weights(inputs * actions)),
      floats("actorBias", [actions], weights(actions)),
      floats("criticWeight", [inputs, 1], weights(inputs)),
      { name: "axis", dims: [1], data_type: int64, raw_data: Buffer.from(BigInt64Array.of(1n).buffer) },
      ...(discrete ? [] : [floats("logStd", [actions], Buffer.from(new Float32Array(actions).fill(logStd).buffer))]),
    ],
    input: [value("observations", dtype === "uint8" ? uint8 : float32, shape)],
    output: [
      value(preferences, float32, [actions]),
      ...(discrete ? [] : [value("log_std", float32, [actions])]),
      value("value", float32, []),
    ],
  };
  const bytes = onnx
    .encode(
      onnx.fromObject({
        ir_version: 8,
        producer_name: "tinyPolicy",
        graph,
        opset_import: [{ domain: "", version: 17 }],
      }),
    )
    .finish();
  return { version, digest: createHash("sha256").update(bytes).digest("hex"), bytes: Uint8Array.from(bytes) };
}
