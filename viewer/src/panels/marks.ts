/** The panel of marks: draw, list and share what people write onto these data, and share the view itself. */

import { make, section } from "../dom";
import { MarksDocument, newId, type Mark, type SaveState } from "../marks/document";
import { filing, sharing, teaching, viewSharing } from "../marks/sharing";
import { middleOf, placesOf, shapeOfMark } from "../marks/shapes";
import { placeText } from "../places";
import type { Scene } from "../scene";
import type { ShapeKind } from "../shapes";
import type { Word } from "../words";
import type { Panel, PanelContext } from "./panel";

const COLOR = "FFD166";

interface Tool {
  kind: Mark["kind"];
  shape: ShapeKind;
  word: Word;
  key: string;
  icon: string;
  /** What it says of a cell: such a tool stays in the hand, since one judges many. */
  verdict?: string;
  color?: string;
}
const TOOLS: readonly Tool[] = [
  { kind: "point", shape: "point", word: "markPoint", key: "1", icon: "•" },
  { kind: "line", shape: "line", word: "markLine", key: "2", icon: "╱" },
  { kind: "box", shape: "box", word: "markBox", key: "3", icon: "▭" },
  { kind: "note", shape: "point", word: "markNote", key: "4", icon: "✎" },
];
/** Colours that are told apart by the colour-blind too (Okabe & Ito 2008). */
const VERDICTS: readonly Tool[] = [
  { kind: "verdict", shape: "point", word: "verdictAccept", key: "5", icon: "✓", verdict: "accept", color: "009E73" },
  { kind: "verdict", shape: "point", word: "verdictReject", key: "6", icon: "✗", verdict: "reject", color: "D55E00" },
  { kind: "verdict", shape: "point", word: "verdictAdd", key: "7", icon: "+", verdict: "add", color: "56B4E9" },
];
const SAID: Record<SaveState, Word | null> = { none: null, saving: "markSaving", saved: "markSaved", offline: "markOffline", refused: "markRefused" };
/** A list that a person could read; the picture shows all. */
const MOST_ROWS = 200;

export function marksPanel(context: PanelContext): Panel | null {
  const [, kind, name] = /^\/(datasets|atlases)\/([^/]+)\/view$/.exec(location.pathname) ?? [];
  if (!kind || !name) return null;
  const panel = new MarksPanel(context, kind === "datasets" ? { dataset: decodeURIComponent(name) } : { atlas: decodeURIComponent(name) });
  return { name: "marks", title: context.say("marks"), element: panel.element, dispose: () => panel.dispose() };
}

/** The cells of this dataset that verdicts are about; what other datasets lend to the picture is judged there. */
export function judged({ layers }: Pick<Scene, "layers">): { asset?: string } {
  const [own] = layers.map(({ source }) => partsOf(source)?.version);
  const cells = layers.find(({ kind, source }) => kind === "points" && partsOf(source)?.version === own);
  const asset = cells && partsOf(cells.source)?.asset;
  return asset ? { asset } : {};
}

function partsOf(source: string): { version: string; asset: string } | null {
  const [, version, asset] = /\/data\/([^/]+)\/([^/]+)\//.exec(source) ?? [];
  return version && asset ? { version, asset } : null;
}

class MarksPanel {
  readonly element = make("div", { class: "pv-marks" });
  private readonly overlay;
  private readonly document: MarksDocument;
  /** Those that this page has: verdicts are about cells. */
  private readonly known: readonly Tool[];
  private readonly tools: HTMLButtonElement[];
  private inHand: Tool | null = null;
  private readonly choice = make("select", { id: "pv-marks-document" });
  private readonly list = make("ul", { class: "pv-marks-list" });
  private readonly state = make("p", { class: "pv-quiet", role: "status" });
  private readonly others = make("p", { class: "pv-quiet" });
  private stop: (() => void) | null = null;

  constructor(
    private readonly context: PanelContext,
    place: { dataset?: string; atlas?: string },
  ) {
    const { say, explorer, scene } = context;
    this.overlay = explorer.overlay("marks", `#${COLOR}`);
    this.document = new MarksDocument({ ...place, ...(place.dataset ? judged(scene) : {}) }, `${say("marks")}: ${scene.title}`.slice(0, 200), () => this.show());
    const judges = scene.layers.some(({ kind }) => kind === "points");
    this.known = judges ? [...TOOLS, ...VERDICTS] : TOOLS;
    this.tools = this.known.map((tool) => this.tool(tool));
    const undo = this.button("markUndo", "Ctrl+Z", () => void this.document.undo());
    const redo = this.button("markRedo", "Ctrl+Shift+Z", () => void this.document.redo());
    const bar = make("div", { class: "pv-marks-tools", role: "toolbar", "aria-label": say("marks") }, ...this.tools.slice(0, TOOLS.length), undo, redo);
    const verdicts = make("div", { class: "pv-marks-tools", role: "toolbar", "aria-label": say("verdicts") }, ...this.tools.slice(TOOLS.length));
    const teach = teaching(context, () => this.document.info, () => this.document.saved());
    const judging = judges ? [make("p", { class: "pv-quiet" }, say("verdictHint")), verdicts, teach] : [];
    const chosen = make("div", { class: "pv-row" }, make("label", { for: this.choice.id }, say("markDocument")), this.choice);
    this.element.append(
      section(say("marks"), bar, make("p", { class: "pv-quiet" }, say("markDrawHint")), ...judging, chosen, this.state, this.others, this.list),
      sharing(context, () => this.document.info),
      filing(context, () => this.document.info, () => this.document.sync()),
      viewSharing(context, () => this.document.info),
    );
    this.choice.addEventListener("change", () => void this.open(this.choice.value));
    document.addEventListener("keydown", this.keys);
    this.overlay.onChange((id, shape) => this.moved(id, placesOf(shape)));
    void this.begin();
  }

  dispose(): void {
    document.removeEventListener("keydown", this.keys);
    this.document.dispose();
    this.overlay.dispose();
  }

  private async begin(): Promise<void> {
    const asked = new URLSearchParams(location.hash.slice(1)).get("marks");
    await this.open(asked ?? undefined);
  }

  /** Open a document by name, the newest that one may write without one; "" begins another. */
  private async open(wanted: string | undefined): Promise<void> {
    const known = await this.document.list().catch(() => []);
    const found = wanted === undefined ? known.find((one) => ["write", "share", "administer"].includes(one.right)) : known.find((one) => one.id === wanted);
    const options = known.map((one) => make("option", { value: one.id, selected: one === found }, one.by ? `${one.title} (${one.by})` : one.title));
    this.choice.replaceChildren(make("option", { value: "", selected: !found }, this.context.say("markNew")), ...options);
    await this.document.open(found ?? null);
  }

  /** Have the choice say which document is open, a new one too. */
  private choose(): void {
    const { info } = this.document;
    if (info && ![...this.choice.options].some(({ value }) => value === info.id)) this.choice.append(make("option", { value: info.id }, info.title));
    this.choice.value = info?.id ?? "";
  }

  private button(word: Word, key: string, action: () => void, icon?: string): HTMLButtonElement {
    const text = this.context.say(word);
    const button = make("button", { type: "button", class: "pv-small", "data-action": word, title: `${text} (${key})` }, icon ? `${icon} ${text}` : text);
    button.addEventListener("click", action);
    return button;
  }

  private tool(tool: Tool): HTMLButtonElement {
    const button = this.button(tool.word, tool.key, () => this.take(tool), tool.icon);
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-keyshortcuts", tool.key);
    return button;
  }

  /** Take a tool into the hand, or lay it down where it is there. */
  private take(tool: Tool): void {
    const again = this.inHand === tool;
    this.stop?.();
    this.hold(null);
    if (!again) this.draw(tool);
  }

  private hold(tool: Tool | null): void {
    this.inHand = tool;
    if (!tool) this.stop = null;
    this.known.forEach((one, at) => this.tools[at]!.setAttribute("aria-pressed", String(one === tool)));
  }

  private draw(tool: Tool): void {
    this.hold(tool);
    this.stop = this.overlay.draw(tool.shape, (drawn) => {
      const shape = drawn ? this.overlay.get(drawn) : undefined;
      if (this.inHand === tool) this.hold(null);
      if (!drawn || !shape) return;
      this.overlay.remove(drawn);
      this.write(tool, placesOf(shape));
      if (tool.verdict) this.draw(tool);
    });
  }

  private write({ kind, verdict, color = COLOR }: Tool, places_um: Mark["places_um"]): void {
    const id = newId();
    const text = kind === "note" ? this.context.say("markNote") : "";
    this.document.change({ [id]: { kind, places_um, color, ...(text ? { text } : {}), ...(verdict ? { verdict } : {}) } });
    if (text) this.list.querySelector<HTMLInputElement>(`[data-mark="${id}"] input[type=text]`)?.select();
  }

  private moved(id: string, places_um: Mark["places_um"]): void {
    const mark = this.document.marks.get(id);
    if (mark) this.document.change({ [id]: { ...mark, places_um } });
  }

  private readonly keys = (event: KeyboardEvent): void => {
    const { target } = event;
    if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return;
    if (this.element.closest<HTMLElement>("[role=tabpanel]")?.hidden) return;
    const at = event.altKey || event.ctrlKey || event.metaKey ? -1 : this.known.findIndex(({ key }) => key === event.key);
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") void (event.shiftKey ? this.document.redo() : this.document.undo());
    else if (at >= 0) this.take(this.known[at]!);
    else return;
    event.preventDefault();
  };

  private show(): void {
    const { say } = this.context;
    const { marks, state } = this.document;
    for (const [id] of this.overlay.shapes()) if (!marks.has(id) && !id.startsWith("marks-")) this.overlay.remove(id);
    for (const [id, mark] of marks) this.overlay.set(id, shapeOfMark(mark), `#${mark.color || COLOR}`);
    this.choose();
    const word = SAID[state];
    const said = this.document.trouble ? `${say("markTakenBack")} ${this.document.trouble}` : word ? say(word) : "";
    if (this.state.textContent !== said) this.state.textContent = said;
    const present = this.document.present();
    this.others.textContent = present.length ? `${say("markOthers")} ${present.join(", ")}` : "";
    for (const tool of this.tools) tool.disabled = !this.document.mayWrite;
    // whoever types in a row is not interrupted
    if (this.list.contains(document.activeElement) && document.activeElement instanceof HTMLInputElement) return;
    const rows = [...marks].slice(-MOST_ROWS).reverse().map(([id, mark]) => this.row(id, mark));
    this.list.replaceChildren(...(rows.length ? rows : [make("li", { class: "pv-quiet" }, say("markNone"))]));
  }

  private row(id: string, mark: Mark): HTMLElement {
    const { say, explorer, unit } = this.context;
    const verdict = VERDICTS.find((one) => one.verdict === mark.verdict);
    const where = `${verdict ? `${say(verdict.word)} ` : ""}${placeText(middleOf(mark), unit)}`;
    const called = mark.text || where;
    const color = make("input", { type: "color", value: `#${mark.color || COLOR}`, "aria-label": `${say("color")}: ${called}` });
    color.addEventListener("change", () => this.edit(id, { color: color.value.slice(1).toUpperCase() }));
    const text = make("input", { type: "text", value: mark.text ?? "", placeholder: where, maxlength: 2000, "aria-label": `${say("markText")}: ${where}` });
    text.addEventListener("change", () => this.edit(id, { text: text.value.trim() || (mark.kind === "note" ? say("markNote") : "") }));
    const go = make("button", { type: "button", class: "pv-small", "aria-label": `${say("markGo")}: ${called}` }, "→");
    go.addEventListener("click", () => explorer.setPosition(middleOf(mark)));
    const remove = make("button", { type: "button", class: "pv-small", "aria-label": `${say("markDelete")}: ${called}` }, "×");
    remove.addEventListener("click", () => this.document.change({ [id]: null }));
    return make("li", { "data-mark": id }, color, text, go, remove);
  }

  private edit(id: string, said: Partial<Mark>): void {
    const mark = this.document.marks.get(id);
    if (mark) this.document.change({ [id]: { ...mark, ...said } });
  }
}
