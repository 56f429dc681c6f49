/** What the keys do in the panels; turning a panel under the mouse is Neuroglancer's. */

import type { Explorer } from "./facade";

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Keys for whoever comes to the panels (`own`: the element that holds them) by Tab, or has the mouse over one of them. */
export function steer(event: KeyboardEvent, explorer: Explorer, own: HTMLElement): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "+" || event.key === "=") explorer.zoom(0.8);
  else if (event.key === "-") explorer.zoom(1.25);
  else if (!travel(event, explorer, event.target === own)) return;
  event.preventDefault();
}

function travel(event: KeyboardEvent, explorer: Explorer, own: boolean): boolean {
  const { pixel, section: step } = explorer.scale();
  const stride = Math.max(step, pixel * 12);
  const [across, along] = ARROWS[event.key] ?? [0, 0];
  if (across || along) {
    if (!event.shiftKey) explorer.move(across * stride, along * stride, event.target);
    else if (own) explorer.turn(along * 0.1, -across * 0.1, 0);
  } else if (event.key === "," || event.key === "PageUp") explorer.step(-1, event.target);
  else if (event.key === "." || event.key === "PageDown") explorer.step(1, event.target);
  else if (!own) return false;
  else if (event.key === "r" || event.key === "R") explorer.turn(0, 0, -0.1);
  else if (event.key === "e" || event.key === "E") explorer.turn(0, 0, 0.1);
  else return false;
  return true;
}
