/** Two brains of one space over each other: a swiped edge, a checkerboard, or by turns, to see how well they are aligned. */

import { make } from "../dom";
import type { Say, Word } from "../words";
import { choice } from "./controls";

export const MIXES = ["beside", "swipe", "checker", "blink"] as const;
export type Mix = (typeof MIXES)[number];

const WORDS: Record<Mix, Word> = { beside: "mixBeside", swipe: "mixSwipe", checker: "mixChecker", blink: "mixBlink" };
const BLINK_MS = 800;

export class Mixer {
  readonly element: HTMLElement;
  mix: Mix = "beside";
  private readonly edge = make("input", { type: "range", min: 0, max: 100, value: 50 });
  private readonly turn = make("button", { type: "button" });
  private readonly select: HTMLElement;
  private timer = 0;

  constructor(
    private readonly host: HTMLElement,
    private readonly panes: readonly [HTMLElement, HTMLElement],
    say: Say,
    private readonly changed: () => void,
  ) {
    this.edge.setAttribute("aria-label", say("mixEdge"));
    this.edge.addEventListener("input", () => this.host.style.setProperty("--edge", `${this.edge.value}%`));
    this.turn.textContent = say("mixSwitch");
    this.turn.addEventListener("click", () => this.swap());
    this.select = choice(say("mix"), MIXES.map((mix) => [mix, say(WORDS[mix])] as const), this.mix, (mix) => this.choose(mix));
    this.element = make("div", { class: "pv-mixing" }, this.select, this.edge, this.turn);
  }

  choose(mix: Mix): void {
    this.stop();
    this.mix = mix;
    this.select.querySelector("select")!.value = mix;
    this.host.dataset.mix = mix;
    this.edge.hidden = mix !== "swipe";
    this.turn.hidden = mix !== "blink";
    this.panes[1].classList.remove("pv-behind");
    // whoever wants little motion switches by hand
    if (mix === "blink" && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.timer = window.setInterval(() => this.swap(), BLINK_MS);
    this.changed();
  }

  stop(): void {
    window.clearInterval(this.timer);
  }

  private swap(): void {
    this.panes[1].classList.toggle("pv-behind");
  }
}
