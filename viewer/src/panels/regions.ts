/** The panel of regions: found by name, chosen here or by a click in a section, and shown alone. */

import { make } from "../dom";
import { fetchRegions, fetchTree, findRegions, withParts, type Region } from "../regions";
import type { Panel, PanelContext } from "./panel";

/** More lines than these nobody reads; a few letters of a name lead to the others. */
const MOST_SHOWN = 200;
/** Pixels that the mouse may move between press and release of a click. */
const STILL = 4;

export function regionsPanel(context: PanelContext): Panel | null {
  const layer = context.scene.layers.findIndex(({ kind, names }) => kind === "labels" && names);
  if (layer < 0) return null;
  const { explorer, say, select, scene } = context;
  const find = make("input", { type: "search", id: "pv-region-find", autocomplete: "off", spellcheck: "false" });
  const only = make("input", { type: "checkbox", id: "pv-region-only" });
  const list = make("ul", { class: "pv-regions" });
  const said = make("p", { class: "pv-quiet" }, say("regionHint"));
  let regions = new Map<string, Region>();

  const isolate = () => explorer.showOnly(layer, only.checked ? withParts(regions, select.ids) : []);
  const draw = () => {
    const found = findRegions(regions, find.value);
    // what is chosen stands first, so that a click in a section is seen here
    const chosen = find.value ? [] : select.ids.flatMap((id) => (regions.has(id) ? [[id, regions.get(id)!] as const] : []));
    const shown = [...chosen, ...found.filter(([id]) => find.value || !select.has(id))].slice(0, MOST_SHOWN);
    list.replaceChildren(...shown.map(([id, region]) => row(id, region)));
    said.textContent = say(!found.length && regions.size ? "regionNone" : found.length > MOST_SHOWN ? "regionMany" : "regionHint");
  };
  const row = (id: string, { name, color }: Region) => {
    const box = make("input", { type: "checkbox", value: id });
    box.checked = select.has(id);
    box.addEventListener("change", () => select.toggle(id));
    const swatch = make("span", { class: "pv-swatch", "aria-hidden": "true" });
    if (color) swatch.style.setProperty("--tone", color);
    return make("li", {}, make("label", { class: "pv-check" }, box, swatch, make("span", {}, name)));
  };

  find.addEventListener("input", draw);
  only.addEventListener("change", isolate);
  const forget = select.onChange(() => {
    const focused = document.activeElement instanceof HTMLInputElement && list.contains(document.activeElement) ? document.activeElement.value : null;
    draw();
    isolate();
    if (focused) list.querySelector<HTMLInputElement>(`input[value="${focused}"]`)?.focus();
  });
  const ignore = onClick(context.stage, () => {
    const id = explorer.labelUnderMouse(layer);
    if (id) select.toggle(id);
  });
  void (context.tree ? fetchTree(context.tree, context.language) : fetchRegions(scene.layers[layer]!.names!))
    .catch(() => new Map<string, Region>())
    .then((known) => {
      regions = known;
      draw();
    });
  return {
    name: "regions",
    title: say("regions"),
    element: make(
      "div",
      {},
      make("label", { for: find.id, class: "pv-find" }, say("regionFind"), find),
      make("label", { class: "pv-check" }, only, say("regionOnly")),
      said,
      list,
    ),
    refresh: isolate,
    dispose() {
      forget();
      ignore();
    },
  };
}

/** Call `clicked` for clicks of the first button in the pictures that were no drags and no drawing. */
function onClick(stage: HTMLElement, clicked: () => void): () => void {
  const ended = new AbortController();
  let down: PointerEvent | null = null;
  const isPicture = (event: Event) => !(event.target as Element).closest(".pv-sheet, .pv-alerts");
  stage.addEventListener("pointerdown", (event) => (down = event.button === 0 && isPicture(event) ? event : null), { signal: ended.signal, capture: true });
  stage.addEventListener(
    "pointerup",
    (event) => {
      if (down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < STILL) clicked();
      down = null;
    },
    { signal: ended.signal, capture: true },
  );
  return () => ended.abort();
}
