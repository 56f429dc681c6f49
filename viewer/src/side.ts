/** What stands beside the picture: one panel at a time, chosen by tabs (as WAI-ARIA has them), which can be folded away. */

import { make, makeDrawing } from "./dom";
import type { Panel } from "./panels/panel";
import { panelHelp } from "./panelHelp";
import type { Say } from "./words";

/** Strokes on a field of 24 by 24. */
const ICONS: Record<string, string> = {
  layers: "M12 3 3 8l9 5 9-5-9-5M3 12l9 5 9-5M3 16l9 5 9-5",
  regions: "M12 4a4 4 0 0 0-4 3 4 4 0 0 0-3 6 4 4 0 0 0 3 6 4 4 0 0 0 4 1V4M12 4a4 4 0 0 1 4 3 4 4 0 0 1 3 6 4 4 0 0 1-3 6 4 4 0 0 1-4 1",
  analyse: "M4 20V4M4 20h16M8 16v-5M12 16V7M16 16v-7",
  marks: "M12 21s7-6 7-11a7 7 0 0 0-14 0c0 5 7 11 7 11M12 7v6M9 10h6",
  view: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
};

export class Side {
  readonly element = make("div", { class: "pv-side" });
  private readonly tabs: HTMLButtonElement[];
  private readonly bodies: HTMLElement[];

  constructor(
    readonly panels: readonly Panel[],
    say: Say,
  ) {
    this.tabs = panels.map((panel, index) => this.tab(panel, index));
    this.bodies = panels.map(({ name, element }) =>
      make("div", { class: "pv-body", id: `pv-panel-${name}`, role: "tabpanel", tabindex: 0, "aria-labelledby": `pv-tab-${name}` }, ...panelHelp(name, say), element),
    );
    const list = make("div", { class: "pv-tabs", role: "tablist", "aria-label": say("side") }, ...this.tabs);
    list.addEventListener("keydown", (event) => this.travel(event));
    this.element.append(list, ...this.bodies);
    this.choose(0);
    this.element.classList.add("pv-low");
  }

  /** Show the panel called `name`, unfolded. */
  open(name: string): void {
    const index = this.panels.findIndex((panel) => panel.name === name);
    if (index < 0) return;
    this.element.hidden = false;
    this.element.classList.remove("pv-low");
    this.choose(index);
  }

  /** The name of the panel that is shown. */
  get current(): string {
    return this.panels[this.tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true")]!.name;
  }

  refresh(): void {
    for (const panel of this.panels) panel.refresh?.();
  }

  dispose(): void {
    for (const panel of this.panels) panel.dispose?.();
  }

  private tab({ name, title }: Panel, index: number): HTMLButtonElement {
    const icon = makeDrawing("svg", { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true" });
    icon.append(makeDrawing("path", { d: ICONS[name] ?? "" }));
    const tab = make("button", { type: "button", role: "tab", id: `pv-tab-${name}`, "aria-controls": `pv-panel-${name}` }, icon, make("span", {}, title));
    tab.addEventListener("click", () => {
      // on a phone the tab that is open folds the sheet down to its tabs, and up again
      const open = tab.getAttribute("aria-selected") === "true";
      this.element.classList.toggle("pv-low", open && !this.element.classList.contains("pv-low"));
      this.choose(index);
    });
    return tab;
  }

  private choose(chosen: number): void {
    this.tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
    });
    this.bodies.forEach((body, index) => (body.hidden = index !== chosen));
  }

  private travel(event: KeyboardEvent): void {
    const now = this.tabs.findIndex((tab) => tab === document.activeElement);
    const steps: Record<string, number> = { ArrowRight: now + 1, ArrowLeft: now - 1 + this.tabs.length, Home: 0, End: this.tabs.length - 1 };
    const next = steps[event.key];
    if (now < 0 || next === undefined) return;
    event.preventDefault();
    this.choose(next % this.tabs.length);
    this.tabs[next % this.tabs.length]!.focus();
  }
}
