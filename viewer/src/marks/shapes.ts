/** Marks as shapes of the picture and back: marks are (z, y, x), shapes (x, y, z). */

import type { Vector } from "../geometry";
import type { Shape } from "../shapes";
import type { Mark, Place } from "./document";

const turned = ([a, b, c]: readonly number[]): [number, number, number] => [c!, b!, a!];

export function shapeOfMark(mark: Mark): Shape {
  const places = mark.places_um.map(turned) as Vector[];
  const [first, second] = places;
  if (!second) return { kind: "point", at: first! };
  if (mark.kind === "line") return { kind: "line", from: first!, to: second };
  if (mark.kind === "polyline") return { kind: "polyline", points: places };
  const [low, high] = [Math.min, Math.max].map((pick) => first!.map((value, axis) => pick(value, second[axis]!)) as Vector);
  return { kind: "box", low: low!, high: high! };
}

/** The places of a shape that a mark is made of. */
export function placesOf(shape: Shape): Place[] {
  if (shape.kind === "point") return [turned(shape.at)];
  if (shape.kind === "line") return [turned(shape.from), turned(shape.to)];
  if (shape.kind === "polyline") return shape.points.map(turned);
  if (shape.kind === "box") return [turned(shape.low), turned(shape.high)];
  const corner = (sign: number) => turned(shape.center.map((value, axis) => value + sign * shape.radii[axis]!));
  return [corner(-1), corner(1)];
}

/** Where one looks to see a mark, (x, y, z). */
export function middleOf(mark: Mark): Vector {
  const sum = mark.places_um.reduce((total, place) => total.map((value, axis) => value + place[axis]!), [0, 0, 0] as number[]);
  return turned(sum.map((value) => value / mark.places_um.length)) as Vector;
}
