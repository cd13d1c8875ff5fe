import { expect, it } from "vitest";
import { type CoordinatorStart, goingOn } from "../../../coordinator/page/resumeCommand.ts";

const byHand = { followed: false, stay: false, address: "127.0.0.1:7400", secure: false, folder: "/data/mine" };
const everywhere = { address: "0.0.0.0:7400", stay: true };

it.each<[string, Partial<CoordinatorStart>, string, string]>([
  ["under `train`", { followed: true }, "train", "anchorage train --resume --run-dir /data/mine"],
  ["by hand", {}, "coordinator", "anchorage coordinator --resume --run-dir /data/mine"],
  ["to stay, on this machine", { stay: true }, "resume", "anchorage resume --run-dir /data/mine"],
  [
    "in a cluster",
    { ...everywhere, secure: true },
    "resume",
    "anchorage resume --tls FOLDER --coordinator localhost:7400",
  ],
  [
    "in one without certificates",
    everywhere,
    "resume",
    "anchorage resume --control-token FILE --coordinator localhost:7400",
  ],
])("a run whose coordinator was started %s goes on by what can reach it", (_, start, goesOnBy, resumeCommand) => {
  expect(goingOn({ ...byHand, ...start })).toEqual({ goesOnBy, resumeCommand });
});
