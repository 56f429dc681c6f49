/** What the server says is to be shown. Lengths are micrometres, triples are (z, y, x), as everywhere on the wire. */

export type Triple = [number, number, number];
export type LayerKind = "image" | "labels" | "skeleton" | "neurons" | "mesh" | "points";

export interface SceneLayer {
  name: string;
  kind: LayerKind;
  /** `zarr3://<address>` or `precomputed://<address>`; the address may be relative to the page's origin. */
  source: string;
  channel: number;
  /** Display range (low, high), and the range of the values that the data holds; null when they aren't known. */
  window: [number, number] | null;
  range: [number, number] | null;
  color: string;
  /** 0 to 1. */
  opacity: number;
  /** Three rows of four: from voxel index (z, y, x, 1) to micrometres (z, y, x); null keeps the source's own. */
  transform: number[][] | null;
  voxel_size_um: Triple | null;
  times: number;
  time_step_s: number | null;
  visible: boolean;
  /** A Neuroglancer segment_properties folder with the regions' names, where there are any. */
  names: string | null;
  /** What to show of a skeleton or mesh source, as decimal identifiers. */
  segments: string[];
  /** The segment to show of a skeleton instead while a pixel is larger than its tolerance: far fewer nodes. */
  overview: { segment: string; tolerance_um: number } | null;
  /** Identifier of the asset of another dataset that was asked for; "" for what is here anyhow. */
  asset: string;
  /** Whether an image's values are a statistic: on both sides of zero, most of them near it. */
  statistic: boolean;
  /** Which set of neurons a layer shows that shows one. */
  neurons: ShownSet | null;
}

/** One form of all neurons of a set: how far it strays at most, and how many nodes they have in it together. */
export interface NeuronForm {
  tolerance_um: number;
  nodes: number;
}

/** Neurons that are one layer: what they were asked for by, and what that is called. */
export interface ShownSet {
  kind: "ends" | "soma" | "dataset" | "collection" | "search" | "all";
  key: string;
  /** What the address asks for it by. */
  asked: string;
  name: string;
  count: number;
  forms: NeuronForm[];
}

/** Surfaces of an atlas's regions, each under its region's number. */
export interface Surfaces {
  source: string;
  transform: number[][];
}

/** The atlas's space that what is shown lies in, where one can search by place. */
export interface SearchSpace {
  space: string;
  /** Three rows of four: from the world (z, y, x, 1) to the space (z, y, x), in micrometres. */
  from_world: number[][];
  /** The page of searches, which takes the question as `q`. */
  address: string;
}

export interface Scene {
  title: string;
  layers: SceneLayer[];
  voxel_size_um: Triple;
  position_um: Triple;
  bounds_um: [Triple, Triple];
  /** True when coordinates are anatomy: x to the right, y to the front (anterior), z up (superior). */
  oriented: boolean;
  attribution: string;
  /** How to cite what is shown. */
  citation: string;
  search: SearchSpace | null;
  /** The space that the world stands for, "" where nobody knows. */
  space: string;
  surfaces: Surfaces | null;
  /** The regions that were asked for, by the identifiers that the labels hold. */
  chosen: string[];
  /** Sets of neurons that were asked for and have none. */
  without: ShownSet[];
}

const KINDS: readonly string[] = ["image", "labels", "skeleton", "neurons", "mesh", "points"];

/** What tells a layer from the others of its scene, and finds it in another scene. */
export function layerKey({ source, channel, segments }: SceneLayer): string {
  return [source, channel, ...segments].join(" ");
}

/** `value` as a scene, with what is optional filled in; throws an Error that names what is wrong. */
export function readScene(value: unknown): Scene {
  const raw = value as Partial<Scene> | null;
  if (!raw || !Array.isArray(raw.layers)) throw new Error("the scene has no list of layers");
  const layers = raw.layers.map(readLayer);
  const voxel = triple(raw.voxel_size_um, [1, 1, 1]);
  const bounds = raw.bounds_um ?? [[0, 0, 0], voxel.map((size) => size * 512) as Triple];
  const middle = bounds[0].map((low, axis) => (low + bounds[1][axis]!) / 2) as Triple;
  return {
    title: String(raw.title ?? ""),
    layers,
    voxel_size_um: voxel,
    position_um: triple(raw.position_um, middle),
    bounds_um: bounds,
    oriented: raw.oriented ?? false,
    attribution: String(raw.attribution ?? ""),
    citation: String(raw.citation ?? ""),
    search: raw.search ?? null,
    space: raw.space ?? "",
    surfaces: raw.surfaces ?? null,
    chosen: raw.chosen ?? [],
    without: raw.without ?? [],
  };
}

function readLayer(value: Partial<SceneLayer>, index: number): SceneLayer {
  if (!value.kind || !KINDS.includes(value.kind)) throw new Error(`layer ${index} is of the unknown kind ${value.kind}`);
  if (!/^(zarr3|precomputed):\/\/./.test(value.source ?? "")) throw new Error(`layer ${index} has the source ${value.source}`);
  return {
    name: value.name ?? `${index + 1}`,
    kind: value.kind,
    source: value.source!,
    channel: value.channel ?? 0,
    window: value.window ?? null,
    range: value.range ?? null,
    color: /^[0-9a-f]{6}$/i.test(value.color ?? "") ? value.color!.toUpperCase() : "FFFFFF",
    opacity: value.opacity ?? 1,
    transform: value.transform ?? null,
    voxel_size_um: value.voxel_size_um ?? null,
    times: value.times ?? 1,
    time_step_s: value.time_step_s ?? null,
    visible: value.visible ?? true,
    names: value.names ?? null,
    segments: value.segments ?? [],
    overview: value.overview ?? null,
    asset: value.asset ?? "",
    statistic: value.statistic ?? false,
    neurons: value.neurons ?? null,
  };
}

function triple(value: Triple | undefined, otherwise: Triple): Triple {
  return value && value.length === 3 && value.every(Number.isFinite) ? value : otherwise;
}
