import { describe, expect, test } from "vitest";
import type { Vector } from "../src/geometry";
import { annotationOf, shapeFrom, shapeOf, type Corner, type Shape } from "../src/shapes";

const corner = (...place: Vector): Corner => ({ place, rotation: null });

describe("shapes", () => {
  const shapes: Shape[] = [
    { kind: "point", at: [10, -20, 30] },
    { kind: "line", from: [0, 0, 0], to: [50, 60, 70] },
    { kind: "polyline", points: [[0, 0, 0], [10, 0, 0], [10, 20, 0]] },
    { kind: "box", low: [-10, 0, 10], high: [20, 30, 40] },
    { kind: "ellipsoid", center: [5, 5, 5], radii: [10, 20, 30] },
  ];

  test.each(shapes)("$kind comes back from Neuroglancer's coordinates as it went", (shape) => {
    expect(shapeOf(annotationOf("a", shape, "#102030", 2.5), 2.5)).toEqual(shape);
  });

  test("a colour has red in the lowest byte", () => {
    expect(annotationOf("a", shapes[0]!, "#010203", 1).properties).toEqual([0x030201]);
  });

  test("a box that was turned inside out in the picture still has its low corner low", () => {
    const turned = { ...annotationOf("a", shapes[3]!, "#FFFFFF", 1), pointA: Float32Array.of(20, 0, 40), pointB: Float32Array.of(-10, 30, 10) };
    expect(shapeOf(turned, 1)).toEqual(shapes[3]);
  });

  test("corners make a shape as soon as there are enough, and none that is flat", () => {
    expect(shapeFrom("line", [corner(0, 0, 0)])).toBeNull();
    expect(shapeFrom("box", [corner(0, 0, 0), corner(10, 0, 10)])).toBeNull();
    expect(shapeFrom("box", [corner(0, 9, 0), corner(10, 0, 10)])).toEqual({ kind: "box", low: [0, 0, 0], high: [10, 9, 10] });
    expect(shapeFrom("ellipsoid", [corner(0, 0, 0), corner(10, 20, 30)])).toEqual({ kind: "ellipsoid", center: [5, 10, 15], radii: [5, 10, 15] });
    expect(shapeFrom("polyline", [corner(0, 0, 0), corner(1, 0, 0), corner(2, 0, 0)])).toMatchObject({ points: { length: 3 } });
  });

  test("a rectangle on one section becomes as deep as its shorter side", () => {
    const on = (...place: Vector): Corner => ({ place, rotation: [0, 0, 0, 1] });
    expect(shapeFrom("box", [on(0, 0, 5), on(10, 4, 5)])).toEqual({ kind: "box", low: [0, 0, 3], high: [10, 4, 7] });
  });
});
