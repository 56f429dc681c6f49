/**
 * The custom element <pulvinar-chart kind="line|bar|histogram" for="ID of a table" columns="0,2">: draws what a table says.
 *
 * Without `for` it draws the table inside of it, or else the one that stands right before or after it. The table stays: it is what screen readers
 * read, and what is there without scripts. `columns` are numbers of columns, all without it; a cell's `data-value` counts before its text.
 */

import { cellValue, chartOption, type ChartKind, type Look, type TableText } from "./option";

const KINDS: readonly string[] = ["line", "bar", "histogram"];
const BAR_PIXELS = 24;

export class PulvinarChart extends HTMLElement {
  private chart: { setOption(option: object, fresh: boolean): void; resize(): void; dispose(): void } | null = null;
  private ended = new AbortController();
  private readonly watch = new ResizeObserver(() => this.chart?.resize());

  connectedCallback(): void {
    this.ended = new AbortController();
    this.setAttribute("role", "img");
    const sees = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      sees.disconnect();
      void this.draw();
    });
    sees.observe(this);
    this.ended.signal.addEventListener("abort", () => sees.disconnect());
    for (const what of ["(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"]) {
      matchMedia(what).addEventListener("change", () => void this.draw(), { signal: this.ended.signal });
    }
    this.place();
  }

  disconnectedCallback(): void {
    this.ended.abort();
    this.watch.disconnect();
    this.chart?.dispose();
    this.chart = null;
  }

  /** Draw what the table says now. */
  async draw(): Promise<void> {
    const table = this.table();
    if (!table) return;
    const text = readTable(table, this.columns());
    this.setAttribute("aria-label", text.caption || (this.getAttribute("aria-label") ?? ""));
    const { init } = await import("./engine");
    if (!this.isConnected) return;
    if (!this.chart) {
      const sheet = document.createElement("div");
      sheet.setAttribute("aria-hidden", "true");
      sheet.style.width = sheet.style.height = "100%";
      this.append(sheet);
      this.chart = init(sheet);
      this.watch.observe(this);
    }
    this.chart.setOption(chartOption(this.kind, text, this.look()), true);
    this.toggleAttribute("drawn", true);
  }

  private get kind(): ChartKind {
    const said = this.getAttribute("kind") ?? "line";
    return (KINDS.includes(said) ? said : "line") as ChartKind;
  }

  private columns(): number[] | null {
    const said = this.getAttribute("columns");
    return said === null ? null : said.split(",").map(Number).filter(Number.isInteger);
  }

  private place(): void {
    this.style.display = "block";
    const table = this.kind === "bar" ? this.table() : null;
    const rows = Math.min(14, Math.max(3, table?.tBodies[0]?.rows.length ?? 0));
    const bars = (this.columns()?.length ?? table?.tHead?.rows[0]?.cells.length ?? 2) - 1;
    this.style.height = table ? `${rows * Math.max(BAR_PIXELS, bars * 14 + 6) + 72}px` : "15rem";
  }

  private table(): HTMLTableElement | null {
    const named = this.getAttribute("for");
    if (named) return document.querySelector<HTMLTableElement>(`table#${CSS.escape(named)}`);
    const near = [this, this.previousElementSibling, this.nextElementSibling];
    for (const element of near) {
      const found = element instanceof HTMLTableElement ? element : element?.querySelector("table");
      if (found) return found;
    }
    return null;
  }

  private look(): Look {
    const { color } = getComputedStyle(this);
    const faint = (share: number) => color.replace(/^rgba?\(([^)]*)\)$/, (_, parts: string) => `rgba(${parts.split(",").slice(0, 3).join(",")}, ${share})`);
    const dark = luminance(color) > 0.5;
    return { ink: color, quiet: faint(0.75), line: faint(0.22), ground: dark ? "#1a2029" : "#ffffff", dark, still: matchMedia("(prefers-reduced-motion: reduce)").matches };
  }
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}

function readTable(table: HTMLTableElement, columns: number[] | null): TableText {
  const chosen = <Cell>(cells: Cell[]) => (columns ? columns.flatMap((at) => cells.slice(at, at + 1)) : cells);
  const texts = (row: HTMLTableRowElement | undefined) => chosen([...(row?.cells ?? [])]);
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  return {
    caption: table.caption?.textContent?.trim() ?? "",
    head: texts(table.tHead?.rows[0]).map((cell) => cell.textContent?.trim() ?? ""),
    rows: rows.map((row) => texts(row).map((cell) => cellValue(cell.dataset.value ?? cell.textContent ?? ""))),
  };
}

if (!customElements.get("pulvinar-chart")) customElements.define("pulvinar-chart", PulvinarChart);
