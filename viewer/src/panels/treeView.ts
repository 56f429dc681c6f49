/** A tree of regions that keyboards and screen readers know: WAI-ARIA's tree, of which only the lines in sight of their parents exist. */

import { make } from "../dom";
import type { RegionTree, Row } from "../regionTree";

export interface TreeListener {
  /** Somebody switched a region on or off. */
  toggled(id: string): void;
  /** Somebody stands on another line. */
  reached(id: string): void;
}

/** A name without what an acronym leaves out. */
function bare(text: string): string {
  return text.replace(/[\s_,-]/g, "").toLowerCase();
}

export class TreeView {
  readonly element = make("ul", { role: "tree", class: "pv-tree", "aria-multiselectable": "true" });
  private tree: RegionTree | null = null;
  private readonly open = new Set<string>();
  private kept: ReadonlySet<string> | null = null;
  private current: string | null = null;
  private chosen: readonly string[] = [];

  constructor(
    label: string,
    private readonly listener: TreeListener,
  ) {
    this.element.setAttribute("aria-label", label);
    this.element.addEventListener("click", (event) => this.clicked(event.target as Element));
    this.element.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Show another tree, with its first levels open. */
  show(tree: RegionTree): void {
    this.tree = tree;
    for (let ids = tree.children(null), depth = 0; ids.length > 0 && ids.length < 12 && depth < 3; depth += 1) {
      for (const id of ids) this.open.add(id);
      ids = ids.flatMap((id) => tree.children(id));
    }
    this.draw();
  }

  /** Show only these lines, with `open` ones open; null shows all. */
  filter(kept: ReadonlySet<string> | null, open: Iterable<string> = []): void {
    this.kept = kept;
    for (const id of open) this.open.add(id);
    this.draw();
  }

  /** Mark what is chosen. */
  mark(chosen: readonly string[]): void {
    this.chosen = chosen;
    this.draw();
  }

  /** Open what holds a region, and bring its line into sight. */
  reveal(id: string, focus = false): void {
    if (!this.tree?.regions.has(id)) return;
    for (const above of this.tree.ancestors(id)) this.open.add(above);
    if (this.kept && !this.kept.has(id)) this.kept = null;
    this.current = id;
    this.draw();
    const line = this.line(id);
    line?.scrollIntoView({ block: "nearest" });
    if (focus) line?.focus();
    this.listener.reached(id);
  }

  private line(id: string): HTMLElement | null {
    return this.element.querySelector(`[data-id="${id}"]`);
  }

  private draw(): void {
    const { tree } = this;
    if (!tree) return;
    const rows = tree.rows(this.open, this.kept);
    if (!rows.some(({ id }) => id === this.current)) this.current = rows[0]?.id ?? null;
    const focused = this.element.contains(document.activeElement);
    this.element.replaceChildren(...rows.map((row) => this.item(tree, row)));
    if (focused && this.current) this.line(this.current)?.focus();
  }

  private item(tree: RegionTree, { id, level, position, count, open }: Row): HTMLElement {
    const { name, color, also, acronym } = tree.regions.get(id)!;
    const swatch = make("span", { class: "pv-swatch", "aria-hidden": "true" });
    if (color) swatch.style.setProperty("--tone", color);
    const chosen = this.chosen.includes(id);
    const implied = !chosen && tree.implied(id, this.chosen);
    const item = make(
      "li",
      {
        role: "treeitem",
        class: `pv-branch${implied ? " pv-implied" : ""}`,
        "data-id": id,
        "aria-level": level,
        "aria-setsize": count,
        "aria-posinset": position,
        "aria-selected": String(chosen || implied),
        "aria-expanded": open === null ? undefined : String(open),
        tabindex: id === this.current ? 0 : -1,
      },
      make("span", { class: "pv-twist", "aria-hidden": "true" }),
      swatch,
      make("span", { class: "pv-branch-name" }, name, ...(acronym && bare(acronym) !== bare(name) ? [make("small", {}, acronym)] : [])),
    );
    if (also) item.title = also;
    item.style.setProperty("--level", String(level - 1));
    return item;
  }

  private clicked(target: Element): void {
    const item = target.closest<HTMLElement>("[data-id]");
    if (!item) return;
    const id = item.dataset.id!;
    this.current = id;
    if (target.closest(".pv-twist") && item.hasAttribute("aria-expanded")) this.fold(id, !this.open.has(id));
    else this.listener.toggled(id);
    this.line(id)?.focus({ preventScroll: true });
    this.listener.reached(id);
  }

  private fold(id: string, open: boolean): void {
    if (open) this.open.add(id);
    else this.open.delete(id);
    this.draw();
  }

  private pressed(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.tree || !this.current) return;
    const rows = this.tree.rows(this.open, this.kept);
    const at = rows.findIndex(({ id }) => id === this.current);
    const row = rows[at];
    if (!row) return;
    if (event.key === "Enter" || event.key === " ") this.listener.toggled(row.id);
    else if (event.key === "ArrowRight" && row.open === false) this.fold(row.id, true);
    else if (event.key === "ArrowLeft" && row.open) this.fold(row.id, false);
    else {
      const next = this.next(event.key, rows, at);
      if (next === undefined) return;
      this.travel(next);
    }
    event.preventDefault();
  }

  private next(key: string, rows: Row[], at: number): string | undefined {
    const row = rows[at]!;
    const steps: Record<string, string | undefined> = {
      ArrowDown: rows[at + 1]?.id,
      ArrowUp: rows[at - 1]?.id,
      ArrowRight: row.open ? rows[at + 1]?.id : undefined,
      ArrowLeft: this.tree!.ancestors(row.id)[0],
      Home: rows[0]?.id,
      End: rows.at(-1)?.id,
    };
    if (key in steps) return steps[key] ?? row.id;
    if (key.length !== 1) return undefined;
    const after = [...rows.slice(at + 1), ...rows.slice(0, at + 1)];
    return after.find(({ id }) => this.tree!.regions.get(id)!.name.toLowerCase().startsWith(key.toLowerCase()))?.id;
  }

  private travel(id: string): void {
    for (const item of this.element.querySelectorAll<HTMLElement>('[tabindex="0"]')) item.tabIndex = -1;
    this.current = id;
    const line = this.line(id);
    if (line) line.tabIndex = 0;
    line?.focus();
    this.listener.reached(id);
  }
}
