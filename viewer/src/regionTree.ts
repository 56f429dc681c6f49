/** The tree of an atlas's regions, as lines that a list can show. Pure. */

import { findRegions, withParts, type Region } from "./regions";

/** One line of the tree. */
export interface Row {
  id: string;
  /** 1 at the top. */
  level: number;
  /** Which of how many beside it. */
  position: number;
  count: number;
  /** Whether what is below it is shown; null where nothing is below it. */
  open: boolean | null;
}

export class RegionTree {
  private readonly below = new Map<string | null, string[]>();

  constructor(readonly regions: ReadonlyMap<string, Region>) {
    for (const [id, { parent }] of regions) {
      const above = parent && regions.has(parent) ? parent : null;
      this.below.set(above, [...(this.below.get(above) ?? []), id]);
    }
    // a list without a tree is read by name; the order of a tree is that of its atlas
    if (this.below.size <= 1) this.below.set(null, findRegions(regions, "").map(([id]) => id));
  }

  children(id: string | null): readonly string[] {
    return this.below.get(id) ?? [];
  }

  /** What holds a region, the nearest first. */
  ancestors(id: string): string[] {
    const found: string[] = [];
    for (let at = this.above(id); at !== null && !found.includes(at); at = this.above(at)) found.push(at);
    return found;
  }

  private above(id: string): string | null {
    const parent = this.regions.get(id)?.parent;
    return parent && this.regions.has(parent) ? parent : null;
  }

  /** The lines to show, from the top down: what is below `open` regions, and of these only `kept` where it is given. */
  rows(open: ReadonlySet<string>, kept: ReadonlySet<string> | null = null): Row[] {
    const found: Row[] = [];
    const walk = (parent: string | null, level: number) => {
      const here = this.children(parent).filter((id) => !kept || kept.has(id));
      here.forEach((id, index) => {
        const inner = this.children(id).some((child) => !kept || kept.has(child));
        const isOpen = inner ? open.has(id) : null;
        found.push({ id, level, position: index + 1, count: here.length, open: isOpen });
        if (isOpen) walk(id, level + 1);
      });
    };
    walk(null, 1);
    return found;
  }

  /** The regions whose names have the words of `text`. */
  search(text: string): string[] {
    return findRegions(this.regions, text).map(([id]) => id);
  }

  /** All that holds some regions, to be open, and these with it, to be kept. */
  around(found: readonly string[]): { kept: Set<string>; open: Set<string> } {
    const open = new Set(found.flatMap((id) => this.ancestors(id)));
    return { open, kept: new Set([...found, ...open]) };
  }

  /** Whether `id` is shown because a region above it is chosen. */
  implied(id: string, chosen: readonly string[]): boolean {
    return this.ancestors(id).some((one) => chosen.includes(one));
  }

  /** What is chosen after `id` was switched: with it, or without it and what is below it; the rest of a region that held it stays. */
  toggled(id: string, chosen: readonly string[]): string[] {
    const path = this.ancestors(id);
    const holder = path.findLast((one) => chosen.includes(one));
    if (holder === undefined) {
      if (chosen.includes(id)) return chosen.filter((one) => one !== id);
      const parts = new Set(withParts(this.regions, [id]));
      return [...chosen.filter((one) => !parts.has(one)), id];
    }
    const cut = new Set([id, ...path.slice(0, path.indexOf(holder) + 1)]);
    const rest = [...cut].filter((one) => one !== id).flatMap((one) => this.children(one).filter((child) => !cut.has(child)));
    return [...new Set([...chosen.filter((one) => !cut.has(one)), ...rest])];
  }
}
