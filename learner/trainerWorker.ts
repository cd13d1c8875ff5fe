import { parentPort, workerData } from "node:worker_threads";
import { CompiledUpdate } from "./compiledUpdate.ts";
import { loadOwnObjective } from "./objectives/ownObjective.ts";
import { RoundTrainer, updateSettings } from "./roundTrainer.ts";
import type { NamedTensor, TrainerSettings } from "./trainer.ts";
import {
  failureOf,
  type TrainerAnswer,
  type TrainerCall,
  type TrainerFailure,
  type TrainerResults,
} from "./trainerMessages.ts";

/** The worker thread of TrainerThread: owns TensorFlow, answers one call after the other. */
const port = parentPort!;
const settings = workerData as TrainerSettings;

let trainer: RoundTrainer | null = null;
let broken: TrainerFailure | null = null; // a half-trained round must not become a checkpoint

/** One call after the other, in order, also while the first of them loads the user's objective. */
let answered = Promise.resolve();
port.on("message", (message: TrainerCall) => {
  answered = answered.then(() => handle(message));
});

async function handle(message: TrainerCall): Promise<void> {
  let answer: TrainerAnswer;
  try {
    answer = broken && message.call !== "close" ? { failure: broken } : { result: await answerTo(message) };
  } catch (error) {
    const failure = failureOf(error);
    broken = { ...failure, minibatch: null }; // its bytes are given away
    answer = { failure };
  }
  port.postMessage(answer, "result" in answer ? buffersOf(answer.result) : failureBuffers(answer.failure));
  if (message.call === "close") port.close();
}

async function answerTo(message: TrainerCall): Promise<TrainerResults[keyof TrainerResults]> {
  if (trainer === null && message.call !== "close") {
    const own = await loadOwnObjective(settings.config.algo);
    trainer = new RoundTrainer(settings, new CompiledUpdate(updateSettings(settings, own)), own);
  }
  if (trainer === null) return null;
  switch (message.call) {
    case "initialise":
      return trainer.initialise(message.state, message.initial);
    case "update":
      return trainer.update(message.round, message.rollouts);
    case "state":
      return trainer.state();
    case "close":
      trainer.close();
      return null;
  }
}

function failureBuffers({ minibatch }: TrainerFailure): ArrayBuffer[] {
  return minibatch === null ? [] : [minibatch.buffer as ArrayBuffer];
}

/** What is given away instead of copied: megabytes of policy and weights. */
function buffersOf(result: TrainerResults[keyof TrainerResults]): ArrayBuffer[] {
  if (result === null) return [];
  if ("tensors" in result)
    return Object.values(result.tensors).map(({ data }: NamedTensor) => data.buffer as ArrayBuffer);
  const snapshot = "snapshot" in result ? result.snapshot : result;
  return [snapshot.bytes.buffer as ArrayBuffer];
}
