/** Neurons that are shown together: switched and coloured as one. */

import { make } from "../dom";
import type { Scene } from "../scene";
import type { LayerView } from "../view";
import type { Say, Word } from "../words";

export const COLOURINGS = ["each", "soma", "length"] as const;
export type Colouring = (typeof COLOURINGS)[number];

const WORDS: Record<Colouring, Word> = { each: "neuronsEach", soma: "neuronsSoma", length: "neuronsLength" };
const SHORT = [136, 110, 240];
const MIDDLE = [40, 190, 165];
const LONG = [253, 231, 37];

/** The colours (RRGGBB) of some layers of `scene`: their own, those of the somas' regions, or from short to long. */
export function coloursOf(scene: Scene, indexes: readonly number[], by: Colouring): string[] {
  const lengths = indexes.map((index) => scene.layers[index]!.neuron?.length_um ?? 0);
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)];
  return indexes.map((index, at) => {
    const { color, neuron } = scene.layers[index]!;
    if (by === "soma") return neuron?.soma_color || "808080";
    return by === "length" ? ramp((lengths[at]! - least) / (most - least || 1)) : color;
  });
}

/** From violet over green to yellow, each lighter than the one before, so that red-blind and green-blind eyes tell them apart, all bright on black. */
function ramp(share: number): string {
  const [from, to, part] = share < 0.5 ? [SHORT, MIDDLE, share * 2] : [MIDDLE, LONG, share * 2 - 1];
  return from.map((value, axis) => Math.round(value + (to[axis]! - value) * part).toString(16).padStart(2, "0")).join("").toUpperCase();
}

/** The head of a group: everything of it on or off, and by what it is coloured. `items` are the controls of its layers. */
export function neuronGroup(scene: Scene, views: LayerView[], indexes: readonly number[], say: Say, changed: (index: number) => void, items: HTMLElement[], removed: () => void): HTMLElement {
  const name = `${say("neuronsEnding")} ${scene.layers[indexes[0]!]!.ends}`;
  const all = make("input", { type: "checkbox", "aria-label": `${say("visible")}: ${name}` });
  const count = () => indexes.filter((index) => views[index]!.visible).length;
  const show = () => {
    all.checked = count() === indexes.length;
    all.indeterminate = count() > 0 && !all.checked;
  };
  show();
  all.addEventListener("change", () => {
    for (const index of indexes) {
      views[index]!.visible = all.checked;
      changed(index);
    }
    for (const item of items) item.querySelector("input")!.checked = all.checked;
  });
  const select = make("select", { "aria-label": say("neuronsColour") }, ...COLOURINGS.map((by) => make("option", { value: by }, say(WORDS[by]))));
  select.addEventListener("change", () => {
    coloursOf(scene, indexes, select.value as Colouring).forEach((color, at) => {
      views[indexes[at]!]!.color = color;
      items[at]!.querySelector<HTMLElement>(".pv-swatch")!.style.setProperty("--tone", `#${color}`);
      changed(indexes[at]!);
    });
  });
  const remove = make("button", { type: "button", class: "pv-small" }, say("remove"));
  remove.addEventListener("click", removed);
  return make(
    "li",
    { class: "pv-layer" },
    make("label", { class: "pv-check" }, all, make("span", { class: "pv-swatch pv-swatch-labels", "aria-hidden": "true" })),
    make(
      "details",
      { open: true },
      make("summary", {}, `${name} (${indexes.length})`),
      make("div", { class: "pv-row pv-row-short" }, make("span", {}, say("neuronsColour")), select, remove),
      make("ul", { class: "pv-layers pv-group" }, ...items),
    ),
  );
}
