import { expect, it } from "vitest";
import { scrapeTargets, targetsFile } from "../../../cli/observe/scrapeTargets.ts";
import type { Status__Output } from "../../../proto/gen/anchorage/v1/Status.ts";

const here = { coordinator: "10.0.0.1", hostname: "hostA" };

function statusWith(...members: { role: string; host: string; says: string }[]): Status__Output {
  const described = members.map(({ role, host, says }, i) => ({ role, host, status_json: says, member_id: `m${i}` }));
  return { metrics_port: 9400, members: described } as unknown as Status__Output;
}
const serving = (metricsHost: string, metricsPort: number): string => JSON.stringify({ metricsHost, metricsPort });

it("a process on this machine is reached where it listens, one that listens everywhere by its host's name", () => {
  const status = statusWith(
    { role: "LEARNER", host: "hostA", says: serving("127.0.0.1", 1) },
    { role: "ACTOR", host: "hostA", says: serving("0.0.0.0", 2) },
    { role: "ACTOR", host: "hostB", says: serving("0.0.0.0", 3) },
    { role: "ACTOR", host: "hostB", says: serving("::", 4) },
    { role: "ACTOR", host: "hostC", says: serving("10.0.0.7", 5) },
    { role: "ACTOR", host: "hostD", says: serving("fd00::7", 6) },
  );
  expect(scrapeTargets(status, here)).toEqual({
    coordinator: ["10.0.0.1:9400"],
    learner: ["127.0.0.1:1"],
    actor: ["127.0.0.1:2", "hostB:3", "hostB:4", "10.0.0.7:5", "[fd00::7]:6"],
    unreachable: [],
  });
});

it("names who serves on the loopback interface of another machine, and leaves it out", () => {
  const hosts = ["127.0.0.1", "localhost", "::1"];
  const status = statusWith(...hosts.map((host) => ({ role: "ACTOR", host: "hostB", says: serving(host, 7) })));
  const { actor, unreachable } = scrapeTargets(status, here);
  expect(actor).toEqual([]);
  expect(unreachable).toEqual([0, 1, 2].map((i) => `m${i} on hostB serves /metrics on its loopback interface only`));
});

it("waits for the first heartbeat of a member, and takes nothing that is no port", () => {
  const unfit = [
    "",
    "{}",
    "no JSON",
    serving("hostB", 0),
    serving("hostB", 70_000),
    '{"metricsHost":1,"metricsPort":2}',
  ];
  const status = statusWith(...unfit.map((says) => ({ role: "ACTOR", host: "hostB", says })));
  expect(scrapeTargets(status, here)).toMatchObject({ actor: [], unreachable: [] });
});

it("writes them as a file that Prometheus discovers from", () => {
  const targets = { coordinator: ["a:1"], learner: ["b:2"], actor: ["c:3", "d:4"], unreachable: [] };
  expect(JSON.parse(targetsFile(targets))).toEqual([{ targets: ["a:1", "b:2", "c:3", "d:4"] }]);
});
