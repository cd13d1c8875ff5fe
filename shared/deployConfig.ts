import { z } from "zod";

const seconds = z.number().positive();
const port = z.int().min(0).max(65535);

/** host:port or [IPv6]:port, with a port from `lowest` on. */
const address = (lowest: 0 | 1) =>
  z.string().refine(
    (text) => {
      const parts = /^(?:[^\s:/[\]]+|\[[\da-f:.]+\]):(\d{1,5})$/i.exec(text);
      return parts !== null && Number(parts[1]) >= lowest && Number(parts[1]) <= 65535;
    },
    lowest === 0
      ? "must be host:port, for example 127.0.0.1:7400"
      : "must be host:port with a port from 1 to 65535, for example 127.0.0.1:7400",
  );
const reachable = address(1);
const listening = address(0);

/** Where and how things run: changes no number of a run. Flags and ANCHORAGE_* variables override a file. */
export const DeployConfig = z.strictObject({
  coordinator: reachable.default("127.0.0.1:7400").describe("host:port of the coordinator's gRPC"),
  coordinatorListen: listening
    .default("127.0.0.1:7400")
    .describe("host:port where the coordinator listens; port 0: any"),
  learnerListen: listening.default("127.0.0.1:0").describe("host:port where the learner listens for actors"),
  learnerAdvertise: reachable
    .nullable()
    .default(null)
    .describe("host:port under which actors reach the learner; null: as it listens"),
  nats: reachable
    .nullable()
    .default(null)
    .describe("host:port of the NATS server; null: learner and actors ask the coordinator, which says 127.0.0.1:4222"),
  tls: z
    .string()
    .nullable()
    .default(null)
    .describe(
      "folder with ca.crt, tls.crt and tls.key of this process: mutual TLS on every gRPC and NATS connection; docs/security.md",
    ),
  insecure: z
    .boolean()
    .default(false)
    .describe("allows plain text beyond this machine; only for a network that you trust whole"),
  natsCredentials: z
    .string()
    .nullable()
    .default(null)
    .describe(
      "file with what NATS asks for: a token, a user and a password on a line each, an nkey seed or a .creds file; null: nothing, or tls's certificate",
    ),
  controlToken: z
    .string()
    .nullable()
    .default(null)
    .describe("file with the token of status, pause, resume and stop without tls; null: the run folder's"),
  metricsHost: z.string().default("127.0.0.1").describe("where /metrics and /healthz listen"),
  page: z
    .enum(["on", "read-only", "off"])
    .default("on")
    .describe("the coordinator's web page; read-only: it takes no orders, whoever asks (docs/page.md)"),
  pageListen: listening
    .default("127.0.0.1:0")
    .describe("host:port of the page; port 0: any free one, and the same again after a restart"),
  pageToken: z
    .boolean()
    .default(false)
    .describe("the page is shown only to who has the control token, on this machine too; beyond it always"),
  pageNames: z
    .string()
    .default("")
    .describe("further host names under which the page may be opened, separated by commas: a proxy's, an ingress's"),
  pageRuns: z
    .string()
    .nullable()
    .default(null)
    .describe("folder of runs to compare with on the page; null: the one that the run folder is in"),
  coordinatorMetricsPort: port.default(0).describe("0: any free port"),
  learnerMetricsPort: port.default(0).describe("0: any free port"),
  actorMetricsPort: port.default(0).describe("0: any free port"),
  actorWorkers: z.int().positive().nullable().default(null).describe("rollout workers per actor; null: one per core"),
  learnerThreads: z.int().positive().default(1).describe("TensorFlow's intra-op threads; part of the fingerprint"),
  onednn: z
    .enum(["auto", "on", "off"])
    .default("auto")
    .describe("oneDNN kernels; auto: on for convolutions; part of the fingerprint"),
  device: z
    .enum(["auto", "cpu", "gpu"])
    .default("auto")
    .describe(
      "where the learner computes; auto: on an NVIDIA GPU where set-up was for one and one is here; part of the fingerprint",
    ),
  otherFingerprint: z
    .enum(["refuse", "accept"])
    .default("refuse")
    .describe(
      "resuming on another kind of machine or build than the run began with; accepted, the run is not reproducible",
    ),
  leaseSeconds: seconds.default(60).describe("a lease not answered by then goes to another actor"),
  stragglerFactor: z
    .number()
    .min(1.5)
    .nullable()
    .default(3)
    .describe(
      "a lease that takes this many times the usual is also given to an actor with nothing to do (docs/leases.md); null: never",
    ),
  heartbeatSeconds: seconds.default(2).describe("of every process to the coordinator"),
  coordinatorWaitSeconds: seconds
    .nullable()
    .default(300)
    .describe(
      "how long an actor or learner that starts waits for its coordinator; then it ends with status 1, to be started again by what keeps it running; null: for ever. Once it is at work it goes on without",
    ),
  checkpointEvery: z.int().positive().default(10).describe("updates between checkpoints"),
  checkpointsKept: z.int().positive().default(3).describe("newest checkpoints kept, beside the best"),
  maxConnections: z
    .int()
    .positive()
    .default(2048)
    .describe("open at once on each gRPC port; beyond it the one that has been idle longest makes room"),
  maxMembers: z.int().positive().default(1024).describe("actors and learners registered at once with the coordinator"),
  drainSeconds: seconds
    .default(20)
    .describe(
      "how long an actor may take to finish its leases on SIGTERM, and a learner to have its last checkpoint and reports stored",
    ),
});
export type DeployConfig = Readonly<z.infer<typeof DeployConfig>>;
