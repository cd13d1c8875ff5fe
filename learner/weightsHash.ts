import { createHash } from "node:crypto";
import { shapeError } from "../shared/errors.ts";
import { type NetworkSpec, parameterSpecs } from "./networkSpec.ts";

/**
 * sha256, hex, over the float32 little-endian bytes of every parameter in the order of parameterSpecs: trunk, actor,
 * critic, actor.log_std. Throws SHAPE where a parameter is missing or has another length.
 */
export function weightsSha256(network: NetworkSpec, parameters: Readonly<Record<string, Float32Array>>): string {
  const hash = createHash("sha256");
  for (const { name, shape } of parameterSpecs(network)) {
    const data = parameters[name] ?? new Float32Array(0);
    const length = shape.reduce((product, extent) => product * extent, 1);
    if (data.length !== length) throw shapeError(name, length, data);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)); // every machine Node runs on is little-endian
  }
  return hash.digest("hex");
}
