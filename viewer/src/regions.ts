/** Names and colours of regions by identifier, as a Neuroglancer segment_properties folder tells them. */

export interface Region {
  name: string;
  /** "#RRGGBB"; "" where the atlas gives none. */
  color: string;
  /** Only an atlas tells. */
  acronym?: string;
  /** What it is called in the other language; only an atlas tells. */
  also?: string;
  /** The region that holds it; only an atlas tells. */
  parent?: string | null;
}

/** The regions of an atlas, with names in both languages; `address` is that of its list. */
export async function fetchTree(address: string, language: "en" | "zh"): Promise<Map<string, Region>> {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) return new Map();
  const listed = (await answer.json()) as { id: number; name: string; name_zh: string; acronym: string; color: string; parent: number | null }[];
  return new Map(
    listed.map(({ id, name, name_zh: chinese, acronym, color, parent }) => {
      const [label, also] = language === "zh" && chinese ? [chinese, name] : [name, chinese];
      return [String(id), { name: label, also, acronym, color: color && `#${color}`, parent: parent === null ? null : String(parent) }];
    }),
  );
}

/** `ids` and everything below them, since the voxels of a region may all carry the labels of its parts. */
export function withParts(regions: ReadonlyMap<string, Region>, ids: readonly string[]): string[] {
  const all = new Set(ids);
  const holds = (id: string | null | undefined): boolean => Boolean(id) && (all.has(id!) || holds(regions.get(id!)?.parent));
  for (const id of regions.keys()) if (holds(id)) all.add(id);
  return [...all];
}

export async function fetchRegions(folder: string): Promise<Map<string, Region>> {
  const answer = await fetch(`${folder.replace(/\/$/, "")}/info`);
  if (!answer.ok) return new Map();
  return readRegions(await answer.json());
}

interface Property {
  id: string;
  type: string;
  values: string[];
}

/** What is said of each identifier; an empty map when `info` is of another kind. */
export function readRegions(info: unknown): Map<string, Region> {
  const inline = (info as { inline?: { ids?: string[]; properties?: Property[] } } | null)?.inline;
  const values = (is: (property: Property) => boolean): string[] => inline?.properties?.find(is)?.values ?? [];
  const labels = values((property) => property.type === "label");
  const colors = values((property) => property.type === "string" && property.id === "color");
  return new Map(
    (inline?.ids ?? []).map((id, index) => {
      const color = colors[index] ?? "";
      return [id, { name: labels[index] ?? id, color: /^#[0-9a-f]{6}$/i.test(color) ? color : "" }];
    }),
  );
}

/** The regions whose names hold every word of `text`, in the order of their names. */
export function findRegions(regions: ReadonlyMap<string, Region>, text: string): [string, Region][] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [...regions].filter(([, { name, also = "", acronym = "" }]) => words.every((word) => `${name} ${also} ${acronym}`.toLowerCase().includes(word)));
  return found.sort(([, one], [, other]) => one.name.localeCompare(other.name));
}
