import { existsSync } from "node:fs";
import { chmod, copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cudaPins, pins, versionOf } from "../pins.mjs";
import { forget, unpack } from "./archives.mjs";
import { compileObject, digestOf, filesBelow, linkShared } from "./compiler.mjs";
import { part, whole } from "./part.mjs";
import { keyOf, platform, projectRoot } from "./places.mjs";
import { step } from "./progress.mjs";

const headers = ["c", "core/platform"].map((folder) => `tensorflow/include/tensorflow/${folder}/*.h`);
const members = [
  "tensorflow/libtensorflow_cc.so.2",
  "tensorflow/libtensorflow_framework.so.2",
  ...headers,
  "tensorflow/include/xla/tsl/*.h",
  "tensorflow/include/tsl/*.h",
];

/**
 * TensorFlow's two libraries and its C headers. The wheel's layout is kept: its libraries look for CUDA in
 * $ORIGIN/../nvidia, so the nvidia wheels are unpacked beside the folder that is given back, .../tensorflow.
 */
export async function setUpTensorflow(device) {
  const pin = (device === "gpu" ? pins.tensorflowGpu : pins.tensorflowCpu)[platform];
  const wheels = device === "gpu" ? [pin, ...cudaPins] : [pin];
  const folder = await part(`tensorflow-${device}-${versionOf(pin)}-${keyOf(wheels, members)}`, (temporary) =>
    step(`TensorFlow ${versionOf(pin)} for ${device.toUpperCase()}${device === "gpu" ? " (3 GB)" : ""}`, async () => {
      await Promise.all(
        wheels.map((wheel) =>
          unpack(
            wheel,
            temporary,
            wheel === pin ? members : ["nvidia/*.so*", "nvidia/*/bin/*", "nvidia/*/nvvm/libdevice/*"],
          ),
        ),
      );
      // unpacking forgets that it is a program: TensorFlow runs it to assemble kernels
      if (device === "gpu") await chmod(join(temporary, "nvidia/cuda_nvcc/bin/ptxas"), 0o755);
      for (const wheel of wheels) await forget(wheel);
    }),
  );
  return join(folder, "tensorflow");
}

/** Flags that find TensorFlow when compiling, when linking and at run time. */
export const tensorflowFlags = (library) => ({
  compile: [`-I${join(library, "include")}`],
  link: [`-L${library}`, "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", `-Wl,-rpath,${library}`],
});

/**
 * Puts tfjs-node's native half where the package looks for it, compiled against our TensorFlow: its own install
 * step would download TensorFlow 2.9.1. Needs the npm packages.
 */
export async function setUpBinding(device, library) {
  const packages = join(projectRoot, "node_modules", "@tensorflow");
  const name = device === "gpu" ? "tfjs-node-gpu" : "tfjs-node";
  const [sources, headers] = await Promise.all(
    [".cc", ".h"].map((ending) => filesBelow(packages, join(name, "binding"), [ending])),
  );
  const digest = await digestOf(packages, [...sources, ...headers]);
  const { compile, link } = tensorflowFlags(library);
  const folder = await part(`tfjs-binding-${device}-${keyOf(digest, library)}`, (temporary) =>
    step("compile tfjs-node's binding", async () => {
      const flags = ["-w", "-DNAPI_VERSION=8", "-I../node-api-headers/include", `-I${name}`, "-I.", ...compile];
      const objects = await Promise.all(
        sources.map((source) => compileObject({ cwd: packages, source, flags, headers: digest })),
      );
      await linkShared(objects, link, join(temporary, "tfjs_binding.node"));
    }),
  );
  const target = join(packages, name, "lib", "napi-v8", "tfjs_binding.node");
  const made = join(folder, "tfjs_binding.node");
  if (!existsSync(target) || !(await readFile(target)).equals(await readFile(made)))
    await whole(target, (temporary) => copyFile(made, temporary));
  return target;
}
