/** What lies in a box that a person draws or types: statistics, a search, a cut-out, the way to solutions. */

import { boxBetween, boxQuestion, type Box } from "../box";
import { make, section } from "../dom";
import { assetAddress, boxAddress, sizeText, solutionsAddress, targetsOf, type Target } from "../measure";
import { placeText, readPlace } from "../places";
import { boxRecipe } from "../recipes";
import type { Word } from "../words";
import { button, chosenLevel, field, levelChoice, levelNote, targetChoice } from "./analyseFields";
import { Outcome, ask, chartOver, csvLink, openTable, recipeFold, type Table } from "./analyseResult";
import type { PanelContext } from "./panel";

interface ChannelFigures {
  name: string;
  count: number;
  not_finite: number;
  mean: number | null;
  sd: number | null;
  minimum: number | null;
  median: number | null;
  maximum: number | null;
  edges: number[];
  counts: number[];
}

interface BoxFigures {
  level: number;
  voxels: number;
  volume_mm3: number;
  channels: ChannelFigures[];
  labels: { label: number; voxels: number; volume_mm3: number }[];
}

interface BoxLevels {
  levels: { level: number; start: number[]; stop: number[]; size_bytes: number; fits: boolean }[];
}

const CORNERS: readonly Word[] = ["boxFirst", "boxSecond"];
const FORMATS: readonly [value: string, name: string][] = [["nii.gz", "NIfTI"], ["tif", "TIFF"], ["npy", "NumPy"], ["zarr", "Zarr"]];
const MOST_LABELS = 100;

export class BoxTool {
  readonly section: HTMLElement;
  private readonly corners = CORNERS.map(() => make("input", { type: "text", spellcheck: "false", autocomplete: "off" }));
  private readonly targets: Target[];
  private readonly target: HTMLSelectElement;
  private readonly level: HTMLSelectElement;
  private readonly link: HTMLAnchorElement;
  private readonly run: HTMLAnchorElement;
  private readonly said: HTMLElement;
  private readonly draw: HTMLButtonElement;
  private readonly tools: HTMLElement;
  private readonly outcome: Outcome;
  private readonly overlay;
  private box: Box | null = null;
  private stop: (() => void) | null = null;

  constructor(private readonly context: PanelContext) {
    const { say, explorer, scene } = context;
    this.overlay = explorer.overlay("box", "#FFD166");
    this.outcome = new Outcome(say);
    this.targets = targetsOf(scene, ["image", "labels"]);
    this.target = targetChoice(this.targets);
    this.level = levelChoice(say);
    this.draw = make("button", { type: "button", class: "pv-small", "data-action": "boxDraw", "aria-pressed": "false" }, say("boxDraw"));
    this.draw.addEventListener("click", () => (this.stop ? this.stop() : this.begin()));
    this.link = make("a", { class: "pv-box-link", hidden: true }, say("boxSearch"));
    this.said = make("p", { class: "pv-quiet" }, say("boxNone"));
    this.run = make("a", { class: "pv-box-link" }, say("boxRun"));
    this.target.addEventListener("change", () => this.follow());
    this.tools = make(
      "div",
      { hidden: true },
      field(say("measureOf"), this.target),
      field(say("measureLevel"), this.level),
      make("div", { class: "pv-row" }, button(say("boxStatistics"), "boxStatistics", () => this.measure()), button(say("boxCut"), "boxCut", () => this.cut())),
      make("p", {}, this.run),
    );
    const rows = CORNERS.map((_, index) => this.cornerRow(index));
    this.section = section(say("box"), this.draw, make("p", { class: "pv-quiet" }, say("boxDrawHint")), ...rows, this.said, this.link, this.tools, this.outcome.element);
    this.section.classList.add("pv-box");
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
    const { search } = this.context.scene;
    this.box = box;
    this.overlay.clear();
    this.outcome.clear();
    if (box) this.overlay.add({ kind: "box", ...box });
    this.said.hidden = box !== null;
    this.link.hidden = box === null || search === null;
    this.tools.hidden = box === null || this.targets.length === 0;
    if (box && search) this.link.href = `${search.address}?q=${encodeURIComponent(boxQuestion(box, search))}`;
    this.follow();
  }

  /** Where solutions can be started that work in the box alone. */
  private follow(): void {
    const [target, box] = this.chosen() ?? [];
    this.run.hidden = target?.kind !== "image";
    if (target && box) this.run.href = solutionsAddress(target, box);
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

  private chosen(): [Target, Box] | null {
    const target = this.targets.find(({ asset }) => asset === this.target.value);
    return target && this.box ? [target, this.box] : null;
  }

  private measure(): void {
    const [target, box] = this.chosen() ?? [];
    if (!target || !box) return;
    const { say } = this.context;
    const level = chosenLevel(this.level);
    const address = boxAddress(target, "statistics", box, level);
    void this.outcome.show(async () => {
      const told = await ask<BoxFigures>(say, address);
      const shown = told.channels.length ? this.figures(target, told) : chartOver(say, "bar", this.labelTable(target, told), [0, 1]);
      return [...shown, levelNote(say, told.level), csvLink(say, address), recipeFold(say, boxRecipe(location.origin, target, box, level))];
    });
  }

  private figures(target: Target, told: BoxFigures): HTMLElement[] {
    const { say } = this.context;
    const rows: [Word, (channel: ChannelFigures) => number | null][] = [
      ["measureVoxels", ({ count }) => count],
      ["meanOf", ({ mean }) => mean],
      ["sdOf", ({ sd }) => sd],
      ["measureMinimum", ({ minimum }) => minimum],
      ["measureMedian", ({ median }) => median],
      ["measureMaximum", ({ maximum }) => maximum],
    ];
    if (told.channels.some((channel) => channel.not_finite)) rows.push(["notFinite", (channel) => channel.not_finite]);
    const table: Table = {
      caption: `${target.name} · ${say("volumeMm3")} ${Number(told.volume_mm3.toPrecision(5))}`,
      head: [say("measureChannel"), ...told.channels.map(({ name }) => name)],
      rows: rows.map(([word, pick]) => [say(word), ...told.channels.map(pick)]),
    };
    const bins = told.channels.flatMap((channel) => chartOver(say, "histogram", this.histogram(channel)));
    return [openTable(table), ...bins];
  }

  private histogram({ name, edges, counts }: ChannelFigures): Table {
    const { say } = this.context;
    return {
      caption: `${say("measureHistogram")}: ${name}`,
      head: [say("binFrom"), say("binTo"), say("measureVoxels")],
      rows: counts.map((count, at) => [edges[at]!, edges[at + 1]!, count]),
    };
  }

  private labelTable(target: Target, told: BoxFigures): Table {
    const { say } = this.context;
    return {
      caption: target.name,
      head: [say("measureLabel"), say("measureVoxels"), say("volumeMm3")],
      rows: told.labels.slice(0, MOST_LABELS).map(({ label, voxels, volume_mm3 }) => [String(label), voxels, volume_mm3]),
    };
  }

  /** Offer the box as a file: each level with its size, and what is too large said so. */
  private cut(): void {
    const [target, box] = this.chosen() ?? [];
    if (!target || !box) return;
    const { say } = this.context;
    void this.outcome.show(async () => {
      const { levels } = await ask<BoxLevels>(say, boxAddress(target, "box", box));
      const options = levels.map(({ level, size_bytes, fits }) =>
        make("option", { value: level, disabled: !fits }, `${level} · ${sizeText(size_bytes)}${fits ? "" : ` (${say("cutTooLarge")})`}`),
      );
      const level = make("select", {}, ...options);
      level.value = String(levels.find(({ fits }) => fits)?.level ?? "");
      const format = make("select", {}, ...FORMATS.map(([value, name]) => make("option", { value }, name)));
      const save = make("a", { class: "pv-small pv-button", download: "" }, say("cutSave"));
      const follow = () => {
        const found = levels.find((one) => String(one.level) === level.value);
        save.hidden = !found;
        if (!found) return;
        const query = new URLSearchParams({ level: level.value, start: found.start.join(), stop: found.stop.join(), format: format.value });
        save.href = `${assetAddress(target)}/cutout?${query}`;
      };
      for (const choice of [level, format]) choice.addEventListener("change", follow);
      follow();
      return [field(say("cutLevel"), level), field(say("cutFormat"), format), save];
    });
  }
}
