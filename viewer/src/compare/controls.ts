/** Controls that choose one of a few. */

import { make } from "../dom";

type Options<Value extends string> = readonly (readonly [Value, string])[];

/** Radio buttons as segments of one bar. */
export function radios<Value extends string>(name: string, label: string, options: Options<Value>, now: Value, chosen: (value: Value) => void): HTMLElement {
  const group = make("fieldset", { class: "pv-segments" }, make("legend", { class: "pv-hidden" }, label));
  for (const [value, text] of options) {
    const input = make("input", { type: "radio", name, value, checked: value === now });
    input.addEventListener("change", () => chosen(value));
    group.append(make("label", {}, input, make("span", {}, text)));
  }
  return group;
}

/** A list that unfolds, with its label before it. */
export function choice<Value extends string>(label: string, options: Options<Value>, now: Value, chosen: (value: Value) => void): HTMLElement {
  const select = make("select", {}, ...options.map(([value, text]) => make("option", { value, selected: value === now }, text)));
  select.addEventListener("change", () => chosen(select.value as Value));
  return make("label", { class: "pv-choice" }, label, select);
}
