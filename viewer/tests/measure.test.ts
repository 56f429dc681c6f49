import { describe, expect, test } from "vitest";
import { angleAt, anglesOf, assetAddress, boxAddress, lengthOf, lengthText, profileAddress, readCorners, sizeText, solutionsAddress, targetsOf, wire, writeCorners } from "../src/measure";
import { boxRecipe, distanceRecipe, profileRecipe, regionRecipe } from "../src/recipes";
import type { Vector } from "../src/geometry";
import { sampleScene } from "./fixtures";

const TARGET = { name: "T1", kind: "image", digest: "d", asset: "a" } as const;

describe("lines", () => {
  test("are as long as their sides", () => {
    expect(lengthOf([[0, 0, 0], [3, 4, 0], [3, 4, 12]])).toBe(17);
    expect(lengthOf([[1, 2, 3]])).toBe(0);
  });

  test("have angles at their inner corners", () => {
    expect(angleAt([1, 0, 0], [0, 0, 0], [0, 5, 0])).toBeCloseTo(90, 12);
    expect(angleAt([1, 0, 0], [0, 0, 0], [-2, 0, 0])).toBeCloseTo(180, 12);
    expect(angleAt([1, 0, 0], [0, 0, 0], [0, 0, 0])).toBeNull();
    expect(anglesOf([[0, 0, 0], [1, 0, 0], [2, 1, 0], [2, 1, 9]]).map((angle) => Math.round(angle!))).toEqual([135, 90]);
  });

  test("are typed and written back", () => {
    const corners: Vector[] = [[-1500, 2000, 10], [0, 20, 300]];
    expect(readCorners("-1.5, 2, 0.01 mm\n0 0.02 0.3 mm", "µm")).toEqual(corners);
    expect(readCorners("1,2,3；4,5,6", "µm")).toEqual([[1, 2, 3], [4, 5, 6]]);
    expect(readCorners("1,2,3\nfoo", "µm")).toBeNull();
    expect(readCorners(writeCorners(corners, "µm"), "µm")).toEqual(corners);
  });
});

test("what can be measured is each asset once, what is shown first", () => {
  const scene = sampleScene();
  expect(targetsOf(scene, ["image", "labels"]).map(({ asset, name }) => [asset, name])).toEqual([["a", "T1"], ["b", "NeuroMaps"]]);
  expect(targetsOf(scene, ["image", "labels"], [false, false, true]).map(({ asset }) => asset)).toEqual(["b", "a"]);
  expect(targetsOf(scene, ["points"])).toEqual([]);
});

test("the server is asked in (z, y, x)", () => {
  expect(wire([1, -2.0004, -0])).toBe("0,-2,1");
  const line = new URL(profileAddress(TARGET, { corners: [[1, 2, 3], [4, 5, 6]], width_um: 25, level: 0 }), "http://x");
  expect(line.pathname).toBe(`${assetAddress(TARGET)}/profile`);
  expect(line.searchParams.getAll("through")).toEqual(["3,2,1", "6,5,4"]);
  expect([line.searchParams.get("width_um"), line.searchParams.get("level")]).toEqual(["25", "0"]);
  const box = new URL(boxAddress(TARGET, "statistics", { low: [1, 2, 3], high: [4, 5, 6] }), "http://x");
  expect([box.searchParams.get("low"), box.searchParams.get("high"), box.searchParams.get("level")]).toEqual(["3,2,1", "6,5,4", null]);
});

test("sizes and lengths are short", () => {
  expect([0, 999, 1e6, 123456789].map(sizeText)).toEqual(["0 B", "999 B", "1 MB", "123 MB"]);
  expect([0.5, 999.96, 1234.567].map(lengthText)).toEqual(["0.5 µm", "1000 µm", "1.235 mm"]);
});

describe("recipes", () => {
  const wish = { corners: [[1, 2, 3], [4, 5, 6]] as Vector[], width_um: 0, level: 2 };

  test("ask for the same in Python, (z, y, x), and on the command line, x,y,z", () => {
    const { python, cli } = profileRecipe("http://h", TARGET, wish);
    expect(python).toContain('brains.asset("d", "a").profile(\n    [(3, 2, 1), (6, 5, 4)], level=2');
    expect(cli).toBe("pulvinar measure line a 1,2,3 4,5,6 --level 2");
    expect(boxRecipe("http://h", TARGET, { low: [1, 2, 3], high: [4, 5, 6] }, null).cli).toBe("pulvinar measure box a 1,2,3 4,5,6");
  });

  test("a name with blanks or quotes stays one word of a shell", () => {
    const { cli, python } = regionRecipe("http://h", { atlas: "toy", regions: ["CA1", "Ammon's horn"], children: false, image: "i", cells: "" });
    expect(cli).toBe("pulvinar measure regions toy CA1 'Ammon'\\''s horn' --alone --image i");
    expect(python).toContain('.statistics(["CA1","Ammon\'s horn"], children=False, image="i")');
  });

  test("lengths need no server", () => {
    expect(distanceRecipe(wish.corners).python).toContain("(3, 2, 1),");
    expect(distanceRecipe(wish.corners).python).not.toContain("pulvinar");
  });
});

test("solutions are started in a box, its lower corner first, (z, y, x)", () => {
  const address = new URL(solutionsAddress(TARGET, { low: [1, 2, 3], high: [4, 5, 6.5] }), "http://x");
  expect([address.pathname, address.searchParams.get("asset"), address.searchParams.get("box")]).toEqual(["/solutions", "a", "3,2,1,6.5,5,4"]);
});
