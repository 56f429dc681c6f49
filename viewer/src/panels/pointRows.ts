/** The settings of a layer of points: by which column it is coloured, and of that what is shown. */

import { make } from "../dom";
import { tidy } from "../places";
import type { PointDisplay } from "../pointDisplay";
import { RAMP_ENDS, usualRange, wordColour, type PointColumn } from "../points";
import type { LayerView } from "../view";
import type { Say } from "../words";

/** So many words have a box of their own: the most frequent of the sample. */
const MOST_WORDS = 60;

export function pointRows(view: LayerView, display: PointDisplay, say: Say, changed: () => void): HTMLElement {
  const select = make("select", { "aria-label": say("pointsColour") }, make("option", { value: "" }, say("pointsOne")));
  const choice = make("div", {});
  const apply = () => {
    display.apply(view);
    changed();
  };
  const show = () => {
    const column = display.columns.find(({ id }) => id === view.column);
    choice.replaceChildren(...(column ? [column.words ? wordBoxes(column, view, say, apply) : numberSliders(column, view, say, apply)] : []));
  };
  select.addEventListener("change", () => {
    view.column = select.value;
    view.chosen = [];
    const column = display.columns.find(({ id }) => id === view.column);
    if (column && !column.words) view.window = usualRange(column);
    show();
    apply();
  });
  void display.learn().then(() => {
    select.append(...display.columns.map(({ id, name }) => make("option", { value: id, selected: id === view.column }, name)));
    if (!view.column) return;
    show();
    display.apply(view);
  });
  return make("div", { class: "pv-points" }, make("div", { class: "pv-row pv-row-short" }, make("span", {}, say("pointsColour")), select), choice);
}

function wordBoxes({ words, counts }: PointColumn, view: LayerView, say: Say, changed: () => void): HTMLElement {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const codes = words!.map((_, code) => code).sort((one, other) => counts[other]! - counts[one]!);
  const boxes = codes.slice(0, MOST_WORDS).map((code) => {
    const box = make("input", { type: "checkbox", checked: view.chosen.includes(code) });
    box.addEventListener("change", () => {
      view.chosen = box.checked ? [...view.chosen, code] : view.chosen.filter((one) => one !== code);
      changed();
    });
    const swatch = make("span", { class: "pv-swatch", "aria-hidden": "true" });
    swatch.style.setProperty("--tone", wordColour(code));
    const share = total ? make("small", {}, `${tidy((100 * counts[code]!) / total)} %`) : "";
    return make("li", {}, make("label", { class: "pv-check" }, box, swatch, words![code] || say("pointsNoWord")), share);
  });
  return make("fieldset", { class: "pv-words" }, make("legend", {}, say("pointsOnly")), make("ul", { class: "pv-neurons" }, ...boxes));
}

function numberSliders(column: PointColumn, view: LayerView, say: Say, changed: () => void): HTMLElement {
  const [least, most] = [column.sorted[0] ?? 0, column.sorted[column.sorted.length - 1] ?? 1];
  const rows = ([["low", 0], ["high", 1]] as const).map(([word, side]) => {
    const slider = make("input", { type: "range", min: least, max: most, step: (most - least) / 500 || 1, value: view.window[side], "aria-label": say(word === "low" ? "pointsFrom" : "pointsTo") });
    const swatch = make("span", { class: "pv-swatch", "aria-hidden": "true" });
    swatch.style.setProperty("--tone", RAMP_ENDS[side]);
    const shown = make("output", {}, tidy(view.window[side]));
    slider.addEventListener("input", () => {
      const value = Number(slider.value);
      view.window = side === 0 ? [value, view.window[1]] : [view.window[0], value];
      shown.value = tidy(value);
      changed();
    });
    return make("div", { class: "pv-row" }, make("span", { class: "pv-check" }, swatch, say(word === "low" ? "pointsFrom" : "pointsTo")), slider, shown);
  });
  const within = make("input", { type: "checkbox", checked: view.within });
  within.addEventListener("change", () => {
    view.within = within.checked;
    changed();
  });
  return make("fieldset", { class: "pv-words" }, make("legend", {}, column.name), ...rows, make("label", { class: "pv-check" }, within, say("pointsWithin")));
}
