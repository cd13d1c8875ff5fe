import { splitAddress } from "../../shared/grpcServer.ts";
import type { PageRun } from "../../shared/pageEvents.ts";
import { isLoopback } from "../../shared/transport.ts";

/** How a coordinator was started, which decides how its run goes on after its end. */
export interface CoordinatorStart {
  readonly followed: boolean; // by `train`, which ends with the run
  readonly stay: boolean; // it serves the ended run, as on Kubernetes
  readonly address: string; // host:port at which it listens
  readonly secure: boolean; // with certificates
  readonly folder: string; // the run's, on the coordinator's machine
}

/**
 * What a person types to make a stopped or failed run go on. A coordinator that stays may be in a container whose folders and
 * host name mean nothing outside: there it is asked at its port, as `kubectl port-forward` brings it (docs/deploy.md).
 */
export function goingOn(start: CoordinatorStart): Pick<PageRun, "goesOnBy" | "resumeCommand"> {
  const { followed, stay, address, secure, folder } = start;
  if (followed) return { goesOnBy: "train", resumeCommand: `anchorage train --resume --run-dir ${folder}` };
  if (!stay) return { goesOnBy: "coordinator", resumeCommand: `anchorage coordinator --resume --run-dir ${folder}` };
  const { host, port } = splitAddress(address);
  const asker = secure ? "--tls FOLDER" : "--control-token FILE";
  const which = isLoopback(host) ? `--run-dir ${folder}` : `${asker} --coordinator localhost:${port}`;
  return { goesOnBy: "resume", resumeCommand: `anchorage resume ${which}` };
}
