import { expect, test } from "vitest";
import { blendOf, layoutState, liesOver, neuroglancerState, resolveSource, shaderFor, type Json } from "../src/state";
import { defaultView } from "../src/view";
import { sampleScene } from "./fixtures";

const scene = sampleScene();
const state = neuroglancerState(scene, defaultView(scene), "http://brain.test:8765", { scale: 800, scale3d: 160000 });
const layers = state.layers as Json[];

test("positions and scales are counted in steps", () => {
  expect(state.dimensions).toEqual({ x: [400e-6, "m"], y: [400e-6, "m"], z: [400e-6, "m"] });
  expect(state.position).toEqual([-0.625, -15.625, 4.375]);
  expect(state.crossSectionScale).toBe(2);
  expect(state.projectionScale).toBe(400);
});

test("each channel is a layer of its own, added up, with its display range always given", () => {
  expect(layers[1]).toMatchObject({ type: "image", blend: "additive", localPosition: [0, 1], shaderControls: { contrast: { range: [10, 90] } } });
  expect(layers[1]!.shader).toContain("vec3(0.3922, 1.0000, 0.3922)");
});

test("sources are absolute addresses of this server", () => {
  expect((layers[0]!.source as Json).url).toBe("zarr3://http://brain.test:8765/data/d/a/chunks/");
  expect(resolveSource("precomputed://https://other.test/x", "http://brain.test")).toBe("precomputed://https://other.test/x");
});

test("labels carry their names beside them", () => {
  const sources = layers[2]!.source as Json[];
  expect(sources[1]).toEqual({ url: "precomputed://http://brain.test:8765/data/d/b/objects/segments" });
  expect(layers[2]).toMatchObject({ type: "segmentation", selectedAlpha: 0.35 });
});

test("a neuron is shown at once, in its colour", () => {
  expect(layers[3]).toMatchObject({ type: "segmentation", segments: ["1"], segmentDefaultColor: "#6FD0C0" });
});

test("time is an axis only where there are time points", () => {
  expect((state.dimensions as Json).t).toBeUndefined();
  const movie = sampleScene();
  movie.layers[0]!.times = 240;
  movie.layers[0]!.time_step_s = 0.5;
  const view = { ...defaultView(movie), time: 12 };
  const shown = neuroglancerState(movie, view, "http://brain.test", { scale: 1, scale3d: 1 });
  expect((shown.dimensions as Json).t).toEqual([0.5, "s"]);
  expect((shown.position as number[])[3]).toBe(12);
  expect((shown.layers as Json[])[0]!.localPosition).toEqual([0]);
});

test("changing the display range leaves the shader as it is: nothing is compiled again", () => {
  expect(shaderFor("tint", "FFFFFF")).not.toMatch(/range/);
  expect(new Set((["tint", "fire", "ice", "cubehelix"] as const).map((palette) => shaderFor(palette, "FFFFFF"))).size).toBe(4);
});

test("a statistic reaches as far below zero as above, and its threshold is a share of that", () => {
  const view = defaultView(scene);
  Object.assign(view.layers[0]!, { palette: "statistic", window: [-2, 8], threshold: 2 });
  const shown = (neuroglancerState(scene, view, "http://brain.test", { scale: 1, scale3d: 1 }).layers as Json[])[0]!;
  expect(shown.shaderControls).toMatchObject({ contrast: { range: [-8, 8] }, threshold: 0.25 });
  expect(shown.shader).toBe(shaderFor("statistic", "00FF00", true));
  const signed = sampleScene();
  signed.layers[0]!.statistic = true;
  expect(defaultView(signed).layers[0]!.palette).toBe("statistic");
});

test("the layout 3d looks through images, only as deep as its samples lie close", () => {
  const shown = (changes: object) => neuroglancerState(scene, { ...defaultView(scene), ...changes }, "http://brain.test", { scale: 1, scale3d: 1 });
  const mode = (changes: object) => ((shown(changes).layers as Json[])[0] as Json).volumeRendering;
  expect([mode({}), mode({ layout: "3d" }), mode({ layout: "3d", volume: false })]).toEqual(["off", "max", "off"]);
  expect(shown({ layout: "3d" }).projectionDepth).toBeGreaterThan(shown({ layout: "3d", volume: false }).projectionDepth as number);
});

test("the layout 3d has three sections that reach beyond the brain wherever they cross in it", () => {
  const sections = layoutState(scene, "3d").crossSections as Record<string, { width: number; height: number; scale: { value: number } }>;
  const lengths = Object.values(sections).map(({ width, height, scale }) => [width, height].map((pixels) => (pixels * scale.value * 400) / 1000));
  // The box of 84 x 103 x 64 mm (x, y, z), twice: coronal, axial and sagittal.
  lengths.forEach((pair, index) => pair.forEach((length, side) => expect(length / [[168, 128], [168, 206], [206, 128]][index]![side]!).toBeCloseTo(1, 2)));
  expect(layoutState(scene, "4panel").crossSections).toBeUndefined();
});

test("a neuron with an overview opens with it", () => {
  const near = sampleScene();
  near.layers[3]!.overview = { segment: "2", tolerance_um: 5 };
  const shown = neuroglancerState(near, defaultView(near), "http://brain.test", { scale: 1, scale3d: 1 });
  expect((shown.layers as Json[])[3]).toMatchObject({ segments: ["2"] });
});

test("channels of one asset add up; another asset lies over them, as clear as its values are low", () => {
  const two = sampleScene();
  const other = { ...two.layers[0]!, source: "zarr3:///data/d/z/chunks/" };
  two.layers.splice(2, 0, other, { ...other, channel: 1 });
  const views = defaultView(two).layers;
  const blends = () => [0, 1, 2, 3].map((index) => blendOf(two, views, index));
  expect(blends()).toEqual(["default", "additive", "default", "additive"]);
  views[2]!.visible = false;
  expect(blends()[3]).toBe("default");
  expect([0, 1, 2, 3].map((index) => liesOver(two, index))).toEqual([false, false, true, true]);
  expect(shaderFor("tint", "FFFFFF", true)).toContain("emitRGBA(vec4(tone, v))");
  expect(shaderFor("tint", "FFFFFF")).not.toContain("vec4(tone, v)");
});
