/** Fields that the tools of the analyses share. */

import { make } from "../dom";
import type { Target } from "../measure";
import type { Say } from "../words";

let serial = 0;

/** A control under its label. */
export function field(label: string, control: HTMLElement): HTMLElement {
  control.id ||= `pv-field-${(serial += 1)}`;
  return make("div", { class: "pv-field" }, make("label", { for: control.id }, label), control);
}

export function button(text: string, action: string, work: () => void): HTMLButtonElement {
  const made = make("button", { type: "button", class: "pv-small", "data-action": action }, text);
  made.addEventListener("click", work);
  return made;
}

export function targetChoice(targets: readonly Target[], none = ""): HTMLSelectElement {
  const options = targets.map(({ asset, name }) => make("option", { value: asset }, name));
  if (none) options.unshift(make("option", { value: "" }, none));
  return make("select", {}, ...options);
}

/** The resolution to measure at: empty is the finest that fits. */
export function levelChoice(say: Say): HTMLSelectElement {
  const levels = [...Array(8).keys()].map((level) => make("option", { value: level }, String(level)));
  return make("select", {}, make("option", { value: "" }, say("levelAuto")), ...levels);
}

export function chosenLevel(choice: HTMLSelectElement): number | null {
  return choice.value === "" ? null : Number(choice.value);
}

/** At which level was measured, and what that means. */
export function levelNote(say: Say, level: number): HTMLElement {
  return make("p", { class: "pv-quiet" }, `${say("measured")} ${level}${level === 0 ? ` (${say("exactAtZero")})` : ""}`);
}
