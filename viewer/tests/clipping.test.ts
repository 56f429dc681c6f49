import { expect, test } from "vitest";
import { planeThrough, reach } from "../src/panels/clipping";
import { decodeView } from "../src/view";
import { sampleScene } from "./fixtures";

test("a plane through a place holds it, and keeps what lies along its normal", () => {
  const [x, y, z, offset] = planeThrough([0, 0.6, 0.8], [100, 50, -20]);
  const side = (at: number[]) => x * at[0]! + y * at[1]! + z * at[2]! + offset;
  expect(side([100, 50, -20])).toBeCloseTo(0);
  expect(side([0, 53, -16])).toBeCloseTo(5);
});

test("a plane goes as far as the box does", () => {
  expect(reach([1, 0, 0, 5], [-3, 0, 0], [7, 1, 1])).toEqual([-3, 7]);
  expect(reach([-1, 0, 0, 5], [-3, 0, 0], [7, 1, 1])).toEqual([-7, 3]);
});

test("a link with a plane that is none keeps the view whole", () => {
  for (const damaged of ["#kp=1_1_1_5", "#kp=0_0_0_1", "#kp=1_0_0", "#kp=a_b_c_d"]) expect(decodeView(damaged, sampleScene()).plane).toBeNull();
  expect(decodeView("#kp=0_0_-1_5.5", sampleScene()).plane).toEqual([0, 0, -1, 5.5]);
});
