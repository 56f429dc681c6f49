/** What the page asks the scene for (regions, assets, neurons), in the scene's address and in the page's own. Pure. */

import { layerKey, type Scene } from "./scene";
import { defaultView, type View } from "./view";

/** `address` with other values of `parameter`; relative addresses stay relative. */
export function asking(address: string, parameter: string, values: readonly string[]): string {
  const [rest, fragment] = split(address, "#");
  const [path, query] = split(rest, "?");
  const asked = new URLSearchParams(query);
  asked.delete(parameter);
  for (const value of values) asked.append(parameter, value);
  return `${path}${asked.size ? `?${asked}` : ""}${fragment ? `#${fragment}` : ""}`;
}

/** What `address` asks for by `parameter`. */
export function asked(address: string, parameter: string): string[] {
  return new URLSearchParams(split(split(address, "#")[0], "?")[1]).getAll(parameter);
}

function split(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** `view` of the scene `before`, of the scene `after`: layers that are in both keep how they are shown. */
export function carried(view: View, before: Scene, after: Scene): View {
  const kept = new Map(before.layers.map((layer, index) => [layerKey(layer), view.layers[index]!]));
  const layers = defaultView(after).layers.map((own, index) => kept.get(layerKey(after.layers[index]!)) ?? own);
  return { ...view, layers };
}
