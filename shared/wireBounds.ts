import type { ServiceDefinition } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { OperatorError } from "./errors.ts";
import type { PortRefusals } from "./portRefusals.ts";

/**
 * How often a field may occur in a message, by field number; `of`: the same for the message in it. A message of 2 bytes
 * each becomes an object of 100, so that 64 MiB of them would take gigabytes: they are counted before anything is decoded.
 */
export type WireBounds = Readonly<Record<number, FieldBound>>;
export interface FieldBound {
  readonly most: number;
  readonly of?: WireBounds;
  /** Packed numbers: bytes of all of them, at least one each. */
  readonly packedBytes?: number;
}

const lengthDelimited = 2;
/** Fields that no bound names, such as unknown ones: skipped by the decoder, but each takes its time. */
const mostFields = 4_000_000;

/** Throws CORRUPT where bytes are no protobuf or a field comes too often; `what` names the message. */
export function checkWire(bytes: Uint8Array, bounds: WireBounds, what: string): void {
  const problem = scan(protobuf.Reader.create(bytes), bytes.length, bounds, what);
  if (problem !== null)
    throw new OperatorError("CORRUPT", `${problem}.`, "It is refused; run the same build in every process.");
}

function scan(reader: protobuf.Reader, end: number, bounds: WireBounds, what: string): string | null {
  const seen = new Map<number, number>();
  let fields = 0;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = tag >>> 3;
    if (++fields > mostFields) return `${what} has over ${mostFields} fields`;
    const bound = bounds[field];
    if (bound === undefined) {
      reader.skipType(tag & 7);
      continue;
    }
    const count = (seen.get(field) ?? 0) + 1;
    seen.set(field, count);
    if (count > bound.most) return `${what} has field ${field} over ${bound.most} times`;
    if ((tag & 7) !== lengthDelimited) {
      reader.skipType(tag & 7);
      continue;
    }
    const length = reader.uint32();
    if (reader.pos + length > end) return `${what} field ${field} is longer than its message`;
    if (bound.packedBytes !== undefined && length > bound.packedBytes)
      return `${what} field ${field} has ${length} bytes of numbers, at most ${bound.packedBytes}`;
    const inner = bound.of === undefined ? null : scan(reader, reader.pos + length, bound.of, `${what}.${field}`);
    if (inner !== null) return inner;
    if (bound.of === undefined) reader.skip(length);
  }
  return reader.pos === end ? null : `${what} is cut off`;
}

/** The service with its requests checked before they are decoded, by method name; what cannot be decoded is counted. */
export function boundedService<Service extends ServiceDefinition>(
  service: Service,
  bounds: Readonly<Record<string, WireBounds>>,
  refusals: PortRefusals,
): Service {
  const methods = Object.entries(service).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): object => {
      try {
        checkWire(bytes, bounds[name] ?? {}, name);
        return method.requestDeserialize(bytes);
      } catch (error) {
        refusals.count("malformed", `${name}: ${error instanceof Error ? error.message : String(error)}`);
        throw error;
      }
    };
    return [name, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(methods) as Service;
}
