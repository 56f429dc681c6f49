/** The connections of a matrix in the list of layers: how many are drawn, and which they are. */

import { arcColours, curve, fetchArcs, type Arcs } from "../arcs";
import { make } from "../dom";
import { tidy } from "../places";
import type { PanelContext } from "./panel";

const AT_FIRST = 100;
const LISTED = 30;

/** One item for each matrix that is asked for; `dispose` takes the arcs away. */
export function arcRows(context: PanelContext): { element: HTMLElement; dispose(): void } {
  const { atlas, explorer, say } = context;
  const element = make("ul", { class: "pv-layers" });
  const asked = atlas ? context.asked("arcs") : [];
  const overlay = asked.length ? explorer.overlay("arcs", "#FDE725") : null;
  for (const asset of asked) {
    void fetchArcs(atlas!.api, asset).then((told) => {
      if (told) element.append(item(told));
      else context.tell(say("arcsNone"));
    });
  }

  function item(told: Arcs): HTMLElement {
    const slider = make("input", { type: "range", min: 0, max: told.arcs.length, step: 1, value: Math.min(AT_FIRST, told.arcs.length), "aria-label": say("arcsCount") });
    const shown = make("output", {});
    const listed = make("ol", { class: "pv-neurons" }, ...told.arcs.slice(0, LISTED).map(({ source, target, value }) => make("li", {}, `${source} ${told.directed ? "→" : "–"} ${target}`, make("small", {}, tidy(value)))));
    const draw = () => {
      const count = Number(slider.value);
      const colors = arcColours(count);
      shown.value = String(count);
      for (const [id] of overlay!.shapes()) if (id.startsWith(`${told.asset} `)) overlay!.remove(id);
      told.arcs.slice(0, count).forEach((arc, at) => overlay!.set(`${told.asset} ${at}`, { kind: "polyline", points: curve(arc, context.scene) }, colors[at]));
    };
    slider.addEventListener("input", draw);
    const remove = make("button", { type: "button", class: "pv-small" }, say("remove"));
    remove.addEventListener("click", () => void context.ask("arcs", context.asked("arcs").filter((one) => one !== told.asset)));
    draw();
    const known = make("p", { class: "pv-quiet" }, `${told.named} / ${told.parcels} ${say("arcsNamed")}`);
    const row = make("div", { class: "pv-row" }, make("span", {}, say("arcsCount")), slider, shown);
    return make("li", {}, make("details", { open: true }, make("summary", {}, `${say("arcsOf")} ${told.name}`), row, known, listed, remove));
  }

  return { element, dispose: () => overlay?.dispose() };
}
