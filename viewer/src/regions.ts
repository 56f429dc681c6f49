/** Names and colours of regions by identifier, as a Neuroglancer segment_properties folder tells them. */

export interface Region {
  name: string;
  /** "#RRGGBB"; "" where the atlas gives none. */
  color: string;
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
