/** The panel of analyses: what lies in a box that a person draws. */

import { boxBetween, boxQuestion, type Box } from "../box";
import { make, section } from "../dom";
import { placeText, readPlace } from "../places";
import type { SearchSpace } from "../scene";
import type { Word } from "../words";
import type { Panel, PanelContext } from "./panel";

export function analysePanel(context: PanelContext): Panel | null {
  const { scene, say } = context;
  if (!scene.search) return null;
  const box = new BoxSearch(context, scene.search);
  return { name: "analyse", title: say("analyse"), element: make("div", {}, box.section), dispose: () => box.dispose() };
}

const CORNERS: readonly Word[] = ["boxFirst", "boxSecond"];

/** Draws a box and leads to what lies in it. */
class BoxSearch {
  readonly section: HTMLElement;
  private readonly corners = CORNERS.map(() => make("input", { type: "text", spellcheck: "false", autocomplete: "off" }));
  private readonly link: HTMLAnchorElement;
  private readonly said: HTMLElement;
  private readonly draw: HTMLButtonElement;
  private readonly overlay;
  private stop: (() => void) | null = null;

  constructor(
    private readonly context: PanelContext,
    private readonly search: SearchSpace,
  ) {
    const { say, explorer } = context;
    this.overlay = explorer.overlay("box", "#FFD166");
    this.draw = make("button", { type: "button", class: "pv-small", "data-action": "boxDraw", "aria-pressed": "false" }, say("boxDraw"));
    this.link = make("a", { class: "pv-box-link", hidden: true }, say("boxSearch"));
    this.said = make("p", { class: "pv-quiet" }, say("boxNone"));
    const rows = CORNERS.map((_, index) => this.cornerRow(index));
    this.section = section(say("box"), this.draw, make("p", { class: "pv-quiet" }, say("boxDrawHint")), ...rows, this.said, this.link);
    this.section.classList.add("pv-box");
    this.draw.addEventListener("click", () => (this.stop ? this.stop() : this.begin()));
  }

  dispose(): void {
    this.overlay.dispose();
  }

  private cornerRow(index: number): HTMLElement {
    const { say, unit, explorer } = this.context;
    const word = CORNERS[index]!;
    const input = this.corners[index]!;
    input.id = `pv-${word}`;
    input.addEventListener("change", () => this.typed());
    const here = make("button", { type: "button", class: "pv-small", "aria-label": `${say(word)}: ${say("boxHere")}` }, say("boxHere"));
    here.addEventListener("click", () => {
      input.value = placeText(explorer.position(), unit);
      this.typed();
    });
    return make("div", { class: "pv-place" }, make("label", { for: input.id }, `${say(word)} (${unit})`), input, here);
  }

  private typed(): void {
    const [one, other] = this.corners.map((input) => readPlace(input.value, this.context.unit));
    this.show(one && other ? boxBetween(one, other) : null);
  }

  private show(box: Box | null): void {
    this.overlay.clear();
    if (box) this.overlay.add({ kind: "box", ...box });
    this.said.hidden = box !== null;
    this.link.hidden = box === null;
    if (box) this.link.href = `${this.search.address}?q=${encodeURIComponent(boxQuestion(box, this.search))}`;
  }

  private begin(): void {
    this.draw.setAttribute("aria-pressed", "true");
    this.stop = this.overlay.draw("box", (id) => {
      this.stop = null;
      this.draw.setAttribute("aria-pressed", "false");
      const shape = id ? this.overlay.get(id) : undefined;
      if (shape?.kind !== "box") return;
      [shape.low, shape.high].forEach((corner, index) => (this.corners[index]!.value = placeText(corner, this.context.unit)));
      this.show(shape);
    });
  }
}
