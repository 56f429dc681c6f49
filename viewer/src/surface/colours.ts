/** The colours of vertices: by a map, over what shows the folds. Pure. */

import { POINT_COLOURS } from "../points";
import { ABOVE, BELOW, reach, type Colour } from "../statistic";
import type { MapValues, Palette } from "./data";

export interface Scale {
  palette: Palette;
  /** The values of the two ends; of a statistic, the size at which a colour is full. */
  range: [number, number];
  threshold: number;
}

/** Evenly spaced colours from the lowest value to the highest. */
const STOPS: Record<Exclude<Palette, "statistic">, readonly Colour[]> = {
  viridis: [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]],
  fire: [[60, 0, 0], [170, 20, 0], [240, 110, 0], [255, 205, 40], [255, 255, 225]],
  grey: [[25, 25, 25], [240, 240, 240]],
};
const GYRUS: Colour = [168, 168, 168];
const SULCUS: Colour = [112, 112, 112];
const BORDER: Colour = [14, 16, 22];

/** Whether values are a statistic: on both sides of zero, as t and z are, and neither side next to nothing. */
export function isStatistic([low, high]: readonly [number, number]): boolean {
  return low < 0 && high > 0 && Math.min(-low, high) > 0.1 * Math.max(-low, high);
}

/** The values from the lowest to the highest hundredth, of all sides together; of words all of them. */
export function usualValues(maps: readonly MapValues[]): [number, number] {
  const known = Float32Array.from(maps.flatMap(({ values }) => [...values.filter(Number.isFinite)])).sort();
  if (!known.length) return [0, 1];
  const at = (share: number) => known[Math.min(known.length - 1, Math.floor(share * known.length))]!;
  const [low, high] = [at(0.01), at(0.99)];
  return [low, high > low ? high : low + 1];
}

/** The colour of a value; null where it is not drawn. */
export function colourOf(value: number, { palette, range: [low, high], threshold }: Scale): Colour | null {
  if (!Number.isFinite(value) || Math.abs(value) < threshold) return null;
  if (palette !== "statistic") return between(STOPS[palette], (value - low) / (high - low || 1));
  const most = reach([low, high]);
  if (value === 0) return null;
  return between(value < 0 ? BELOW : ABOVE, (Math.abs(value) - threshold) / (most - threshold || 1));
}

/** The colour of a word: the file's own, else one of ours in turn. */
export function wordColourOf({ colors }: MapValues, code: number): Colour {
  const said = colors[code] || POINT_COLOURS[code % POINT_COLOURS.length]!;
  return [0, 2, 4].map((at) => Number.parseInt(said.slice(at, at + 2), 16)) as unknown as Colour;
}

/** RGBA a vertex: `map` as `scale` says over the folds that `relief` shows, and dark where `border` says. */
export function paint(vertices: number, map: MapValues | null, scale: Scale, relief: MapValues | null, border: Uint8Array | null): Uint8Array {
  const out = new Uint8Array(4 * vertices).fill(255);
  for (let at = 0; at < vertices; at += 1) {
    const value = map ? map.values[at]! : Number.NaN;
    const own = border?.[at] ? BORDER : map?.words ? (Number.isFinite(value) ? wordColourOf(map, value) : null) : colourOf(value, scale);
    out.set(own ?? ((relief?.values[at] ?? 0) > 0 ? SULCUS : GYRUS), 4 * at);
  }
  return out;
}

/** Colours from the lowest to the highest value, for the bar beside the picture: of what is not drawn, the grey of the folds. */
export function bar(scale: Scale, steps = 64): { from: number; to: number; colours: string[] } {
  const [from, to] = scale.palette === "statistic" ? span(scale) : scale.range;
  const colours = Array.from({ length: steps }, (_, at) => {
    const colour = colourOf(from + ((at + 0.5) / steps) * (to - from), scale) ?? GYRUS;
    return `rgb(${colour.join(" ")})`;
  });
  return { from, to, colours };
}

/** Of a statistic the bar reaches as far below zero as above. */
function span({ range }: Scale): [number, number] {
  const most = reach(range);
  return [-most, most];
}

function between(stops: readonly Colour[], share: number): Colour {
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const [one, other] = [stops[Math.floor(at)]!, stops[Math.min(stops.length - 1, Math.floor(at) + 1)]!];
  return one.map((part, index) => Math.round(part + (other[index]! - part) * (at % 1))) as unknown as Colour;
}
