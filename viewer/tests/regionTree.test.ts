import { expect, test } from "vitest";
import { RegionTree } from "../src/regionTree";
import type { Region } from "../src/regions";

const tree = new RegionTree(
  new Map<string, Region>([
    ["1", { name: "Brain", color: "", parent: null }],
    ["5", { name: "Thalamus", color: "", parent: "1" }],
    ["2", { name: "Hippocampus", also: "海马", color: "", parent: "1" }],
    ["3", { name: "CA1", color: "", parent: "2" }],
    ["4", { name: "CA2", color: "", parent: "2" }],
  ]),
);

test("lines tell their level, their place among those beside them, and whether they are open", () => {
  expect(tree.rows(new Set()).map(({ id, open }) => [id, open])).toEqual([["1", false]]);
  expect(tree.rows(new Set(["1", "2"]))).toEqual([
    { id: "1", level: 1, position: 1, count: 1, open: true },
    { id: "5", level: 2, position: 1, count: 2, open: null },
    { id: "2", level: 2, position: 2, count: 2, open: true },
    { id: "3", level: 3, position: 1, count: 2, open: null },
    { id: "4", level: 3, position: 2, count: 2, open: null },
  ]);
});

test("a search keeps what is found and what holds it", () => {
  const found = tree.search("ca1");
  const { kept, open } = tree.around(found);
  expect([found, [...kept].sort(), [...open].sort()]).toEqual([["3"], ["1", "2", "3"], ["1", "2"]]);
  expect(tree.rows(open, kept).map(({ id, count }) => [id, count])).toEqual([["1", 1], ["2", 1], ["3", 1]]);
  expect(tree.search("海马")).toEqual(["2"]);
});

test("a region is chosen with what is below it, and one below it can be taken out", () => {
  expect(tree.toggled("2", ["3"])).toEqual(["2"]);
  expect(tree.implied("3", ["2"])).toBe(true);
  expect(tree.toggled("3", ["2"])).toEqual(["4"]);
  expect(tree.toggled("3", ["1"]).sort()).toEqual(["4", "5"]);
  expect(tree.toggled("2", ["2", "5"])).toEqual(["5"]);
});

test("regions without a tree are a list by name", () => {
  const list = new RegionTree(new Map([["7", { name: "b", color: "" }], ["8", { name: "a", color: "" }]]));
  expect(list.rows(new Set()).map(({ id }) => id)).toEqual(["8", "7"]);
});

test("a tree whose parents go round in a circle ends", () => {
  const circle = new RegionTree(new Map([["1", { name: "a", color: "", parent: "2" }], ["2", { name: "b", color: "", parent: "1" }]]));
  expect(circle.ancestors("1")).toEqual(["2", "1"]);
  expect(circle.rows(new Set(["1", "2"]))).toEqual([]);
});
