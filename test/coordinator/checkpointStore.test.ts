import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { CheckpointStore } from "../../coordinator/checkpointStore.ts";
import { logger } from "../../shared/log.ts";
import { temporaryFolder } from "./runningCoordinator.ts";

const damages: string[] = [];
const open = (folder: string, kept = 2) =>
  CheckpointStore.open(folder, kept, logger("test"), { onDamaged: (file, why) => damages.push(`${file}: ${why}`) });
const contentOf = (update: number): Buffer => Buffer.alloc(5000 + update, update);

async function put(store: CheckpointStore, update: number, meanReturn: number, generation = 1): Promise<void> {
  const bytes = contentOf(update);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const about = { mean_return: meanReturn, refused_minibatch: false };
  const upload = await store.begin({ generation, update, total_bytes: bytes.length, sha256, ...about });
  await upload.write(bytes.subarray(0, 1000));
  await upload.write(bytes.subarray(1000));
  await upload.commit();
}
async function bytesOf(store: CheckpointStore, update = 0): Promise<Buffer | null> {
  const entry = await store.find(update);
  if (entry === null) return null;
  const chunks: Buffer[] = [];
  for await (const chunk of store.read(entry)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

it("keeps the newest and the best, across reopening", async () => {
  const folder = await temporaryFolder();
  const store = await open(folder);
  // returns: 1 -> -5, 2 -> 90 (best), 3 -> 10, 4 -> none yet, 5 -> 20
  for (const [update, mean] of [
    [1, -5],
    [2, 90],
    [3, 10],
    [4, Number.NaN],
    [5, 20],
  ] as const)
    await put(store, update, mean);
  const kept = (of: CheckpointStore): number[] => of.entries.map((entry) => entry.update);
  expect(kept(store)).toEqual([2, 4, 5]);
  expect([store.best?.update, store.newest?.update]).toEqual([2, 5]);
  const again = await open(folder);
  expect(kept(again)).toEqual([2, 4, 5]);
  expect(await bytesOf(again, 4)).toEqual(contentOf(4));
  expect((await readdir(folder)).length).toBe(6);
});

it("of two checkpoints after the same update the newer learner's is the newest", async () => {
  const store = await open(await temporaryFolder());
  await put(store, 3, 1, 2);
  await put(store, 3, 1, 1);
  expect(store.newest?.generation).toBe(2);
});

it("uses a whole file whose sidecar was lost, and sets a file aside whose name is not of its bytes", async () => {
  const folder = await temporaryFolder();
  const store = await open(folder, 3);
  for (const update of [1, 2, 3]) await put(store, update, update);
  for (const file of await readdir(folder)) if (file.endsWith(".json")) await rm(join(folder, file));
  await writeFile(join(folder, "00000004-g1-abcdef01.ckpt"), "bytes of another digest");
  damages.length = 0;
  const again = await open(folder, 2);
  expect(damages).toEqual([expect.stringMatching(/^00000004-g1-abcdef01.ckpt: it has no 00000004-g1-abcdef01.json/)]);
  expect(again.entries.map((entry) => entry.update)).toEqual([2, 3]); // two are kept
  expect(await bytesOf(again)).toEqual(contentOf(3));
  expect((await open(folder)).entries).toEqual(again.entries);
});

it("no damage to the newest checkpoint's files is ever served: the one before is", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(".ckpt", ".json"),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.constantFrom("flip", "cut", "empty", "folder", "gone"),
      async (ending, where, how) => {
        const folder = await temporaryFolder();
        const store = await open(folder);
        await put(store, 1, 0);
        await put(store, 2, 0);
        const file = join(
          folder,
          (await readdir(folder)).find((name) => name.startsWith("00000002") && name.endsWith(ending))!,
        );
        const content = await readFile(file);
        const at = Math.floor(where * content.length);
        if (how === "flip") content[at]! ^= 4;
        await writeFile(file, content);
        if (how === "cut" || how === "empty") await truncate(file, how === "cut" ? at : 0);
        if (how === "folder" || how === "gone") await rm(file);
        if (how === "folder") await mkdir(file);
        const reopened = await open(folder);
        // A flipped bit of the sidecar may lie in a field that does not matter for the bytes: then those are right.
        const served = await bytesOf(reopened);
        expect([contentOf(1), contentOf(2)].some((good) => served?.equals(good))).toBe(true);
        if (ending === ".ckpt") expect(served).toEqual(contentOf(1));
      },
    ),
    { numRuns: 60, seed: 7 },
  );
});

it("a run whose checkpoints are all damaged does not look like one without any", async () => {
  const folder = await temporaryFolder();
  const store = await open(folder);
  await put(store, 7, 0);
  const file = (await readdir(folder)).find((name) => name.endsWith(".ckpt"))!;
  await truncate(join(folder, file), 10);
  damages.length = 0;
  await expect(store.find(0)).rejects.toThrow(/\[CORRUPT\] Every checkpoint in/);
  expect(damages).toEqual([`${file}: it has 10 bytes instead of 5007`]);
  const reopened = await open(folder);
  expect(reopened.newestUpdate).toBe(7);
  await expect(reopened.find(0)).rejects.toThrow(/CORRUPT/);
  expect(await (await open(await temporaryFolder())).find(0)).toBeNull();
});

it("a run whose checkpoint files are gone does not look like one without any", async () => {
  const folder = await temporaryFolder();
  await put(await open(folder), 7, 0);
  await rm(join(folder, (await readdir(folder)).find((name) => name.endsWith(".ckpt"))!));
  await expect((await open(folder)).find(0)).rejects.toThrow(/\[CORRUPT\] Every checkpoint in/);
  const reopened = await open(folder);
  expect([reopened.newestUpdate, reopened.damaged]).toEqual([7, 1]);
});

it("keeps the three newest damaged checkpoints to be looked at, and no more", async () => {
  const folder = await temporaryFolder();
  const store = await open(folder);
  for (let update = 1; update <= 5; update++) {
    await put(store, update, 0);
    const file = (await readdir(folder)).find((name) => name.startsWith(`0000000${update}`) && name.endsWith(".ckpt"))!;
    await truncate(join(folder, file), 10);
    await expect(store.find(update)).rejects.toThrow(/CORRUPT/);
  }
  const damaged = (await readdir(folder)).filter((name) => name.endsWith(".ckpt.damaged"));
  expect(damaged.map((name) => Number.parseInt(name, 10)).sort()).toEqual([3, 4, 5]);
});
