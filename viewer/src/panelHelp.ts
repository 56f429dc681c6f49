/** What a panel is for, behind a "?" at its head: a popover of the browser's own, as on the pages of the portal. */

import { make } from "./dom";
import type { Say, Word } from "./words";

const HELP: Record<string, readonly Word[]> = {
  layers: ["helpLayers", "helpLayersAdd"],
  regions: ["helpRegions", "helpRegionsChoose"],
  analyse: ["helpAnalyse", "helpAnalyseHow"],
  marks: ["helpMarks", "helpMarksShare"],
  view: ["helpView", "helpViewKeys"],
};

/** The button and the text of the panel called `name`; none where there is nothing to explain. */
export function panelHelp(name: string, say: Say): HTMLElement[] {
  const words = HELP[name];
  if (!words) return [];
  const id = `pv-help-${name}`;
  const button = make("button", { type: "button", class: "pv-help", popovertarget: id, "aria-label": say("helpWhat") }, "?");
  const manual = make("a", { href: "/manual", target: "_blank" }, say("helpManual"));
  const text = make("div", { id, class: "pv-help-text", popover: true }, ...words.map((word) => make("p", {}, say(word))), make("p", {}, manual));
  // below its button: nothing else there says where that is
  text.addEventListener("beforetoggle", () => (text.style.top = `${Math.min(button.getBoundingClientRect().bottom + 6, innerHeight - 240)}px`));
  return [button, text];
}
