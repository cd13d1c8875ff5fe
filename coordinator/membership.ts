import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { HeartbeatRequest__Output } from "../proto/gen/anchorage/v1/HeartbeatRequest.ts";
import type { Member as MemberMessage } from "../proto/gen/anchorage/v1/Member.ts";
import type { RegisterRequest__Output } from "../proto/gen/anchorage/v1/RegisterRequest.ts";
import { OperatorError } from "../shared/errors.ts";
import { type Fingerprint, fingerprintDifferences, parseFingerprint } from "../shared/fingerprint.ts";
import type { Logger } from "../shared/log.ts";
import { HeardStatus } from "./heardStatus.ts";
import type { RunState, RunStateFile } from "./runState.ts";

export type MemberRole = "ACTOR" | "LEARNER";

interface Member {
  readonly id: string;
  readonly role: MemberRole;
  readonly host: string;
  readonly pid: number;
  readonly generation: number; // LEARNER: its own
  readonly since: number; // performance.now() at its registration, or when a restarted coordinator recognised it
  seen: number; // performance.now()
  statusJson: string;
  beats: number; // heartbeats so far
  readonly heard: HeardStatus; // what they said
}

/** A member as the page shows it. */
export interface MemberView extends Pick<Member, "id" | "role" | "host" | "pid" | "beats" | "heard"> {
  readonly lastSeenSeconds: number;
}

/** Statuses of all members go into one reply: 1024 of these still fit into a gRPC message. */
const longestStatus = 16 * 1024;
const longestName = 255; // of a host, or of host:port
/** Of a member that has not been heard of yet. */
const fresh = { statusJson: "", beats: 0 };
const mostDifferences = 100;
const mostFingerprints = 16;

export interface MembershipOptions {
  readonly state: RunState;
  readonly expireMs: number; // of silence
  readonly maxMembers: number;
  /** Updates that the run has done, now. */
  readonly updates: () => number;
  readonly log: Logger;
  /** A member left, was silent for too long, or was a learner before the newest one; `seconds` after its registration. */
  readonly onGone: (role: MemberRole, how: "left" | "silent" | "superseded", seconds: number) => void;
}

/**
 * Who works on the run. A member is known from register() until it says goodbye or is silent for `expireMs`. Each
 * learner gets a generation of its own; only the newest one's word counts. The newest learner is known from the disk, so
 * a restarted coordinator recognises it by its heartbeat and no generation is spent.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #members = new Map<string, Member>();
  #learnerSeen = performance.now(); // or this coordinator's start: one from before it may be about to come back

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  get generation(): number {
    return this.#options.state.current.generation;
  }
  get learnerAddress(): string {
    return this.#options.state.current.learner?.address ?? "";
  }
  /** Of a member: after that it is forgotten. */
  get silenceSeconds(): number {
    return this.#options.expireMs / 1000;
  }

  count(role: MemberRole): number {
    let n = 0;
    for (const member of this.#members.values()) if (member.role === role) n++;
    return n;
  }

  /** Throws CONFIG or CORRUPT for an impossible request, STORAGE if a learner's generation cannot be stored. */
  async register(request: RegisterRequest__Output): Promise<{ memberId: string; generation: number }> {
    const { role } = request;
    if (role !== "ACTOR" && role !== "LEARNER")
      throw new OperatorError("CONFIG", `role=${role} is none.`, "Register as ACTOR or LEARNER.");
    if (role === "LEARNER" && !/^.+:\d+$/.test(request.learner_address))
      throw new OperatorError(
        "CONFIG",
        `learner_address="${request.learner_address}" is no host:port.`,
        "Set learnerAdvertise.",
      );
    for (const field of ["host", "learner_address"] as const)
      if (request[field].length > longestName) throw tooLong(field, request[field].length, longestName);
    const fingerprint = parseFingerprint(request.fingerprint_json);
    const memberId = `${role.toLowerCase()}-${randomUUID().slice(0, 8)}`;
    if (role === "ACTOR") this.#makeRoom();
    if (role === "LEARNER") await this.#takeOver(memberId, request, fingerprint);
    const { host } = request;
    const { pid } = request;
    const { generation } = this;
    this.#members.set(memberId, {
      id: memberId,
      role,
      host,
      pid,
      generation,
      since: performance.now(),
      seen: performance.now(),
      ...fresh,
      heard: new HeardStatus(),
    });
    this.#options.log.info({ memberId, host, pid, generation }, `${role.toLowerCase()} registered`);
    return { memberId, generation };
  }

  /** false: register again. A learner of an older generation is told so by the newer one in the answer. */
  async heartbeat(request: HeartbeatRequest__Output): Promise<boolean> {
    if (request.status_json.length > longestStatus)
      throw tooLong("status_json", request.status_json.length, longestStatus);
    const member = this.#members.get(request.member_id) ?? this.#recognise(request);
    if (member !== null && member.role !== request.role) return false; // somebody else's id
    if (member === null || (member.role === "LEARNER" && member.generation !== this.generation)) {
      this.#members.delete(request.member_id);
      return false;
    }
    if (request.leaving) {
      await this.#leave(member);
      return true;
    }
    member.seen = performance.now();
    if (member.role === "LEARNER") this.#learnerSeen = member.seen;
    member.beats++;
    member.statusJson = request.status_json;
    member.heard.hear(request.status_json, member.seen, this.#options.updates());
    return true;
  }

  /** Forgets who has been silent for too long; called now and then. */
  expire(): void {
    const oldest = performance.now() - this.#options.expireMs;
    for (const member of [...this.#members.values()].filter(({ seen }) => seen < oldest)) {
      this.#members.delete(member.id);
      this.#options.log.warn(
        { memberId: member.id, host: member.host, pid: member.pid },
        `${member.role.toLowerCase()} silent for ${this.#options.expireMs / 1000} s: forgotten`,
      );
      this.#options.onGone(member.role, "silent", (member.seen - member.since) / 1000);
    }
  }

  /** Nobody is left who could store another checkpoint: the learner said goodbye, was silent for too long or never came. */
  get learnerGone(): boolean {
    const { state, expireMs } = this.#options;
    return state.current.learner === null || performance.now() - this.#learnerSeen > expireMs;
  }

  list(): MemberMessage[] {
    const now = performance.now();
    return [...this.#members.values()].map(({ id, role, host, pid, seen, statusJson }) => {
      return { member_id: id, role, host, pid, last_seen_seconds: (now - seen) / 1000, status_json: statusJson };
    });
  }

  views(): MemberView[] {
    const now = performance.now();
    return [...this.#members.values()].map(({ id, role, host, pid, beats, heard, seen }) => {
      return { id, role, host, pid, beats, heard, lastSeenSeconds: (now - seen) / 1000 };
    });
  }

  /** Why a message of that learner generation does not count; null: it does. */
  refusal(generation: number): string | null {
    if (generation === this.generation && generation > 0) return null;
    return generation < this.generation
      ? `generation ${generation} was superseded by learner generation ${this.generation}`
      : `generation ${generation} was never given out (newest: ${this.generation}): register first`;
  }

  /**
   * The newest learner did work, with rollouts of these actors. Only now their fingerprints count: a learner that refuses to
   * resume here, or an actor that the learner refuses, changes nothing. Throws CORRUPT for what is no fingerprint.
   */
  async worked(actorFingerprints: readonly string[]): Promise<void> {
    const { learner } = this.#options.state.current;
    if (learner !== null) await this.#recordFingerprint("LEARNER", learner.fingerprint);
    for (const json of actorFingerprints.slice(0, mostFingerprints))
      await this.#recordFingerprint("ACTOR", parseFingerprint(json));
  }

  /**
   * A flood of registrations must not keep an actor out: who never sent a heartbeat goes first, and one that was only slow
   * hears at its first that it is to register again. Throws BUSY where all others are at work.
   */
  #makeRoom(): void {
    const { maxMembers, log } = this.#options;
    if (this.#members.size < maxMembers) return;
    for (const member of this.#members.values())
      if (member.role === "ACTOR" && member.beats === 0) {
        this.#members.delete(member.id);
        log.warn({ memberId: member.id }, `forgotten before its first heartbeat: ${maxMembers} members are the most`);
        return;
      }
    const problem = `${maxMembers} members are registered already.`;
    throw new OperatorError("BUSY", problem, "Start fewer actors, or raise maxMembers in the coordinator's settings.");
  }

  async #leave(member: Member): Promise<void> {
    this.#members.delete(member.id);
    this.#options.onGone(member.role, "left", (performance.now() - member.since) / 1000);
    this.#options.log.info({ memberId: member.id }, `${member.role.toLowerCase()} left`);
    const isLearner = (now: Readonly<RunStateFile>): boolean => now.learner?.memberId === member.id;
    if (isLearner(this.#options.state.current))
      await this.#options.state.change((now) => (isLearner(now) ? { learner: null } : {}));
  }

  /** The new generation is on the disk before anyone hears of it: no two learners ever get the same one. */
  async #takeOver(memberId: string, request: RegisterRequest__Output, fingerprint: Fingerprint): Promise<void> {
    const { host, pid, learner_address: address, metrics_port: metricsPort } = request;
    const learner = { memberId, host, pid, address, metricsPort, fingerprint };
    await this.#options.state.change((now) => ({ generation: now.generation + 1, learner }));
    for (const [id, member] of this.#members) {
      if (member.role !== "LEARNER") continue;
      this.#members.delete(id);
      this.#options.onGone(member.role, "superseded", (member.seen - member.since) / 1000);
    }
    this.#learnerSeen = performance.now();
  }

  /** The run's newest learner, from before this coordinator was started or after a long silence. */
  #recognise({ member_id, generation }: HeartbeatRequest__Output): Member | null {
    const { learner } = this.#options.state.current;
    if (learner === null || learner.memberId !== member_id || generation !== this.generation) return null;
    const { host, pid } = learner;
    const since = performance.now();
    const own = { id: member_id, role: "LEARNER", host, pid, generation, heard: new HeardStatus() } as const;
    const member: Member = { ...fresh, ...own, since, seen: 0 };
    this.#members.set(member_id, member);
    this.#options.log.info({ memberId: member_id, generation }, "learner recognised");
    return member;
  }

  /** The first of each role stands for the run; another one works, but then the numbers have two makers. */
  async #recordFingerprint(role: MemberRole, fingerprint: Fingerprint): Promise<void> {
    const { state, log } = this.#options;
    const first = state.current.fingerprints[role];
    if (first !== null && newDifferences(role, fingerprint, state.current).length === 0) return;
    await state.change((now) => {
      const added = newDifferences(role, fingerprint, now);
      if (added.length > 0) log.warn(`not reproducible any more: ${added.join("; ")}`);
      const fingerprints = { ...now.fingerprints, [role]: now.fingerprints[role] ?? fingerprint };
      return { fingerprints, differences: [...now.differences, ...added].slice(0, mostDifferences) };
    });
  }
}

/** What is other than in the first member of that role (or, for the build, of any role) and not yet on record. */
function newDifferences(role: MemberRole, fingerprint: Fingerprint, now: Readonly<RunStateFile>): string[] {
  const first = now.fingerprints[role];
  const found =
    first === null ? [] : fingerprintDifferences(first, fingerprint).map((line) => `${role.toLowerCase()} ${line}`);
  const other = now.fingerprints[role === "ACTOR" ? "LEARNER" : "ACTOR"];
  if (first === null && other !== null && other.build !== fingerprint.build)
    found.push(`actor and learner build: ${fingerprint.build} against ${other.build}`);
  return found.filter((line) => !now.differences.includes(line));
}

function tooLong(field: string, length: number, most: number): OperatorError {
  return new OperatorError("CONFIG", `${field} has ${length} characters, at most ${most}.`, "Shorten it.");
}
