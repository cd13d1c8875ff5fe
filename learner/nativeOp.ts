import { type Tensor, tensorflow } from "./tensorflow.ts";

/** The attributes of a TensorFlow operation as tfjs-node's binding takes them. */
interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean | string | readonly number[];
}
interface NodeBackend {
  readonly binding: { readonly [code: string]: number };
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly Tensor[]): Tensor;
}
/** Whole numbers are integers to TensorFlow unless they say otherwise. */
type AttributeValue = Attribute["value"] | { readonly float: number };

/** Runs one float32 TensorFlow operation with one output. T, its element type, need not be given. */
export function nativeOp(
  name: string,
  inputs: readonly Tensor[],
  attributes: Record<string, AttributeValue> = {},
): Tensor {
  const backend = tensorflow().backend() as unknown as NodeBackend;
  const { binding } = backend;
  const typed = Object.entries(attributes).map(([key, value]): Attribute => {
    if (typeof value === "object" && "float" in value)
      return { name: key, type: binding.TF_ATTR_FLOAT!, value: value.float };
    const type =
      typeof value === "boolean" ? "TF_ATTR_BOOL" : typeof value === "string" ? "TF_ATTR_STRING" : "TF_ATTR_INT";
    return { name: key, type: binding[type]!, value };
  });
  return backend.executeSingleOutput(
    name,
    [{ name: "T", type: binding.TF_ATTR_TYPE!, value: binding.TF_FLOAT! }, ...typed],
    inputs,
  );
}
