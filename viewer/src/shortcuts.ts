/** The list of all shortcuts: in the panel of the view, and as a dialog that "?" opens. */

import { make } from "./dom";
import type { Say, Word } from "./words";

const KEYS: readonly [string, Word][] = [
  ["← → ↑ ↓", "keyMove"],
  [", .", "keyStep"],
  ["+ −", "keyZoom"],
  ["R E", "keyTurn"],
  ["Shift + ← → ↑ ↓", "keyTilt"],
  ["Space · Enter · ⌫ · Esc", "keyDraw"],
  ["↑ ↓ · → ← · Enter", "keyTree"],
  ["/", "keyFind"],
  ["?", "keyHelp"],
];

/** The keys and what they do, as a list of terms. */
export function keyList(say: Say): HTMLElement {
  return make("dl", { class: "pv-keys" }, ...KEYS.flatMap(([keys, word]) => [make("dt", {}, make("kbd", {}, keys)), make("dd", {}, say(word))]));
}

/** The list as a dialog over the page; the answer opens it. */
export function keyDialog(host: HTMLElement, say: Say): () => void {
  const close = make("button", { type: "button", class: "pv-small" }, say("keysClose"));
  const title = make("h2", { id: "pv-keys-title" }, say("keys"));
  const dialog = make("dialog", { class: "pv-dialog", "aria-labelledby": title.id }, title, keyList(say), make("p", { class: "pv-quiet" }, say("mouse")), close);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  return () => {
    if (!dialog.isConnected) host.append(dialog);
    if (!dialog.open) dialog.showModal();
  };
}

/** Whether a key was meant for a field in which one writes. */
export function isWriting(event: KeyboardEvent): boolean {
  return event.target instanceof Element && event.target.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]") !== null;
}
