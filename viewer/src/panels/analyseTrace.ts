/** A place in an image that changes over time: its values as a chart, for each place that somebody points at. */

import { make, section } from "../dom";
import type { Vector } from "../geometry";
import { targetsOf, traceAddress, type Target } from "../measure";
import { placeText, readPlace } from "../places";
import { button, chosenLevel, field, levelChoice, levelNote, targetChoice } from "./analyseFields";
import { Outcome, ask, chartOver, csvLink, type Table } from "./analyseResult";
import type { PanelContext } from "./panel";

interface Trace {
  level: number;
  voxels: number;
  timed: boolean;
  times: number[];
  channels: string[];
  values: (number | null)[][];
}

export class TraceTool {
  readonly section: HTMLElement;
  private readonly place = make("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  private readonly radius = make("input", { type: "number", min: 0, step: "any", value: 0 });
  private readonly target: HTMLSelectElement;
  private readonly level: HTMLSelectElement;
  private readonly point: HTMLButtonElement;
  private readonly outcome: Outcome;
  private readonly overlay;
  private stop: (() => void) | null = null;

  constructor(
    private readonly context: PanelContext,
    private readonly targets: Target[],
  ) {
    const { say, explorer, unit } = context;
    this.overlay = explorer.overlay("trace", "#FFB454");
    this.outcome = new Outcome(say);
    this.target = targetChoice(targets);
    this.level = levelChoice(say);
    this.point = make("button", { type: "button", class: "pv-small", "data-action": "tracePoint", "aria-pressed": "false" }, say("tracePoint"));
    this.point.addEventListener("click", () => (this.stop ? this.end() : this.begin()));
    this.section = section(
      say("traceTool"),
      this.point,
      make("p", { class: "pv-quiet" }, say("tracePointHint")),
      field(say("measureOf"), this.target),
      field(`${say("tracePlace")} (${unit})`, this.place),
      field(say("traceRadius"), this.radius),
      field(say("measureLevel"), this.level),
      button(say("traceHere"), "traceHere", () => this.typed()),
      this.outcome.element,
    );
  }

  dispose(): void {
    this.overlay.dispose();
  }

  /** The mouse points at places until it is told to stop: each gives its trace at once. */
  private begin(): void {
    this.point.setAttribute("aria-pressed", "true");
    this.stop = this.overlay.draw("point", (id) => {
      const shape = id ? this.overlay.get(id) : undefined;
      if (shape?.kind !== "point") return this.end();
      this.stop = null;
      this.show(shape.at);
      this.begin();
    });
  }

  private end(): void {
    const { stop } = this;
    this.stop = null;
    this.point.setAttribute("aria-pressed", "false");
    stop?.();
  }

  /** The place that was typed, or the cross-hair where none was. */
  private typed(): void {
    const { explorer, unit } = this.context;
    this.show(this.place.value.trim() ? readPlace(this.place.value, unit) : explorer.position());
  }

  private show(place: Vector | null): void {
    const { say, unit } = this.context;
    const target = this.targets.find(({ asset }) => asset === this.target.value);
    if (!target || !place) return void this.outcome.show(() => Promise.reject(new Error(say("badPosition"))));
    this.overlay.clear();
    this.overlay.add({ kind: "point", at: place });
    this.place.value = placeText(place, unit);
    const address = traceAddress(target, place, Math.max(0, Number(this.radius.value) || 0), chosenLevel(this.level));
    void this.outcome.show(async () => {
      const told = await ask<Trace>(say, address);
      const table: Table = {
        caption: `${say("traceTool")}: ${target.name}`,
        head: [say(told.timed ? "traceSeconds" : "traceFrames"), ...told.channels],
        rows: told.times.map((time, at) => [time, ...told.values.map((values) => values[at] ?? null)]),
      };
      return [...chartOver(say, "line", table), levelNote(say, told.level), csvLink(say, address)];
    });
  }
}

/** The tool where an image changes over time; null elsewhere. */
export function traceTool(context: PanelContext): TraceTool | null {
  const moving = { ...context.scene, layers: context.scene.layers.filter(({ times }) => times > 1) };
  const targets = targetsOf(moving, ["image"]);
  return targets.length ? new TraceTool(context, targets) : null;
}
