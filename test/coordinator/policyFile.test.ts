import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PolicyFile, readStoredPolicy } from "../../coordinator/policyFile.ts";
import { temporaryFolder } from "./runningCoordinator.ts";

const [first, second, third] = ["first", "second", "third"].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
];
const read = (folder: string): Promise<Uint8Array> => readStoredPolicy(folder, expect.fail);
const inFolder = async (): Promise<{ folder: string; policy: string; digests: string }> => {
  const folder = await temporaryFolder();
  return { folder, policy: join(folder, "policy.onnx"), digests: join(folder, "policy.onnx.sha256") };
};

it("gives the newest policy; a flipped bit, a cut or a foreign file is CORRUPT and names both digests", async () => {
  const { folder, policy } = await inFolder();
  const file = new PolicyFile(folder);
  for (const bytes of [first, second]) await file.write(bytes);
  expect(await read(folder)).toEqual(second);
  const flipped = Buffer.from(second);
  flipped[2]! ^= 1;
  for (const damaged of [flipped, second.subarray(1), third]) {
    await writeFile(policy, damaged);
    await expect(read(folder)).rejects.toThrow(
      /^\[CORRUPT\] \S*policy.onnx is damaged: its sha256 is [0-9a-f]{64}, policy.onnx.sha256 says [0-9a-f]{64}\. Copy/,
    );
  }
});

it("a crash between digest and policy leaves a good policy good, also after the next crash", async () => {
  const { folder, policy } = await inFolder();
  await new PolicyFile(folder).write(first);
  for (const next of [second, third]) {
    await new PolicyFile(folder).write(next); // of a coordinator that was started anew
    await writeFile(policy, first); // as if the crash had come before the policy was replaced
    expect(await read(folder)).toEqual(first);
  }
  await new PolicyFile(folder).write(third);
  expect(await read(folder)).toEqual(third);
});

it("damaged digests vouch for nothing; without any, the reader is told that nothing was checked", async () => {
  const { folder, digests } = await inFolder();
  await new PolicyFile(folder).write(first);
  await writeFile(digests, (await readFile(digests, "utf8")).slice(1));
  await expect(read(folder)).rejects.toThrow(/CORRUPT.*says nothing/);
  await rm(digests);
  const told: string[] = [];
  expect(await readStoredPolicy(folder, (why) => told.push(why))).toEqual(first);
  expect(told).toEqual([expect.stringContaining("policy.onnx is not checked")]);
  await new PolicyFile(folder).write(second);
  await writeFile(join(folder, "policy.onnx"), first); // the crash, where an older build had written the policy
  expect(await read(folder)).toEqual(first);
});

it("says so where there is no policy yet", async () => {
  await expect(read(await temporaryFolder())).rejects.toThrow(/STORAGE.*policy.onnx.*from the first checkpoint on/);
});
