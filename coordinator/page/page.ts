import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { buildId } from "../../shared/build.ts";
import type { DeployConfig } from "../../shared/deployConfig.ts";
import { messageOf, OperatorError } from "../../shared/errors.ts";
import { splitAddress } from "../../shared/grpcServer.ts";
import type { Logger } from "../../shared/log.ts";
import type { PageRun, PageSession } from "../../shared/pageEvents.ts";
import type { PortRefusals } from "../../shared/portRefusals.ts";
import { runShape } from "../../shared/runConfig.ts";
import { isLoopback, type Transport } from "../../shared/transport.ts";
import { writeAtomically } from "../atomicFile.ts";
import type { TrainingRun } from "../trainingRun.ts";
import { pageAssets } from "./assets.ts";
import type { Launch } from "./childLines.ts";
import { Evaluations, mostEpisodes } from "./evaluations.ts";
import { PageAccess, type PageRefusal } from "./pageAccess.ts";
import { type PageRequest, type PageRoutes, sendJson, startPageServer } from "./pageServer.ts";
import { mostSpectators, Play } from "./play.ts";
import { type CoordinatorStart, goingOn } from "./resumeCommand.ts";
import { SiblingRuns } from "./siblingRuns.ts";
import { mostViewers, Viewers } from "./viewers.ts";

export type { Launch } from "./childLines.ts";

export interface PageOptions {
  readonly deploy: DeployConfig;
  readonly transport: Transport;
  readonly token: string; // the run's control token
  readonly run: TrainingRun;
  /** How `watch` and `evaluate` are started; null: the page has neither. */
  readonly launch: Launch | null;
  readonly start: Omit<CoordinatorStart, "secure" | "folder">;
  readonly refusals: PortRefusals;
  readonly log: Logger;
}

export interface Page {
  readonly url: string;
  readonly viewers: () => number;
  readonly close: () => Promise<void>;
}

const mostDownloads = 2;

/** Serves the run's page. Throws CONFIG where plain text would leave this machine, ADDRESS if the address cannot be had. */
export async function startPage(options: PageOptions): Promise<Page> {
  const { deploy, transport, run, launch, refusals, log } = options;
  const { host, port } = splitAddress(deploy.pageListen);
  transport.check("pageListen", deploy.pageListen);
  const { folder } = run.parts.store;
  const identity = isLoopback(host) ? null : transport.identity;
  const evaluations = launch === null ? null : new Evaluations(launch, folder, () => viewers.tellSoon());
  const play = launch === null ? null : new Play(launch, folder);
  const controllable = deploy.page === "on";
  const told = describe(run, {
    ...goingOn({ ...options.start, secure: transport.identity !== null, folder }),
    controllable,
    canPlay: launch !== null,
    canEvaluate: launch !== null && controllable,
  });
  const viewers = new Viewers(run, told, {
    evaluations: () => evaluations?.list ?? [],
    silentSeconds: Math.max(5, 3 * deploy.heartbeatSeconds),
    log,
  });
  const access = new PageAccess({
    host,
    names: deploy.pageNames
      .split(",")
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== ""),
    secure: identity !== null,
    token: options.token,
    viewNeedsToken: deploy.pageToken || !isLoopback(host),
    controllable,
    runId: run.parts.store.run.runId,
  });
  const siblings = new SiblingRuns(folder, deploy.pageRuns);
  const routes = routesOf({ run, access, viewers, play, evaluations, siblings, controllable });
  const server = await startAgain(folder, port, (chosen) =>
    startPageServer({ host, port: chosen, identity, assets: pageAssets(), access, routes, refusals, log }),
  );
  const close = async (): Promise<void> => {
    await viewers.close();
    play?.close();
    evaluations?.close();
    await server.close();
  };
  const url = `${identity === null ? "http" : "https"}://${reachable(host)}:${server.port}/`;
  return { url, viewers: () => viewers.open, close };
}

/** Who listens everywhere is reached on this machine by its loopback address. */
const reachable = (host: string): string => (host === "0.0.0.0" ? "127.0.0.1" : host === "[::]" ? "[::1]" : host);

const portFile = (runFolder: string): string => join(runFolder, "page.json");
const StoredPort = z.object({ port: z.int().min(1).max(65535) });

/**
 * Where any port does, a restarted coordinator takes the one that it had before, so that open pages find it again. Of the run
 * folder nothing else depends on it: one that cannot be read or had is no error.
 */
async function startAgain<Server extends { readonly port: number }>(
  runFolder: string,
  port: number,
  start: (port: number) => Promise<Server>,
): Promise<Server> {
  if (port !== 0) return start(port);
  const before = await readFile(portFile(runFolder), "utf8")
    .then((text) => StoredPort.parse(JSON.parse(text)).port)
    .catch(() => null); // never written, or not by us
  const server = await (before === null ? start(0) : start(before).catch(ifTaken(() => start(0))));
  if (server.port !== before) await writeAtomically(portFile(runFolder), `${JSON.stringify({ port: server.port })}\n`);
  return server;
}

const ifTaken =
  <T>(otherwise: () => Promise<T>) =>
  (error: unknown): Promise<T> => {
    if (error instanceof OperatorError && error.code === "ADDRESS") return otherwise();
    throw error;
  };

type Served = Pick<PageRun, "goesOnBy" | "resumeCommand" | "controllable" | "canPlay" | "canEvaluate">;

function describe(run: TrainingRun, served: Served): PageRun {
  const { store } = run.parts;
  const { rounds, stepsPerRound } = runShape(store.config);
  return {
    runId: store.run.runId,
    folder: store.folder,
    build: buildId(),
    created: store.run.created,
    config: store.config,
    updates: rounds,
    totalSteps: rounds * stepsPerRound,
    ...served,
  };
}

interface Parts {
  readonly run: TrainingRun;
  readonly access: PageAccess;
  readonly viewers: Viewers;
  readonly play: Play | null;
  readonly evaluations: Evaluations | null;
  readonly siblings: SiblingRuns;
  readonly controllable: boolean;
}

const SessionRequest = z.strictObject({ token: z.string().min(1).max(500) });
const ControlRequest = z.strictObject({ action: z.enum(["PAUSE", "RESUME", "STOP"]) });
const EvaluateRequest = z.strictObject({
  checkpoint: z.string().max(100),
  episodes: z.int().min(1).max(mostEpisodes).default(10),
});

function routesOf(parts: Parts): PageRoutes {
  const { run, access, viewers, play, siblings } = parts;
  return {
    open: {
      "/api/access": ({ request, response }) => {
        const view = access.viewer(request) === null;
        sendJson(response, { view, control: parts.controllable && access.controller(request) === null });
      },
      "/api/session": ({ response, body, refuse }) => {
        const made = access.session(parsed(SessionRequest, body).token);
        if ("status" in made) return refuse(made);
        response.setHeader("set-cookie", made.cookie);
        sendJson(response, { control: made.control } satisfies PageSession);
      },
    },
    get: {
      "/api/events": ({ request, response, query, refuse }) => {
        if (viewers.open >= mostViewers) return refuse(full("viewers", mostViewers));
        const last = request.headers["last-event-id"];
        viewers.add(response, typeof last === "string" ? last : query.get("after"));
      },
      "/api/play": ({ response, refuse }) => {
        if (play === null) throw unavailable();
        if (play.spectators >= mostSpectators) return refuse(full("spectators", mostSpectators));
        play.add(response);
      },
      "/api/runs": async ({ response }) => sendJson(response, await siblings.list()),
      "/api/runs/": async ({ response, path }) => sendJson(response, await siblings.curve(lastPart(path))),
      ...downloads(run),
    },
    post: {
      "/api/control": async ({ response, body }) => {
        if (!parts.controllable) throw readOnly();
        const { state } = (await run.control(parsed(ControlRequest, body).action)).run ?? {};
        sendJson(response, { state });
      },
      "/api/evaluate": async ({ response, body }) => {
        if (!parts.controllable) throw readOnly();
        if (parts.evaluations === null) throw unavailable();
        const { checkpoint, episodes } = parsed(EvaluateRequest, body);
        sendJson(response, await parts.evaluations.start(entryOf(run, checkpoint), episodes));
      },
    },
  };
}

/** Files of the run as they are, a few at a time. */
function downloads(run: TrainingRun): PageRoutes["get"] {
  const { checkpoints, store } = run.parts;
  let open = 0;
  const sendFile = async (
    { request, response, refuse }: PageRequest,
    name: string,
    bytes: number,
    content: () => AsyncIterable<Buffer>,
  ): Promise<void> => {
    if (open >= mostDownloads) return refuse(full("downloads", mostDownloads));
    open++;
    try {
      fileHeaders(response, name, bytes);
      if (request.method === "HEAD") response.end();
      else await pipeline(content(), response);
    } finally {
      open--;
    }
  };
  return {
    "/api/checkpoints/": async (asked) => {
      const entry = entryOf(run, lastPart(asked.path).replace(/\.ckpt$/, ""));
      await sendFile(asked, `${entry.name}.ckpt`, entry.bytes, () => checkpoints.read(entry));
    },
    "/api/policy.onnx": async (asked) => {
      const file = join(store.folder, "policy.onnx");
      const { size } = await stat(file).catch((cause: unknown) => {
        const problem = `There is no policy yet: ${messageOf(cause)}.`;
        throw new OperatorError("MISMATCH", problem, "It is there from the first checkpoint on.", { cause });
      });
      await sendFile(asked, "policy.onnx", size, () => createReadStream(file, { end: size - 1 }));
    },
  };
}

function fileHeaders(response: ServerResponse, name: string, bytes: number): void {
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": bytes,
    "content-disposition": `attachment; filename="${name}"`,
    "cache-control": "no-store",
  });
}

function entryOf(run: TrainingRun, name: string) {
  const entry = run.parts.checkpoints.entries.find((one) => one.name === name);
  if (entry !== undefined) return entry;
  throw new OperatorError("MISMATCH", `There is no checkpoint ${name} (any more).`, "Choose one of those listed.");
}

const lastPart = (path: string): string => {
  try {
    return decodeURIComponent(path.slice(path.lastIndexOf("/") + 1));
  } catch (cause) {
    throw new OperatorError("CONFIG", "The address is not well formed.", "Load the page again.", { cause });
  }
};

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new OperatorError("CONFIG", z.prettifyError(result.error), "docs/page.md lists what each path takes.");
}

const full = (what: string, most: number): PageRefusal => ({
  status: 503,
  reason: "connections",
  message: `${most} ${what} at once are the most. Close another one, or wait.`,
});
const readOnly = (): OperatorError =>
  new OperatorError("MISMATCH", "This page is read-only (page=read-only).", "Use the command line.");
const unavailable = (): OperatorError =>
  new OperatorError("MISMATCH", "This coordinator cannot start other processes.", "Use the command line.");
