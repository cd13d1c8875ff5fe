import { defineConfig } from "vitest/config";

/** `npm run test:long` sets it: minutes-long training runs, apart from the suite that every change passes. */
const long = process.env.ANCHORAGE_LONG_TESTS === "1";

export default defineConfig({
  test: {
    include: [long ? "test/long/**/*.test.ts" : "test/**/*.test.ts"],
    exclude: long ? [] : ["test/long/**"],
    // native addons and TensorFlow hold process-wide state: one process per test file
    pool: "forks",
    maxWorkers: 2,
    testTimeout: long ? 3_600_000 : 60_000,
    hookTimeout: 60_000,
    // TensorFlow announces its CPU features on stderr
    env: { TF_CPP_MIN_LOG_LEVEL: "2" },
  },
});
