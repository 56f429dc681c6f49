/** A set of neurons: what is known of each, who is shown, in which colour, and in which form. Pure. */

import type { Region } from "./regions";
import type { NeuronForm } from "./scene";

export const COLOURINGS = ["soma", "target", "dataset", "length", "strength", "each"] as const;
export type Colouring = (typeof COLOURINGS)[number];

/** What the server tells of one neuron of a set. */
export interface Neuron {
  /** The segment that is its exact form, decimal; the next ones are its other forms. */
  id: string;
  name: string;
  dataset: string;
  /** Regions by identifier: of the soma, and where most ends are; "0" where none is known. */
  soma: string;
  target: string;
  length_um: number;
  /** Micrometres of neurite in the region that the set was asked for by. */
  strength_um: number;
}

type Regions = ReadonlyMap<string, Region>;

/** No more nodes than these are drawn of a set: beyond it a coarser form serves. */
export const MOST_NODES = 4_000_000;
const UNKNOWN = "#808080";
/** Apart from each other to all eyes, and bright on black. */
const APART = ["#6FD0C0", "#FFB454", "#8AB4FF", "#F27EA9", "#B8E06E", "#C9A0FF", "#E60028", "#00FFAA", "#AAFF00", "#AA8C6E", "#FFE6FF", "#FF6E00"];
/** From violet over green to yellow, 0 to 255. */
export const RAMP = [[136, 110, 240], [40, 190, 165], [253, 231, 37]] as const;

interface Property {
  id: string;
  type: string;
  values: (string | number)[];
}

/** The neurons that Neuroglancer's segment properties name; none where `info` is something else. */
export function readNeurons(info: unknown): Neuron[] {
  const inline = (info as { inline?: { ids?: string[]; properties?: Property[] } } | null)?.inline;
  const values = (id: string) => inline?.properties?.find((one) => one.id === id)?.values ?? [];
  const [names, datasets, somas, targets, lengths, strengths] = ["label", "dataset", "soma", "target", "length_um", "strength_um"].map(values);
  return (inline?.ids ?? []).map((id, at) => ({
    id,
    name: String(names![at] ?? id),
    dataset: String(datasets![at] ?? ""),
    soma: String(somas![at] ?? 0),
    target: String(targets![at] ?? 0),
    length_um: Number(lengths![at] ?? 0),
    strength_um: Number(strengths![at] ?? 0),
  }));
}

/** The neurons of which every word of `text` is in a name: their own, their dataset's, or their regions'. */
export function matching(neurons: readonly Neuron[], text: string, regions: Regions): Neuron[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...neurons];
  const said = (id: string) => {
    const region = regions.get(id);
    return region ? `${region.name} ${region.also ?? ""} ${region.acronym ?? ""}` : "";
  };
  return neurons.filter(({ name, dataset, soma, target }) => {
    const all = `${name} ${dataset} ${said(soma)} ${said(target)}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

/** What neurons are sorted into by a colouring, with the colour (#RRGGBB) and the number of each, the most first; none for a ramp. */
export function classes(neurons: readonly Neuron[], by: Colouring, regions: Regions): { key: string; name: string; color: string; count: number }[] {
  if (by !== "soma" && by !== "target" && by !== "dataset") return [];
  const counts = new Map<string, number>();
  for (const one of neurons) counts.set(one[by], (counts.get(one[by]) ?? 0) + 1);
  const sorted = [...counts].sort(([one, many], [other, more]) => more - many || one.localeCompare(other));
  return sorted.map(([key, count], place) => {
    const region = by === "dataset" ? undefined : regions.get(key);
    const color = by === "dataset" ? APART[place % APART.length]! : region?.color || UNKNOWN;
    return { key, name: by === "dataset" ? key : (region?.name ?? ""), color, count };
  });
}

/** The colour (#RRGGBB) of each neuron. */
export function colours(neurons: readonly Neuron[], by: Colouring, regions: Regions): string[] {
  if (by === "each") return neurons.map(({ id }) => APART[Number((BigInt(id) >> 2n) % BigInt(APART.length))]!);
  if (by === "length" || by === "strength") {
    const values = neurons.map((one) => one[by === "length" ? "length_um" : "strength_um"]);
    const least = values.reduce((low, value) => Math.min(low, value), Infinity);
    const most = values.reduce((high, value) => Math.max(high, value), -Infinity);
    return values.map((value) => ramp((value - least) / (most - least || 1)));
  }
  const known = new Map(classes(neurons, by, regions).map(({ key, color }) => [key, color]));
  return neurons.map((one) => known.get(one[by])!);
}

/** From violet over green to yellow, each lighter than the one before, so that red-blind and green-blind eyes tell them apart, all bright on black. */
export function ramp(share: number): string {
  const [from, to, part] = share < 0.5 ? [RAMP[0], RAMP[1], share * 2] : [RAMP[1], RAMP[2], share * 2 - 1];
  const parts = from.map((value, axis) => Math.round(value + (to[axis]! - value) * part));
  return `#${parts.map((value) => value.toString(16).padStart(2, "0")).join("").toUpperCase()}`;
}

/** The form to show when a pixel is `pixel_um` wide and `share` of the set is shown: as coarse as nobody can tell, or as the nodes get too many. */
export function formFor(forms: readonly NeuronForm[], share: number, pixel_um: number): number {
  let form = 0;
  while (form + 1 < forms.length && (forms[form + 1]!.tolerance_um <= pixel_um || forms[form]!.nodes * share > MOST_NODES)) form += 1;
  return form;
}

/** So many neurons are drawn at once unless somebody wants all. */
export const MOST_AT_ONCE = 1000;

/** At most `most` of `neurons`, spread evenly over their order. */
export function spread<One>(neurons: readonly One[], most: number): readonly One[] {
  if (neurons.length <= most) return neurons;
  return Array.from({ length: most }, (_, at) => neurons[Math.floor((at * neurons.length) / most)]!);
}

/** The segment of a neuron in a form. */
export function segmentOf(id: string, form: number): bigint {
  return BigInt(id) + BigInt(form);
}

/** The exact segment of the neuron that a segment is a form of. */
export function exactOf(segment: bigint): string {
  return String((segment >> 2n) << 2n);
}
