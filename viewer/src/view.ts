/** What a person chose to see, and its short form in a link. It knows nothing of Neuroglancer, so links outlive it. */

import type { Vector } from "./geometry";
import { COLOURINGS, type Colouring } from "./neurons";
import type { Scene, SceneLayer } from "./scene";
import { LONGEST_WARP, WARP_FORMS, type WarpForm } from "./warp";

export const LAYOUTS = ["4panel", "xy", "xz", "yz", "3d"] as const;
export type Layout = (typeof LAYOUTS)[number];
export const PALETTES = ["tint", "fire", "ice", "cubehelix", "statistic"] as const;
export type Palette = (typeof PALETTES)[number];
/** What a person switches on and off as a whole. */
export const TOGGLES = ["axes", "scaleBar", "slices", "volume", "cut"] as const;
export type Toggle = (typeof TOGGLES)[number];
/** A unit normal and an offset in micrometres: places p with n . p + d >= 0 stay. */
export type Plane = [number, number, number, number];
export type Quaternion = [number, number, number, number];

export const BLENDS = ["auto", "additive", "normal"] as const;
export type Blend = (typeof BLENDS)[number];

/** Corners of a line that can be measured. */
export const MOST_CORNERS = 200;
/** Letters of a layer's name. */
export const LONGEST_NAME = 80;

/** A line that is measured: corners (x, y, z) and the width that is averaged, in micrometres; by which image, "" by none; at which level. */
export interface MeasuredLine {
  corners: Vector[];
  width_um: number;
  asset: string;
  level: number | null;
}

/** How a deformation is drawn: as what, and how many times as far as it goes. */
export interface WarpView {
  form: WarpForm;
  longer: number;
}

export interface LayerView {
  visible: boolean;
  /** 0 to 1. */
  opacity: number;
  window: [number, number];
  /** Of a statistic: what is nearer to zero is not drawn. */
  threshold: number;
  palette: Palette;
  color: string;
  /** How an image lies over those below it; `auto`: channels of one asset add up, whole assets cover. */
  blend: Blend;
  /** What a person calls it; "" leaves the scene's name. */
  name: string;
  /** By what a set of neurons is coloured, and the words that those have in their names which are shown. */
  colouring: Colouring;
  filter: string;
  /** Whether all of them are drawn, however many. */
  all: boolean;
  /** By which column points are coloured, "" by none; of a column of words the codes that are shown, none meaning all. */
  column: string;
  chosen: number[];
  /** Of a column of numbers: whether only those within `window` are shown. */
  within: boolean;
}

export interface View {
  layout: Layout;
  /** (x, y, z) in micrometres. */
  position: [number, number, number];
  time: number;
  /** Micrometres a pixel in the sections, and micrometres over the height of the 3D panel; null fits the data. */
  scale: number | null;
  scale3d: number | null;
  /** Rotation of the sections and of the 3D camera; null is the default one. */
  rotation: Quaternion | null;
  rotation3d: Quaternion | null;
  axes: boolean;
  /** Whether the sections stand in the 3D panel of the four; in the layout "3d", where null means: unless a volume fills it. */
  slices: boolean;
  slices3d: boolean | null;
  /** Whether the layout "3d" looks through the images (volume rendering). */
  volume: boolean;
  /** Whether 3D is cut open: what lies before the crossing point is away, whichever way it is turned. */
  cut: boolean;
  /** What 3D is cut open by besides, from wherever one looks. */
  plane: Plane | null;
  scaleBar: boolean;
  /** Chosen regions, by the identifiers that the labels hold; whether the others are hidden, and only outlines drawn. */
  regions: string[];
  only: boolean;
  outline: boolean;
  line: MeasuredLine | null;
  /** One for each deformation that is asked for, in their order; those that are not here are drawn as arrows. */
  warps: WarpView[];
  layers: LayerView[];
}

type Inside = Pick<View, "layout" | "volume" | "regions">;

/** Whether 3D is about the surfaces of chosen regions, which neither a volume nor sections shall hide. */
function showsSurfaces(view: Inside, scene: Scene): boolean {
  return scene.surfaces !== null && view.regions.length > 0;
}

/** Whether images are looked through: with the panels' sections beside the 3D view nobody needs it, and it costs. */
export function looksThrough(view: Inside, scene: Scene): boolean {
  return view.volume && view.layout === "3d" && !showsSurfaces(view, scene);
}

/** Whether sections stand in the 3D view of the present layout. */
export function showsSections(view: Inside & Pick<View, "slices" | "slices3d" | "layers">, scene: Scene): boolean {
  if (view.layout !== "3d") return view.slices;
  if (showsSurfaces(view, scene)) return view.slices3d ?? false;
  const filled = looksThrough(view, scene) && scene.layers.some((layer, index) => layer.kind === "image" && view.layers[index]?.visible);
  return view.slices3d ?? !filled;
}

/**
 * The opacity of regions that are not chosen: none over an image, a hint of where they are where there is none to see. 1 asks our build of
 * Neuroglancer for outlines: see vite.config.ts.
 */
export function unchosenAlpha(scene: Scene, view: Pick<View, "outline" | "layers">): number {
  if (view.outline) return 1;
  return scene.layers.some((layer, index) => layer.kind === "image" && view.layers[index]?.visible) ? 0 : 0.15;
}

/** The view that a scene opens with. */
export function defaultView(scene: Scene): View {
  const [z, y, x] = scene.position_um;
  return {
    // A mesh or a neuron alone leaves next to nothing in a section.
    layout: scene.layers.every((layer) => layer.kind === "mesh" || layer.kind === "skeleton") ? "3d" : "4panel",
    position: [x, y, z],
    time: 0,
    scale: null,
    scale3d: null,
    rotation: null,
    rotation3d: null,
    axes: true,
    slices: true,
    slices3d: null,
    volume: true,
    cut: false,
    plane: null,
    scaleBar: true,
    regions: [...scene.chosen],
    only: scene.chosen.length > 0,
    outline: false,
    line: null,
    warps: [],
    layers: scene.layers.map(defaultLayer),
  };
}

export function defaultLayer(layer: SceneLayer): LayerView {
  return {
    visible: layer.visible,
    opacity: layer.opacity,
    window: layer.window ?? layer.range ?? [0, 255],
    threshold: 0,
    palette: layer.statistic ? "statistic" : "tint",
    color: layer.color,
    blend: "auto",
    name: "",
    colouring: "soma",
    filter: "",
    all: false,
    column: "",
    chosen: [],
    within: false,
  };
}

/** The fragment (without #) that stands for `view`: only what differs from the scene's own view. */
export function encodeView(view: View, scene: Scene): string {
  const start = defaultView(scene);
  const out = new URLSearchParams();
  if (view.layout !== start.layout) out.set("l", view.layout);
  out.set("p", view.position.map((value) => short(value, 7)).join("_"));
  if (view.time) out.set("t", String(Math.round(view.time)));
  if (view.scale !== null) out.set("s", short(view.scale));
  if (view.scale3d !== null) out.set("s3", short(view.scale3d));
  if (view.rotation) out.set("r", view.rotation.map((value) => short(value, 4)).join("_"));
  if (view.rotation3d) out.set("r3", view.rotation3d.map((value) => short(value, 4)).join("_"));
  if (!view.axes) out.set("a", "0");
  if (!view.slices) out.set("c", "0");
  if (view.slices3d !== null) out.set("c3", view.slices3d ? "1" : "0");
  if (!view.volume) out.set("v", "0");
  if (view.cut) out.set("k", "1");
  if (view.plane) out.set("kp", view.plane.map((value) => short(value, 6)).join("_"));
  if (!view.scaleBar) out.set("b", "0");
  if (view.regions.join() !== start.regions.join()) out.set("g", view.regions.join("_"));
  if (view.only !== start.only) out.set("go", view.only ? "1" : "0");
  if (view.outline) out.set("gl", "1");
  if (view.line) out.set("m", encodeLine(view.line));
  if (view.warps.some(({ form, longer }) => form !== WARP_FORMS[0] || longer !== 1)) out.set("w", view.warps.map(({ form, longer }) => `${form}_${longer}`).join("~"));
  view.layers.forEach((layer, index) => {
    const changes = encodeLayer(layer, start.layers[index]);
    if (changes) out.set(String(index), changes);
  });
  return out.toString();
}

/** The line in the parts of a layer: its corners, and what is measured along it. */
function encodeLine({ corners, width_um, asset, level }: MeasuredLine): string {
  const parts = [`p${corners.flat().map((value) => short(value, 7)).join("_")}`];
  if (asset) parts.push(`a${asset}`);
  if (width_um) parts.push(`w${short(width_um)}`);
  if (level !== null) parts.push(`l${level}`);
  return parts.join("~");
}

function encodeLayer(layer: LayerView, start: LayerView | undefined): string {
  if (!start) return "";
  const parts: string[] = [];
  if (layer.visible !== start.visible) parts.push(layer.visible ? "v1" : "v0");
  if (layer.opacity !== start.opacity) parts.push(`o${short(layer.opacity, 3)}`);
  if (layer.window.some((value, side) => value !== start.window[side])) parts.push(`w${layer.window.map((value) => short(value, 6)).join("_")}`);
  if (layer.threshold !== start.threshold) parts.push(`t${short(layer.threshold, 4)}`);
  if (layer.palette !== start.palette) parts.push(`m${layer.palette}`);
  if (layer.color !== start.color) parts.push(`c${layer.color}`);
  if (layer.blend !== start.blend) parts.push(`b${layer.blend}`);
  if (layer.name !== start.name) parts.push(`n${layer.name.replaceAll("~", "-")}`);
  if (layer.colouring !== start.colouring) parts.push(`k${layer.colouring}`);
  if (layer.filter !== start.filter) parts.push(`f${layer.filter.replaceAll("~", "-")}`);
  if (layer.all !== start.all) parts.push("a1");
  if (layer.column !== start.column) parts.push(`p${layer.column}`);
  if (layer.chosen.length) parts.push(`s${layer.chosen.join("_")}`);
  if (layer.within !== start.within) parts.push("i1");
  return parts.join("~");
}

/** The view that a fragment stands for. What is missing or makes no sense keeps the scene's own value: links never break a page. */
export function decodeView(fragment: string, scene: Scene): View {
  const view = defaultView(scene);
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const layout = given.get("l") as Layout;
  if (LAYOUTS.includes(layout)) view.layout = layout;
  view.position = (numbers(given.get("p"), 3) as View["position"]) ?? view.position;
  view.time = Math.max(0, numbers(given.get("t"), 1)?.[0] ?? 0);
  view.scale = positive(given.get("s"));
  view.scale3d = positive(given.get("s3"));
  view.rotation = quaternion(given.get("r"));
  view.rotation3d = quaternion(given.get("r3"));
  view.axes = given.get("a") !== "0";
  view.slices = given.get("c") !== "0";
  view.slices3d = { "0": false, "1": true }[given.get("c3") ?? ""] ?? null;
  view.volume = given.get("v") !== "0";
  view.cut = given.get("k") === "1";
  const plane = numbers(given.get("kp"), 4) as Plane | null;
  view.plane = plane && Math.abs(Math.hypot(plane[0], plane[1], plane[2]) - 1) < 0.01 ? plane : null;
  view.scaleBar = given.get("b") !== "0";
  view.regions = identifiers(given.get("g")) ?? view.regions;
  view.only = { "0": false, "1": true }[given.get("go") ?? ""] ?? view.only;
  view.outline = given.get("gl") === "1";
  view.line = decodeLine(given.get("m") ?? "");
  view.warps = (given.get("w") ?? "").split("~").filter(Boolean).map(decodeWarp);
  view.layers.forEach((layer, index) => decodeLayer(given.get(String(index)) ?? "", layer));
  return view;
}

function decodeLine(text: string): MeasuredLine | null {
  const line: MeasuredLine = { corners: [], width_um: 0, asset: "", level: null };
  for (const part of text.split("~")) {
    const value = part.slice(1);
    if (part[0] === "p") {
      const places = numbers(value, value.split("_").length) ?? [];
      if (places.length % 3 === 0) line.corners = Array.from({ length: Math.min(MOST_CORNERS, places.length / 3) }, (_, at) => places.slice(3 * at, 3 * at + 3) as Vector);
    } else if (part[0] === "a" && /^[\w-]{1,40}$/.test(value)) line.asset = value;
    else if (part[0] === "w") line.width_um = positive(value) ?? 0;
    else if (part[0] === "l" && /^\d$/.test(value)) line.level = Number(value);
  }
  return line.corners.length > 1 ? line : null;
}

function decodeWarp(text: string): WarpView {
  const [form, longer] = text.split("_");
  return { form: WARP_FORMS.find((one) => one === form) ?? WARP_FORMS[0], longer: Math.min(LONGEST_WARP, Math.max(1, Math.round(Number(longer)) || 1)) };
}

function decodeLayer(text: string, layer: LayerView): void {
  for (const part of text.split("~")) {
    const value = part.slice(1);
    if (part === "v0" || part === "v1") layer.visible = part === "v1";
    else if (part[0] === "o") layer.opacity = Math.min(1, Math.max(0, numbers(value, 1)?.[0] ?? layer.opacity));
    else if (part[0] === "w") layer.window = (numbers(value, 2) as [number, number]) ?? layer.window;
    else if (part[0] === "t") layer.threshold = Math.max(0, numbers(value, 1)?.[0] ?? 0);
    else if (part[0] === "m" && PALETTES.includes(value as Palette)) layer.palette = value as Palette;
    else if (part[0] === "c" && /^[0-9A-F]{6}$/.test(value)) layer.color = value;
    else if (part[0] === "b" && BLENDS.includes(value as Blend)) layer.blend = value as Blend;
    else if (part[0] === "n") layer.name = value.slice(0, LONGEST_NAME);
    else if (part[0] === "k" && COLOURINGS.includes(value as Colouring)) layer.colouring = value as Colouring;
    else if (part[0] === "p" && /^[a-z]\w*$/.test(value)) layer.column = value;
    else if (part[0] === "s") layer.chosen = identifiers(value)?.map(Number) ?? [];
    else if (part === "a1") layer.all = true;
    else if (part === "i1") layer.within = true;
    else if (part[0] === "f") layer.filter = value.slice(0, LONGEST_NAME);
  }
}

/** Decimal identifiers; null where none are given, or something else. */
function identifiers(text: string | null): string[] | null {
  if (text === null || !/^(\d{1,20}(_\d{1,20})*)?$/.test(text)) return null;
  return text.split("_").filter(Boolean);
}

function short(value: number, digits = 5): string {
  return String(Number(value.toPrecision(digits)));
}

function numbers(text: string | null, count: number): number[] | null {
  const values = (text ?? "").split("_").map((part) => (part === "" ? Number.NaN : Number(part)));
  return values.length === count && values.every(Number.isFinite) ? values : null;
}

function positive(text: string | null): number | null {
  const value = numbers(text, 1)?.[0];
  return value !== undefined && value > 0 ? value : null;
}

function quaternion(text: string | null): Quaternion | null {
  const values = numbers(text, 4);
  const length = values ? Math.hypot(...values) : 0;
  return values && length > 0.5 ? (values.map((value) => value / length) as Quaternion) : null;
}
