import { once } from "node:events";
import { connect, createServer } from "node:net";
import { Gauge, Registry } from "prom-client";
import { expect, it, onTestFinished, vi } from "vitest";
import { splitAddress } from "../../shared/grpcServer.ts";
import { startMetricsServer } from "../../shared/metricsServer.ts";
import { CountedRefusals } from "./openGuard.ts";

async function serving(ready: () => string | null = () => null, port = 0) {
  const registry = new Registry();
  const refusals = new CountedRefusals();
  const server = await startMetricsServer({ host: "127.0.0.1", port, registry, role: "actor", ready, refusals });
  onTestFinished(() => server.close());
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
  return { refusals, registry, server, get };
}

it("serves the registry and the process's own metrics, each series with its role, and its run once that is known", async () => {
  const { registry, server, get } = await serving();
  new Gauge({ name: "anchorage_test_value", help: "x", registers: [registry] }).set(4);
  const answer = await get("/metrics?x=1");
  const text = await answer.text();
  expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0.0.4/);
  expect(text).toContain('anchorage_test_value{role="actor"} 4\n');
  for (const name of [
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
    "nodejs_active_handles_total",
    "nodejs_heap_size_used_bytes",
    "nodejs_external_memory_bytes",
    "nodejs_eventloop_lag_p99_seconds",
  ])
    expect(text).toContain(name);
  server.label("run-1");
  const series = (await (await get("/metrics")).text()).split("\n").filter((line) => /^[^#]/.test(line));
  expect(series.filter((line) => !line.includes('run="run-1"') || !line.includes('role="actor"'))).toEqual([]);
});

it("is healthy at once, and ready when the process says so", async () => {
  let reason: string | null = "no policy yet";
  const { get } = await serving(() => reason);
  expect((await get("/healthz")).status).toBe(200);
  const not = await get("/readyz");
  expect([not.status, await not.text()]).toEqual([503, "not ready: no policy yet\n"]);
  reason = null;
  expect((await get("/readyz")).status).toBe(200);
});

it("answers anything else with 404 or 405, and a failing collector with 500", async () => {
  const { registry, get } = await serving();
  expect((await get("/")).status).toBe(404);
  expect((await get("/metrics", { method: "POST", body: "x" })).status).toBe(405);
  expect((await (await get("/healthz", { method: "HEAD" })).text()).length).toBe(0);
  const collect = (): void => {
    throw new Error("broken collector");
  };
  new Gauge({ name: "anchorage_test_broken", help: "x", registers: [registry], collect });
  const answer = await get("/metrics");
  expect([answer.status, await answer.text()]).toEqual([500, "broken collector\n"]);
});

it("an address in use, or one of another machine, is one clear error", async () => {
  const { server } = await serving();
  await expect(serving(() => null, server.port)).rejects.toThrow(
    `[ADDRESS] The metrics server cannot listen on 127.0.0.1:${server.port}: another process uses it. Choose another address`,
  );
  const other = startMetricsServer({
    host: "192.0.2.1",
    port: 0,
    registry: new Registry(),
    role: "actor",
    ready: () => null,
    refusals: new CountedRefusals(),
  });
  await expect(other).rejects.toThrow(/192\.0\.2\.1:0: this machine does not have that address/);
});

it("frees its port when it is closed, open connections or not", async () => {
  const { server, get } = await serving();
  await get("/healthz"); // leaves a kept-alive connection
  await server.close();
  const again = createServer();
  await new Promise<void>((resolve, reject) => again.once("error", reject).listen(server.port, "127.0.0.1", resolve));
  again.close();
});

it("splits host:port, IPv6 too, and refuses what is none", () => {
  expect(splitAddress("127.0.0.1:7400")).toEqual({ host: "127.0.0.1", port: 7400 });
  expect(splitAddress("[::1]:0")).toEqual({ host: "[::1]", port: 0 });
  for (const bad of ["7400", ":7400", "host:", "host:x", "host:70000", "host:-1"])
    expect(() => splitAddress(bad)).toThrow(`"${bad}" is no host:port. Write for example`);
});

it("silent connections, however many, are cut, and a health check is answered beside them", async () => {
  const { server, get, refusals } = await serving();
  const sockets = Array.from({ length: 200 }, () => connect(server.port, "127.0.0.1").resume());
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) {
    socket.on("error", () => undefined);
    socket.write("GET /metrics HTTP/1.1\r\nX-Slow: "); // and never more
  }
  await Promise.all(sockets.slice(0, 100).map((socket) => once(socket, "close")));
  expect((await get("/healthz")).status).toBe(200);
  expect(refusals.of("connections")).toBeGreaterThanOrEqual(136);
  await Promise.all(sockets.filter(({ closed }) => !closed).map((socket) => once(socket, "close")));
  expect(refusals.of("slow")).toBeGreaterThanOrEqual(60);
});

it("counts what is no HTTP, has huge headers or comes too often, and goes on", async () => {
  const { server, get, refusals } = await serving();
  for (const bytes of [Buffer.alloc(100, 0xff), Buffer.from(`GET / HTTP/1.1\r\nX: ${"y".repeat(20_000)}\r\n\r\n`)]) {
    const socket = connect(server.port, "127.0.0.1").resume();
    socket.on("error", () => undefined);
    socket.write(bytes);
    await once(socket, "close");
  }
  expect(refusals.of("request")).toBe(2);
  const impatient = connect(server.port, "127.0.0.1").resume();
  onTestFinished(() => void impatient.destroy());
  impatient.write("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(150)); // all read before the first is answered
  await vi.waitFor(() => expect(refusals.of("rate")).toBeGreaterThan(0));
  expect((await get("/healthz")).status).toBe(200);
});
