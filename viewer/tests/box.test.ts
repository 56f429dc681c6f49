import { describe, expect, it } from "vitest";

import { boxBetween, boxOver, boxQuestion, placePage } from "../src/box";
import { panelRotation, multiply, sectionRotation } from "../src/geometry";

const SEARCH = {
  space: "allen_ccfv3",
  // a space whose axes are (anterior to posterior, superior to inferior, left to right), as the world (z, y, x) sees it
  from_world: [
    [0, -1, 0, 100],
    [-1, 0, 0, 200],
    [0, 0, 1, 300],
  ],
  address: "/search",
};

describe("a box", () => {
  it("lies between its corners, whichever they are", () => {
    expect(boxBetween([3, 0, 5], [1, 2, 4])).toEqual({ low: [1, 0, 4], high: [3, 2, 5] });
  });

  it("is none where its corners agree along an axis", () => {
    expect(boxBetween([3, 0, 5], [1, 0, 4])).toBeNull();
  });

  it("over a rectangle on a section is as deep as the shorter side, around the section", () => {
    // on a coronal section x goes to the right and z up; y is its depth
    const box = boxOver([0, 50, 0], [40, 50, -10], sectionRotation(true))!;
    const sides = [box.low, box.high].map((corner) => corner.map((value) => Math.round(value * 1e6) / 1e6 + 0));
    expect(sides).toEqual([[0, 45, -10], [40, 55, 0]]);
  });

  it("is the same from whichever corner it is drawn", () => {
    const turned = multiply(sectionRotation(true), panelRotation("xz"));
    const [one, other] = [boxOver([0, 0, 5], [8, 4, 5], turned)!, boxOver([8, 4, 5], [0, 0, 5], turned)!];
    one.low.forEach((value, axis) => expect(value).toBeCloseTo(other.low[axis]!, 6));
    one.high.forEach((value, axis) => expect(value).toBeCloseTo(other.high[axis]!, 6));
  });

  it("is asked for in the atlas's own space", () => {
    const box = boxBetween([1, 2, 3], [11, 22, 33])!;
    expect(boxQuestion(box, SEARCH)).toBe("box:(301,197,98)..(311,167,78)@allen_ccfv3");
  });
});

it("the page of a place is asked in x, y, z of the atlas's space", () => {
  // the world's (x, y, z) = (10.04, 20, 30): z of the space is 100 - y, y is 200 - z, x is 300 + x
  expect(placePage("/atlases/allen", [10.04, 20, 30], SEARCH)).toBe("/atlases/allen/at?place=310%2C170%2C80");
});
