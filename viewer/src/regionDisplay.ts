/** What the picture shows of the chosen regions, in sections and in 3D; the panel of regions and brains side by side share it. */

import type { Explorer } from "./facade";
import { fetchRegions, fetchTree, withParts, type Region } from "./regions";
import { RegionTree } from "./regionTree";
import type { Triple } from "./scene";
import type { RegionSelection } from "./selection";
import type { View } from "./view";
import type { Language } from "./words";

/** More surfaces than these are slow to fetch and nothing that anybody sees through. */
const MOST_SURFACES = 60;

/** Where a region is in the world, (z, y, x) in micrometres, as the server tells it. */
export interface Extent {
  place_um: Triple;
  low_um: Triple;
  high_um: Triple;
}

export interface AtlasAddress {
  name: string;
  /** Of its API and of its page, without a slash at the end. */
  api: string;
  page: string;
}

/** The atlas whose scene `address` is; null where it is a dataset's. */
export function atlasOf(address: string): AtlasAddress | null {
  const [, name] = /\/api\/v1\/atlases\/([^/?#]+)\/scene/.exec(address) ?? [];
  return name ? { name: decodeURIComponent(name), api: `/api/v1/atlases/${name}`, page: `/atlases/${name}` } : null;
}

export class RegionDisplay {
  tree = new RegionTree(new Map());
  /** The layer of labels that the identifiers are of; below zero where there is none. */
  readonly layer: number;
  private readonly forget: () => void;

  constructor(
    private readonly explorer: Explorer,
    private readonly select: RegionSelection,
    private readonly atlas: AtlasAddress | null,
  ) {
    this.layer = explorer.scene.layers.findIndex(({ kind, names }) => kind === "labels" && (names || atlas));
    this.forget = select.onChange(() => this.apply());
  }

  /** Fetch the names, colours and the tree. */
  async learn(language: Language): Promise<void> {
    if (this.layer < 0) return;
    const { names } = this.explorer.scene.layers[this.layer]!;
    const known = await (this.atlas ? fetchTree(`${this.atlas.api}/regions?limit=5000`, language) : fetchRegions(names!)).catch(() => new Map<string, Region>());
    this.tree = new RegionTree(known);
    this.explorer.setRegionColors(this.layer, new Map([...known].map(([id, region]) => [id, region.color])));
    this.apply();
  }

  /** Bring the picture to what is chosen; `changes` are what the view is to do with it from now on. */
  apply(changes: Partial<Pick<View, "only" | "outline">> = {}): void {
    if (this.layer < 0) return;
    const { regions } = this.tree;
    const ids = [...this.select.ids];
    const { only, outline } = { ...this.explorer.view([]), ...changes };
    const surfaces = new Map(ids.slice(0, MOST_SURFACES).map((id) => [id, regions.get(id)?.color ?? ""]));
    this.explorer.setRegions(this.layer, { regions: ids, only, outline }, withParts(regions, ids), surfaces);
  }

  /** Bring a region into sight. */
  async goTo(id: string): Promise<void> {
    if (!this.atlas) return;
    const answer = await fetch(`${this.atlas.api}/regions/${encodeURIComponent(id)}`, { headers: { Accept: "application/json" } });
    if (answer.ok) this.frame(((await answer.json()) as { extent: Extent | null }).extent);
  }

  frame(extent: Extent | null): void {
    if (!extent) return;
    const [low, high] = [extent.low_um, extent.high_um];
    const flip = ([z, y, x]: Triple): Triple => [x, y, z];
    this.explorer.frame(flip(extent.place_um), flip(high.map((value, axis) => value - low[axis]!) as Triple));
  }

  dispose(): void {
    this.forget();
  }
}
