/** The panel of the view as a whole: what is switched on, and the keys. */

import { make, section } from "../dom";
import { TOGGLES, type Toggle } from "../view";
import type { Say, Word } from "../words";
import type { Panel, PanelContext } from "./panel";

export function viewPanel(context: PanelContext): Panel {
  const { explorer, say, scene } = context;
  const boxes = TOGGLES.map((what) => [what, make("input", { type: "checkbox", "data-toggle": what })] as const);
  const refresh = () => boxes.forEach(([what, box]) => (box.checked = explorer.toggled(what)));
  const rows = boxes.map(([what, box]) => {
    box.addEventListener("change", () => {
      explorer.setToggle(what, box.checked);
      refresh();
    });
    return make("label", { class: "pv-check" }, box, say(what satisfies Toggle));
  });
  const element = make("div", {}, section(say("show"), ...rows), keyHelp(say));
  if (scene.attribution) element.append(make("p", { class: "pv-attribution" }, scene.attribution));
  return { name: "view", title: say("view"), element, refresh };
}

const KEYS: readonly [string, Word][] = [
  ["← → ↑ ↓", "keyMove"],
  [", .", "keyStep"],
  ["+ −", "keyZoom"],
  ["R E", "keyTurn"],
  ["Shift + ← → ↑ ↓", "keyTilt"],
];

function keyHelp(say: Say): HTMLElement {
  const list = KEYS.flatMap(([keys, word]) => [make("dt", {}, make("kbd", {}, keys)), make("dd", {}, say(word))]);
  return section(say("keys"), make("dl", { class: "pv-keys" }, ...list), make("p", { class: "pv-quiet" }, say("mouse")));
}
