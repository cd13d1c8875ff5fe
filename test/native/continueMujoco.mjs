// A process of its own for mujocoSnapshot.test.ts, in plain JavaScript because Node runs it as it is.
// One message in: { addon, steps, batches: [{ id, options, arrays: { name: [type, length] }, seeds?, snapshot?, actions }] }.
// Resets by `seeds` or loads `snapshot`, takes `steps` steps and answers per batch what it saw as SHA-256 digests, one a
// step, the observation before the first step, and the snapshot after the last.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const types = { Float64Array, Float32Array, Int32Array, Uint8Array };

process.once("message", ({ addon, steps, batches }) => {
  const { Batch } = createRequire(import.meta.url)(addon);
  process.send(
    batches.map((batch) => play(Batch, steps, batch)),
    () => process.disconnect(),
  );
});

function play(Batch, steps, { id, options, arrays: layout, seeds, snapshot, actions }) {
  const arrays = Object.fromEntries(
    Object.entries(layout).map(([name, [type, length]]) => [name, new types[type](length)]),
  );
  const batch = new Batch(options, arrays);
  if (snapshot) batch.load(snapshot);
  else batch.reset(seeds);
  const digests = [digest([arrays.observations])];
  let ends = 0;
  for (let t = 0; t < steps; t++) {
    // finalObservations, episodeReturns and episodeLengths hold old values where nothing ended: not compared there
    for (const name of ["finalObservations", "episodeReturns", "episodeLengths"]) arrays[name].fill(0);
    batch.step(actions[t]);
    ends += arrays.episodeEnded.reduce((sum, flag) => sum + flag, 0);
    digests.push(digest(Object.values(arrays)));
  }
  return { id, digests, ends, snapshot: batch.save() };
}

function digest(arrays) {
  const hash = createHash("sha256");
  for (const array of arrays) hash.update(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  return hash.digest("hex");
}
