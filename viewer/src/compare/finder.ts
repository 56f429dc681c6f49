/** A box in which a region of any of the brains is found by name: a combobox as WAI-ARIA has it. */

import { debounce, make } from "../dom";
import type { Language, Say } from "../words";
import type { ChosenRegion } from "./element";

interface Listed {
  id: number;
  name: string;
  name_zh: string;
}

const MOST = 4;

export class RegionFinder {
  readonly element: HTMLElement;
  private readonly input = make("input", {
    type: "search",
    id: "pv-compare-find",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": "pv-compare-found",
  });
  private readonly list = make("ul", { id: "pv-compare-found", role: "listbox", hidden: true });
  private found: ChosenRegion[] = [];
  private at = -1;
  private asked = 0;

  constructor(
    /** The species of each atlas, as a person calls it. */
    private readonly atlases: ReadonlyMap<string, string>,
    say: Say,
    private readonly language: Language,
    private readonly chosen: (region: ChosenRegion) => void,
  ) {
    const label = say("compareFind");
    this.input.placeholder = say("compareFindHint");
    this.list.setAttribute("aria-label", label);
    this.element = make("div", { class: "pv-finder" }, make("label", { for: this.input.id }, label), this.input, this.list);
    this.input.addEventListener("input", debounce(() => void this.search(), 180));
    this.input.addEventListener("keydown", (event) => this.pressed(event));
    this.element.addEventListener("focusout", (event) => {
      if (!this.element.contains(event.relatedTarget as Node | null)) this.offer([]);
    });
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = (event.target as Element).closest("li");
      if (option) this.take([...this.list.children].indexOf(option));
    });
  }

  /** Whether any of the brains has regions to find. */
  get possible(): boolean {
    return this.atlases.size > 0;
  }

  /** Say which region it is that the brains show; null where none is chosen. */
  show(region: ChosenRegion | null): void {
    this.input.value = region?.name ?? "";
  }

  private async search(): Promise<void> {
    const text = this.input.value.trim();
    const serial = (this.asked += 1);
    if (!text) return this.offer([]);
    const found = await Promise.all([...this.atlases.keys()].map((atlas) => this.regionsOf(atlas, text)));
    if (serial === this.asked) this.offer(found.flat());
  }

  private async regionsOf(atlas: string, text: string): Promise<ChosenRegion[]> {
    const query = new URLSearchParams({ q: text, limit: String(MOST) });
    const answer = await fetch(`/api/v1/atlases/${atlas}/regions?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return [];
    const listed = (await answer.json()) as Listed[];
    return listed.map(({ id, name, name_zh }) => ({ atlas, id: String(id), name: this.language === "zh" && name_zh ? name_zh : name }));
  }

  private offer(found: ChosenRegion[]): void {
    this.found = found;
    this.at = -1;
    this.list.hidden = found.length === 0;
    this.input.setAttribute("aria-expanded", String(found.length > 0));
    this.input.removeAttribute("aria-activedescendant");
    this.list.replaceChildren(
      ...found.map(({ name, atlas }, index) => make("li", { role: "option", id: `pv-compare-found-${index}`, "aria-selected": "false" }, name, " ", make("small", {}, `${this.atlases.get(atlas)} · ${atlas}`))),
    );
  }

  private pressed(event: KeyboardEvent): void {
    const count = this.found.length;
    if (event.key === "ArrowDown") this.point((this.at + 1) % Math.max(1, count));
    else if (event.key === "ArrowUp") this.point((this.at - 1 + count) % Math.max(1, count));
    else if (event.key === "Enter") this.take(Math.max(0, this.at));
    else if (event.key === "Escape" && count) this.offer([]);
    else return;
    event.preventDefault();
  }

  private point(at: number): void {
    if (this.found.length === 0) return;
    this.at = at;
    [...this.list.children].forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
    this.input.setAttribute("aria-activedescendant", `pv-compare-found-${at}`);
    this.list.children[at]!.scrollIntoView({ block: "nearest" });
  }

  private take(at: number): void {
    const region = this.found[at];
    if (!region) return;
    this.input.value = region.name;
    this.offer([]);
    this.chosen(region);
  }
}
