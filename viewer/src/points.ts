/** Points with columns: what the columns are, how they look coloured by one, and which are shown. Pure. */

import { ramp, RAMP } from "./neurons";
import type { LayerView } from "./view";

/** A column that the view of a table carries: words by their codes, or numbers. */
export interface PointColumn {
  /** What a shader calls it. */
  id: string;
  name: string;
  /** The words in the order of their codes; null for numbers. */
  words: string[] | null;
  /** Of a sample: how often each word is, or the numbers in their order. */
  counts: number[];
  sorted: number[];
}

interface Property {
  id: string;
  type: "uint8" | "uint16" | "int32" | "float32";
  description?: string;
  enum_labels?: string[];
}

/** Apart from each other to all eyes, and bright on black; words take them in turn. */
export const POINT_COLOURS = ["6FD0C0", "FFB454", "8AB4FF", "F27EA9", "B8E06E", "C9A0FF", "E60028", "00FFAA", "FFE6FF", "AA8C6E", "FF6E00", "AAFF00"];
const SIZES = { uint8: 1, uint16: 2, int32: 4, float32: 4 } as const;

/** The columns that Neuroglancer's `info` of annotations tells; `cell` is one cell of its first level, a sample drawn by lot. */
export function readColumns(info: unknown, cell: ArrayBuffer | null): PointColumn[] {
  const properties = ((info as { properties?: Property[] } | null)?.properties ?? []).filter(({ type }) => type in SIZES);
  const values = cell ? sampled(properties, new DataView(cell)) : properties.map(() => []);
  return properties.map(({ id, description, enum_labels }, at) => {
    const words = enum_labels ?? null;
    const counts = words ? words.map(() => 0) : [];
    if (words) for (const code of values[at]!) if (code in counts) counts[code]! += 1;
    return { id, name: description ?? id, words, counts, sorted: words ? [] : [...values[at]!].filter(Number.isFinite).sort((one, other) => one - other) };
  });
}

/** The values of each property in the records of a cell: three coordinates, then the properties, filled up to four bytes. */
function sampled(properties: Property[], cell: DataView): number[][] {
  const count = cell.byteLength >= 8 ? Number(cell.getBigUint64(0, true)) : 0;
  const loose = properties.reduce((sum, { type }) => sum + SIZES[type], 12);
  const width = Math.ceil(loose / 4) * 4;
  const read = { uint8: (at: number) => cell.getUint8(at), uint16: (at: number) => cell.getUint16(at, true), int32: (at: number) => cell.getInt32(at, true), float32: (at: number) => cell.getFloat32(at, true) };
  let offset = 8 + 12;
  return properties.map(({ type }) => {
    const first = offset;
    offset += SIZES[type];
    return Array.from({ length: count }, (_, row) => read[type](first + row * width));
  });
}

/** The range of numbers that colours are spread over at first: without the lowest and highest hundredth. */
export function usualRange({ sorted }: PointColumn): [number, number] {
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const [low, high] = [at(0.01), at(0.99)];
  return [low, high > low ? high : low + 1];
}

/** The colour (#RRGGBB) of a word. */
export function wordColour(code: number): string {
  return `#${POINT_COLOURS[code % POINT_COLOURS.length]!}`;
}

/** The shader that draws points as `view` says; a column that isn't known leaves one colour. */
export function pointShader(view: Pick<LayerView, "color" | "opacity" | "column" | "chosen" | "window" | "within">, columns: readonly PointColumn[]): string {
  const column = columns.find(({ id }) => id === view.column);
  return `void main() {
${column ? (column.words ? wordLines(column.id, view.chosen) : numberLines(column.id, view.window, view.within)) : `  vec3 tone = ${vec3(view.color)};\n  bool shown = true;`}
  setColor(vec4(tone, shown ? ${float(0.9 * view.opacity)} : 0.0));
  setPointMarkerSize(shown ? 4.0 : 0.0);
  setPointMarkerBorderWidth(0.0);
}
`;
}

function wordLines(id: string, chosen: readonly number[]): string {
  const shown = chosen.length ? chosen.map((code) => `code == ${code}u`).join(" || ") : "true";
  return `  uint code = uint(prop_${id}());
  const vec3 tones[${POINT_COLOURS.length}] = vec3[](${POINT_COLOURS.map(vec3).join(", ")});
  vec3 tone = tones[code % ${POINT_COLOURS.length}u];
  bool shown = ${shown};`;
}

function numberLines(id: string, [low, high]: readonly [number, number], within: boolean): string {
  const [first, middle, last] = RAMP.map((color) => `vec3(${color.map((part) => (part / 255).toFixed(4)).join(", ")})`);
  return `  float value = float(prop_${id}());
  float share = clamp((value - ${float(low)}) / ${float(high - low || 1)}, 0.0, 1.0);
  vec3 tone = share < 0.5 ? mix(${first}, ${middle}, share * 2.0) : mix(${middle}, ${last}, share * 2.0 - 1.0);
  bool shown = ${within ? `value >= ${float(low)} && value <= ${float(high)}` : "true"};`;
}

/** The two ends of the colours of numbers. */
export const RAMP_ENDS = [ramp(0), ramp(1)] as const;

function float(value: number): string {
  const text = String(Number(value.toPrecision(7)));
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function vec3(color: string): string {
  return `vec3(${[0, 2, 4].map((at) => (Number.parseInt(color.slice(at, at + 2), 16) / 255).toFixed(4)).join(", ")})`;
}
