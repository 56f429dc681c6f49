/** How often which values are, drawn behind the ends of the contrast. */

import { make, makeDrawing } from "../dom";
import type { SceneLayer } from "../scene";

const WIDTH = 200;
const HEIGHT = 44;
const known = new Map<string, Promise<number[] | null>>();

/** A small drawing of the values between `ends`; `show` marks the part from black to white. */
export function histogram(layer: SceneLayer, ends: readonly [number, number], label: string): { element: HTMLElement; show(window: readonly [number, number]): void } {
  const bars = makeDrawing("path", { class: "pv-bars", d: "" });
  const black = makeDrawing("line", { y1: 0, y2: HEIGHT });
  const white = makeDrawing("line", { y1: 0, y2: HEIGHT });
  const drawing = makeDrawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  drawing.append(bars, black, white);
  const element = make("div", { class: "pv-histogram", hidden: true }, drawing);
  void countsOf(layer, ends).then((counts) => {
    if (!counts) return;
    bars.setAttribute("d", outline(counts));
    element.hidden = false;
  });
  const at = (value: number) => String(Math.min(WIDTH, Math.max(0, ((value - ends[0]) / (ends[1] - ends[0] || 1)) * WIDTH)));
  return {
    element,
    show([low, high]) {
      for (const [line, value] of [[black, low], [white, high]] as const) {
        line.setAttribute("x1", at(value));
        line.setAttribute("x2", at(value));
      }
    },
  };
}

/** Counts as an area; a root, so that what is rare is seen beside the background. */
export function outline(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  const step = WIDTH / Math.max(1, counts.length);
  const steps = counts.map((count) => `V${(HEIGHT * (1 - (count / most) ** 0.25)).toFixed(1)}h${step.toFixed(3)}`);
  return `M0 ${HEIGHT}${steps.join("")}V${HEIGHT}Z`;
}

function countsOf({ source, channel }: SceneLayer, [low, high]: readonly [number, number]): Promise<number[] | null> {
  const [, digest, asset] = /\/data\/([^/]+)\/([^/]+)\/chunks/.exec(source) ?? [];
  if (!digest || !asset) return Promise.resolve(null);
  const query = new URLSearchParams({ channel: String(channel), low: String(low), high: String(high) });
  const address = `/api/v1/assets/${digest}/${asset}/histogram?${query}`;
  const asked = known.get(address) ?? fetch(address).then((answer) => (answer.ok ? (answer.json() as Promise<{ counts: number[] }>) : null)).then((said) => said?.counts ?? null, () => null);
  known.set(address, asked);
  return asked;
}
