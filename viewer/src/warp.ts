/** How a transform deforms what a section shows: arrows, a warped grid, or how far. Pure but for the question to the server. */

import { rotate, type Vector } from "./geometry";
import { ramp } from "./neurons";
import type { Triple } from "./scene";
import type { Shape } from "./shapes";
import type { Quaternion } from "./view";

export const WARP_FORMS = ["arrows", "grid", "size"] as const;
export type WarpForm = (typeof WARP_FORMS)[number];
/** So many times as far as it goes a deformation is drawn at most. */
export const LONGEST_WARP = 20;

/** A section on the screen: its first corner (x, y, z), how it is turned, and its size in micrometres. */
export interface SectionFrame {
  corner: Vector;
  rotation: Quaternion;
  width: number;
  height: number;
  /** Micrometres a pixel. */
  pixel: number;
}

export interface Lattice {
  corner: Vector;
  right: Vector;
  down: Vector;
  columns: number;
  rows: number;
}

export interface Displacements {
  name: string;
  source: string;
  target: string;
  vectors: (Triple | null)[];
}

const SPACING_PIXELS = 26;
const MOST = 80;
const BARB = 0.3;

/** The places of a section that are looked at: as close as the screen has room for. */
export function latticeOf({ corner, rotation, width, height, pixel }: SectionFrame): Lattice {
  const step = Math.max(SPACING_PIXELS * pixel, width / MOST, height / MOST);
  const columns = Math.min(MOST, Math.max(2, Math.floor(width / step)));
  const rows = Math.min(MOST, Math.max(2, Math.floor(height / step)));
  const [right, down] = [rotate(rotation, [step, 0, 0]), rotate(rotation, [0, step, 0])] as [Vector, Vector];
  // the same margin on both sides
  const [x, y] = [(width - (columns - 1) * step) / 2 / step, (height - (rows - 1) * step) / 2 / step];
  return { corner: sum(corner, scaled(right, x), scaled(down, y)), right, down, columns, rows };
}

/** Ask the server where the places of a lattice move; null where it has nothing to tell. */
export async function fetchDisplacements(api: string, transform: string, lattice: Lattice): Promise<Displacements | null> {
  const said = (vector: Vector) => [...vector].reverse().map((part) => Number(part.toPrecision(9))).join();
  const { corner, right, down, columns, rows } = lattice;
  const query = new URLSearchParams({ transform, corner: said(corner), right: said(right), down: said(down), columns: String(columns), rows: String(rows) });
  const answer = await fetch(`${api}/displacements?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
  return answer?.ok ? ((await answer.json()) as Displacements) : null;
}

/** How far the places move, micrometres, null where nobody knows. */
export function sizes({ vectors }: Displacements): (number | null)[] {
  return vectors.map((vector) => vector && Math.hypot(...vector));
}

/** What is drawn of displacements, with the colour of each; `longer` is how many times as far as places move they are drawn to move. */
export function warpShapes(told: Displacements, lattice: Lattice, form: WarpForm, longer: number, most: number): { shape: Shape; color: string }[] {
  const { corner, right, down, columns, rows } = lattice;
  const place = (column: number, row: number) => sum(corner, scaled(right, column), scaled(down, row));
  const moved = (column: number, row: number): Vector | null => {
    const vector = told.vectors[row * columns + column];
    return vector ? sum(place(column, row), scaled([vector[2], vector[1], vector[0]], longer)) : null;
  };
  const color = (column: number, row: number) => ramp(Math.min(1, Math.hypot(...(told.vectors[row * columns + column] ?? [0])) / (most || 1)));
  const out: { shape: Shape; color: string }[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const tip = moved(column, row);
      if (!tip) continue;
      if (form === "size") out.push({ shape: { kind: "point", at: place(column, row) }, color: color(column, row) });
      else if (form === "arrows") out.push({ shape: { kind: "polyline", points: arrow(place(column, row), tip, right, down) }, color: color(column, row) });
      else {
        for (const next of [column + 1 < columns ? moved(column + 1, row) : null, row + 1 < rows ? moved(column, row + 1) : null]) {
          if (next) out.push({ shape: { kind: "line", from: tip, to: next }, color: color(column, row) });
        }
      }
    }
  }
  return out;
}

/** From tail to tip, and the two barbs, in the section that `right` and `down` span. */
function arrow(tail: Vector, tip: Vector, right: Vector, down: Vector): Vector[] {
  const along = tip.map((value, axis) => value - tail[axis]!) as Vector;
  const unit = Math.hypot(...right);
  const parts = [right, down].map((axis) => axis.reduce((total, value, at) => total + (value * along[at]!) / unit, 0)) as [number, number];
  const side = sum(scaled(right, -parts[1] / unit), scaled(down, parts[0] / unit));
  const back = scaled(along, -BARB);
  return [tail, tip, sum(tip, back, scaled(side, BARB / 2)), tip, sum(tip, back, scaled(side, -BARB / 2))];
}

function sum(...vectors: Vector[]): Vector {
  return [0, 1, 2].map((axis) => vectors.reduce((total, vector) => total + vector[axis]!, 0)) as Vector;
}

function scaled(vector: Vector, by: number): Vector {
  return vector.map((value) => value * by) as Vector;
}
