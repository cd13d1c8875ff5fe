import { once } from "node:events";
import { Server as GrpcServer, type Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import type { ActorMessage__Output as ActorMessage } from "../../proto/gen/anchorage/v1/ActorMessage.ts";
import type { Hello__Output as Hello } from "../../proto/gen/anchorage/v1/Hello.ts";
import type { LearnerMessage } from "../../proto/gen/anchorage/v1/LearnerMessage.ts";
import type { Lease } from "../../proto/gen/anchorage/v1/Lease.ts";
import { learnerProto } from "../../proto/load.ts";
import { serverOptions } from "../../shared/grpcOptions.ts";

type Stream = ServerDuplexStream<ActorMessage, LearnerMessage>;

/** A queue that tests wait on. */
class Arrivals<T> {
  readonly #items: T[] = [];
  #wake: (() => void)[] = [];

  push(item: T): void {
    this.#items.push(item);
    for (const wake of this.#wake.splice(0)) wake();
  }
  /** Takes the first item that fits, waiting for it. */
  async take(fits: (item: T) => boolean = () => true): Promise<T> {
    for (;;) {
      const at = this.#items.findIndex(fits);
      if (at >= 0) return this.#items.splice(at, 1)[0]!;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }
}

/** One actor's stream as the learner sees it. */
export class TestSession {
  readonly hello: Hello;
  readonly ended: Promise<unknown>;
  readonly #stream: Stream;
  readonly #messages: Arrivals<ActorMessage>;

  constructor(stream: Stream, hello: Hello, messages: Arrivals<ActorMessage>) {
    this.#stream = stream;
    this.hello = hello;
    this.#messages = messages;
    this.ended = Promise.race(["end", "cancelled", "error"].map((event) => once(stream, event)));
  }

  send(message: LearnerMessage): void {
    this.#stream.write(message);
  }
  lease(lease: Partial<Lease>): void {
    this.send({ lease: { generation: 1, env_batch: 0, round: 0, state_digest: "", expires_in_ms: 60_000, ...lease } });
  }
  /** The next message of this kind. */
  async next<K extends "rollout" | "need_policy" | "return_lease">(kind: K): Promise<NonNullable<ActorMessage[K]>> {
    const message = await this.#messages.take((candidate) => candidate[kind] !== undefined && candidate[kind] !== null);
    return message[kind]!;
  }
  /** Reads nothing from the actor until `resume`. */
  pause(): void {
    this.#stream.pause();
  }
  resume(): void {
    this.#stream.resume();
  }
  /** Ends the stream from this side, as a learner that goes away in order. */
  end(): void {
    this.#stream.end();
  }
}

/** A learner as the wire shows it: the test decides what it says. */
export class TestLearner {
  readonly port: number;
  readonly #server: Server;
  readonly #sessions: Arrivals<TestSession>;

  private constructor(server: Server, port: number, sessions: Arrivals<TestSession>) {
    this.#server = server;
    this.port = port;
    this.#sessions = sessions;
  }

  static async listen(port = 0): Promise<TestLearner> {
    const server = new GrpcServer(serverOptions);
    const sessions = new Arrivals<TestSession>();
    server.addService(learnerProto.Learner.service, {
      Collect: (stream: Stream) => {
        const messages = new Arrivals<ActorMessage>();
        stream.on("error", () => undefined); // a cancelled stream is what some tests are about
        stream.on("end", () => stream.end());
        stream.on("data", (message: ActorMessage) => {
          if (message.hello) sessions.push(new TestSession(stream, message.hello, messages));
          else messages.push(message);
        });
      },
    });
    const bound = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, at) =>
        error ? reject(error) : resolve(at),
      );
    });
    return new TestLearner(server, bound, sessions);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The next actor that says hello; welcomed unless told otherwise. */
  async session(welcome: { generation?: number; refused?: string } = {}): Promise<TestSession> {
    const session = await this.#sessions.take();
    session.send({ welcome: { run_id: session.hello.run_id, generation: 1, refused: "", ...welcome } });
    return session;
  }

  /** Cuts every connection, as a killed process. */
  kill(): void {
    this.#server.forceShutdown();
  }
}
