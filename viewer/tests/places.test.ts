import { expect, test } from "vitest";
import { placeText, readPlace, unitOf } from "../src/places";
import { sampleScene } from "./fixtures";

test("large brains are read in millimetres, small ones in micrometres", () => {
  expect(unitOf(sampleScene())).toBe("mm");
  expect(unitOf(sampleScene({ bounds_um: [[0, 0, 0], [270, 490, 1120]] }))).toBe("µm");
});

test("numbers are short", () => {
  expect(placeText([99.99847, -5980.011, 6979.996], "mm")).toBe("0.1, -5.98, 6.98 mm");
  expect(placeText([-0.001, -18000, 22000], "mm")).toBe("0, -18, 22 mm");
  expect(placeText([560.25, 0.123456, 12], "µm")).toBe("560, 0.123, 12 µm");
});

test.each<[string, number[]]>([
  ["1, 2, 3", [1000, 2000, 3000]],
  ["1 2 3 µm", [1, 2, 3]],
  ["1，2、3 微米", [1, 2, 3]],
  ["-1.5mm; 2000um 3 毫米", [-1500, 2000, 3000]],
  ["(\u22121, .5, 1e1) mm", [-1000, 500, 10000]],
])("%j is a place", (text, place) => {
  expect(readPlace(text, "mm")).toEqual(place);
});

test.each(["", "1, 2", "1 2 3 4", "1, 2, x", "1 2 3 km", "1,2,3 inch"])("%j is none", (text) => {
  expect(readPlace(text, "µm")).toBeNull();
});

test("what is shown is read back", () => {
  expect(readPlace(placeText([1230, -18000, 22000], "mm"), "mm")).toEqual([1230, -18000, 22000]);
});
