import { EventEmitter, once } from "node:events";
import { type ChannelOptions, Client, type ClientDuplexStream, type ServiceError } from "@grpc/grpc-js";
import type { ActorMessage } from "../proto/gen/anchorage/v1/ActorMessage.ts";
import type { LearnerMessage__Output as LearnerMessage } from "../proto/gen/anchorage/v1/LearnerMessage.ts";
import { learnerProto } from "../proto/load.ts";
import { clientOptions } from "../shared/grpcOptions.ts";
import { Transport } from "../shared/transport.ts";

/** A message, or one that a worker has encoded already. */
export type Outgoing = ActorMessage | Uint8Array;

interface Events {
  message: [LearnerMessage];
  /** The stream is over: `reason` says how it looked from here, which is never that the work is finished. */
  closed: [reason: string];
}

const { Collect } = learnerProto.Learner.service;
const serialize = (message: Outgoing): Buffer =>
  message instanceof Uint8Array
    ? Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    : Collect.requestSerialize(message);

/** One Collect call to one learner. Messages leave in order; a full send window holds the later ones back. */
export class LearnerStream extends EventEmitter<Events> {
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Outgoing, LearnerMessage>;
  #sending: Promise<void> = Promise.resolve();
  #ending = false;
  #closed = false;

  /** `options`: for tests; keepalive in them notices a half-open link. Throws CONFIG where plain text would leave this machine. */
  constructor(address: string, transport = Transport.plain, options: ChannelOptions = clientOptions) {
    super();
    const credentials = transport.clientCredentials("learner", "the learner's address", address);
    this.#client = new Client(address, credentials, { ...options, ...transport.channelOptions(address) });
    this.#call = this.#client.makeBidiStreamRequest(Collect.path, serialize, Collect.responseDeserialize);
    this.#call.on("data", (message: LearnerMessage) => {
      if (!this.#closed) this.emit("message", message); // what had come before is handed out even after cancel()
    });
    this.#call.on("error", (error: ServiceError) => this.#close(error.message));
    // "end" may be a clean goodbye or a killed learner
    this.#call.on("end", () => this.#close("the learner ended the stream"));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves when the message is handed to the network, or the stream is over. */
  send(message: Outgoing): Promise<void> {
    if (this.#ending) return this.#sending; // after the goodbye: the stream's end gives every lease back
    this.#sending = this.#sending.then(async () => {
      if (this.#closed || this.#call.write(message) || this.#closed) return;
      const over = new AbortController();
      const wake = (): void => over.abort();
      this.once("closed", wake);
      await once(this.#call, "drain", { signal: over.signal }).catch(() => undefined); // closed: there is nothing to wait for
      this.off("closed", wake);
    });
    return this.#sending;
  }

  /** Says goodbye after what was sent, waits for the learner's, at most `ms`. */
  async end(ms: number): Promise<void> {
    this.#ending = true;
    await Promise.race([this.#sending, new Promise((resolve) => setTimeout(resolve, ms).unref())]);
    if (this.#closed) return;
    const closed = once(this, "closed");
    this.#call.end();
    const timer = setTimeout(() => this.abort("no goodbye from the learner"), ms);
    await closed;
    clearTimeout(timer);
  }

  /** Gives the stream up at once. */
  abort(reason: string): void {
    this.#close(reason);
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#call.cancel();
    this.#client.close();
    this.emit("closed", reason);
  }
}
