/** What a measurement shows: a chart and the table that it is drawn from, how to save it, and how the same is done in code. */

import { make } from "../dom";
import type { Recipe } from "../recipes";
import type { ChartKind } from "../charts/option";
import type { Say, Word } from "../words";

export type Cell = string | number | null;

export interface Table {
  caption: string;
  head: readonly string[];
  rows: readonly (readonly Cell[])[];
}

/** Shown digits; a table says all of them to whoever saves it. */
const DIGITS = 5;

export function tableElement({ caption, head, rows }: Table): HTMLTableElement {
  const cells = (row: readonly Cell[]) =>
    row.map((value, at) => {
      const number = typeof value === "number";
      const text = value === null ? "" : number ? shown(value) : value;
      return make(at ? "td" : "th", { scope: at ? undefined : "row", "data-value": number ? value : undefined, class: number ? "pv-number" : undefined }, text);
    });
  return make(
    "table",
    { class: "pv-table" },
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...head.map((text, at) => make("th", { scope: "col", class: typeof rows[0]?.[at] === "number" ? "pv-number" : undefined }, text)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells(row)))),
  );
}

function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(DIGITS)));
}

/** `table` in a box that scrolls by itself, folded where a chart says the same at a glance. */
function scrolled(table: HTMLTableElement, label: string): HTMLElement {
  return make("div", { class: "pv-scroll", tabindex: 0, role: "group", "aria-label": label }, table);
}

/** A chart over its folded table. `columns` are those that are drawn. */
export function chartOver(say: Say, kind: ChartKind, table: Table, columns?: readonly number[]): HTMLElement[] {
  void import("../charts/element");
  const element = tableElement(table);
  element.id = `pv-table-${(serial += 1)}`;
  const chart = make("pulvinar-chart" as "div", { kind, for: element.id, columns: columns?.join(",") });
  return [chart, make("details", { class: "pv-fold" }, make("summary", {}, say("showTable")), scrolled(element, table.caption))];
}

let serial = 0;

export function openTable(table: Table): HTMLElement {
  return scrolled(tableElement(table), table.caption);
}

export function csvLink(say: Say, address: string): HTMLElement {
  return make("a", { class: "pv-small pv-button", href: `${address}&format=csv`, download: "" }, say("saveCsv"));
}

export function recipeFold(say: Say, recipe: Recipe): HTMLElement {
  const parts: [Word, string][] = [["inPython", recipe.python], ["inShell", recipe.cli]];
  const shown = parts.filter(([, text]) => text).flatMap(([word, text]) => [make("p", { class: "pv-quiet" }, say(word)), code(text, say(word))]);
  return make("details", { class: "pv-fold" }, make("summary", {}, say("inCode")), ...shown);
}

function code(text: string, label: string): HTMLElement {
  return make("pre", { class: "pv-code", tabindex: 0, role: "group", "aria-label": label }, make("code", {}, text));
}

/** An answer of the server that is one, or an Error whose message is for people. */
export async function fetched(say: Say, address: string): Promise<Response> {
  const answer = await fetch(address).catch(() => null);
  if (answer?.ok) return answer;
  if (answer?.status === 401) throw new Error(say("signIn"));
  const told = await answer?.json().catch(() => null);
  const { message = say("measureFailed"), hint = "" } = (told?.error ?? {}) as { message?: string; hint?: string };
  throw new Error(hint ? `${message} — ${hint}` : message);
}

export async function ask<Answer>(say: Say, address: string): Promise<Answer> {
  return (await fetched(say, address)).json() as Promise<Answer>;
}

/** A place for one result: what is asked last is what is shown. */
export class Outcome {
  readonly element = make("div", { class: "pv-outcome", "aria-live": "polite" });
  private asked = 0;

  constructor(private readonly say: Say) {}

  /** Show what `work` makes, or why it could not. */
  async show(work: () => Promise<HTMLElement[]>, meanwhile: Word = "measuring"): Promise<void> {
    const mine = (this.asked += 1);
    this.element.replaceChildren(make("p", { class: "pv-quiet" }, this.say(meanwhile)));
    const made = await work().catch((error: Error) => [make("p", { class: "pv-trouble", role: "alert" }, error.message)]);
    if (mine === this.asked) this.element.replaceChildren(...made);
  }

  clear(): void {
    this.asked += 1;
    this.element.replaceChildren();
  }
}
