/**
 * node scripts/kubernetesSchemas.mjs: prints kubeconform's path and the location of its schemas, as JSON. Of Kubernetes' own kinds from the OpenAPI file in its Go module, of the Prometheus operator's
 * from its CustomResourceDefinitions. Strict: a field that no definition names is an error.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { kubernetesModule, kubernetesProgram, kubernetesVersion, moduleFolder } from "./kubernetes.mjs";
import { withLock } from "./setup/lock.mjs";
import { part } from "./setup/part.mjs";
import { cacheFolder, startedAs } from "./setup/places.mjs";
import { fail } from "./setup/setupError.mjs";

const operator = "github.com/prometheus-operator/prometheus-operator@v0.85.0";
const operatorKinds = ["servicemonitors", "podmonitors", "prometheusrules"];

/** For kubeconform's -schema-location: files named `<kind>-<group>-<version>.json`. */
async function kubernetesSchemas() {
  const folder = await withLock(join(cacheFolder(), "kubernetes-schemas"), () =>
    part(`kubernetes-schemas-${kubernetesVersion}-1`, async (temporary) => {
      await writeOwn(temporary);
      await writeOperators(temporary);
    }),
  );
  return join(folder, "{{.ResourceKind}}{{.KindSuffix}}.json");
}

async function writeOwn(folder) {
  const file = join(await kubernetesModule(), "api", "openapi-spec", "swagger.json");
  const { definitions } = JSON.parse(await readFile(file, "utf8"));
  for (const definition of Object.values(definitions))
    for (const { group, version, kind } of definition["x-kubernetes-group-version-kind"] ?? []) {
      if (kind.endsWith("List") || kind.endsWith("Options") || kind === "CustomResourceDefinition") continue; // recursive
      await writeSchema(folder, { group, version, kind }, inlined(definition, definitions));
    }
}

/** The CustomResourceDefinitions themselves. */
export async function operatorFiles() {
  const root = join(await moduleFolder(operator), "example", "prometheus-operator-crd");
  return operatorKinds.map((kind) => join(root, `monitoring.coreos.com_${kind}.yaml`));
}

async function writeOperators(folder) {
  for (const file of await operatorFiles()) {
    const { spec } = parse(await readFile(file, "utf8"));
    for (const { name, schema } of spec.versions)
      await writeSchema(
        folder,
        { group: spec.group, version: name, kind: spec.names.kind },
        strict(schema.openAPIV3Schema),
      );
  }
}

function writeSchema(folder, { group, version, kind }, schema) {
  const suffix = [group.split(".")[0], version].filter((text) => text !== "").join("-");
  return writeFile(join(folder, `${kind}-${suffix}.json`.toLowerCase()), JSON.stringify(schema));
}

/** With every `$ref` replaced by what it names. */
function inlined(schema, definitions) {
  if (Array.isArray(schema)) return schema.map((item) => inlined(item, definitions));
  if (schema === null || typeof schema !== "object") return schema;
  if (typeof schema.$ref === "string") return named(schema.$ref.split("/").at(-1), definitions);
  const entries = Object.entries(schema).map(([key, value]) => [key, inlined(value, definitions)]);
  return closed(Object.fromEntries(entries));
}

function named(name, definitions) {
  if (name.endsWith(".Quantity")) return { type: ["string", "number"] };
  if (name.endsWith(".IntOrString")) return { type: ["string", "integer"] };
  return inlined(definitions[name], definitions);
}

function strict(schema) {
  if (Array.isArray(schema)) return schema.map(strict);
  if (schema === null || typeof schema !== "object") return schema;
  return closed(Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)])));
}

/** A schema with fields takes no others; `metadata` of a CustomResourceDefinition has none and takes all. */
function closed(schema) {
  const isSchema = schema.type === "object" && schema.properties !== undefined;
  return isSchema && schema.additionalProperties === undefined ? { ...schema, additionalProperties: false } : schema;
}

async function main() {
  const program = await kubernetesProgram("kubeconform");
  console.log(JSON.stringify({ program, location: await kubernetesSchemas() }));
}

if (startedAs(import.meta.url)) main().catch(fail);
