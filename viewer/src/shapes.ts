/** What is drawn over the data: places in the world, (x, y, z) in micrometres. Pure; `overlay.ts` brings it into the picture. */

import { boxBetween, boxOver } from "./box";
import type { Vector } from "./geometry";
import type { Quaternion } from "./view";

export type Shape =
  | { kind: "point"; at: Vector }
  | { kind: "line"; from: Vector; to: Vector }
  | { kind: "polyline"; points: Vector[] }
  | { kind: "box"; low: Vector; high: Vector }
  | { kind: "ellipsoid"; center: Vector; radii: Vector };
export type ShapeKind = Shape["kind"];

/** A corner as it was put down: where, and how the section was turned there; null when it came from the keyboard. */
export interface Corner {
  place: Vector;
  rotation: Quaternion | null;
}

/** How many corners finish a shape by themselves; a polyline goes on until it is ended. */
export const CORNERS: Record<ShapeKind, number> = { point: 1, line: 2, box: 2, ellipsoid: 2, polyline: Number.POSITIVE_INFINITY };

/** The shape with these corners; null while there are too few, or where it would be flat. */
export function shapeFrom(kind: ShapeKind, corners: readonly Corner[]): Shape | null {
  const [first, second] = corners;
  if (!first) return null;
  if (kind === "point") return { kind, at: first.place };
  if (!second) return null;
  if (kind === "line") return { kind, from: first.place, to: second.place };
  if (kind === "polyline") return { kind, points: corners.map(({ place }) => place) };
  // a rectangle drawn on one section gets a depth; two corners from anywhere span a box
  const flat = first.rotation && second.rotation && String(first.rotation) === String(second.rotation);
  const box = flat ? boxOver(first.place, second.place, first.rotation!) : boxBetween(first.place, second.place);
  if (!box) return null;
  if (kind === "box") return { kind, ...box };
  const middle = box.low.map((value, axis) => (value + box.high[axis]!) / 2) as Vector;
  return { kind, center: middle, radii: box.high.map((value, axis) => value - middle[axis]!) as Vector };
}

/** Neuroglancer's annotation, whose coordinates count in `unit` micrometres; its numbers of types are those of its file format. */
export interface Annotation {
  id: string;
  type: number;
  properties: number[];
  relatedSegments: bigint[][];
  point?: Float32Array;
  pointA?: Float32Array;
  pointB?: Float32Array;
  center?: Float32Array;
  radii?: Float32Array;
  points?: Float32Array[];
}

const TYPES: Record<ShapeKind, number> = { point: 0, line: 1, box: 2, ellipsoid: 3, polyline: 4 };

export function annotationOf(id: string, shape: Shape, color: string, unit: number): Annotation {
  const counted = (place: Vector) => Float32Array.from(place, (value) => value / unit);
  const common = { id, type: TYPES[shape.kind], properties: [packed(color)], relatedSegments: [[]] };
  switch (shape.kind) {
    case "point":
      return { ...common, point: counted(shape.at) };
    case "line":
      return { ...common, pointA: counted(shape.from), pointB: counted(shape.to) };
    case "box":
      return { ...common, pointA: counted(shape.low), pointB: counted(shape.high) };
    case "ellipsoid":
      return { ...common, center: counted(shape.center), radii: counted(shape.radii) };
    case "polyline":
      return { ...common, points: shape.points.map(counted) };
  }
}

/** The shape of an annotation that was changed in the picture. */
export function shapeOf(annotation: Annotation, unit: number): Shape {
  const place = (values: Float32Array | undefined) => Array.from(values!, (value) => value * unit) as Vector;
  const kind = (Object.keys(TYPES) as ShapeKind[]).find((one) => TYPES[one] === annotation.type)!;
  switch (kind) {
    case "point":
      return { kind, at: place(annotation.point) };
    case "line":
      return { kind, from: place(annotation.pointA), to: place(annotation.pointB) };
    case "box": {
      const [one, other] = [place(annotation.pointA), place(annotation.pointB)];
      const pick = (choose: (...values: number[]) => number) => one.map((value, axis) => choose(value, other[axis]!)) as Vector;
      return { kind, low: pick(Math.min), high: pick(Math.max) };
    }
    case "ellipsoid":
      return { kind, center: place(annotation.center), radii: place(annotation.radii) };
    case "polyline":
      return { kind, points: annotation.points!.map(place) };
  }
}

/** "#RRGGBB" as Neuroglancer packs it: red in the lowest byte. */
function packed(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)) as Vector;
  return red | (green << 8) | (blue << 16);
}
