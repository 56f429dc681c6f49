/** What lies under the mouse and at the crossing point; with the other parts of the facade the only one that knows Neuroglancer. */

import type { Viewer } from "neuroglancer/unstable/viewer.js";
import { exactOf } from "./neurons";
import type { Scene } from "./scene";

export interface Reading {
  /** Index of the layer, and what it holds under the cursor: an intensity, or a segment's identifier. */
  layer: number;
  value: number | bigint | string;
}

export interface Cursor {
  /** (x, y, z) in micrometres; null when the pointer is outside. */
  position: [number, number, number] | null;
  readings: Reading[];
}

export class Readings {
  constructor(
    private readonly viewer: Viewer,
    private readonly scene: () => Scene,
    private readonly spatial: (coordinates: ArrayLike<number>) => [number, number, number],
  ) {}

  /** The label of a layer under the mouse; null outside, and where there is no region. */
  labelUnderMouse(index: number): string | null {
    const found = this.cursor().readings.find(({ layer }) => layer === index);
    return !found || String(found.value) === "0" ? null : String(found.value);
  }

  /** What lies under the mouse. */
  cursor(): Cursor {
    const { mouseState, layerSelectedValues, layerManager } = this.viewer;
    if (!mouseState.active) return { position: null, readings: [] };
    const readings: Reading[] = [];
    layerManager.managedLayers.slice(0, this.scene().layers.length).forEach((managed, layer) => {
      if (!managed.visible || !managed.layer) return;
      const value = simple(layerSelectedValues.get(managed.layer)?.value);
      if (value !== null) readings.push({ layer, value: this.scene().layers[layer]!.kind === "neurons" ? exactOf(BigInt(value)) : value });
    });
    return { position: this.spatial(mouseState.position), readings };
  }

  /** What `layer` holds at the crossing point, from the chunks that are loaded; null while they aren't. */
  valueHere(layer: number): number | bigint | string | null {
    const managed = this.viewer.layerManager.managedLayers[layer];
    if (!managed?.layer) return null;
    return simple(managed.layer.getValueAt(this.viewer.position.value, { pickedRenderLayer: null } as never));
  }
}

/** A value as Neuroglancer gives it, made plain: arrays of one are their content, segments their identifier. */
function simple(value: unknown): number | bigint | string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "string") return value;
  if (Array.isArray(value)) return value.length === 1 ? simple(value[0]) : value.map((part) => String(simple(part))).join(", ");
  const entry = value as { key?: bigint };
  return typeof entry.key === "bigint" ? entry.key : String(value);
}
