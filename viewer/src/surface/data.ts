/** Surfaces, the maps on them, and how they are looked at. Pure. */

export type Side = "left" | "right" | "";

export interface Surface {
  asset: string;
  name: string;
  side: Side;
  /** "pial", "inflated", ..., or what it is called. */
  form: string;
  vertices: number;
  source: string;
}

export interface SurfaceMap {
  name: string;
  parts: { side: Side; asset: string; column: string }[];
}

export interface SurfaceSet {
  title: string;
  citation: string;
  attribution: string;
  surfaces: Surface[];
  maps: SurfaceMap[];
}

export interface Geometry {
  /** (x, y, z) a vertex, millimetres. */
  places: Float32Array;
  /** Three vertices a triangle. */
  triangles: Uint32Array;
}

/** One value a vertex, NaN where nothing is known; of words their positions in `words`. */
export interface MapValues {
  values: Float32Array;
  words: string[] | null;
  /** RRGGBB, "" where the file gives none. */
  colors: string[];
}

const NM_A_MM = 1e6;

/** A mesh as it is stored for viewers: how many vertices, their places in nanometres, triangles. Throws where it is cut short. */
export function readGeometry(bytes: ArrayBuffer): Geometry {
  const count = bytes.byteLength >= 4 ? new DataView(bytes).getUint32(0, true) : 0;
  const first = 4 + 12 * count;
  if (count === 0 || bytes.byteLength < first || (bytes.byteLength - first) % 12) throw new Error("the surface is cut short");
  const places = Float32Array.from(new Float32Array(bytes, 4, 3 * count), (value) => value / NM_A_MM);
  return { places, triangles: new Uint32Array(bytes.slice(first)) };
}

/** The values of a map as the server says them. */
export function readValues({ values, words, colors }: { values: string; words: string[] | null; colors: string[] }): MapValues {
  const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
  return { values: new Float32Array(bytes.buffer), words, colors };
}

/** The forms that are there, each once, in the order of the server. */
export function formsOf(set: SurfaceSet): string[] {
  return [...new Set(set.surfaces.map(({ form }) => form))];
}

/** The sides that a form has. */
export function sidesOf(set: SurfaceSet, form: string): Side[] {
  return [...new Set(set.surfaces.filter((one) => one.form === form).map(({ side }) => side))];
}

/** Millimetres that the two sides of a brain as it lies may reach over its middle, and that are left between those that were moved. */
const OVERLAP = 8;

/** Move two sides that lie in each other, as unfolded ones do, apart along x; those of a brain as it lies stay. */
export function apart(left: Geometry, right: Geometry): void {
  const end = extreme(left.places, Math.max);
  const begin = extreme(right.places, Math.min);
  if (end - begin < OVERLAP) return;
  shift(left.places, -end - OVERLAP / 2);
  shift(right.places, -begin + OVERLAP / 2);
}

function extreme(places: Float32Array, choose: (one: number, other: number) => number): number {
  let found = places[0]!;
  for (let at = 3; at < places.length; at += 3) found = choose(found, places[at]!);
  return found;
}

function shift(places: Float32Array, by: number): void {
  for (let at = 0; at < places.length; at += 3) places[at]! += by;
}

/** Which vertices lie at the border of two regions: a triangle joins them to one of another value. */
export function borders({ triangles }: Geometry, values: Float32Array): Uint8Array {
  const found = new Uint8Array(values.length);
  const differ = (one: number, other: number) => !Object.is(values[one], values[other]);
  for (let at = 0; at < triangles.length; at += 3) {
    const [a, b, c] = [triangles[at]!, triangles[at + 1]!, triangles[at + 2]!];
    if (differ(a, b)) found[a] = found[b] = 1;
    if (differ(b, c)) found[b] = found[c] = 1;
    if (differ(a, c)) found[a] = found[c] = 1;
  }
  return found;
}

export const PALETTES = ["statistic", "viridis", "fire", "grey"] as const;
export type Palette = (typeof PALETTES)[number];
export const VIEWS = ["left", "right", "front", "back", "top", "bottom"] as const;
export type Direction = (typeof VIEWS)[number];

/** What a person chose to see; null leaves the choice to the data. */
export interface SurfaceView {
  form: string;
  /** Sides that are shown; "" is both. */
  side: Side;
  map: string;
  /** A map of words that names what is under the cursor, and whether its borders are drawn. */
  regions: string;
  outline: boolean;
  palette: Palette | null;
  /** Values smaller in size than this are not drawn. */
  threshold: number;
  range: [number, number] | null;
  azimuth: number;
  elevation: number;
}

const NAMES_REGIONS = /label|annot|aparc|parc|area|region|atlas|脑区|分区/i;
const IS_RELIEF = /sulc|curv/i;

/** The map that tells sulci from gyri, where one does. */
export function reliefOf(set: SurfaceSet): SurfaceMap | null {
  return set.maps.find(({ name }) => IS_RELIEF.test(name)) ?? null;
}

export function defaultSurfaceView(set: SurfaceSet): SurfaceView {
  const forms = formsOf(set);
  const map = set.maps.find(({ name }) => !IS_RELIEF.test(name) && !NAMES_REGIONS.test(name)) ?? set.maps.find(({ name }) => !IS_RELIEF.test(name)) ?? set.maps[0];
  const side = sidesOf(set, forms[0] ?? "")[0];
  return {
    form: forms[0] ?? "",
    side: "",
    map: map?.name ?? "",
    regions: set.maps.find(({ name }) => NAMES_REGIONS.test(name))?.name ?? "",
    outline: false,
    palette: null,
    threshold: 0,
    range: null,
    ...CAMERAS[side === "right" ? "right" : "left"],
  };
}

/** Where the camera stands, degrees. */
export const CAMERAS: Record<Direction, { azimuth: number; elevation: number }> = {
  left: { azimuth: 90, elevation: 0 },
  right: { azimuth: 270, elevation: 0 },
  front: { azimuth: 180, elevation: 0 },
  back: { azimuth: 0, elevation: 0 },
  top: { azimuth: 0, elevation: 90 },
  bottom: { azimuth: 0, elevation: -90 },
};

/** The fragment (without #) that stands for `view`: only what differs from the set's own view. */
export function encodeSurfaceView(view: SurfaceView, set: SurfaceSet): string {
  const start = defaultSurfaceView(set);
  const out = new URLSearchParams();
  for (const name of ["form", "side", "map", "regions"] as const) if (view[name] !== start[name]) out.set(name, view[name]);
  if (view.outline) out.set("outline", "1");
  if (view.palette) out.set("palette", view.palette);
  if (view.threshold) out.set("threshold", String(view.threshold));
  if (view.range) out.set("range", view.range.join("_"));
  if (view.azimuth !== start.azimuth || view.elevation !== start.elevation) out.set("from", [view.azimuth, view.elevation].map(Math.round).join("_"));
  return out.toString();
}

/** The view that a fragment stands for; what is missing or makes no sense keeps the set's own. */
export function decodeSurfaceView(fragment: string, set: SurfaceSet): SurfaceView {
  const view = defaultSurfaceView(set);
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const named = (name: string) => set.maps.some((map) => map.name === name);
  const form = given.get("form");
  if (form !== null && formsOf(set).includes(form)) view.form = form;
  const side = given.get("side") as Side | null;
  if (side !== null && sidesOf(set, view.form).includes(side)) view.side = side;
  const [map, regions] = [given.get("map"), given.get("regions")];
  if (map !== null && (map === "" || named(map))) view.map = map;
  if (regions !== null && (regions === "" || named(regions))) view.regions = regions;
  view.outline = given.get("outline") === "1";
  const palette = given.get("palette") as Palette;
  if (PALETTES.includes(palette)) view.palette = palette;
  view.threshold = Math.max(0, numbers(given.get("threshold"), 1)?.[0] ?? 0);
  view.range = numbers(given.get("range"), 2) as SurfaceView["range"];
  const from = numbers(given.get("from"), 2);
  if (from) Object.assign(view, { azimuth: from[0], elevation: from[1] });
  return view;
}

function numbers(text: string | null, count: number): number[] | null {
  const values = (text ?? "").split("_").map((part) => (part === "" ? Number.NaN : Number(part)));
  return values.length === count && values.every(Number.isFinite) ? values : null;
}
