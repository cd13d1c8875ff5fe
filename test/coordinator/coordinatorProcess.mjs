// A coordinator process, from dist, for tests that kill it. Arguments: run folder, RunConfig as JSON, DeployConfig as JSON.
import { runCoordinator } from "../../dist/coordinator/main.js";
import { DeployConfig } from "../../dist/shared/deployConfig.js";
import { processLifecycle } from "../../dist/shared/lifecycle.js";
import { logger } from "../../dist/shared/log.js";
import { RunConfig } from "../../dist/shared/runConfig.js";

const [runDir, config, deploy] = process.argv.slice(2);
const outcome = await runCoordinator(DeployConfig.parse(JSON.parse(deploy)), RunConfig.parse(JSON.parse(config)), {
  runDir,
  resume: "auto",
  lifecycle: processLifecycle(logger("coordinator")),
  onReady: (serving) => process.send({ serving }),
});
if (process.connected) process.send({ outcome });
