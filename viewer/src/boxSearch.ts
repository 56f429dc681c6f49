/** The part of the side bar that draws a box and leads to what lies in it. */

import { boxBetween, boxOver, boxQuestion, type Box } from "./box";
import { make } from "./dom";
import type { Explorer } from "./facade";
import type { Vector } from "./geometry";
import { placeText, readPlace, type Unit } from "./places";
import type { SearchSpace } from "./scene";
import type { Say, Word } from "./strings";

const CORNERS: readonly Word[] = ["boxFirst", "boxSecond"];

export class BoxSearch {
  readonly section: HTMLElement;
  private readonly corners = CORNERS.map(() => make("input", { type: "text", spellcheck: "false", autocomplete: "off" }));
  private readonly link: HTMLAnchorElement;
  private readonly said: HTMLElement;
  private readonly draw: HTMLButtonElement;
  /** Lies over the panels while a box is drawn, so that dragging does not move the sections. */
  private readonly sheet = make("div", { class: "pv-sheet", hidden: true });
  private readonly band = make("div", { class: "pv-band" });

  constructor(
    private readonly stage: HTMLElement,
    private readonly explorer: Explorer,
    private readonly search: SearchSpace,
    private readonly unit: Unit,
    say: Say,
  ) {
    this.draw = make("button", { type: "button", class: "pv-small", "data-action": "boxDraw", "aria-pressed": "false" }, say("boxDraw"));
    this.link = make("a", { class: "pv-box-link", hidden: true }, say("boxSearch"));
    this.said = make("p", { class: "pv-quiet" }, say("boxNone"));
    const rows = CORNERS.map((word, index) => this.cornerRow(word, index, say));
    const hint = make("p", { class: "pv-quiet" }, say("boxDrawHint"));
    this.section = make("section", { class: "pv-box" }, make("h2", {}, say("box")), this.draw, hint, ...rows, this.said, this.link);
    this.draw.addEventListener("click", () => this.setDrawing(this.sheet.hidden));
    this.sheet.append(this.band);
    this.stage.append(this.sheet);
    this.sheet.addEventListener("pointerdown", (event) => this.begin(event));
  }

  private cornerRow(word: Word, index: number, say: Say): HTMLElement {
    const input = this.corners[index]!;
    input.id = `pv-${word}`;
    input.addEventListener("change", () => this.typed());
    const here = make("button", { type: "button", class: "pv-small", "aria-label": `${say(word)}: ${say("boxHere")}` }, say("boxHere"));
    here.addEventListener("click", () => {
      input.value = placeText(this.explorer.position(), this.unit);
      this.typed();
    });
    return make("div", { class: "pv-place" }, make("label", { for: input.id }, `${say(word)} (${this.unit})`), input, here);
  }

  private typed(): void {
    const [one, other] = this.corners.map((input) => readPlace(input.value, this.unit));
    this.show(one && other ? boxBetween(one, other) : null);
  }

  private show(box: Box | null): void {
    this.explorer.showBox(box);
    this.said.hidden = box !== null;
    this.link.hidden = box === null;
    if (box) this.link.href = `${this.search.address}?q=${encodeURIComponent(boxQuestion(box, this.search))}`;
  }

  private setDrawing(on: boolean): void {
    this.sheet.hidden = !on;
    this.band.hidden = true;
    this.draw.setAttribute("aria-pressed", String(on));
  }

  /** Follow the pointer from here until it is let go. */
  private begin(down: PointerEvent): void {
    const from = this.explorer.placeAt(down.clientX, down.clientY);
    if (!from || down.button !== 0) return;
    down.preventDefault();
    this.sheet.setPointerCapture(down.pointerId);
    const frame = this.sheet.getBoundingClientRect();
    const follow = (event: PointerEvent) => {
      const { style } = this.band;
      style.left = `${Math.min(down.clientX, event.clientX) - frame.left}px`;
      style.top = `${Math.min(down.clientY, event.clientY) - frame.top}px`;
      style.width = `${Math.abs(event.clientX - down.clientX)}px`;
      style.height = `${Math.abs(event.clientY - down.clientY)}px`;
      this.band.hidden = false;
    };
    const end = new AbortController();
    const ended = { signal: end.signal };
    this.sheet.addEventListener("pointermove", follow, ended);
    this.sheet.addEventListener("pointercancel", () => end.abort(), ended);
    this.sheet.addEventListener(
      "pointerup",
      (event) => {
        end.abort();
        this.setDrawing(false);
        const to = this.explorer.placeAt(event.clientX, event.clientY);
        // a rectangle lies on one section
        if (to && String(to.rotation) === String(from.rotation)) this.take(boxOver(from.place, to.place, from.rotation));
      },
      ended,
    );
  }

  private take(box: Box | null): void {
    if (!box) return;
    ([box.low, box.high] as Vector[]).forEach((corner, index) => (this.corners[index]!.value = placeText(corner, this.unit)));
    this.show(box);
  }
}
