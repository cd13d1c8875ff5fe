import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { projectRoot } from "../../shared/nativeParts.ts";

/** The .proto file stays beside the source, also for the build in dist/. */
const file = ((): string => {
  const beside = fileURLToPath(new URL("tensorflow.proto", import.meta.url));
  return existsSync(beside) ? beside : join(projectRoot, "learner", "compile", "tensorflow.proto");
})();
const root = protobuf.loadSync(file);

/** TensorFlow's numbers of the element types that we use. */
export const dataType = { float32: 1, int32: 3, uint8: 4, string: 7, bool: 10 } as const;

export interface TensorShapeProto {
  readonly dim: readonly { readonly size: number }[];
}
export interface TensorProto {
  readonly dtype: number;
  readonly tensorShape: TensorShapeProto;
  readonly tensorContent?: Uint8Array;
  readonly floatVal?: readonly number[];
  readonly intVal?: readonly number[];
  readonly stringVal?: readonly Uint8Array[];
  readonly boolVal?: readonly boolean[];
}
/** Exactly one field. */
export interface AttrValue {
  readonly list?: { readonly i?: readonly number[]; readonly type?: readonly number[] };
  readonly s?: Uint8Array;
  readonly i?: number;
  readonly f?: number;
  readonly b?: boolean;
  readonly type?: number;
  readonly shape?: TensorShapeProto;
  readonly tensor?: TensorProto;
}
export interface NodeDef {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: Readonly<Record<string, AttrValue>>;
}
export interface GraphDef {
  readonly node: readonly NodeDef[];
  readonly versions: { readonly producer: number; readonly minConsumer: number };
}
export interface ConfigProto {
  readonly deviceCount?: Readonly<Record<string, number>>;
  readonly intraOpParallelismThreads: number;
  readonly interOpParallelismThreads: number;
  readonly usePerSessionThreads: boolean;
  readonly allowSoftPlacement?: boolean;
  readonly gpuOptions?: { readonly allowGrowth: boolean };
  readonly experimental?: { readonly executorType: string };
}

function encoder<T extends object>(name: string): (message: T) => Uint8Array {
  const type = root.lookupType(`tensorflow.${name}`);
  return (message) => {
    const problem = type.verify(message);
    if (problem) throw new Error(`tensorflow.${name}: ${problem}`);
    return type.encode(type.create(message)).finish();
  };
}

export const encodeGraphDef = encoder<GraphDef>("GraphDef");
export const encodeConfigProto = encoder<ConfigProto>("ConfigProto");

/** Microseconds that each operation of a profiled run took. */
export function operationTimes(runMetadata: Uint8Array): { name: string; operation: string; micros: number }[] {
  const type = root.lookupType("tensorflow.RunMetadata");
  const decoded = type.toObject(type.decode(runMetadata), {
    longs: Number,
    defaults: true,
    arrays: true,
    objects: true,
  }) as {
    stepStats: {
      devStats: {
        nodeStats: { nodeName: string; timelineLabel: string; opStartRelMicros: number; opEndRelMicros: number }[];
      }[];
    };
  };
  return decoded.stepStats.devStats
    .flatMap((device) => device.nodeStats)
    .map((node) => ({
      name: node.nodeName,
      operation: /= ([^(]+)\(/.exec(node.timelineLabel)?.[1] ?? node.nodeName,
      micros: node.opEndRelMicros - node.opStartRelMicros,
    }));
}
