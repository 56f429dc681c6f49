/** Drawing a shape with the mouse, a finger or the keyboard, over whatever the picture shows. */

import { make } from "./dom";
import type { Explorer } from "./facade";
import { CORNERS, shapeFrom, type Corner, type Shape, type ShapeKind } from "./shapes";

export interface DrawingListener {
  /** What would be there if it ended now. */
  preview(shape: Shape | null): void;
  /** The finished shape; null when it was given up. */
  done(shape: Shape | null): void;
}

/** Pixels that a pointer has to go before it counts as dragging. */
const DRAG = 4;

/**
 * Draw one shape of `kind`: corners by click or by dragging, or by Space at the cross-hair. Enter or a double click ends a polyline, and so does
 * dragging from its first corner; Backspace takes a corner back, Escape gives up. The wheel still steps and zooms. The answer gives up.
 */
export function drawOn(explorer: Explorer, kind: ShapeKind, listener: DrawingListener): () => void {
  const sheet = make("div", { class: "pv-sheet" });
  const corners: Corner[] = [];
  const ended = new AbortController();
  const { signal } = ended;
  let pressed: { x: number; y: number } | null = null;

  const finish = (shape: Shape | null) => {
    if (signal.aborted) return;
    ended.abort();
    sheet.remove();
    listener.done(shape);
  };
  const put = (corner: Corner | null) => {
    if (!corner) return;
    corners.push(corner);
    const shape = shapeFrom(kind, corners);
    if (corners.length < CORNERS[kind]) listener.preview(shape);
    else if (shape) finish(shape);
    else corners.pop();
  };
  const under = (event: MouseEvent): Corner | null => explorer.placeAt(event.clientX, event.clientY);
  const far = (event: MouseEvent) => pressed !== null && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > DRAG;

  sheet.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    explorer.focus();
    sheet.setPointerCapture(event.pointerId);
    pressed = { x: event.clientX, y: event.clientY };
    put(under(event));
  }, { signal });
  sheet.addEventListener("pointermove", (event) => {
    const next = under(event);
    if (corners.length && next) listener.preview(shapeFrom(kind, [...corners, next]));
  }, { signal });
  sheet.addEventListener("pointerup", (event) => {
    if (far(event)) {
      put(under(event));
      if (kind === "polyline" && corners.length === 2) finish(shapeFrom(kind, corners));
    }
    pressed = null;
  }, { signal });
  sheet.addEventListener("pointercancel", () => (pressed = null), { signal });
  sheet.addEventListener("dblclick", () => {
    // the second click of the two put the same corner again
    if (kind === "polyline") finish(shapeFrom(kind, corners.slice(0, -1)));
  }, { signal });
  sheet.addEventListener("wheel", (event) => passOn(sheet, event), { signal, passive: false });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") finish(null);
    else if (!explorer.holds(event.target)) return;
    else if (event.key === " ") put({ place: explorer.position(), rotation: null });
    else if (event.key === "Enter" && kind === "polyline") finish(shapeFrom(kind, corners));
    else if (event.key === "Backspace") {
      corners.pop();
      listener.preview(shapeFrom(kind, corners));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal, capture: true });

  explorer.cover(sheet);
  return () => finish(null);
}

/** Give the panel below what the sheet got. */
function passOn(sheet: HTMLElement, event: WheelEvent): void {
  event.preventDefault();
  sheet.style.pointerEvents = "none";
  document.elementFromPoint(event.clientX, event.clientY)?.dispatchEvent(new WheelEvent(event.type, event));
  sheet.style.pointerEvents = "";
}
