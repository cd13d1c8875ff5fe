import { beforeAll, describe, expect, it } from "vitest";
import { attribute, GraphBuilder } from "../../../learner/compile/graphBuilder.ts";
import { createSession } from "../../../learner/compile/session.ts";
import { trace } from "../../../learner/compile/tracer.ts";
import { loadTensorFlow, type TensorFlow } from "../../../learner/tensorflow.ts";
import { gaussianNetwork } from "../updateCases.ts";

const settings = { threads: 1, operations: 1, device: "cpu" } as const;
let tf: TensorFlow;
beforeAll(() => {
  tf = loadTensorFlow({ device: "cpu", onednn: "off", threads: 1, network: gaussianNetwork(1, [], 1) });
});

describe("trace", () => {
  it("writes what tfjs executes: the graph computes the same for other inputs", () => {
    const graph = new GraphBuilder();
    const x = tf.zeros([2, 3]);
    const edge = graph.placeholder("x", "float32", [2, 3]);
    const f = (t: typeof x) => tf.sum(tf.mul(tf.square(t), tf.tensor1d([1, 2, 3])), 1);
    const { result, edgeOf } = trace(tf, graph, [[x, edge]], () => tf.tidy(() => f(x)));
    const call = createSession(graph.definition(), settings).prepare(["x"], [edgeOf(result)], []);
    const input = Float32Array.of(1, 2, 3, -4, 5, 0.5);
    const output = new Float32Array(2);
    call.run([input], [output]);
    expect([...output]).toEqual([1 + 8 + 27, 16 + 50 + 0.75]);
    expect([...f(tf.tensor2d(input, [2, 3])).dataSync()]).toEqual([...output]);
  });

  it("refuses a tensor from before the trace, whose value would silently be frozen", () => {
    const weight = tf.add(tf.ones([2]), 1);
    expect(() => trace(tf, new GraphBuilder(), [], () => tf.neg(weight))).toThrow(
      "Neg reads a tensor from before the trace",
    );
  });

  it("gives the binding back after a failure", () => {
    const failing = () =>
      trace(tf, new GraphBuilder(), [], () => {
        throw new Error("in the loss");
      });
    expect(failing).toThrow("in the loss");
    expect([...tf.add(tf.ones([1]), 1).dataSync()]).toEqual([2]);
  });
});

describe("GraphBuilder", () => {
  it("refuses a large constant, unless it is one number repeated", () => {
    const graph = new GraphBuilder();
    const noise = Float32Array.from({ length: 20000 }, (_, i) => i);
    expect(() => graph.constant("float32", [20000], noise)).toThrow("a constant [20000] of 80000 bytes would be baked");
    graph.constant("float32", [20000], new Float32Array(20000).fill(3));
    expect(graph.definition().length).toBeLessThan(300);
  });

  it("keeps the shape of a repeated number, and tells 0 from -0", () => {
    const graph = new GraphBuilder();
    const edges = [0, -0, 2.5].map((x) => graph.constant("float32", [2, 2], new Float32Array(4).fill(x)));
    const halves = edges.map((edge) => graph.add("Reciprocal", [edge], { T: attribute.type("float32") }));
    const call = createSession(graph.definition(), settings).prepare([], halves, []);
    const outputs = edges.map(() => new Float32Array(4));
    call.run([], outputs);
    expect(outputs.map((o) => [...o])).toEqual([Infinity, -Infinity, Math.fround(0.4)].map((x) => Array(4).fill(x)));
  });
});

describe("the session addon", () => {
  const doubling = () => {
    const graph = new GraphBuilder();
    const x = graph.placeholder("x", "float32", [3]);
    graph.add("Add", [x, x], { T: attribute.type("float32") }, "twice");
    return createSession(graph.definition(), settings);
  };

  it("checks every array against the graph before it runs", () => {
    const call = doubling().prepare(["x"], ["twice"], []);
    const three = new Float32Array(3);
    expect(() => call.run([new Float32Array(2)], [three])).toThrow("x has 8 bytes, expected 12");
    expect(() => call.run([new Int32Array(3)], [three])).toThrow("x: the typed array does not have the tensor's dtype");
    expect(() => call.run([], [three])).toThrow("inputs: expected an array of 1");
    expect(() => call.run([three], [new Float32Array(4)])).toThrow("twice has 16 bytes, expected 12");
    expect(() => call.run(["x" as unknown as Float32Array], [three])).toThrow("x: expected a typed array");
  });

  it("reads a view into a larger buffer at its offset", () => {
    const call = doubling().prepare(["x"], ["twice"], []);
    const whole = Float32Array.of(9, 1, 2, 3, 9);
    const results = new Float32Array(5);
    call.run([whole.subarray(1, 4)], [results.subarray(2, 5)]);
    expect([...results]).toEqual([0, 0, 2, 4, 6]);
  });

  it("gives back the memory of closed sessions", { timeout: 60_000 }, () => {
    const session = (): void => {
      const made = doubling();
      made.prepare(["x"], ["twice"], []).run([new Float32Array(3)], [new Float32Array(3)]);
      made.close();
    };
    const rssAfter = (count: number): number => {
      for (let i = 0; i < count; i++) session();
      return process.memoryUsage().rss;
    };
    const warm = rssAfter(100);
    expect(rssAfter(200) - warm).toBeLessThan(20e6);
  });

  it("says what is wrong with a graph, a name, a closed session", () => {
    const broken = new GraphBuilder();
    broken.add("NoSuchOperation", [], {});
    expect(() => createSession(broken.definition(), settings)).toThrow(/NoSuchOperation/);
    const session = doubling();
    expect(() => session.prepare(["y"], [], [])).toThrow("the graph has no operation y");
    expect(() => session.prepare([], ["twice:3"], [])).toThrow("the graph has no tensor twice:3");
    expect(() => session.prepare([], ["twice:one"], [])).toThrow();
    const call = session.prepare(["x"], ["twice"], []);
    session.close();
    expect(() => session.prepare([], [], [])).toThrow("the session is closed");
    expect(() => call.run([new Float32Array(3)], [new Float32Array(3)])).toThrow("the session is closed");
  });
});
