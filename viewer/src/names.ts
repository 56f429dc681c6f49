/** Region names by identifier, as a Neuroglancer segment_properties folder tells them. */

export async function fetchNames(folder: string): Promise<Map<string, string>> {
  const answer = await fetch(`${folder.replace(/\/$/, "")}/info`);
  if (!answer.ok) return new Map();
  return readNames(await answer.json());
}

/** The label of each identifier; an empty map when `info` is of another kind. */
export function readNames(info: unknown): Map<string, string> {
  const inline = (info as { inline?: { ids?: string[]; properties?: { type: string; values: string[] }[] } } | null)?.inline;
  const labels = inline?.properties?.find((property) => property.type === "label")?.values ?? [];
  return new Map((inline?.ids ?? []).map((id, index) => [id, labels[index] ?? id]));
}
