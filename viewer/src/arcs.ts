/** Connections between regions as arcs over the picture. Pure but for the question to the server. */

import type { Vector } from "./geometry";
import { ramp } from "./neurons";
import type { Scene, Triple } from "./scene";

export interface Arc {
  source: string;
  target: string;
  value: number;
  source_um: Triple;
  target_um: Triple;
}

/** A matrix as the server tells its connections, the strongest first. */
export interface Arcs {
  asset: string;
  name: string;
  arcs: Arc[];
  directed: boolean;
  named: number;
  parcels: number;
}

const CORNERS = 16;
/** How high an arc rises, as a part of how far it reaches. */
const RISE = 0.35;

/** The corners (x, y, z) of an arc, which bends away from the middle of the scene: Bézier's curve of the second degree. */
export function curve({ source_um, target_um }: Arc, scene: Scene): Vector[] {
  const flip = ([z, y, x]: Triple): Vector => [x, y, z];
  const [from, to] = [flip(source_um), flip(target_um)];
  const [low, high] = scene.bounds_um.map(flip) as [Vector, Vector];
  const middle = from.map((value, axis) => (value + to[axis]!) / 2);
  const away = middle.map((value, axis) => value - (low[axis]! + high[axis]!) / 2);
  const length = Math.hypot(...away);
  const far = Math.hypot(...from.map((value, axis) => value - to[axis]!));
  // what crosses the very middle rises to the top
  const up = length > 1e-6 ? away.map((value) => value / length) : [0, 0, 1];
  // a curve rises half as far as the corner that pulls it
  const pull = middle.map((value, axis) => value + 2 * RISE * far * up[axis]!);
  return Array.from({ length: CORNERS + 1 }, (_, step) => {
    const t = step / CORNERS;
    return from.map((value, axis) => (1 - t) ** 2 * value + 2 * t * (1 - t) * pull[axis]! + t ** 2 * to[axis]!) as Vector;
  });
}

/** The colours (#RRGGBB) of connections in their order, the strongest brightest. */
export function arcColours(count: number): string[] {
  return Array.from({ length: count }, (_, at) => ramp(count > 1 ? 1 - at / (count - 1) : 1));
}

/** Ask an atlas for the connections of a matrix; null where it has none to tell. */
export async function fetchArcs(api: string, asset: string): Promise<Arcs | null> {
  const answer = await fetch(`${api}/arcs?${new URLSearchParams({ asset, limit: "500" })}`, { headers: { Accept: "application/json" } }).catch(() => null);
  return answer?.ok ? { asset, ...((await answer.json()) as Omit<Arcs, "asset">) } : null;
}
