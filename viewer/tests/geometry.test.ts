import { expect, test } from "vitest";
import { boxOnScreen, cameraRotation, compass, edgeLetters, fittingScale, multiply, panelRotation, rotate, sameRotation, sectionRotation, smallRotation, sourceMatrix, spun, steppingGrid, stepOf, stepSection, type Vector } from "../src/geometry";
import { sampleScene } from "./fixtures";

const panels = { coronal: panelRotation("xy"), axial: panelRotation("xz"), sagittal: panelRotation("yz") };
const edges = (panel: keyof typeof panels, oriented = true) => edgeLetters(multiply(sectionRotation(oriented), panels[panel]), oriented);

test("sections of an oriented brain are upright, with right on the right", () => {
  expect(edges("coronal")).toEqual({ left: "L", right: "R", top: "S", bottom: "I" });
  expect(edges("axial")).toEqual({ left: "L", right: "R", top: "A", bottom: "P" });
  expect(edges("sagittal")).toEqual({ left: "P", right: "A", top: "S", bottom: "I" });
});

test("without orientation nobody claims anatomy", () => {
  expect(edges("coronal", false)).toEqual({ left: "\u2212x", right: "+x", top: "\u2212y", bottom: "+y" });
});

test("an oblique section has no letters", () => {
  expect(Object.values(edgeLetters(multiply(sectionRotation(true), smallRotation([0.8, 0.8, 0])), true)).join("")).toBe("");
});

test("the first camera looks from above: superior is up on the screen", () => {
  const up = rotate(cameraRotation(true), [0, -1, 0]);
  const away = rotate(cameraRotation(true), [0, 0, 1]);
  expect(up[2]).toBeGreaterThan(0.8);
  expect(away[2]).toBeLessThan(0);
});

test("rotations are the same whichever sign their quaternion has", () => {
  expect(sameRotation([0, 0, 0, 1], [0, 0, 0, -1])).toBe(true);
  expect(sameRotation([0, 0, 0, 1], smallRotation([0.1, 0, 0]))).toBe(false);
});

test("the box fits every section", () => {
  const scene = sampleScene();
  const rotation = sectionRotation(true);
  const [across, down, deep] = boxOnScreen(scene, rotation);
  expect([across, down, deep].map(Math.round)).toEqual([84000, 64000, 103000]);
  const scale = fittingScale(scene, rotation, 500, 400);
  expect(across / scale).toBeLessThan(500);
  expect(deep / scale).toBeLessThan(400);
});

test("a voxel index goes where the affine says, in steps of the smallest voxel edge", () => {
  const scene = sampleScene();
  const step = stepOf(scene);
  expect(step).toBe(400);
  const layer = scene.layers[0]!;
  const matrix = sourceMatrix(layer.transform!, layer.voxel_size_um!, step);
  // Neuroglancer multiplies lengths: input voxel edge over output step.
  const index = [3, 5, 7];
  const world = [2, 3, 4].map((row) => index.reduce((sum, value, axis) => sum + (matrix[row]![axis + 2]! * value * layer.voxel_size_um![axis]!) / step, matrix[row]![5]!));
  const expected = layer.transform!.map((row) => (row[0]! * 3 + row[1]! * 5 + row[2]! * 7 + row[3]!) / step);
  world.forEach((value, axis) => expect(value).toBeCloseTo(expected[axis]!, 9));
});

test("the cross of directions turns with the camera", () => {
  const arms = (rotation: Parameters<typeof compass>[0]) => Object.fromEntries(compass(rotation, true).map((arm) => [arm.text, arm]));
  // As the coronal section shows it, looked at from behind.
  const behind = arms(sectionRotation(true));
  expect(behind.R!.right).toBeCloseTo(1);
  expect(behind.S!.down).toBeCloseTo(-1);
  expect(behind.A!.away).toBeCloseTo(1);
  const first = compass(cameraRotation(true), true);
  expect(first.map((arm) => arm.text).sort().join("")).toBe("AILPRS");
  expect(first.at(-1)!.away).toBeLessThan(first[0]!.away);
  expect(arms(cameraRotation(true)).S!.down).toBeLessThan(-0.8);
  expect(compass([0, 0, 0, 1], false).map((arm) => arm.text)).toContain("+x");
});

test("a step leads to the middle of the next voxel along the section's normal, and nowhere else", () => {
  const grid = sampleScene().layers[0]!.transform!;
  const step = (from: Vector, normal: Vector, notches: number) => stepSection(from, normal, notches, grid).map((value) => Math.round(value) + 0);
  // Index (z, y, x) = (60.5, 103, 105) lies between two voxels; the file counts x downwards.
  expect(step([0, -6000, 250], [0, 0, 1], 1)).toEqual([0, -6000, 500]);
  expect(step([0, -6000, 250], [0, 0, -1], 1)).toEqual([0, -6000, 0]);
  expect(step([0, -6000, 500], [0, 0, 1], 1)).toEqual([0, -6000, 1000]);
  expect(step([0, -6000, 500], [1, 0, 0], 10)).toEqual([4000, -6000, 500]);
  expect(step([130, -6000, 500], [1, 0, 0], -1)).toEqual([0, -6000, 500]);
  // What single floats lose is not a voxel.
  expect(step([0, -6000, 499.9], [0, 0, 1], 1)).toEqual([0, -6000, 1000]);
});

test("an oblique step crosses one voxel", () => {
  const half = Math.SQRT1_2;
  const [x, y, z] = stepSection([0, 0, 0], [half, 0, half], 1, [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]);
  expect([x, y, z].map((value) => Math.round(value * 1e6) / 1e6)).toEqual([2, 0, 2]);
});

test("sections step on the voxels of the first volume that is seen", () => {
  const scene = sampleScene();
  scene.layers[2]!.transform = [[100, 0, 0, 0], [0, 100, 0, 0], [0, 0, 100, 0]];
  expect(steppingGrid(scene, [true, true, true, true])[0]![0]).toBe(500);
  expect(steppingGrid(scene, [false, false, true, true])[0]![0]).toBe(100);
  expect(steppingGrid(scene, [false, false, false, true])[0]![0]).toBe(500);
  expect(steppingGrid({ ...scene, layers: [scene.layers[3]!] }, [true])).toEqual([[400, 0, 0, 0], [0, 400, 0, 0], [0, 0, 400, 0]]);
});

test("a turntable turns about what is up, and comes back", () => {
  const start = cameraRotation(true);
  const up = (q: typeof start) => rotate([-q[0], -q[1], -q[2], q[3]], [0, 0, 1]);
  for (const part of [0.1, 0.25, 0.7]) {
    expect(sameRotation(spun(start, part, true), start)).toBe(false);
    up(spun(start, part, true)).forEach((value, axis) => expect(value).toBeCloseTo(up(start)[axis]!, 9));
  }
  expect(sameRotation(spun(start, 1, true), start)).toBe(true);
  expect(sameRotation(spun(cameraRotation(false), 1, false), cameraRotation(false))).toBe(true);
});
