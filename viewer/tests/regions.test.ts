import { expect, test } from "vitest";
import { findRegions, withParts, type Region } from "../src/regions";
import { RegionSelection } from "../src/selection";

const regions = new Map([
  ["7", { name: "Thalamus_R", color: "" }],
  ["3", { name: "Hippocampus_R", color: "#102030" }],
  ["2", { name: "Hippocampus_L", color: "" }],
]);

test("regions are found by parts of their names, in the order of the names", () => {
  expect(findRegions(regions, "hippo").map(([id]) => id)).toEqual(["2", "3"]);
  expect(findRegions(regions, "_r  HIPPO").map(([id]) => id)).toEqual(["3"]);
  expect(findRegions(regions, "").map(([id]) => id)).toEqual(["2", "3", "7"]);
  expect(findRegions(regions, "tectum")).toEqual([]);
});

test("a selection tells of changes, and only of changes", () => {
  const selection = new RegionSelection();
  let told = 0;
  const end = selection.onChange(() => (told += 1));
  selection.set(["3", "3", "2"]);
  selection.set(["3", "2"]);
  selection.toggle("3");
  expect([selection.ids, told]).toEqual([["2"], 2]);
  end();
  selection.toggle("7");
  expect(told).toBe(2);
});

test("a region brings all that is below it", () => {
  const tree = new Map<string, Region>([
    ["1", { name: "Brain", color: "", parent: null }],
    ["2", { name: "Hippocampus", also: "海马", color: "", parent: "1" }],
    ["3", { name: "CA1", color: "", parent: "2" }],
    ["4", { name: "Thalamus", color: "", parent: "1" }],
  ]);
  expect(withParts(tree, ["2"])).toEqual(["2", "3"]);
  expect(withParts(tree, ["1"])).toEqual(["1", "2", "3", "4"]);
  expect(withParts(tree, [])).toEqual([]);
  expect(findRegions(tree, "海马").map(([id]) => id)).toEqual(["2"]);
});
