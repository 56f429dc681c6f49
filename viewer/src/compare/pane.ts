/** One brain among several: its viewer, and what its head says of the region that it shows. */

import { make } from "../dom";
import type { PulvinarViewer } from "../element";
import { LineTool } from "../panels/analyseLine";
import type { Extent } from "../regionDisplay";
import type { Language, Say } from "../words";
import type { ChosenRegion } from "./element";

interface Counterpart {
  sentence: string;
  source: string;
  region: { id: number; name: string; name_zh: string; extent: Extent | null };
}

export class Pane {
  readonly viewer: PulvinarViewer;
  readonly atlas: string | null;
  readonly title: string;
  readonly species: string;
  private readonly said: HTMLElement;
  private readonly ending = make("span", { class: "pv-pane-ends" });
  private regions: string[] = [];
  /** The line that is measured in this brain, under its picture; null while nobody measures. */
  private line: LineTool | null = null;
  private readonly tool = make("div", { class: "pv-pane-tool", hidden: true });
  private readonly measure: HTMLButtonElement;

  constructor(
    readonly section: HTMLElement,
    view: string,
    private readonly say: Say,
    private readonly language: Language,
  ) {
    this.viewer = section.querySelector<PulvinarViewer>("pulvinar-viewer")!;
    this.atlas = section.dataset.atlas ?? null;
    this.title = section.querySelector("h2")?.textContent ?? "";
    this.species = section.querySelector(".pv-pane-species")?.textContent ?? "";
    this.said = section.querySelector<HTMLElement>(".pv-pane-said")!;
    if (view) this.viewer.setAttribute("view", view);
    this.tool.id = `${section.dataset.brain}-line`;
    this.measure = make("button", { type: "button", class: "pv-small", "data-action": "compareMeasure", "aria-expanded": "false", "aria-controls": this.tool.id }, say("compareMeasure"));
    this.measure.addEventListener("click", () => (this.line ? this.close() : this.open()?.begin()));
    this.said.after(this.measure);
    section.append(this.tool);
    // another scene has other layers: the tool is made for them, and finds its line in the view
    this.viewer.addEventListener("pv-build", () => (this.line || this.viewer.context?.view().line) && this.open());
  }

  /** Unfold the tool that measures a line; null while nothing is drawn. */
  private open(): LineTool | null {
    const { context } = this.viewer;
    if (!context) return null;
    this.line?.dispose();
    this.line = new LineTool(context, (outcome) => outcome.scrollIntoView({ block: "nearest" }));
    this.tool.replaceChildren(this.line.section);
    this.shown(true);
    return this.line;
  }

  private close(): void {
    this.line?.dispose();
    this.line = null;
    this.viewer.context?.explorer.note({ line: null });
    this.shown(false);
  }

  private shown(on: boolean): void {
    this.tool.hidden = !on;
    this.measure.setAttribute("aria-expanded", String(on));
  }

  /** Take over what the page was opened with: a region whose place no view tells is framed. */
  async settle(region: ChosenRegion | null): Promise<void> {
    const display = await this.viewer.known();
    this.regions = [...this.viewer.select.ids];
    this.said.append(this.ending);
    if (!region && this.atlas && !this.said.textContent) this.tell(make("span", {}, this.say("compareChoose")));
    if (!region || !this.atlas) return;
    if (this.regions.length === 0 && !this.said.querySelector("a")) this.tell(make("span", {}, this.say("compareNone")));
    else if (!this.viewer.hasAttribute("view")) await display?.goTo(this.regions[0]!);
  }

  /** Show what stands for `region` here, in the middle and large enough. */
  async choose(region: ChosenRegion): Promise<void> {
    const display = await this.viewer.known();
    if (!this.atlas || !display) return;
    const address = `/api/v1/atlases/${region.atlas}/regions/${region.id}/counterparts?other=${this.atlas}`;
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    const found = answer.ok ? ((await answer.json()) as Counterpart[]) : [];
    this.regions = found.map((one) => String(one.region.id));
    this.viewer.select.set(this.regions);
    display.apply({ only: this.regions.length > 0 });
    const shown = found.find((one) => one.region.extent);
    display.frame(shown?.region.extent ?? null);
    const parts = found.flatMap((one, index) => [...(index ? [", "] : []), this.link(one), ...(one.sentence ? [" ", make("span", { title: one.source }, one.sentence)] : [])]);
    const missing = found.length ? (shown ? "" : ` ${this.say("compareVoxels")}`) : this.say("compareNone");
    this.tell(...parts, missing);
  }

  /** Show the neurons that end in what is shown of the brain, or none. */
  async showEnds(on: boolean): Promise<void> {
    if (this.atlas) await this.viewer.ask("ends", on ? this.regions : []);
  }

  /** Say how many neurons end in what is shown. */
  sayEnds(on: boolean): void {
    const count = this.viewer.explorer?.scene.layers.reduce((sum, { neurons }) => sum + (neurons?.count ?? 0), 0) ?? 0;
    const known = on && this.atlas && this.regions.length > 0;
    this.ending.textContent = known ? ` · ${count ? `${this.say("compareEnds")}: ${count}` : this.say("compareEndsNone")}` : "";
  }

  private link({ region }: Counterpart): HTMLElement {
    const name = this.language === "zh" && region.name_zh ? region.name_zh : region.name;
    return make("a", { href: `/atlases/${this.atlas}/regions/${region.id}` }, name);
  }

  private tell(...parts: (Node | string)[]): void {
    this.said.replaceChildren(...parts, this.ending);
  }
}
