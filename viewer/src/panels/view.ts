/** The panel of the view as a whole: what is switched on, and the keys. */

import { make, section } from "../dom";
import { TOGGLES, type Toggle } from "../view";
import { keyList } from "../shortcuts";
import type { Say } from "../words";
import { clippingRows } from "./clipping";
import type { Panel, PanelContext } from "./panel";

export function viewPanel(context: PanelContext): Panel {
  const { explorer, say, scene } = context;
  const boxes = TOGGLES.map((what) => [what, make("input", { type: "checkbox", "data-toggle": what })] as const);
  const clipping = clippingRows(context);
  const refresh = () => {
    boxes.forEach(([what, box]) => (box.checked = explorer.toggled(what)));
    clipping.refresh();
  };
  const rows = boxes.map(([what, box]) => {
    box.addEventListener("change", () => {
      explorer.setToggle(what, box.checked);
      refresh();
    });
    return make("label", { class: "pv-check" }, box, say(what satisfies Toggle));
  });
  const element = make("div", {}, section(say("show"), ...rows, clipping.element), keyHelp(say));
  if (scene.attribution) element.append(make("p", { class: "pv-attribution" }, scene.attribution));
  return { name: "view", title: say("view"), element, refresh };
}

function keyHelp(say: Say): HTMLElement {
  return section(say("keys"), keyList(say), make("p", { class: "pv-quiet" }, say("mouse")));
}
