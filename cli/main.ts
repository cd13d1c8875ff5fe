#!/usr/bin/env node
import { Command, Option } from "commander";
import { algorithmNames } from "../shared/algorithms.ts";
import { packageVersion } from "../shared/build.ts";
import type { CertificateFlags } from "./certificates.ts";
import type { ControlFlags } from "./control.ts";
import { deployConfig } from "./deployFlags.ts";
import { collect, count, port, seed } from "./flagValues.ts";
import type { ObserveFlags } from "./observe/observe.ts";
import { playCommands } from "./playCommands.ts";
import type { ReportFlags } from "./report.ts";
import type { CoordinatorFlags } from "./roles.ts";
import type { RunConfigFlags } from "./runConfigFlags.ts";
import { runs } from "./runs.ts";
import type { SuiteFlags } from "./suite/checkedSuite.ts";

/**
 * The command line. Each command imports what it needs when it runs, so that an actor never loads TensorFlow and
 * `--help` loads nothing.
 */
const program = new Command("anchorage")
  .description("Trains Atari and MuJoCo policies with ANO on many actors and one learner, reproducible to the bit.")
  .version(packageVersion)
  .showHelpAfterError("(anchorage --help lists the commands and their flags)");

function withRunConfig(command: Command): Command {
  return command
    .option(
      "--env <id|module>",
      "environment (`anchorage envs` lists them), or a TypeScript module's path; default HalfCheetah-v4",
    )
    .option("--algo <name>", `algorithm: ${algorithmNames.join(", ")}, or the path of a module with an objective`)
    .option("--seed <number>", "root of all randomness")
    .option("--total-steps <number>", "agent steps")
    .option("--policy-lag <0|1|async>", "0: the paper's protocol; 1: collect while updating, still deterministic")
    .option("--init-from <file>", "begin with the weights of a policy.onnx or a checkpoint instead of fresh ones")
    .option("--config <file>", "YAML or JSON file of RunConfig fields")
    .option("--set <field=value>", "any RunConfig field, e.g. --set network.hidden=[64,64]; repeatable", collect);
}

/** Hidden: how `train` passes on what it has resolved to the processes that it starts. */
const resolved = (name: string): Option => new Option(`--resolved-${name} <json>`).hideHelp();

const certificatesHelp = "this process's ca.crt, tls.crt and tls.key (`anchorage certificates` makes them)";
const insecureHelp = "allow plain text beyond this machine, on a network that you trust whole";
const stayHelp = "when the run is over, wait for it to go on instead of ending (for supervisors such as Kubernetes)";
const tokenHelp = "file with the token of pause, resume and stop without --tls; default: the run folder's";

function withDeploy(command: Command): Command {
  return command
    .option("--deploy <file>", "YAML or JSON file of DeployConfig fields; ANCHORAGE_* variables and flags override it")
    .option("--coordinator <host:port>", "the coordinator's gRPC address")
    .option("--nats <host:port>", "the NATS server")
    .option(
      "--nats-credentials <file>",
      "token, user and password, nkey seed or .creds file that the NATS server asks for",
    )
    .option("--tls <folder>", certificatesHelp)
    .option("--insecure", insecureHelp)
    .addOption(resolved("deploy"));
}

interface DeployFlags extends Record<string, unknown> {
  readonly deploy?: string;
  readonly resolvedDeploy?: string;
}

/** The deploy config of a role: `train`'s or the person's own, with the role's flags over it. */
function deployOf(flags: DeployFlags, more: Record<string, unknown> = {}) {
  const base = flags.resolvedDeploy === undefined ? {} : (JSON.parse(flags.resolvedDeploy) as Record<string, unknown>);
  const { coordinator, nats, natsCredentials, tls, insecure } = flags;
  const own = Object.fromEntries(
    Object.entries({ coordinator, nats, natsCredentials, tls, insecure, ...more }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  return deployConfig({ ...base, ...(flags.deploy === undefined ? {} : { deploy: flags.deploy }), ...own });
}

runs(
  withRunConfig(
    program.command("train").description("train on this machine: starts NATS, coordinator, learner and actors"),
  )
    .option("--actors <number>", "actor processes; default: chosen from the cores", count)
    .option("--run-dir <folder>", "where the run is kept; default: a new folder under runs/")
    .option("--resume", "go on with the run in --run-dir")
    .option("--deploy <file>", "YAML or JSON file of DeployConfig fields")
    .option("--insecure", insecureHelp)
    .option("--json", "one JSON object per line on stdout, logs on stderr"),
  async (
    flags: RunConfigFlags &
      DeployFlags & { actors?: number; runDir?: string; resume?: boolean; json?: boolean; insecure?: boolean },
  ) => {
    const { startTraining } = await import("./startTraining.ts");
    return startTraining(flags);
  },
);

runs(
  withRunConfig(
    withDeploy(
      program.command("coordinator").description("one coordinator: run config, membership, checkpoints, metrics"),
    ),
  )
    .requiredOption("--run-dir <folder>", "where the run is kept")
    .option("--listen <host:port>", "gRPC address to listen on")
    .option("--resume [auto]", "go on with the run in --run-dir; auto: if there is one")
    .option("--stay", "serve the run when it is over, too (for supervisors such as Kubernetes)")
    .option("--control-token <file>", tokenHelp)
    .addOption(resolved("config")),
  async (flags: CoordinatorFlags & DeployFlags & { listen?: string; controlToken?: string }) => {
    const { coordinatorRole } = await import("./roles.ts");
    return coordinatorRole(
      flags,
      deployOf(flags, { coordinatorListen: flags.listen, controlToken: flags.controlToken }),
    );
  },
);

runs(
  withDeploy(program.command("learner").description("one learner: TensorFlow, on a GPU if there is one"))
    .option("--listen <host:port>", "gRPC address to listen on for actors")
    .option("--advertise <host:port>", "address under which actors reach it")
    .option("--stay", stayHelp),
  async (flags: DeployFlags & { listen?: string; advertise?: string; stay?: boolean }) => {
    const { learnerRole } = await import("./roles.ts");
    return learnerRole(deployOf(flags, { learnerListen: flags.listen, learnerAdvertise: flags.advertise }), flags.stay);
  },
);

runs(
  withDeploy(
    program.command("actor").description("one actor: steps environments, sends rollouts; start as many as you like"),
  )
    .option("--workers <number>", "rollout workers; default: one per core", count)
    .option("--stay", stayHelp),
  async (flags: DeployFlags & { workers?: number; stay?: boolean }) => {
    const { actorRole } = await import("./roles.ts");
    return actorRole(deployOf(flags, { actorWorkers: flags.workers }), flags.stay);
  },
);

/** How a run is named by those who ask its coordinator, and how they show that they may. */
function withOperator(command: Command): Command {
  return command
    .option("--run-dir <folder>", "the run, where its coordinator is on this machine")
    .option("--coordinator <host:port>", "the coordinator's gRPC address")
    .option("--tls <folder>", "an operator's ca.crt, tls.crt and tls.key (`anchorage certificates` makes them)")
    .option("--control-token <file>", tokenHelp)
    .option("--insecure", insecureHelp);
}

for (const [name, what] of [
  ["status", "what a run is doing, its members and who waits"],
  ["pause", "lease no more work; members stay"],
  ["resume", "go on after a pause, or with a stopped or failed run that is still served (--stay)"],
  ["stop", "drain, checkpoint and end the run; train --resume goes on, or resume where it is still served"],
] as const)
  runs(
    withOperator(program.command(name).description(what)).option("--json", "as JSON"),
    async (flags: ControlFlags) => {
      const { control } = await import("./control.ts");
      return control(name.toUpperCase() as Uppercase<typeof name>, flags);
    },
  );

runs(
  withOperator(
    program
      .command("observe")
      .description("a Prometheus beside a run: scrapes all of its processes, prints alerts (docs/observability.md)"),
  )
    .option("--port <number>", "of Prometheus on the loopback interface; 0: any free one", port, 9090)
    .option("--data <folder>", "where it keeps its data; default: prometheus/ in the run folder, else here")
    .option("--prometheus <program>", "Prometheus itself", "prometheus")
    .option("--targets-only", "only keep the list of processes, for a Prometheus of your own")
    .option("--json", "one JSON object per line"),
  async (flags: ObserveFlags) => {
    const { observe } = await import("./observe/observe.ts");
    return observe(flags);
  },
);

runs(
  program
    .command("suite")
    .argument(
      "<name|file>",
      "a shipped suite (paper-mujoco, paper-atari, robustness, quick) or a .yaml file of your own",
    )
    .description(
      "train a matrix of environments, algorithms, settings and seeds; again: go on with it (docs/suites.md)",
    )
    .option("--suite-dir <folder>", "where its runs are kept; default: runs/<name>")
    .option("--jobs <number>", "runs at a time; default: chosen from the cores", count)
    .option("--dry-run", "list the runs and estimate the time")
    .option("--deploy <file>", "YAML or JSON file of DeployConfig fields")
    .option("--insecure", insecureHelp)
    .option("--json", "one JSON object per line on stdout; with --dry-run one per run"),
  async (flags: SuiteFlags, nameOrFile) => {
    const { runSuite } = await import("./suite/runSuite.ts");
    return runSuite(nameOrFile, flags);
  },
);

playCommands(program);

runs(
  program
    .command("report")
    .argument("[folders...]", "run folders, suite folders, or folders of them", ["runs"])
    .description("one page with curves, scores and intervals of finished runs, and the numbers as CSV and JSON")
    .option("--out <folder>", "where to write it", "report")
    .option("--resamples <number>", "of the bootstrap", count, 2000)
    .option("--seed <number>", "of the bootstrap", seed, 1)
    .option("--json", "one JSON object on stdout"),
  async (flags: ReportFlags, folders: string[]) => {
    const { writeReport } = await import("./report.ts");
    return writeReport(folders, flags);
  },
);

runs(
  program.command("envs").description("list the environments that can be trained here").option("--json", "as JSON"),
  async (flags: { json?: boolean }) => {
    const { listEnvironments } = await import("./envs.ts");
    return listEnvironments(flags);
  },
);

runs(
  program
    .command("certificates")
    .argument("<folder>", "where the authority and the certificates are kept")
    .description("an authority of your own and a certificate folder for each role, for tests and small clusters")
    .option("--host <name>", "name or IP of a host that serves (coordinator, learner, NATS); repeatable", collect)
    .option("--days <number>", "validity of the roles' certificates", count, 365)
    .option("--renew", "new certificates, keys and nats.conf from the authority that is in the folder already"),
  async (flags: CertificateFlags, folder: string) => {
    const { certificates } = await import("./certificates.ts");
    return certificates(folder, flags);
  },
);

runs(
  program
    .command("doctor")
    .description("what is installed, CPU or GPU, and what to do about what is not")
    .option("--json", "as JSON"),
  async (flags: { json?: boolean }) => {
    const { doctor } = await import("./doctor.ts");
    return doctor(flags);
  },
);

await program.parseAsync();
