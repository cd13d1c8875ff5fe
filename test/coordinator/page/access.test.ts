import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { certificates } from "../../../cli/certificates.ts";
import { mostConnections } from "../../../shared/httpPort.ts";
import { refusals } from "../../system/scrape.ts";
import { registration, temporaryFolder } from "../runningCoordinator.ts";
import { ask, EventReader, servePage } from "./pageClient.ts";

const post = (url: string, body: object, headers = {}) => ask(url, { body: JSON.stringify(body), headers });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

it("serves everything itself, with a policy that lets nothing else in", async () => {
  const { page } = await servePage();
  const index = await ask(page);
  expect(index.status).toBe(200);
  expect(index.headers["content-security-policy"]).toMatch(
    /default-src 'none'; script-src 'self';.*frame-ancestors 'none'/,
  );
  expect(index.headers["content-security-policy"]).not.toContain("unsafe");
  const named = [...index.text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => path!);
  expect(named.length).toBeGreaterThan(6);
  for (const path of named.filter((each) => !each.startsWith("/api/"))) {
    expect(path).toMatch(/^\/[\w.]+$/);
    expect((await ask(new URL(path, page).href)).status, path).toBe(200);
  }
  const again = await ask(page, { headers: { "if-none-match": index.headers.etag! } });
  expect(again.status).toBe(304);
});

it("is not for names and pages of others: DNS rebinding and cross-site requests", async () => {
  const { page, token, client, metricsPort } = await servePage();
  const events = `${page}api/access`;
  const { port, host } = new URL(page);
  for (const name of [host, `localhost:${port}`, `[::1]:${port}`, "localhost:9999"])
    expect((await ask(events, { headers: { host: name } })).status, name).toBe(200);
  for (const name of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example"])
    expect((await ask(events, { headers: { host: name } })).status, name).toBe(421);
  const pause = (headers: object) => post(`${page}api/control`, { action: "PAUSE" }, { ...bearer(token), ...headers });
  expect((await pause({ origin: "http://evil.example" })).status).toBe(403);
  expect((await pause({ origin: "null" })).status).toBe(403);
  expect((await pause({ "sec-fetch-site": "cross-site" })).status).toBe(403);
  expect((await ask(events, { headers: { "sec-fetch-site": "same-site" } })).status).toBe(403);
  expect((await ask(page, { headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" } })).status).toBe(
    200,
  );
  expect((await client.control("STATUS")).run?.state).toBe("RUNNING");
  expect(await refusals(metricsPort)).toEqual({ origin: 7 });
  expect((await pause({ origin: page.replace(/\/$/, "") })).status).toBe(200);
  expect((await client.control("STATUS")).run?.state).toBe("PAUSED");
});

it("takes orders only with the control token or a proof made of it, which outlives the coordinator", async () => {
  const first = await servePage();
  const { page, token, runDir } = first;
  const pause = (headers = {}) => post(`${page}api/control`, { action: "PAUSE" }, headers);
  expect((await pause()).status).toBe(401);
  expect((await pause(bearer("wrong"))).status).toBe(401);
  expect((await post(`${page}api/session`, { token: "wrong" })).status).toBe(401);
  const session = await post(`${page}api/session`, { token });
  const { control } = JSON.parse(session.text) as { control: string };
  const cookie = session.headers["set-cookie"]![0]!;
  expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200$/);
  expect(control + cookie).not.toContain(token);
  expect((await pause({ cookie: cookie.split(";")[0]! })).status).toBe(401); // sent by itself: it may only look
  expect((await pause(bearer(cookie.split(/[=;]/)[1]!))).status).toBe(401);
  const [until, signature] = control.split(".");
  expect((await pause(bearer(`${Number(until) + 9}.${signature}`))).status).toBe(401);
  expect((await pause(bearer(control))).status).toBe(200);
  expect(await refusals(first.metricsPort)).toEqual({ token: 6 });
  await first.stop();
  const second = await servePage({ runDir, config: null, options: { resume: "auto" } });
  expect(second.page).toBe(page); // any port, but the same again
  expect((await post(`${second.page}api/control`, { action: "RESUME" }, bearer(control))).status).toBe(200);
  expect((await second.client.control("STATUS")).run?.state).toBe("RUNNING");
});

it("lets nobody guess: after a few wrong tokens tries are refused, right or wrong", async () => {
  const { page, token, metricsPort } = await servePage();
  const tries = await Promise.all(Array.from({ length: 12 }, () => post(`${page}api/session`, { token: "wrong" })));
  const late = tries.filter(({ status }) => status === 429).length;
  expect(late).toBeGreaterThan(0);
  expect((await post(`${page}api/session`, { token })).status).toBe(429);
  expect(await refusals(metricsPort)).toEqual({ token: 12 - late, rate: late + 1 });
});

it("with pageToken it is shown only to who has shown the token", async () => {
  const { page, token } = await servePage({ deploy: { pageToken: true } });
  expect((await ask(page)).status).toBe(200); // what asks for the token
  for (const path of ["events", "runs", "policy.onnx", "play", "checkpoints/x.ckpt"])
    expect((await ask(`${page}api/${path}`)).status, path).toBe(401);
  expect(JSON.parse((await ask(`${page}api/access`)).text)).toEqual({ view: false, control: false });
  const session = await post(`${page}api/session`, { token });
  const cookie = session.headers["set-cookie"]![0]!.split(";")[0]!;
  expect((await ask(`${page}api/runs`, { headers: { cookie } })).status).toBe(200);
  expect((await ask(`${page}api/runs`, { headers: { cookie: `${cookie}x` } })).status).toBe(401);
  const events = new EventReader(`${page}api/events`, { cookie });
  expect(await events.status).toBe(200);
});

it("beyond this machine it needs certificates or insecure, and then always the token", async () => {
  await expect(servePage({ deploy: { pageListen: "0.0.0.0:0" } })).rejects.toThrow(
    /pageListen=0\.0\.0\.0:0 is not on this/,
  );
  const { page } = await servePage({ deploy: { pageListen: "0.0.0.0:0", insecure: true, pageNames: "train.example" } });
  expect((await ask(`${page}api/runs`)).status).toBe(401);
  const status = async (host: string) => (await ask(`${page}api/access`, { headers: { host } })).status;
  expect(await Promise.all(["192.0.2.7:80", "train.example", "other.example"].map(status))).toEqual([200, 200, 421]);
});

it("with certificates it is HTTPS beyond this machine, whose cookie stays on HTTPS, and plain HTTP on loopback", async () => {
  const certs = await temporaryFolder();
  await certificates(certs, { host: [], days: 2 });
  const tls = join(certs, "coordinator");
  const ca = readFileSync(join(tls, "ca.crt"), "utf8");
  const { page, token } = await servePage({ deploy: { tls, pageListen: "0.0.0.0:0" } });
  expect(page).toMatch(/^https:\/\/127\.0\.0\.1:/);
  expect((await ask(page, { ca })).status).toBe(200); // the certificate is checked, and is of 127.0.0.1
  await expect(ask(page)).rejects.toThrow(/unable to (get|verify)/); // by nobody who does not know the authority
  await expect(ask(page.replace("https", "http"))).rejects.toThrow(/hang up|ECONNRESET/);
  expect((await ask(`${page}api/runs`, { ca })).status).toBe(401);
  const session = await ask(`${page}api/session`, { ca, body: JSON.stringify({ token }) });
  expect(session.headers["set-cookie"]![0]).toMatch(/; HttpOnly; SameSite=Strict;.*; Secure$/);
  const cookie = session.headers["set-cookie"]![0]!.split(";")[0]!;
  const { origin } = new URL(page);
  expect((await ask(`${page}api/runs`, { ca, headers: { cookie, origin } })).status).toBe(200);
  expect((await servePage({ deploy: { tls } })).page).toMatch(/^http:\/\/127\.0\.0\.1:/);
});

it("with certificates it cuts a peer that does not begin with TLS", async () => {
  const certs = await temporaryFolder();
  await certificates(certs, { host: [], days: 2 });
  const { page, metricsPort } = await servePage({
    deploy: { tls: join(certs, "coordinator"), pageListen: "0.0.0.0:0" },
  });
  const { port, hostname } = new URL(page);
  const silent = connect(Number(port), hostname).resume();
  await once(silent, "close"); // after 5 s
  expect(await refusals(metricsPort)).toEqual({ handshake: 1 });
});

it("read-only it takes no orders, whoever asks", async () => {
  const { page, token, client } = await servePage({ deploy: { page: "read-only" } });
  const { generation } = await client.register(registration("LEARNER"));
  await client.saveCheckpoint({ generation, update: 1, meanReturn: 1, bytes: new Uint8Array(9) });
  const { control } = JSON.parse((await post(`${page}api/session`, { token })).text) as { control: string };
  expect(control).toBe("");
  expect((await post(`${page}api/control`, { action: "STOP" }, bearer(token))).text).toContain("read-only");
  expect((await post(`${page}api/evaluate`, { checkpoint: "x" }, bearer(token))).status).toBe(409);
  expect((await client.control("STATUS")).run?.state).toBe("RUNNING");
  const run = await new EventReader(`${page}api/events`).named("run");
  expect(run.data).toMatchObject({ controllable: false, canEvaluate: false });
});

it("off there is none", async () => {
  expect((await servePage({ deploy: { page: "off" } })).page).toBe("");
});

it("answers what is no request of its page with a clear no, and goes on", async () => {
  const { page, token, metricsPort } = await servePage();
  const control = (body: string, headers = {}) =>
    ask(`${page}api/control`, { body, headers: { ...bearer(token), ...headers } });
  expect((await control("{")).status).toBe(400);
  expect((await control('{"action":"EXPLODE"}')).text).toMatch(/action/);
  expect((await control('{"action":"PAUSE","more":1}')).status).toBe(400);
  expect((await control('{"action":"PAUSE"}', { "content-type": "text/plain" })).status).toBe(400);
  expect((await control(`"${"x".repeat(5000)}"`)).text).toContain("over 4096 bytes");
  expect((await control('{"action":"RESUME"}')).status).toBe(200); // it runs: nothing to do
  expect((await ask(`${page}api/control`)).status).toBe(405);
  expect((await ask(`${page}api/access`, { method: "DELETE" })).status).toBe(405);
  expect((await ask(`${page}api/nothing`)).status).toBe(404);
  for (const path of ["..%2f..%2fetc%2fpasswd", "%2e%2e%2fother", "%ff", "x"])
    expect([400, 409], path).toContain((await ask(`${page}api/runs/${path}`)).status);
  expect((await ask(`${page}api/checkpoints/..%2f..%2frun.json`)).status).toBe(409);
  expect((await ask(`${page}..%2f..%2fpackage.json`)).status).toBe(404);
  expect((await ask(`${page}__proto__`)).status).toBe(404);
  expect((await ask(page)).status).toBe(200);
  expect(Object.keys(await refusals(metricsPort))).toEqual(["request"]);
});

it("answers a flood with a clear no, and is there again once it has passed", async () => {
  const { page, metricsPort } = await servePage();
  const statuses: number[] = [];
  while (!statuses.includes(429)) {
    const batch = await Promise.all(Array.from({ length: 50 }, () => ask(`${page}api/access`)));
    statuses.push(...batch.map(({ status }) => status));
  }
  const refused = statuses.filter((status) => status === 429).length;
  expect(statuses.filter((status) => status === 200)).toHaveLength(statuses.length - refused);
  expect(statuses.length - refused).toBeGreaterThanOrEqual(300);
  expect(await refusals(metricsPort)).toEqual({ rate: refused });
  await expect.poll(async () => (await ask(page)).status).toBe(200);
});

it("takes a bounded number of connections, and new ones once others have gone", async () => {
  const { page, metricsPort } = await servePage();
  const { port, hostname } = new URL(page);
  const sockets = Array.from({ length: mostConnections + 3 }, () => connect(Number(port), hostname).resume());
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.slice(mostConnections).map((socket) => once(socket, "close")));
  expect(await refusals(metricsPort)).toEqual({ connections: 3 });
  sockets[0]!.destroy();
  await expect
    .poll(() =>
      ask(page).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200);
});

it("never writes the token down: not in an address, not in the log", async () => {
  const folder = await temporaryFolder();
  const runDir = join(folder, "run");
  const { page, token } = await servePage({ runDir });
  const session = await post(`${page}api/session`, { token });
  await post(`${page}api/control`, { action: "PAUSE" }, bearer(JSON.parse(session.text).control));
  const events = new EventReader(`${page}api/events`);
  await events.named("log");
  expect(JSON.stringify(events.events)).not.toContain(token);
  for (const name of readdirSync(runDir).filter((each) => each.endsWith(".json")))
    expect(readFileSync(join(runDir, name), "utf8"), name).not.toContain(token);
});
