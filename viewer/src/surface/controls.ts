/** The panel beside a surface: what is shown of it, and how. It changes the view in place and says so. */

import { make, section } from "../dom";
import type { Say, Word } from "../words";
import { PALETTES, VIEWS, formsOf, sidesOf, type Direction, type Palette, type Side, type SurfaceSet, type SurfaceView } from "./data";

export interface Changes {
  /** Other surfaces or other maps: something may have to be loaded. */
  reload(): void;
  /** The same in other colours. */
  recolour(): void;
  lookFrom(direction: Direction): void;
  save(): void;
}

export class Controls {
  readonly element: HTMLElement;
  private readonly form: HTMLSelectElement;
  private readonly side: HTMLSelectElement;
  private readonly map: HTMLSelectElement;
  private readonly palette: HTMLSelectElement;
  private readonly regions: HTMLSelectElement;
  private readonly outline = make("input", { type: "checkbox", id: "ps-outline" });
  private readonly threshold = make("input", { type: "range", id: "ps-threshold", min: 0, max: 1, step: "any" });
  private readonly thresholdText = make("output", { for: "ps-threshold" });
  private readonly low = make("input", { type: "number", id: "ps-low", step: "any" });
  private readonly high = make("input", { type: "number", id: "ps-high", step: "any" });
  private readonly numbers: HTMLElement;

  constructor(
    private readonly set: SurfaceSet,
    private readonly view: SurfaceView,
    private readonly say: Say,
    private readonly changes: Changes,
  ) {
    this.form = this.choice("form", formsOf(set), (form) => this.formName(form));
    this.side = this.choice("side", [], () => "");
    const maps = ["", ...set.maps.map(({ name }) => name)];
    this.map = this.choice("map", maps, (name) => name || say("surfaceNoMap"));
    this.palette = this.choice("palette", PALETTES, (name) => say(`surfacePalette_${name}`));
    this.regions = this.choice("regions", maps, (name) => name || say("surfaceNoMap"));
    this.numbers = make(
      "div",
      {},
      this.row("surfacePalette", this.palette),
      this.row("surfaceThreshold", this.threshold, this.thresholdText),
      make("p", { class: "ps-quiet" }, say("surfaceThresholdNote")),
      make("div", { class: "ps-pair" }, this.row("surfaceLow", this.low), this.row("surfaceHigh", this.high)),
    );
    this.element = make(
      "div",
      { class: "ps-panel" },
      section(say("surfacePage"), this.row("surfaceForm", this.form), this.row("surfaceSide", this.side), this.directions()),
      section(say("surfaceMap"), this.row("surfaceMap", this.map), this.numbers),
      section(say("regions"), this.row("surfaceRegions", this.regions), make("p", {}, this.outline, " ", make("label", { for: this.outline.id }, say("surfaceOutline")))),
      this.saving(),
    );
    this.listen();
  }

  /** Bring the controls to what the view says; `range` are the values of the map that is shown, null where it has words or there is none. */
  refresh(range: [number, number] | null, palette: Palette, most: number): void {
    const { view, say } = this;
    const sides = sidesOf(this.set, view.form);
    this.fill(this.side, sides.length > 1 ? ["", ...sides] : sides, (side) => (side ? say(side === "left" ? "surfaceLeft" : "surfaceRight") : say("surfaceBoth")));
    this.side.closest("p")!.hidden = sides.length < 2;
    for (const name of ["form", "side", "map", "regions"] as const) this[name].value = view[name];
    this.numbers.hidden = range === null;
    this.palette.value = palette;
    this.threshold.max = String(most);
    this.threshold.value = String(view.threshold);
    this.thresholdText.value = shortNumber(view.threshold);
    if (range && document.activeElement !== this.low && document.activeElement !== this.high) [this.low.value, this.high.value] = range.map(shortNumber) as [string, string];
    this.outline.checked = view.outline;
  }

  private listen(): void {
    const { view, changes } = this;
    this.form.addEventListener("change", () => {
      view.form = this.form.value;
      if (!sidesOf(this.set, view.form).includes(view.side)) view.side = "";
      changes.reload();
    });
    this.side.addEventListener("change", () => {
      view.side = this.side.value as Side;
      changes.reload();
    });
    this.map.addEventListener("change", () => {
      Object.assign(view, { map: this.map.value, palette: null, range: null, threshold: 0 });
      changes.reload();
    });
    this.regions.addEventListener("change", () => {
      view.regions = this.regions.value;
      changes.reload();
    });
    this.outline.addEventListener("change", () => {
      view.outline = this.outline.checked;
      changes.recolour();
    });
    this.palette.addEventListener("change", () => {
      view.palette = this.palette.value as Palette;
      changes.recolour();
    });
    this.threshold.addEventListener("input", () => {
      view.threshold = Number(Number(this.threshold.value).toPrecision(3));
      changes.recolour();
    });
    for (const end of [this.low, this.high]) {
      end.addEventListener("change", () => {
        const range = [this.low, this.high].map((input) => input.valueAsNumber) as [number, number];
        if (!range.every(Number.isFinite) || range[0] >= range[1]) return;
        view.range = range;
        changes.recolour();
      });
    }
  }

  private directions(): HTMLElement {
    const buttons = VIEWS.map((direction, at) => {
      const button = make("button", { type: "button", class: "ps-button", "aria-keyshortcuts": at + 1 }, this.say(`surfaceFrom_${direction}`));
      button.addEventListener("click", () => this.changes.lookFrom(direction));
      return button;
    });
    return make("div", { role: "group", "aria-label": this.say("surfaceFrom"), class: "ps-directions" }, ...buttons);
  }

  private saving(): HTMLElement {
    const save = make("button", { type: "button", class: "ps-button" }, this.say("surfaceSave"));
    save.addEventListener("click", () => this.changes.save());
    return make("section", {}, make("p", {}, save), make("p", { class: "ps-quiet" }, this.say("surfaceKeys")));
  }

  private choice<Value extends string>(name: string, values: readonly Value[], title: (value: Value) => string): HTMLSelectElement {
    const select = make("select", { id: `ps-${name}` });
    this.fill(select, values, title);
    return select;
  }

  private fill<Value extends string>(select: HTMLSelectElement, values: readonly Value[], title: (value: Value) => string): void {
    select.replaceChildren(...values.map((value) => make("option", { value }, title(value))));
  }

  private row(word: Word, field: HTMLElement, ...more: HTMLElement[]): HTMLElement {
    return make("p", { class: "ps-row" }, make("label", { for: field.id }, this.say(word)), field, ...more);
  }

  private formName(form: string): string {
    // a form that we have no word for is called as its surface is
    return this.say(`surfaceForm_${form}` as Word) ?? form;
  }
}

export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(3)));
}
