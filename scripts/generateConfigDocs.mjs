/** node scripts/generateConfigDocs.mjs: writes docs/configuration.md from the schemas of dist/ (npm run build first). */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { projectRoot, startedAs } from "./setup/places.mjs";

const code = (value) => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
/** In a table, a bar ends the cell. */
const cell = (text) => text.replaceAll("|", "\\|");

/** The type with its range, as a person writes it: `integer > 0`, `` `ano`, `ppo` ``, `number in (0, 1)`. */
function typeOf(schema) {
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.oneOf) return "see below";
  if ("const" in schema) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(", ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type })).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  if (schema.properties) return `{${Object.keys(schema.properties).join(", ")}}`;
  if (schema.type === "object") return `map to ${[schema.additionalProperties.type].flat().join(", ")}`;
  return `${schema.type === "string" ? "text" : schema.type}${rangeOf(schema)}`;
}

function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const low = exclusiveMinimum ?? minimum;
  // zod bounds every integer by what a double holds exactly: no news to anyone
  const high = exclusiveMaximum ?? (maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum);
  if (low !== undefined && high !== undefined)
    return ` in ${exclusiveMinimum === undefined ? "[" : "("}${low}, ${high}${exclusiveMaximum === undefined ? "]" : ")"}`;
  if (low !== undefined) return ` ${exclusiveMinimum === undefined ? "≥" : ">"} ${low}`;
  return high === undefined ? "" : ` ${exclusiveMaximum === undefined ? "≤" : "<"} ${high}`;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const defaultOf = (schema) => ("default" in schema ? code(schema.default) : "required");

function runTable(schema, presets) {
  const names = Object.keys(presets);
  const rows = Object.entries(schema.properties).map(([name, field]) => [
    `\`${name}\``,
    typeOf(field),
    defaultOf(field),
    ...names.map((preset) => (name in presets[preset] ? code(presets[preset][name]) : "")),
    field.description ?? "",
  ]);
  return table(["field", "type", "default", ...names, "meaning"], rows);
}

function networkTables(network) {
  return network.oneOf.map(({ properties: { kind, ...rest } }) => {
    const rows = Object.entries(rest).map(([name, field]) => [
      `\`network.${name}\``,
      typeOf(field),
      defaultOf(field),
      field.description ?? "",
    ]);
    return `### network.kind ${code(kind.const)}: ${kind.description}\n\n${table(["field", "type", "default", "meaning"], rows)}`;
  });
}

/** `leaseSeconds` -> ANCHORAGE_LEASE_SECONDS, as cli/deployFlags.ts reads it. */
const variable = (name) => `ANCHORAGE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

function deployTable(schema) {
  const rows = Object.entries(schema.properties).map(([name, field]) => [
    `\`${name}\``,
    `\`${variable(name)}\``,
    typeOf(field),
    defaultOf(field),
    field.description ?? "",
  ]);
  return table(["field", "variable", "type", "default", "meaning"], rows);
}

/** The page for these schemas and presets. */
export function configurationPage({ RunConfig, DeployConfig, presets }) {
  const run = z.toJSONSchema(RunConfig, { io: "input" });
  const deploy = z.toJSONSchema(DeployConfig, { io: "input" });
  return `# Configuration

<!-- Written by scripts/generateConfigDocs.mjs from shared/runConfig.ts, presets.ts and deployConfig.ts: edit those. -->

Two kinds of settings: **RunConfig** decides a run's numbers, **DeployConfig** where and how things run. Both are strict:
an unknown field, a wrong type or an impossible combination stops the process at its start with a message that names the
field, the value and the remedy.

## RunConfig

Given to \`anchorage train\` (or \`coordinator\`) by \`--config FILE\` (YAML or JSON), flags over it, and \`--set field=value\`
(\`--set network.units=256\`) over those. What is not given is the preset's value, or else the default. The preset follows
from the environment: \`mujoco\` for Gymnasium's MuJoCo tasks, \`atari\` for other \`-v5\` ids, \`classic\` for everything else.
The resolved settings of a run are in its folder's \`config.json\` and cannot change on resume.

${runTable(run, presets)}

${networkTables(run.properties.network).join("\n\n")}

A network without \`kind\` is of the preset's kind. \`envBatchSize\` must divide \`envs\`; \`minibatches\` must divide a round of
\`envs\` x \`rolloutSteps\` agent steps. A setting that
the run's \`algo\` does not read is refused: [objectives.md](objectives.md) says which belong to which. \`papo\` sets
\`targetKl\` to 0.02, \`trpo\` has \`normalizeAdvantages\` false and \`entropyCoef\` 0, \`a2c\` and \`pg\` have \`epochs\` 1, \`pg\` has \`valueCoef\` 0.

## DeployConfig

Given by \`--deploy FILE\` (YAML or JSON), environment variables over it, flags over those. May differ between the processes
of a run and change on resume; what is part of the fingerprint decides numbers all the same, and changing it needs
\`otherFingerprint=accept\`. \`train\` takes no \`coordinatorListen\`, \`coordinator\` and \`nats\`: it starts its own on free ports.

${deployTable(deploy)}

## Logs and builds

| variable | meaning |
| --- | --- |
| \`ANCHORAGE_LOG\` | level of the logs on stderr: \`trace\`, \`debug\`, \`info\` (default), \`warn\`, \`error\`, \`fatal\`, \`silent\` |
| \`ANCHORAGE_LOG_FORMAT\` | \`human\` (default at a terminal) or \`json\` (default elsewhere) |
| \`ANCHORAGE_COMMIT\` | commit to name in the fingerprint where there is no .git, as in an image |
| \`ANCHORAGE_CACHE\` | folder of the set-up's downloads and builds; default \`$XDG_CACHE_HOME/anchorage\`, then \`~/.cache/anchorage\` |
`;
}

if (startedAs(import.meta.url)) {
  const from = (name) => import(pathToFileURL(join(projectRoot, "dist", "shared", name)).href);
  const [{ RunConfig }, { DeployConfig }, { presets }] = await Promise.all(
    ["runConfig.js", "deployConfig.js", "presets.js"].map(from),
  );
  await writeFile(
    join(projectRoot, "docs", "configuration.md"),
    configurationPage({ RunConfig, DeployConfig, presets }),
  );
}
