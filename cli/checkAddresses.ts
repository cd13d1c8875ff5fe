import { createServer } from "node:net";
import type { DeployConfig } from "../shared/deployConfig.ts";
import { OperatorError } from "../shared/errors.ts";
import { splitAddress } from "../shared/grpcServer.ts";
import { addressError } from "../shared/httpPort.ts";
import { Transport } from "../shared/transport.ts";

/**
 * Tries the addresses that a person chose for the processes of `train`, so that one that cannot be had is known before
 * there is a run. Throws ADDRESS, or CONFIG where several actors would share one port.
 */
export async function checkAddresses(deploy: DeployConfig, actors: number): Promise<void> {
  Transport.of(deploy, "learner").check("learnerListen", deploy.learnerListen);
  const { metricsHost: host, actorMetricsPort } = deploy;
  if (actors > 1 && actorMetricsPort !== 0)
    throw new OperatorError(
      "CONFIG",
      `actorMetricsPort=${actorMetricsPort} cannot serve ${actors} actors on one machine.`,
      "Leave it at 0 (any free port), or train with --actors 1.",
    );
  await tryAddress("The learner", splitAddress(deploy.learnerListen));
  if (deploy.page !== "off") {
    Transport.of(deploy, "coordinator").check("pageListen", deploy.pageListen);
    await tryAddress("The page", splitAddress(deploy.pageListen));
  }
  for (const port of [deploy.coordinatorMetricsPort, deploy.learnerMetricsPort, actorMetricsPort])
    await tryAddress("The metrics server", { host, port });
}

/** Listens there for a moment. */
function tryAddress(what: string, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause) => reject(addressError(what, host, port, cause)));
    probe.listen(port, host.replace(/^\[|\]$/g, ""), () => probe.close(() => resolve()));
  });
}
