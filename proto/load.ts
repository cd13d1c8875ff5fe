import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ProtoGrpcType as CoordinatorTypes } from "./gen/coordinator.ts";
import type { ProtoGrpcType as LearnerTypes } from "./gen/learner.ts";

/** The .proto files stay in proto/, also for the build in dist/proto/. */
const folder = ((): string => {
  const here = dirname(fileURLToPath(import.meta.url));
  return existsSync(join(here, "anchorage")) ? here : join(here, "..", "..", "proto");
})();

/** Must match scripts/generateProtoTypes.mjs. */
const options = {
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
  includeDirs: [folder],
};

export const learnerProto = (
  loadPackageDefinition(loadSync("anchorage/v1/learner.proto", options)) as unknown as LearnerTypes
).anchorage.v1;

export const coordinatorProto = (
  loadPackageDefinition(loadSync("anchorage/v1/coordinator.proto", options)) as unknown as CoordinatorTypes
).anchorage.v1;
