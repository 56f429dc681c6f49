import { expect, test } from "vitest";
import { arcColours, curve, type Arc } from "../src/arcs";
import { sampleScene } from "./fixtures";

const scene = sampleScene({ bounds_um: [[0, 0, 0], [100, 100, 100]] });
const arc = { source: "a", target: "b", value: 2, source_um: [80, 50, 20], target_um: [80, 50, 80] } as Arc;

test("an arc goes from one region to the other, and bends away from the middle of the brain", () => {
  const corners = curve(arc, scene);
  expect(corners[0]).toEqual([20, 50, 80]);
  expect(corners.at(-1)).toEqual([80, 50, 80]);
  const [x, y, z] = corners[8]!;
  expect([x, y]).toEqual([50, 50]);
  expect(z).toBeCloseTo(80 + 0.35 * 60);
});

test("what crosses the very middle rises to the top", () => {
  const [, , z] = curve({ ...arc, source_um: [50, 50, 20], target_um: [50, 50, 80] }, scene)[8]!;
  expect(z).toBeCloseTo(50 + 0.35 * 60);
});

test("the strongest connection is the brightest", () => {
  expect(arcColours(2)).toEqual(["#FDE725", "#886EF0"]);
  expect(arcColours(1)).toEqual(["#FDE725"]);
});
