/** A line that a person draws or types: how long it is, its angles, and an image's values along it. */

import { make, section } from "../dom";
import type { Vector } from "../geometry";
import { anglesOf, distance, lengthOf, lengthText, profileAddress, readCorners, targetsOf, writeCorners, type Target } from "../measure";
import { distanceRecipe, profileRecipe } from "../recipes";
import { button, chosenLevel, field, levelChoice, levelNote, targetChoice } from "./analyseFields";
import { Outcome, ask, chartOver, csvLink, recipeFold, type Table } from "./analyseResult";
import type { MeasuredLine } from "../view";
import type { PanelContext } from "./panel";

interface Profile {
  level: number;
  distance_um: number[];
  channels: string[];
  values: (number | null)[][];
}

export class LineTool {
  readonly section: HTMLElement;
  private readonly typed = make("textarea", { rows: 3, spellcheck: "false", autocomplete: "off" });
  private readonly width = make("input", { type: "number", min: 0, step: "any", value: 0 });
  private readonly targets: Target[];
  private readonly target: HTMLSelectElement;
  private readonly level: HTMLSelectElement;
  private readonly draw: HTMLButtonElement;
  private readonly figures = make("div", { "aria-live": "polite" });
  private readonly tools: HTMLElement;
  private readonly outcome: Outcome;
  private readonly overlay;
  private corners: Vector[] = [];
  /** What the view says of it, which is what is drawn. */
  private line: MeasuredLine | null = null;
  private stop: (() => void) | null = null;

  constructor(
    private readonly context: PanelContext,
    /** Called with what was measured along a line that somebody drew or typed. */
    private readonly measured: (outcome: HTMLElement) => void = () => undefined,
  ) {
    const { say, explorer, scene, unit } = context;
    this.overlay = explorer.overlay("line", "#6FD0C0");
    this.outcome = new Outcome(say);
    this.targets = targetsOf(scene, ["image"]);
    this.target = targetChoice(this.targets);
    this.level = levelChoice(say);
    this.draw = make("button", { type: "button", class: "pv-small", "data-action": "lineDraw", "aria-pressed": "false" }, say("lineDraw"));
    this.draw.addEventListener("click", () => (this.stop ? this.stop() : this.begin()));
    this.typed.addEventListener("change", () => this.read());
    this.tools = make(
      "div",
      { hidden: true },
      field(say("measureOf"), this.target),
      field(say("lineWidth"), this.width),
      field(say("measureLevel"), this.level),
      button(say("lineProfile"), "lineProfile", () => void this.measure()),
    );
    this.section = section(
      say("lineTool"),
      this.draw,
      make("p", { class: "pv-quiet" }, say("lineDrawHint")),
      field(`${say("lineCorners")} (${unit})`, this.typed),
      this.figures,
      this.tools,
      this.outcome.element,
    );
    this.show([]);
    this.settle();
  }

  /** Bring it to what the view says: a line that a link brings is measured as it was. */
  settle(): void {
    const { line } = this.context.view();
    if (JSON.stringify(line) === JSON.stringify(this.line)) return;
    this.line = line;
    this.typed.value = line ? writeCorners(line.corners, this.context.unit) : "";
    this.show(line?.corners ?? []);
    if (!line) return;
    this.width.value = String(line.width_um);
    this.level.value = line.level === null ? "" : String(line.level);
    if (!this.targets.some(({ asset }) => asset === line.asset)) return;
    this.target.value = line.asset;
    void this.measure();
  }

  dispose(): void {
    this.overlay.dispose();
  }

  /** Let the mouse or the keys draw it. */
  begin(): void {
    this.draw.setAttribute("aria-pressed", "true");
    this.stop = this.overlay.draw("polyline", (id) => {
      this.stop = null;
      this.draw.setAttribute("aria-pressed", "false");
      const shape = id ? this.overlay.get(id) : undefined;
      if (shape?.kind !== "polyline") return;
      this.typed.value = writeCorners(shape.points, this.context.unit);
      this.take(shape.points);
    });
  }

  private read(): void {
    const corners = readCorners(this.typed.value, this.context.unit);
    this.take(corners ?? []);
    if (!corners) this.figures.replaceChildren(make("p", { class: "pv-trouble", role: "alert" }, this.context.say("lineBad")));
  }

  /** Somebody gave these corners: they are measured at once, and the view keeps them. */
  private take(corners: Vector[]): void {
    this.show(corners);
    if (corners.length > 1 && this.targets.length) void this.measure().then(() => this.measured(this.outcome.element));
    else this.remember(corners.length > 1 ? { corners, width_um: 0, asset: "", level: null } : null);
  }

  private remember(line: MeasuredLine | null): void {
    this.line = line;
    this.context.explorer.note({ line });
  }

  private show(corners: Vector[]): void {
    const { say } = this.context;
    this.corners = corners;
    this.overlay.clear();
    this.outcome.clear();
    const drawn = corners.length > 1;
    this.tools.hidden = !drawn || this.targets.length === 0;
    if (!drawn) return this.figures.replaceChildren(make("p", { class: "pv-quiet" }, say("lineNone")));
    this.overlay.add({ kind: "polyline", points: corners });
    const rows: [string, string][] = [[say("lineLength"), lengthText(lengthOf(corners))]];
    if (corners.length > 2) rows.push([say("lineStraight"), lengthText(distance(corners[0]!, corners.at(-1)!))]);
    anglesOf(corners).forEach((angle, at) => rows.push([`${say("lineAngle")} ${at + 2}`, angle === null ? "–" : `${angle.toFixed(1)}°`]));
    const list = make("dl", { class: "pv-figures" }, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    this.figures.replaceChildren(list, recipeFold(say, distanceRecipe(corners)));
  }

  private async measure(): Promise<void> {
    const target = this.targets.find(({ asset }) => asset === this.target.value);
    if (!target || this.corners.length < 2) return;
    const { say } = this.context;
    const wish = { corners: this.corners, width_um: Math.max(0, Number(this.width.value) || 0), level: chosenLevel(this.level) };
    this.remember({ ...wish, asset: target.asset });
    const address = profileAddress(target, wish);
    await this.outcome.show(async () => {
      const told = await ask<Profile>(say, address);
      const table: Table = {
        caption: `${say("lineProfile")}: ${target.name}`,
        head: [say("lineAlong"), ...told.channels],
        rows: told.distance_um.map((along, at) => [along, ...told.values.map((values) => values[at] ?? null)]),
      };
      return [...chartOver(say, "line", table), levelNote(say, told.level), csvLink(say, address), recipeFold(say, profileRecipe(location.origin, target, wish))];
    });
  }
}
