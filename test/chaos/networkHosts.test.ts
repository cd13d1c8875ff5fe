import { spawnSync } from "node:child_process";
import { afterEach, expect, it } from "vitest";
import { NetworkHosts, noNetworkHosts } from "./networkHosts.ts";
import { named } from "./skipReason.ts";
import { until } from "./until.ts";

const missing = noNetworkHosts();
let hosts: NetworkHosts | undefined;
afterEach(() => hosts?.remove());

const reaches = (from: string, to: string): boolean => {
  const code = `require("net").connect(1, ${JSON.stringify(to)}).on("error", (e) => process.exit(e.code === "ECONNREFUSED" ? 0 : 1)); setTimeout(() => process.exit(1), 1000)`;
  const [program, ...args] = [...hosts!.on(from), process.execPath, "-e", code];
  return spawnSync(program!, args).status === 0;
};

it.skipIf(missing !== null)(named("hosts reach each other and nothing else, and a cut is a cut", missing), async () => {
  hosts = NetworkHosts.make(["a", "b", "c"]);
  const [a, b] = [hosts.address("a"), hosts.address("b")];
  expect([reaches("a", b), reaches("c", b), reaches("a", "192.0.2.1")]).toEqual([true, true, false]);
  hosts.cutBetween("a", "b");
  expect([reaches("a", b), reaches("b", a), reaches("c", b)]).toEqual([false, false, true]);
  hosts.mendBetween("a", "b");
  hosts.cut("c");
  expect([reaches("a", b), reaches("c", b), reaches("b", hosts.address("c"))]).toEqual([true, false, false]);
  hosts.mend("c");
  await until("the mended cable carries again", async () => reaches("c", b));
  hosts.remove();
  expect(spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout).not.toContain(`anchorage-${process.pid}-`);
});
