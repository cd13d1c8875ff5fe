import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { projectRoot } from "../../shared/nativeParts.ts";
import { docsPage } from "./docsCommands.ts";
import { kubernetesFolder } from "./rendered.ts";

const script = join(projectRoot, "scripts", "roleImage.mjs");
const dockerfile = (name: string): string =>
  readFileSync(join(projectRoot, "deploy", "images", `${name}.Dockerfile`), "utf8");

/** npm packages in the image of a role. */
const packagesOf = async (role: string): Promise<string[]> => {
  const { stdout } = await execa(process.execPath, [script, role, "--packages"]);
  return (JSON.parse(stdout) as string[]).map((folder) => folder.replace(/^.*node_modules\//, ""));
};

describe("images hold what their role loads and no more:", () => {
  it("the actor has onnxruntime and no TensorFlow", async () => {
    const packages = await packagesOf("actor");
    expect(packages).toEqual(expect.arrayContaining(["onnxruntime-node", "piscina", "@grpc/grpc-js", "zod"]));
    expect(packages.filter((name) => name.startsWith("@tensorflow/"))).toEqual([]);
  });

  it("the learner has TensorFlow and no onnxruntime", async () => {
    const packages = await packagesOf("learner");
    expect(packages.some((name) => name.startsWith("@tensorflow/tfjs-node"))).toBe(true);
    expect(packages).not.toContain("onnxruntime-node");
  });

  it("the coordinator has neither", async () => {
    const packages = await packagesOf("coordinator");
    expect(packages).toContain("@grpc/grpc-js");
    expect(packages.filter((name) => /^@tensorflow|^onnxruntime/.test(name))).toEqual([]);
  });

  it("none has what only a developer needs", async () => {
    const { devDependencies } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
    for (const role of ["coordinator", "learner", "actor"])
      expect((await packagesOf(role)).filter((name) => name in devDependencies)).toEqual([]);
  });
});

describe("Dockerfiles", () => {
  it.each(["coordinator", "learner", "actor"])("%s: its health check asks the port that its process takes", (role) => {
    const text = dockerfile(role);
    const port = new RegExp(`^ENV ANCHORAGE_${role.toUpperCase()}_METRICS_PORT=(\\d+)$`, "m").exec(text)?.[1];
    expect(text).toMatch(new RegExp(`^HEALTHCHECK [^]*fetch\\('http://127\\.0\\.0\\.1:${port}/healthz'\\)`, "m"));
    expect(text).toMatch(new RegExp(`^EXPOSE .*\\b${port}$`, "m"));
  });

  it("nats: no health check, since the image holds the server alone, which asks nobody; Kubernetes asks its port", () => {
    const text = dockerfile("nats");
    expect(text).toMatch(/^FROM scratch$/m);
    expect(text).toMatch(/^HEALTHCHECK NONE$/m);
    const monitoring = JSON.parse(
      readFileSync(join(kubernetesFolder, "base", "nats.conf"), "utf8").replace(/^#.*$/gm, ""),
    ).http;
    expect(text).toMatch(new RegExp(`^EXPOSE .*\\b${monitoring}$`, "m"));
    const documents = parseAllDocuments(readFileSync(join(kubernetesFolder, "base", "nats.yaml"), "utf8"));
    const set = documents.map((each) => each.toJS()).find(({ kind }) => kind === "StatefulSet");
    const [container] = set.spec.template.spec.containers;
    expect(container.ports).toContainEqual({ name: "monitor", containerPort: monitoring });
    for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"])
      expect(container[probe]).toMatchObject({
        httpGet: { path: expect.stringMatching(/^\/healthz/), port: "monitor" },
      });
  });

  it.each(["coordinator", "learner", "actor", "nats"])(
    "%s: the user and ports of the manifests, from a pinned base",
    (role) => {
      const text = dockerfile(role);
      expect(text).toMatch(/^USER 10001:10001$/m);
      const keeps = role === "coordinator" || role === "nats"; // on a volume, which its user may write then
      expect(/^COPY --from=build --chown=10001:10001 \/data \/data$/m.test(text)).toBe(keeps);
      const file = parse(readFileSync(join(kubernetesFolder, "base", "kustomization.yaml"), "utf8"));
      const image = file.images.find((each: { name: string }) => each.name === `anchorage/${role}`);
      expect(text).toContain(`-t anchorage/${role}:${image.newTag} .`);
      const froms = [...text.matchAll(/^FROM (\S+)/gm)].map(([, from]) => from);
      expect(froms).toHaveLength(2);
      for (const [, value] of text.matchAll(/^ARG \w+_IMAGE=(.+)$/gm)) expect(value).toMatch(/:\d+\.\d+\.\d+/);
    },
  );

  it("take their base from one build argument, an exact tag by default, so that a digest can pin it as the docs say", () => {
    const names = readdirSync(join(projectRoot, "deploy", "images"));
    expect(names).toHaveLength(5);
    const texts = names.map((name) => readFileSync(join(projectRoot, "deploy", "images", name), "utf8"));
    const bases = new Set(texts.flatMap((text) => [...text.matchAll(/^FROM \$?\{?(\w+)/gm)].map(([, base]) => base)));
    expect([...bases].sort()).toEqual(["BUILD_IMAGE", "NODE_IMAGE", "scratch"]);
    const defaults = new Set(
      texts.flatMap((text) => [...text.matchAll(/^ARG NODE_IMAGE=(\S+)$/gm)].map(([, tag]) => tag)),
    );
    const [tag] = defaults;
    expect([defaults.size, tag]).toEqual([1, expect.stringMatching(/^node:\d+\.\d+\.\d+-\w+-slim$/)]);
    const page = docsPage("docs/deploy.md");
    expect(page).toContain(`--build-arg NODE_IMAGE=${tag}@sha256:`);
    expect(page).toContain(`docker pull ${tag}`);
  });

  it("run node itself as the first process, which gets the signals", () => {
    for (const role of ["coordinator", "learner", "actor"])
      expect(dockerfile(role)).toMatch(/^ENTRYPOINT \["node", "\/anchorage\/dist\/cli\/main.js"\]$/m);
  });
});
