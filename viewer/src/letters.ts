/** Which way is which, written over the panels. */

import { make, makeDrawing } from "./dom";
import type { PanelEdge } from "./facade";
import type { Arm } from "./geometry";

/** What stands at the edges of sections and in the corner of a 3D view. */
export function letterMarks(edges: readonly PanelEdge[]): Element[] {
  return edges.flatMap(({ left, top, width, height, letters, compass }): Element[] => {
    if (compass) return [drawCompass(compass, left + width, top + height)];
    if (!letters) return [];
    const spots: [string, number, number][] = [
      [letters.left, left + 16, top + height / 2],
      [letters.right, left + width - 16, top + height / 2],
      [letters.top, left + width / 2, top + 16],
      [letters.bottom, left + width / 2, top + height - 16],
    ];
    return spots.filter(([text]) => text).map(([text, x, y]) => {
      const mark = make("span", {}, text);
      mark.style.left = `${x}px`;
      mark.style.top = `${y}px`;
      return mark;
    });
  });
}

const ARM_PIXELS = 30;

/** The cross of directions, in the corner that ends at (`right`, `bottom`). */
function drawCompass(arms: Arm[], right: number, bottom: number): SVGElement {
  const side = 2 * ARM_PIXELS + 32;
  const cross = makeDrawing("svg", { class: "pv-compass", width: side, height: side });
  cross.style.left = `${right - side - 4}px`;
  cross.style.top = `${bottom - side - 4}px`;
  const at = (part: number, reach: number) => side / 2 + part * reach;
  for (const arm of arms) {
    const fade = arm.away > 0.15 ? 0.55 : 1;
    cross.append(makeDrawing("line", { x1: side / 2, y1: side / 2, x2: at(arm.right, ARM_PIXELS - 8), y2: at(arm.down, ARM_PIXELS - 8), opacity: fade }));
    // An arm along the line of sight has no place for its letter.
    if (Math.hypot(arm.right, arm.down) < 0.3) continue;
    const letter = makeDrawing("text", { x: at(arm.right, ARM_PIXELS), y: at(arm.down, ARM_PIXELS), opacity: fade });
    letter.textContent = arm.text;
    cross.append(letter);
  }
  return cross;
}
