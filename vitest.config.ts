import { defineConfig } from "vitest/config";

/**
 * `npm run test:long` and `npm run test:chaos` set it: minutes-long training runs and faults, apart from the suite that
 * every change passes.
 */
const apart = process.env.ANCHORAGE_TESTS;
if (apart !== undefined && apart !== "long" && apart !== "chaos")
  throw new Error(`ANCHORAGE_TESTS=${apart} names no tests: set long or chaos`);

export default defineConfig({
  test: {
    include: [apart === undefined ? "test/**/*.test.ts" : `test/${apart}/**/*.test.ts`],
    exclude: apart === undefined ? ["test/long/**", "test/chaos/**"] : [],
    // native addons and TensorFlow hold process-wide state: one process per test file
    pool: "forks",
    maxWorkers: 2,
    testTimeout: { long: 3_600_000, chaos: 900_000, short: 60_000 }[apart ?? "short"],
    hookTimeout: 60_000,
    // TensorFlow announces its CPU features on stderr; tests load onnxruntime in Node and in Python, too (actor/withoutTelemetry.ts)
    env: { TF_CPP_MIN_LOG_LEVEL: "2", ORT_DISABLE_TELEMETRY: "1" },
  },
});
