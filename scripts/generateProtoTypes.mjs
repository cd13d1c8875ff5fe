/** npm run proto: writes proto/gen/, the TypeScript types of the wire. The options must match those in proto/load.ts. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./setup/command.mjs";
import { projectRoot, startedAs } from "./setup/places.mjs";
import { fail } from "./setup/setupError.mjs";

const options = ["--keepCase", "--longs=Number", "--enums=String", "--defaults", "--oneofs"];
const style = ["--grpcLib=@grpc/grpc-js", "--targetFileExtension=.ts", "--importFileExtension=.ts"];

/** Generates the types into `folder`, which is emptied first. */
export async function generateProtoTypes(folder) {
  await rm(folder, { recursive: true, force: true });
  const program = join(projectRoot, "node_modules", ".bin", "proto-loader-gen-types");
  const files = ["anchorage/v1/learner.proto", "anchorage/v1/coordinator.proto"];
  const where = ["--includeDirs=proto", `--outDir=${folder}`];
  await command(program, [...options, ...style, ...where, ...files], { cwd: projectRoot });
}

if (startedAs(import.meta.url)) await generateProtoTypes(join(projectRoot, "proto", "gen")).catch(fail);
