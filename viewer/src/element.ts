/** The custom element <pulvinar-viewer scene="..." link="..." lang="..." pane>; a pane has no panels of its own and leaves the address alone. */

import { asked, asking, carried } from "./asking";
import { debounce, make } from "./dom";
import type { Explorer, Problem } from "./facade";
import { placePage } from "./box";
import { cameraRotation, type Vector } from "./geometry";
import { steer } from "./keys";
import { canDraw } from "./drawable";
import { letterMarks } from "./letters";
import { waitForServer } from "./connection";
import { isWriting, keyDialog } from "./shortcuts";
import { NeuronDisplay } from "./neuronDisplay";
import { PANELS } from "./panels";
import type { PanelContext } from "./panels/panel";
import { unitOf } from "./places";
import { PointDisplay } from "./pointDisplay";
import { RegionDisplay, atlasOf } from "./regionDisplay";
import type { Region } from "./regions";
import { readScene, type Scene } from "./scene";
import { RegionSelection } from "./selection";
import { Side } from "./side";
import { Strip } from "./strip";
import { LAYOUTS, decodeView, defaultView, encodeView, type Layout, type View } from "./view";
import { languageOf, speaker, type Say, type Word } from "./words";

/** Where the line stands that says that something is loading, in percent of its way, one after the other. */
const SWEEP = [-60, -30, 0, 30, 60];

export class PulvinarViewer extends HTMLElement {
  private say: Say = speaker("en");
  private scene: Scene | null = null;
  private state: View | null = null;
  private settled = 0;
  private swept = 0;
  private side: Side | null = null;
  private strip: Strip | null = null;
  /** How the camera stood before a turntable began. */
  private spinning: ReturnType<typeof cameraRotation> | null = null;

  private display: RegionDisplay | null = null;
  private neurons: NeuronDisplay[] = [];
  private points: PointDisplay[] = [];
  private stopWaiting: (() => void) | null = null;
  private readonly openKeys = keyDialog(this, (word) => this.say(word));
  private learned: Promise<void> = Promise.resolve();

  /** The regions that are chosen. */
  readonly select = new RegionSelection();

  /** What its panels work with, once something is drawn; panes have none of their own, but tools that work alike. */
  context: PanelContext | null = null;

  /** The facade, once something is drawn; tests read voxels and pixels through it. */
  explorer: Explorer | null = null;

  private readonly regions = new Map<number, ReadonlyMap<string, Region>>();
  private readonly stage = make("div", { class: "pv-stage" });
  private readonly canvas = make("div", { class: "pv-canvas", tabindex: 0, role: "application" });
  private readonly letters = make("div", { class: "pv-letters", "aria-hidden": "true" });
  private readonly alerts = make("div", { class: "pv-alerts", role: "alert" });
  private readonly status = make("p", { class: "pv-status", role: "status" });
  private readonly bar = make("div", { class: "pv-bar" });

  connectedCallback(): void {
    this.say = speaker(this.language);
    this.stage.append(this.canvas, this.letters, this.alerts, this.status);
    this.replaceChildren(this.bar, this.stage);
    // neither event goes up the tree, but both come down it
    this.canvas.addEventListener("webglcontextlost", () => this.complain("contextLost", this.button("restore", () => void this.reopen())), true);
    this.canvas.addEventListener("webglcontextrestored", () => void this.reopen(), true);
    if (!this.isPane) document.addEventListener("keydown", this.pressed);
    window.addEventListener("offline", this.lost);
    void this.open();
  }

  disconnectedCallback(): void {
    window.clearInterval(this.settled);
    window.removeEventListener("hashchange", this.followLink);
    window.removeEventListener("offline", this.lost);
    document.removeEventListener("keydown", this.pressed);
    this.stopWaiting?.();
    this.side?.dispose();
    this.display?.dispose();
    this.explorer?.dispose();
    this.explorer = null;
  }

  /** Whether it stands beside others, which share the controls and the address. */
  private get isPane(): boolean {
    return this.hasAttribute("pane");
  }

  /** The view as what stands after the # of an address; a pane opens with what its attribute `view` says. */
  get fragment(): string {
    if (!this.explorer || !this.scene || !this.state) return this.getAttribute("view") ?? "";
    this.state = this.explorer.view(this.state.layers);
    return encodeView(this.state, this.scene);
  }

  get layout(): Layout {
    return this.state?.layout ?? "4panel";
  }

  set layout(layout: Layout) {
    if (!this.state || !this.explorer) return;
    this.state.layout = layout;
    this.explorer.setLayout(layout);
    this.side?.refresh();
  }

  private get language(): string {
    return this.getAttribute("lang") ?? document.documentElement.lang;
  }

  private async open(): Promise<void> {
    this.alerts.replaceChildren();
    this.canvas.setAttribute("aria-label", this.say("panels"));
    try {
      this.scene = readScene(await this.fetchScene());
    } catch (error) {
      if (error instanceof TypeError) return this.lost();
      this.complain(error instanceof Refused ? error.word : "noScene", ...(error instanceof Refused && error.word === "signIn" ? [this.signInLink()] : []), this.retryButton());
      return;
    }
    if (this.scene.layers.length === 0) return this.complain("noData");
    this.state = decodeView(this.isPane ? this.fragment : location.hash, this.scene);
    if (!(await this.draw(this.scene, this.state))) return;
    this.settled = window.setInterval(() => this.showProgress(), 400);
    if (!this.isPane) window.addEventListener("hashchange", this.followLink);
    // who was sent a measurement sees it
    if (this.state.line?.asset) this.side?.open("analyse");
    this.dispatchEvent(new CustomEvent("pv-open"));
  }

  /** Make the pictures; whether this browser can. */
  private async draw(scene: Scene, state: View): Promise<boolean> {
    // Neuroglancer is large: it comes only when there is something to draw and a way to draw it.
    const { Explorer } = await import("./facade");
    if (!canDraw()) {
      this.complain("noWebgl");
      return false;
    }
    this.explorer = new Explorer(this.canvas, scene, state, {
      viewChanged: () => {
        this.dispatchEvent(new CustomEvent("pv-move"));
        this.rememberSoon();
      },
      cursorMoved: (cursor) => this.strip?.read(cursor),
      panelsMoved: (edges) => this.letters.replaceChildren(...letterMarks(edges)),
      failed: (problem) => this.report(problem),
    });
    this.build(scene, this.explorer);
    this.refresh();
    return true;
  }

  /** Draw anew what is seen, after the graphics or the connection were lost: view and panels stay. */
  private async reopen(): Promise<void> {
    this.stopWaiting?.();
    this.stopWaiting = null;
    this.alerts.replaceChildren();
    if (!this.explorer || !this.scene || !this.state) return void this.open();
    this.state = this.explorer.view(this.state.layers);
    const panel = this.side?.current;
    this.explorer.dispose();
    await this.draw(this.scene, this.state);
    if (panel) this.side?.open(panel);
  }

  private async fetchScene(): Promise<unknown> {
    const answer = await fetch(this.getAttribute("scene") ?? "", { headers: { Accept: "application/json" } });
    if (answer.status === 401) throw new Refused("signIn");
    if (answer.status === 404 || answer.status === 403) throw new Refused("notFound");
    if (!answer.ok) throw new Refused("noScene");
    return answer.json();
  }

  /** Names and colours of the regions, and the tree, where there is one. */
  private learnRegions(explorer: Explorer): RegionDisplay {
    this.display?.dispose();
    const display = new RegionDisplay(explorer, this.select, atlasOf(this.getAttribute("scene")!));
    this.select.set(this.state!.regions);
    this.learned = display.learn(languageOf(this.language)).then(() => void this.regions.set(display.layer, display.tree.regions));
    this.learnNeurons(explorer, this.learned.then(() => display.tree.regions));
    return (this.display = display);
  }

  /** What is known of the neurons of each set, which are shown once it is there. */
  private learnNeurons(explorer: Explorer, regions: Promise<ReadonlyMap<string, Region>>): void {
    const sets = explorer.scene.layers.flatMap(({ kind }, index) => (kind === "neurons" ? [new NeuronDisplay(explorer, index)] : []));
    this.neurons = sets;
    this.points = explorer.scene.layers.flatMap(({ kind }, index) => (kind === "points" ? [new PointDisplay(explorer, index)] : []));
    for (const set of sets) void set.learn(regions).then(() => this.neurons === sets && this.refresh());
  }

  /** The regions' names and places, once they are known. */
  async known(): Promise<RegionDisplay | null> {
    await this.learned;
    return this.display;
  }

  /** Ask the scene for other values of `parameter` (region, asset, ends, neurons); null when the server refused. */
  async ask(parameter: string, values: readonly string[]): Promise<Scene | null> {
    if (!this.explorer || !this.scene || !this.state) return null;
    const before = this.getAttribute("scene")!;
    this.setAttribute("scene", asking(before, parameter, values));
    let scene: Scene;
    try {
      scene = readScene(await this.fetchScene());
    } catch (error) {
      this.setAttribute("scene", before);
      this.complain(error instanceof Refused ? error.word : "noScene");
      return null;
    }
    const view = carried(this.explorer.view(this.state.layers), this.scene, scene);
    this.scene = scene;
    this.state = view;
    if (this.hasAttribute("link")) this.setAttribute("link", asking(this.getAttribute("link")!, parameter, values));
    if (!this.isPane) history.replaceState(history.state, "", asking(location.href, parameter, values));
    this.explorer.replace(scene, view);
    const panel = this.side?.current;
    this.build(scene, this.explorer);
    if (panel) this.side!.open(panel);
    this.refresh();
    this.remember();
    return scene;
  }

  /** Keys that hold wherever one is on the page, unless one writes. */
  private readonly pressed = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event)) return;
    if (event.key === "?") this.openKeys();
    else if (event.key === "/" && this.side?.panels.some(({ name }) => name === "regions")) {
      this.side.open("regions");
      this.querySelector<HTMLElement>("#pv-region-find")?.focus();
    } else return;
    event.preventDefault();
  };

  private readonly lost = (): void => {
    if (this.stopWaiting) return;
    this.complain("offline", this.retryButton());
    this.stopWaiting = waitForServer(() => void this.reopen());
  };

  private readonly followLink = (): void => {
    if (this.scene) this.show(decodeView(location.hash, this.scene));
  };

  private show(view: View): void {
    this.state = view;
    this.explorer?.show(view);
    this.refresh();
  }

  private build(scene: Scene, explorer: Explorer): void {
    const display = this.learnRegions(explorer);
    this.canvas.onkeydown = (event) => steer(event, explorer, this.canvas);
    const { say } = this;
    const unit = unitOf(scene);
    const tell = (text: string) => (this.status.textContent = text);
    const context: PanelContext = (this.context = {
      explorer,
      scene,
      say,
      language: languageOf(this.language),
      unit,
      atlas: atlasOf(this.getAttribute("scene")!),
      display,
      learned: this.learned,
      neurons: this.neurons,
      points: this.points,
      stage: this.stage,
      tell,
      view: () => (this.state = explorer.view(this.state!.layers)),
      show: (view) => this.show(view),
      applied: () => this.rememberSoon(),
      asked: (parameter) => asked(this.getAttribute("scene")!, parameter),
      ask: (parameter, values) => this.ask(parameter, values),
      select: this.select,
    });
    this.dispatchEvent(new CustomEvent("pv-build"));
    if (this.isPane) return;
    this.side?.dispose();
    this.side?.element.remove();
    this.strip?.element.remove();
    this.side = new Side(PANELS.map((maker) => maker(context)).filter((panel) => panel !== null), say);
    const { atlas } = context;
    const pageOf = atlas && scene.search ? (place: Vector) => placePage(atlas.page, place, scene.search!) : null;
    this.strip = new Strip(explorer, scene, unit, say, this.regions, this.neurons, pageOf, tell);
    this.bar.setAttribute("role", "toolbar");
    this.bar.setAttribute("aria-label", say("view"));
    this.bar.replaceChildren(this.layoutChoice(scene), this.actions());
    this.append(this.strip.element, this.side.element);
  }

  private layoutChoice(scene: Scene): HTMLElement {
    const planes: Record<string, Word> = { xy: "coronal", xz: "axial", yz: "sagittal" };
    const group = make("fieldset", { class: "pv-segments" }, make("legend", { class: "pv-hidden" }, this.say("layout")));
    for (const layout of LAYOUTS) {
      const word = layout === "4panel" || layout === "3d" ? this.say(layout) : scene.oriented ? this.say(planes[layout]!) : layout.toUpperCase();
      const input = make("input", { type: "radio", name: "pv-layout", value: layout });
      input.addEventListener("change", () => (this.layout = layout));
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
      this.button("reset", () => this.show(defaultView(this.scene!))),
      this.helpButton(),
      this.foldButton(),
    );
  }

  private button(word: Word, action: () => void): HTMLButtonElement {
    const button = make("button", { type: "button", "data-action": word }, this.say(word));
    button.addEventListener("click", action);
    return button;
  }

  private helpButton(): HTMLButtonElement {
    const button = make("button", { type: "button", "data-action": "keys", "aria-label": this.say("keys"), title: this.say("keys") }, "?");
    button.addEventListener("click", this.openKeys);
    return button;
  }

  private foldButton(): HTMLButtonElement {
    const { element } = this.side!;
    const button = this.button("fold", () => {
      element.hidden = !element.hidden;
      button.textContent = this.say(element.hidden ? "unfold" : "fold");
      button.setAttribute("aria-expanded", String(!element.hidden));
    });
    button.setAttribute("aria-expanded", "true");
    return button;
  }

  /** Bring every control to what `state` says. */
  private refresh(): void {
    const { state } = this;
    if (!state) return;
    this.select.set(state.regions);
    this.display?.apply({ only: state.only, outline: state.outline });
    for (const table of this.points) if (state.layers[table.layer]!.column) void table.learn().then(() => table.apply(state.layers[table.layer]!));
    for (const set of this.neurons) set.again(state.layers[set.layer]!);
    for (const input of this.bar.querySelectorAll<HTMLInputElement>("input[name=pv-layout]")) input.checked = input.value === state.layout;
    this.side?.refresh();
    this.strip?.showPlace();
  }

  private readonly rememberSoon = debounce(() => this.remember(), 250);

  /** Keep the address in step with the view, so that copying it, or going back to it, gives the same view. */
  private remember(): void {
    if (!this.explorer || !this.scene || !this.state) return;
    const { fragment } = this;
    if (this.isPane) this.dispatchEvent(new CustomEvent("pv-remember"));
    else history.replaceState(history.state, "", `#${fragment}`);
    this.strip?.showPlace();
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

  /** A frame of a turntable, as a data address: the 3D view alone over the whole window, after `part` of a full turn. Whoever makes movies calls it. */
  async frame(part: number): Promise<string> {
    const explorer = this.explorer!;
    if (!this.spinning) {
      const view = explorer.view(this.state!.layers);
      this.show({ ...view, layout: "3d" });
      Object.assign(this.stage.style, { position: "fixed", inset: "0", zIndex: "10" });
      this.spinning = view.rotation3d ?? cameraRotation(this.scene!.oriented);
    }
    return explorer.turntable(this.spinning, part);
  }

  private showProgress(): void {
    const ready = this.explorer?.isReady() ?? false;
    this.stage.classList.toggle("pv-busy", !ready);
    if (!ready) this.stage.style.setProperty("--sweep", `${SWEEP[(this.swept += 1) % SWEEP.length]}%`);
    this.toggleAttribute("ready", ready);
  }

  private report({ status, layer }: Problem): void {
    if (status === null) return this.lost();
    if (status === 401) return this.complain("signIn", this.signInLink(), this.retryButton());
    if (layer === null) return this.complain(status === 404 ? "notFound" : "brokenChunks", this.retryButton());
    this.alert(`${this.scene!.layers[layer]?.name ?? ""}: ${this.say(status === 404 ? "notFound" : "brokenSource")}`, [this.retryButton()]);
  }

  private retryButton(): HTMLElement {
    return this.button("retry", () => void this.reopen());
  }

  /** In a tab of its own, so that nothing of this one is lost. */
  private signInLink(): HTMLElement {
    const next = new URLSearchParams({ next: location.pathname + location.search });
    return make("a", { class: "pv-small", href: `/sign-in?${next}`, target: "_blank", rel: "noopener" }, this.say("signInNow"));
  }

  private complain(word: Word, ...ways: HTMLElement[]): void {
    this.alert(this.say(word), ways);
  }

  private alert(text: string, ways: HTMLElement[]): void {
    if ([...this.alerts.children].some((alert) => alert.firstChild?.textContent === text)) return;
    for (const way of ways) way.classList.add("pv-small");
    this.alerts.append(make("div", { class: "pv-alert" }, make("p", {}, text), ...ways));
  }
}

/** The server's answer, as the word to say about it. */
class Refused extends Error {
  constructor(readonly word: Word) {
    super(word);
  }
}
