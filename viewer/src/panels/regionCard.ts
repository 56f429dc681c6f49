/** What the panel of regions says of the one that somebody stands on, and what can be done with it. */

import { make } from "../dom";
import type { PanelContext } from "./panel";

export interface RegionCard {
  element: HTMLElement;
  show(id: string): void;
}

export function regionCard(context: PanelContext): RegionCard {
  const { atlas, display, say } = context;
  const element = make("section", { class: "pv-region-card", hidden: true });
  const show = (id: string) => {
    const region = display.tree.regions.get(id);
    if (!region) return;
    const path = display.tree.ancestors(id).reverse();
    const crumbs = path.map((one) => make("li", {}, display.tree.regions.get(one)!.name));
    element.hidden = false;
    element.replaceChildren(
      make("ol", { class: "pv-crumbs", "aria-label": say("regionPath") }, ...crumbs),
      make("p", { class: "pv-region-name" }, region.name),
      ...(region.also ? [make("p", { class: "pv-quiet" }, region.also)] : []),
      ...(atlas ? [actions(context, id)] : []),
    );
  };
  return { element, show };
}

function actions(context: PanelContext, id: string): HTMLElement {
  const { atlas, display, say } = context;
  const go = make("button", { type: "button", class: "pv-small" }, say("regionGo"));
  go.addEventListener("click", () => void display.goTo(id));
  const sets = ([["ends", id, "regionEnds"], ["neurons", `soma-${id}`, "regionSomas"]] as const).map(([parameter, key, word]) => {
    const button = make("button", { type: "button", class: "pv-small", "data-action": word, "aria-pressed": String(context.asked(parameter).includes(key)) }, say(word));
    button.addEventListener("click", () => void showNeurons(context, button, id, parameter, key));
    return button;
  });
  const compare = new URLSearchParams({ brain: `atlas:${atlas!.name}`, region: `${atlas!.name}:${id}` });
  return make(
    "div",
    { class: "pv-marks-tools" },
    go,
    ...sets,
    make("a", { class: "pv-small", href: `${atlas!.page}/regions/${id}` }, say("regionPage")),
    make("a", { class: "pv-small", href: `${atlas!.page}/regions/${id}#across` }, say("regionHomologues")),
    make("a", { class: "pv-small", href: `/compare?${compare}` }, say("compareWith")),
  );
}

/** Show the neurons that end in a region, or have their soma there, as a layer, or take them away again: they are asked for by `key`. */
async function showNeurons(context: PanelContext, button: HTMLButtonElement, id: string, parameter: "ends" | "neurons", key: string): Promise<void> {
  const { say, tell } = context;
  const shown = context.asked(parameter);
  const next = shown.includes(key) ? shown.filter((one) => one !== key) : [...shown, key];
  button.disabled = true;
  const scene = await context.ask(parameter, next);
  button.disabled = false;
  button.setAttribute("aria-pressed", String(next.includes(key)));
  if (!scene || !next.includes(key)) return;
  const name = context.display.tree.regions.get(id)!.name;
  const count = scene.layers.find(({ neurons }) => neurons?.key === (parameter === "ends" ? `ends-${id}` : key))?.neurons?.count ?? 0;
  const [some, none] = parameter === "ends" ? (["regionEndsCount", "regionEndsNone"] as const) : (["regionSomasCount", "regionSomasNone"] as const);
  tell(count ? `${count} ${say(some)} ${name}` : say(none));
}
