/** A box that a person draws, to search what lies in it. World axes are (x, y, z) in micrometres, as in `geometry`. */

import { rotate, type Vector } from "./geometry";
import type { SearchSpace } from "./scene";
import type { Quaternion } from "./view";

export interface Box {
  low: Vector;
  high: Vector;
}

/** The box with two opposite corners; null where they agree along an axis, so that nothing lies between them. */
export function boxBetween(one: Vector, other: Vector): Box | null {
  const low = one.map((value, axis) => Math.min(value, other[axis]!)) as Vector;
  const high = one.map((value, axis) => Math.max(value, other[axis]!)) as Vector;
  return low.every((value, axis) => high[axis]! > value) ? { low, high } : null;
}

/** The box over a rectangle drawn on a section with rotation `q`: as deep, around the section, as its shorter side is long. */
export function boxOver(one: Vector, other: Vector, q: Quaternion): Box | null {
  const back: Quaternion = [-q[0], -q[1], -q[2], q[3]];
  const [across, down] = rotate(back, [other[0] - one[0], other[1] - one[1], other[2] - one[2]]);
  const depth = Math.min(Math.abs(across), Math.abs(down)) / 2;
  const away = rotate(q, [0, 0, depth]);
  const moved = (place: Vector, sign: number) => place.map((value, axis) => value + sign * away[axis]!) as Vector;
  return boxBetween(moved(one, -1), moved(other, 1));
}

/** The question that finds what lies in `box`, in the language of searches; numbers are whole micrometres. */
export function boxQuestion(box: Box, search: SearchSpace): string {
  const [one, other] = [box.low, box.high].map((corner) => inSpace(corner, search));
  return `box:${written(one!)}..${written(other!)}@${search.space}`;
}

/** The page of the atlas that lies at `address` which says what is at a place of the world. */
export function placePage(address: string, place: Vector, search: SearchSpace): string {
  const written = inSpace(place, search).map((value) => String(Math.round(value * 10) / 10 + 0));
  return `${address}/at?${new URLSearchParams({ place: written.join(",") })}`;
}

function inSpace([x, y, z]: Vector, search: SearchSpace): Vector {
  const place = [z, y, x, 1];
  const rows = search.from_world.map((row) => row.reduce((sum, part, at) => sum + part * place[at]!, 0));
  return [rows[2]!, rows[1]!, rows[0]!];
}

function written(place: Vector): string {
  // adding 0 makes a plain one of a negative zero
  return `(${place.map((value) => Math.round(value) + 0).join(",")})`;
}
