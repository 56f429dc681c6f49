/** Measuring without a server: lengths and angles; and how what a server measures is asked for. World axes are (x, y, z), micrometres. */

import { readPlace, placeText, type Unit } from "./places";
import type { Box } from "./box";
import type { Vector } from "./geometry";
import type { Scene } from "./scene";

/** A volume of the scene that can be measured: one asset, whose channels may be several layers. */
export interface Target {
  name: string;
  kind: "image" | "labels" | "points";
  digest: string;
  asset: string;
}

/** The assets of a scene that the server can measure, each once; those that are shown come first. */
export function targetsOf(scene: Scene, kinds: readonly Target["kind"][], visible: readonly boolean[] = []): Target[] {
  const found = new Map<string, Target & { shown: boolean }>();
  scene.layers.forEach((layer, index) => {
    const place = /\/data\/([^/]+)\/([^/]+)\//.exec(layer.source);
    const kind = kinds.find((one) => one === layer.kind);
    if (!place || !kind) return;
    const [, digest, asset] = place as unknown as [string, string, string];
    const shown = visible[index] ?? layer.visible;
    const before = found.get(asset);
    if (before) before.shown ||= shown;
    else found.set(asset, { name: layer.name.replace(/: [^:]*$/, layer.channel || several(scene, layer.source) ? "" : "$&"), kind, digest, asset, shown });
  });
  return [...found.values()].sort((one, other) => Number(other.shown) - Number(one.shown)).map(({ shown: _, ...target }) => target);
}

function several(scene: Scene, source: string): boolean {
  return scene.layers.filter((layer) => layer.source === source).length > 1;
}

export function distance(one: Vector, other: Vector): number {
  return Math.hypot(...one.map((value, axis) => value - other[axis]!));
}

/** The length along a line, in micrometres. */
export function lengthOf(corners: readonly Vector[]): number {
  return corners.slice(1).reduce((sum, corner, at) => sum + distance(corners[at]!, corner), 0);
}

/** The angle at `corner` between the ways to `one` and to `other`, in degrees; null where a way has no length. */
export function angleAt(one: Vector, corner: Vector, other: Vector): number | null {
  const [a, b] = [one, other].map((end) => end.map((value, axis) => value - corner[axis]!)) as [number[], number[]];
  const lengths = Math.hypot(...a) * Math.hypot(...b);
  if (!lengths) return null;
  const cosine = a.reduce((sum, value, axis) => sum + value * b[axis]!, 0) / lengths;
  return (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI;
}

/** The angles at the inner corners of a line, in degrees. */
export function anglesOf(corners: readonly Vector[]): (number | null)[] {
  return corners.slice(1, -1).map((corner, at) => angleAt(corners[at]!, corner, corners[at + 2]!));
}

/** Places typed one a line, or with semicolons between them; null where one is no place. */
export function readCorners(text: string, unit: Unit): Vector[] | null {
  const parts = text.split(/[\n;；]/).filter((part) => part.trim());
  const places = parts.map((part) => readPlace(part, unit));
  return places.every((place) => place !== null) ? (places as Vector[]) : null;
}

export function writeCorners(corners: readonly Vector[], unit: Unit): string {
  return corners.map((corner) => placeText(corner, unit)).join("\n");
}

/** A place as the server reads it: z,y,x. */
export function wire([x, y, z]: Vector): string {
  return [z, y, x].map((value) => Number(value.toFixed(3)) + 0).join(",");
}

export function assetAddress({ digest, asset }: Target): string {
  return `/api/v1/assets/${digest}/${asset}`;
}

export interface ProfileWish {
  corners: readonly Vector[];
  width_um: number;
  level: number | null;
}

export function profileAddress(target: Target, { corners, width_um, level }: ProfileWish): string {
  const query = new URLSearchParams(corners.map((corner) => ["through", wire(corner)]));
  if (width_um) query.set("width_um", String(width_um));
  if (level !== null) query.set("level", String(level));
  return `${assetAddress(target)}/profile?${query}`;
}

export function traceAddress(target: Target, place: Vector, radius_um: number, level: number | null): string {
  const query = new URLSearchParams({ at: wire(place) });
  if (radius_um) query.set("radius_um", String(radius_um));
  if (level !== null) query.set("level", String(level));
  return `${assetAddress(target)}/trace?${query}`;
}

export function boxAddress(target: Target, what: "statistics" | "box", box: Box, level: number | null = null): string {
  const query = new URLSearchParams({ low: wire(box.low), high: wire(box.high) });
  if (level !== null) query.set("level", String(level));
  return `${assetAddress(target)}/${what}?${query}`;
}

/** Where solutions are started that work in a box of a volume alone. */
export function solutionsAddress({ asset }: Target, box: Box): string {
  return `/solutions?${new URLSearchParams({ asset, box: `${wire(box.low)},${wire(box.high)}` })}`;
}

/** Bytes as people read them. */
export function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`;
}

/** A length as people read it: micrometres, or millimetres from one on. */
export function lengthText(um: number): string {
  return um >= 1000 ? `${Number((um / 1000).toPrecision(4))} mm` : `${Number(um.toPrecision(4))} µm`;
}
