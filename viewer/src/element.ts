/** The custom element <pulvinar-viewer scene="..." link="..." lang="..."> */

import { BoxSearch } from "./boxSearch";
import { layerList } from "./controls";
import { debounce, make, makeDrawing } from "./dom";
import type { Cursor, Explorer, PanelEdge, Problem } from "./facade";
import type { Arm } from "./geometry";
import { placeText, readPlace, tidy, unitOf, type Unit } from "./places";
import { fetchRegions, type Region } from "./regions";
import { readScene, type Scene } from "./scene";
import { speaker, type Say, type Word } from "./strings";
import { LAYOUTS, TOGGLES, decodeView, defaultView, encodeView, type Toggle, type View } from "./view";

export class PulvinarViewer extends HTMLElement {
  private say: Say = speaker("en");
  private scene: Scene | null = null;
  private state: View | null = null;
  private regions = new Map<number, Map<string, Region>>();
  private settled = 0;
  private unit: Unit = "µm";

  /** The facade, once something is drawn; tests read voxels and pixels through it. */
  explorer: Explorer | null = null;

  private readonly stage = make("div", { class: "pv-stage" });
  private readonly canvas = make("div", { class: "pv-canvas", tabindex: 0, role: "application" });
  private readonly letters = make("div", { class: "pv-letters", "aria-hidden": "true" });
  private readonly alerts = make("div", { class: "pv-alerts", role: "alert" });
  private readonly status = make("p", { class: "pv-status", role: "status" });
  private readonly bar = make("div", { class: "pv-bar" });
  private readonly side = make("div", { class: "pv-side" });
  private readonly layers = make("div", {});
  private readonly place = make("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  private readonly reading = make("div", { class: "pv-reading" });
  private readonly time = make("input", { type: "range", min: 0, step: 1 });

  connectedCallback(): void {
    this.say = speaker(this.getAttribute("lang") ?? document.documentElement.lang);
    this.stage.append(this.canvas, this.letters, this.alerts);
    this.replaceChildren(this.bar, this.stage, this.side);
    void this.open();
  }

  disconnectedCallback(): void {
    window.clearInterval(this.settled);
    window.removeEventListener("hashchange", this.followLink);
    this.explorer?.dispose();
    this.explorer = null;
  }

  private async open(): Promise<void> {
    this.alerts.replaceChildren();
    this.canvas.setAttribute("aria-label", this.say("panels"));
    try {
      this.scene = readScene(await this.fetchScene());
    } catch (error) {
      this.complain(error instanceof Refused ? error.word : "noScene", true);
      return;
    }
    if (this.scene.layers.length === 0) return this.complain("noData");
    this.state = decodeView(location.hash, this.scene);
    this.unit = unitOf(this.scene);
    // Neuroglancer is large: it comes only when there is something to draw and a way to draw it.
    const { Explorer, canDraw } = await import("./facade");
    if (!canDraw()) return this.complain("noWebgl");
    this.explorer = new Explorer(this.canvas, this.scene, this.state, {
      viewChanged: debounce(() => this.remember(), 250),
      cursorMoved: (cursor) => this.read(cursor),
      panelsMoved: (edges) => this.mark(edges),
      failed: (problem) => this.tell(problem),
    });
    this.build(this.scene);
    this.refresh();
    this.settled = window.setInterval(() => this.showProgress(), 400);
    window.addEventListener("hashchange", this.followLink);
    void this.learnRegions(this.scene);
  }

  private async fetchScene(): Promise<unknown> {
    const answer = await fetch(this.getAttribute("scene") ?? "", { headers: { Accept: "application/json" } });
    if (answer.status === 401) throw new Refused("signIn");
    if (answer.status === 404 || answer.status === 403) throw new Refused("notFound");
    if (!answer.ok) throw new Refused("noScene");
    return answer.json();
  }

  private async learnRegions(scene: Scene): Promise<void> {
    await Promise.all(
      scene.layers.map(async (layer, index) => {
        if (!layer.names) return;
        const regions = await fetchRegions(layer.names).catch(() => new Map<string, Region>());
        this.regions.set(index, regions);
        this.explorer?.setRegionColors(index, new Map([...regions].map(([id, region]) => [id, region.color])));
      }),
    );
  }

  private readonly followLink = (): void => {
    if (!this.scene || !this.explorer) return;
    this.state = decodeView(location.hash, this.scene);
    this.explorer.show(this.state);
    this.refresh();
  };

  private build(scene: Scene): void {
    const { say } = this;
    this.bar.setAttribute("role", "toolbar");
    this.bar.setAttribute("aria-label", say("view"));
    this.bar.append(this.layoutChoice(scene), this.actions());
    this.side.append(
      section(say("cursor"), this.reading),
      section(say("layers"), this.layers),
      section(say("position"), this.placeForm(), ...this.timeRow(scene)),
      ...(scene.search ? [new BoxSearch(this.stage, this.explorer!, scene.search, this.unit, say).section] : []),
      section(say("view"), ...TOGGLES.map((what) => this.toggle(what))),
      this.keyHelp(),
      this.status,
    );
    if (scene.attribution) this.side.append(make("p", { class: "pv-attribution" }, scene.attribution));
    this.readNothing();
    this.canvas.addEventListener("keydown", (event) => this.steer(event));
  }

  private layoutChoice(scene: Scene): HTMLElement {
    const planes: Record<string, Word> = { xy: "coronal", xz: "axial", yz: "sagittal" };
    const group = make("fieldset", { class: "pv-segments" }, make("legend", { class: "pv-hidden" }, this.say("layout")));
    for (const layout of LAYOUTS) {
      const word = layout === "4panel" || layout === "3d" ? this.say(layout) : scene.oriented ? this.say(planes[layout]!) : layout.toUpperCase();
      const input = make("input", { type: "radio", name: "pv-layout", value: layout });
      input.addEventListener("change", () => {
        this.state!.layout = layout;
        this.explorer!.setLayout(layout);
        this.showToggles();
      });
      group.append(make("label", {}, input, make("span", {}, word)));
    }
    return group;
  }

  private actions(): HTMLElement {
    return make(
      "div",
      { class: "pv-actions" },
      this.button("copyLink", () => void this.copyLink()),
      this.button("screenshot", () => void this.savePicture()),
      this.button("reset", () => this.reset()),
    );
  }

  private button(word: Word, action: () => void): HTMLButtonElement {
    const button = make("button", { type: "button", "data-action": word }, this.say(word));
    button.addEventListener("click", action);
    return button;
  }

  private placeForm(): HTMLElement {
    const id = "pv-place";
    this.place.id = id;
    const form = make("form", { class: "pv-place" }, make("label", { for: id }, `${this.say("goto")} (${this.unit})`), this.place, make("button", { class: "pv-small" }, this.say("go")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const place = readPlace(this.place.value, this.unit);
      if (place) this.explorer!.setPosition(place);
      else this.status.textContent = this.say("badPosition");
    });
    return form;
  }

  private timeRow(scene: Scene): HTMLElement[] {
    const times = Math.max(...scene.layers.map((layer) => layer.times));
    if (times < 2) return [];
    this.time.max = String(times - 1);
    this.time.id = "pv-time";
    const shown = make("output", {}, "0");
    this.time.addEventListener("input", () => {
      shown.value = this.time.value;
      this.explorer!.setTime(Number(this.time.value));
    });
    return [make("div", { class: "pv-row" }, make("label", { for: "pv-time" }, this.say("time")), this.time, shown)];
  }

  private toggle(what: Toggle): HTMLElement {
    const box = make("input", { type: "checkbox", "data-toggle": what });
    box.addEventListener("change", () => {
      this.explorer!.setToggle(what, box.checked);
      this.showToggles();
    });
    return make("label", { class: "pv-check" }, box, this.say(what));
  }

  private showToggles(): void {
    for (const box of this.side.querySelectorAll<HTMLInputElement>("[data-toggle]")) box.checked = this.explorer!.toggled(box.dataset.toggle as Toggle);
  }

  private keyHelp(): HTMLElement {
    const rows: [string, Word][] = [
      ["← → ↑ ↓", "keyMove"],
      [", .", "keyStep"],
      ["+ −", "keyZoom"],
      ["R E", "keyTurn"],
      ["Shift + ← → ↑ ↓", "keyTilt"],
    ];
    const list = rows.flatMap(([keys, word]) => [make("dt", {}, make("kbd", {}, keys)), make("dd", {}, this.say(word))]);
    return make("details", { class: "pv-keys" }, make("summary", {}, this.say("keys")), make("dl", {}, ...list), make("p", { class: "pv-quiet" }, this.say("mouse")));
  }

  /** Bring every control to what `state` says. */
  private refresh(): void {
    const { scene, state } = this;
    if (!scene || !state) return;
    this.layers.replaceChildren(
      layerList(scene, state.layers, this.say, (index) => {
        this.explorer!.setLayer(index, state.layers[index]!);
        this.showToggles();
        this.rememberSoon();
      }),
    );
    for (const input of this.bar.querySelectorAll<HTMLInputElement>("input[name=pv-layout]")) input.checked = input.value === state.layout;
    this.showToggles();
    this.time.value = String(state.time);
    this.showPlace();
  }

  private showPlace(): void {
    if (document.activeElement !== this.place) this.place.value = placeText(this.explorer!.position(), this.unit);
  }

  private readonly rememberSoon = debounce(() => this.remember(), 250);

  /** Keep the address in step with the view, so that copying it, or going back to it, gives the same view. */
  private remember(): void {
    if (!this.explorer || !this.scene || !this.state) return;
    const view = this.explorer.view(this.state.layers);
    this.state = view;
    history.replaceState(history.state, "", `#${encodeView(view, this.scene)}`);
    this.showPlace();
  }

  private async copyLink(): Promise<void> {
    this.remember();
    const link = new URL(this.getAttribute("link") ?? location.href, location.href);
    link.hash = location.hash;
    try {
      await navigator.clipboard.writeText(link.href);
      this.status.textContent = this.say("linkCopied");
    } catch {
      this.status.textContent = this.say("linkManual");
    }
  }

  private async savePicture(): Promise<void> {
    const picture = await this.explorer!.picture();
    if (!picture) return;
    const address = URL.createObjectURL(picture);
    make("a", { href: address, download: `${this.scene!.title || "pulvinar"}.png` }).click();
    window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  private reset(): void {
    this.state = defaultView(this.scene!);
    this.explorer!.show(this.state);
    this.refresh();
  }

  /** Keys for whoever comes to the panels by Tab, or has the mouse over one of them; turning a panel under the mouse is Neuroglancer's. */
  private steer(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const explorer = this.explorer!;
    if (event.key === "+" || event.key === "=") explorer.zoom(0.8);
    else if (event.key === "-") explorer.zoom(1.25);
    else if (!this.travel(event)) return;
    event.preventDefault();
  }

  private travel(event: KeyboardEvent): boolean {
    const explorer = this.explorer!;
    const { pixel, section: step } = explorer.scale();
    const stride = Math.max(step, pixel * 12);
    const own = event.target === this.canvas;
    const [across, along] = ARROWS[event.key] ?? [0, 0];
    if (across || along) {
      if (!event.shiftKey) explorer.move(across * stride, along * stride, event.target);
      else if (own) explorer.turn(along * 0.1, -across * 0.1, 0);
    } else if (event.key === "," || event.key === "PageUp") explorer.step(-1, event.target);
    else if (event.key === "." || event.key === "PageDown") explorer.step(1, event.target);
    else if (!own) return false;
    else if (event.key === "r" || event.key === "R") explorer.turn(0, 0, -0.1);
    else if (event.key === "e" || event.key === "E") explorer.turn(0, 0, 0.1);
    else return false;
    return true;
  }

  private read(cursor: Cursor): void {
    if (!cursor.position) return this.readNothing();
    const lines = cursor.readings.map(({ layer, value }) => {
      const id = String(value);
      const name = this.regions.get(layer)?.get(id)?.name;
      const { kind } = this.scene!.layers[layer]!;
      // Labels count from one: zero is where there is no region.
      const region = id === "0" ? this.say("noRegion") : name ? `${name} (${id})` : id;
      const shown = kind === "labels" ? region : typeof value === "number" ? tidy(value) : id;
      return [make("dt", {}, this.scene!.layers[layer]!.name), make("dd", {}, shown)];
    });
    const place = placeText(cursor.position, this.unit);
    this.reading.replaceChildren(make("dl", {}, make("dt", {}, "x, y, z"), make("dd", {}, place), ...lines.flat()));
  }

  private readNothing(): void {
    if (!this.reading.querySelector(".pv-quiet")) this.reading.replaceChildren(make("p", { class: "pv-quiet" }, this.say("outside")));
  }

  private mark(edges: PanelEdge[]): void {
    const marks = edges.flatMap(({ left, top, width, height, letters, compass }): Element[] => {
      if (compass) return [drawCompass(compass, left + width, top + height)];
      if (!letters) return [];
      const spots: [string, number, number][] = [
        [letters.left, left + 16, top + height / 2],
        [letters.right, left + width - 16, top + height / 2],
        [letters.top, left + width / 2, top + 16],
        [letters.bottom, left + width / 2, top + height - 16],
      ];
      return spots.filter(([text]) => text).map(([text, x, y]) => {
        const mark = make("span", {}, text);
        mark.style.left = `${x}px`;
        mark.style.top = `${y}px`;
        return mark;
      });
    });
    this.letters.replaceChildren(...marks);
  }

  private showProgress(): void {
    const ready = this.explorer?.isReady() ?? false;
    this.stage.classList.toggle("pv-busy", !ready);
    this.toggleAttribute("ready", ready);
  }

  private tell(problem: Problem): void {
    if (problem.status === 401) return this.complain("signIn", true);
    if (problem.layer === null) return this.complain(problem.status === 404 ? "notFound" : "brokenChunks", true);
    const name = this.scene!.layers[problem.layer]?.name ?? "";
    this.complain(problem.status === 404 ? "notFound" : "brokenSource", true, name);
  }

  private complain(word: Word, again = false, subject = ""): void {
    const text = subject ? `${subject}: ${this.say(word)}` : this.say(word);
    if ([...this.alerts.children].some((alert) => alert.firstChild?.textContent === text)) return;
    const alert = make("div", { class: "pv-alert" }, make("p", {}, text));
    if (again) {
      const button = make("button", { type: "button", class: "pv-small" }, this.say("retry"));
      button.addEventListener("click", () => location.reload());
      alert.append(button);
    }
    this.alerts.append(alert);
  }
}

const ARM_PIXELS = 30;

/** The cross of directions, in the corner that ends at (`right`, `bottom`). */
function drawCompass(arms: Arm[], right: number, bottom: number): SVGElement {
  const side = 2 * ARM_PIXELS + 32;
  const cross = makeDrawing("svg", { class: "pv-compass", width: side, height: side });
  cross.style.left = `${right - side - 4}px`;
  cross.style.top = `${bottom - side - 4}px`;
  const at = (part: number, reach: number) => side / 2 + part * reach;
  for (const arm of arms) {
    const fade = arm.away > 0.15 ? 0.55 : 1;
    cross.append(makeDrawing("line", { x1: side / 2, y1: side / 2, x2: at(arm.right, ARM_PIXELS - 8), y2: at(arm.down, ARM_PIXELS - 8), opacity: fade }));
    // An arm along the line of sight has no place for its letter.
    if (Math.hypot(arm.right, arm.down) < 0.3) continue;
    const letter = makeDrawing("text", { x: at(arm.right, ARM_PIXELS), y: at(arm.down, ARM_PIXELS), opacity: fade });
    letter.textContent = arm.text;
    cross.append(letter);
  }
  return cross;
}

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The server's answer, as the word to say about it. */
class Refused extends Error {
  constructor(readonly word: Word) {
    super(word);
  }
}

function section(title: string, ...children: HTMLElement[]): HTMLElement {
  return make("section", {}, make("h2", {}, title), ...children);
}
