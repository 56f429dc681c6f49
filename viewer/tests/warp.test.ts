import { expect, test } from "vitest";
import { latticeOf, warpShapes, type Displacements } from "../src/warp";

const FRAME = { corner: [0, 0, 0] as [number, number, number], rotation: [0, 0, 0, 1] as [number, number, number, number], width: 5200, height: 2600, pixel: 10 };
const told = (vectors: Displacements["vectors"]): Displacements => ({ name: "", source: "", target: "", vectors });

test("a lattice is as close as the screen has room for, and never too many places", () => {
  const lattice = latticeOf(FRAME);
  expect([lattice.columns, lattice.rows]).toEqual([20, 10]);
  expect(lattice.right).toEqual([260, 0, 0]);
  const huge = latticeOf({ ...FRAME, width: 260_000, height: 130_000 });
  expect(Math.max(huge.columns, huge.rows)).toBeLessThanOrEqual(80);
});

test("what moves is drawn from where it was, longer when that is wanted, and nothing where nobody knows", () => {
  const lattice = { corner: [0, 0, 0], right: [10, 0, 0], down: [0, 10, 0], columns: 2, rows: 1 } as const;
  const shapes = warpShapes(told([[0, 0, 4], null]), { ...lattice, corner: [0, 0, 0], right: [10, 0, 0], down: [0, 10, 0] }, "arrows", 2, 4);
  expect(shapes).toHaveLength(1);
  const { shape } = shapes[0]!;
  expect(shape.kind === "polyline" && shape.points.slice(0, 2)).toEqual([[0, 0, 0], [8, 0, 0]]);
});

test("a grid joins neighbours where they went", () => {
  const lattice = { corner: [0, 0, 0] as [number, number, number], right: [10, 0, 0] as [number, number, number], down: [0, 10, 0] as [number, number, number], columns: 2, rows: 2 };
  const shapes = warpShapes(told([[0, 0, 1], [0, 0, 0], [0, 0, 0], null]), lattice, "grid", 1, 1);
  expect(shapes.map(({ shape }) => shape)).toEqual([
    { kind: "line", from: [1, 0, 0], to: [10, 0, 0] },
    { kind: "line", from: [1, 0, 0], to: [0, 10, 0] },
  ]);
  expect(new Set(warpShapes(told([[0, 0, 1], [0, 0, 0], [0, 0, 0], null]), lattice, "size", 1, 1).map(({ color }) => color)).size).toBe(2);
});
