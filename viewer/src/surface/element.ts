/** The custom element <pulvinar-surface data="address">: surfaces of a brain with a map on them, and the panel beside. */

import { debounce, make } from "../dom";
import { canDraw } from "../drawable";
import { languageOf, speaker, type Say } from "../words";
import { bar, isStatistic, paint, usualValues, type Scale } from "./colours";
import { Controls, shortNumber, type Changes } from "./controls";
import { CAMERAS, VIEWS, apart, borders, decodeSurfaceView, encodeSurfaceView, reliefOf, type Direction, type Geometry, type MapValues, type Surface, type SurfaceMap, type SurfaceSet, type SurfaceView } from "./data";
import { surfaceFigure } from "./figure";
import { Denied, Loader } from "./loading";
import type { Stage } from "./stage";

const TURN_DEGREES = 10;
const ZOOM = 1.15;
const FIGURE_FACTOR = 3;

/** A surface as it is shown, with what is known of its vertices. */
interface Shown {
  surface: Surface;
  geometry: Geometry;
  map: MapValues | null;
  regions: MapValues | null;
  relief: MapValues | null;
}

export class PulvinarSurface extends HTMLElement implements Changes {
  private say: Say = speaker("en");
  private loader!: Loader;
  private surfaces!: SurfaceSet;
  private view!: SurfaceView;
  private stage: Stage | null = null;
  private controls!: Controls;
  private shown: Shown[] = [];
  private asked = 0;
  /** Whether values may not be read here. */
  private denied = false;
  private readonly canvas = make("canvas", { tabindex: 0 });
  private readonly legend = make("div", { class: "ps-legend" });
  private readonly reading = make("p", { class: "ps-reading" });
  private readonly news = make("p", { class: "ps-news", role: "status" });
  private readonly keep = debounce(() => this.writeAddress(), 300);

  connectedCallback(): void {
    this.say = speaker(languageOf(this.lang || document.documentElement.lang));
    this.canvas.setAttribute("aria-label", this.say("surfaceCanvas"));
    this.canvas.setAttribute("role", "img");
    this.reading.textContent = this.say("surfaceNothing");
    void this.open();
  }

  disconnectedCallback(): void {
    this.stage?.dispose();
    this.stage = null;
  }

  private async open(): Promise<void> {
    this.append(make("div", { class: "ps-stage" }, this.canvas), make("div", { class: "ps-strip" }, this.legend, this.reading), this.news);
    if (!canDraw()) return this.tell(this.say("surfaceNoGraphics"));
    this.tell(this.say("surfaceLoading"));
    this.loader = new Loader(this.getAttribute("data") ?? "");
    try {
      this.surfaces = await this.loader.set();
      const { Stage } = await import("./stage");
      this.stage = await Stage.open(this.canvas);
    } catch {
      return this.tell(this.say("surfaceFailed"));
    }
    this.view = decodeSurfaceView(location.hash, this.surfaces);
    this.controls = new Controls(this.surfaces, this.view, this.say, this);
    this.append(this.controls.element);
    this.stage.turnTo(this.view.azimuth, this.view.elevation);
    this.listen();
    await this.load();
    this.toggleAttribute("ready", true);
  }

  reload(): void {
    void this.load();
    this.keep();
  }

  recolour(): void {
    this.paint((colours) => this.stage?.recolour(colours));
    this.keep();
  }

  lookFrom(direction: Direction): void {
    const { azimuth, elevation } = CAMERAS[direction];
    this.stage?.turnTo(azimuth, elevation);
    this.keep();
  }

  save(): void {
    void this.saved();
  }

  /** Load what the view shows, and show it; what was asked for later wins. */
  private async load(): Promise<void> {
    const { view, surfaces } = this;
    const asked = (this.asked += 1);
    this.tell(this.say("surfaceLoading"));
    const wanted = surfaces.surfaces.filter(({ form, side }) => form === view.form && (!view.side || side === view.side));
    try {
      const shown = await Promise.all(wanted.map((surface) => this.fetched(surface)));
      if (asked !== this.asked || !this.stage) return;
      const [left, right] = (["left", "right"] as const).map((side) => shown.find(({ surface }) => surface.side === side));
      if (left && right) apart(left.geometry, right.geometry);
      this.shown = shown;
      this.paint((colours) => this.stage!.show(shown.map(({ geometry }) => geometry), colours));
      this.tell("");
    } catch (error) {
      if (asked !== this.asked) return;
      if (error instanceof Denied && !this.denied) return this.without();
      this.tell(this.say("surfaceFailed"));
    }
  }

  /** Whoever may look and not read sees the surface alone. */
  private async without(): Promise<void> {
    Object.assign(this.view, { map: "", regions: "" });
    this.denied = true;
    await this.load();
    this.tell(this.say("surfaceDenied"));
  }

  private async fetched(surface: Surface): Promise<Shown> {
    const { loader, view } = this;
    const [geometry, map, regions, relief] = await Promise.all([
      loader.geometry(surface),
      loader.map(this.named(view.map), surface),
      loader.map(this.named(view.regions), surface),
      loader.map(this.denied ? null : reliefOf(this.surfaces), surface),
    ]);
    return { surface, geometry, map, regions, relief };
  }

  private named(name: string): SurfaceMap | null {
    return this.surfaces.maps.find((map) => map.name === name) ?? null;
  }

  private maps(): MapValues[] {
    return this.shown.flatMap(({ map }) => (map ? [map] : []));
  }

  /** What values are drawn by; words have colours of their own. */
  private scale(): Scale {
    const usual = usualValues(this.maps());
    const { palette, range, threshold } = this.view;
    return { palette: palette ?? (isStatistic(usual) ? "statistic" : "viridis"), range: range ?? usual, threshold };
  }

  private paint(draw: (colours: Uint8Array[]) => void): void {
    const scale = this.scale();
    const { outline } = this.view;
    draw(this.shown.map(({ geometry, map, regions, relief }) => paint(geometry.places.length / 3, map, scale, relief, outline && regions ? borders(geometry, regions.values) : null)));
    const maps = this.maps();
    const numbers = maps.length > 0 && !maps[0]!.words;
    this.controls.refresh(numbers ? scale.range : null, scale.palette, Math.max(...usualValues(maps).map(Math.abs)));
    this.showLegend(numbers ? scale : null);
  }

  private showLegend(scale: Scale | null): void {
    if (!scale) return this.legend.replaceChildren(this.view.map);
    const { from, to, colours } = bar(scale);
    const strip = make("span", { class: "ps-bar", "aria-hidden": true });
    strip.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
    this.legend.replaceChildren(make("b", {}, this.view.map), " ", shortNumber(from), strip, shortNumber(to));
  }

  private listen(): void {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => {
      if (!event.buttons) this.read(event.clientX, event.clientY);
    });
    for (const end of ["pointerup", "wheel"]) canvas.addEventListener(end, () => this.keep());
    canvas.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || !this.steer(event.key)) return;
      event.preventDefault();
      this.keep();
    });
  }

  /** Do what a key stands for; whether it stands for something. */
  private steer(key: string): boolean {
    const { stage } = this;
    if (!stage) return false;
    const turns: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const turn = turns[key];
    const direction = VIEWS[Number(key) - 1];
    if (turn) {
      const { azimuth, elevation } = stage.camera;
      stage.turnTo((azimuth + TURN_DEGREES * turn[0] + 360) % 360, Math.max(-90, Math.min(90, elevation + TURN_DEGREES * turn[1])));
    } else if (direction) this.lookFrom(direction);
    else if (key === "+" || key === "=") stage.zoom(ZOOM);
    else if (key === "-") stage.zoom(1 / ZOOM);
    else return false;
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    this.read(left + width / 2, top + height / 2);
    return true;
  }

  /** Say what is known of the vertex at a point of the window. */
  private read(clientX: number, clientY: number): void {
    const picked = this.stage?.pick(clientX, clientY);
    if (!picked) return void (this.reading.textContent = this.say("surfaceNothing"));
    const { surface, map, regions } = this.shown[picked.surface]!;
    const parts = [`${surface.name}, ${this.say("surfaceVertex")} ${picked.vertex}`];
    if (map) parts.push(`${this.view.map}: ${this.worded(map, picked.vertex) ?? this.say("surfaceUnknown")}`);
    if (regions && regions !== map) parts.push(this.worded(regions, picked.vertex) ?? this.say("surfaceNoRegion"));
    this.reading.textContent = parts.join(" · ");
  }

  private worded({ values, words }: MapValues, vertex: number): string | null {
    const value = values[vertex]!;
    if (!Number.isFinite(value)) return null;
    return words ? words[value]! : shortNumber(value);
  }

  private async saved(): Promise<void> {
    if (!this.stage) return;
    const maps = this.maps();
    const scale = maps.length > 0 && !maps[0]!.words ? bar(this.scale()) : null;
    const { title, attribution, citation } = this.surfaces;
    const blob = await surfaceFigure(await this.stage.picture(FIGURE_FACTOR), this.view.map, scale, [`${title} · ${attribution}`, citation]);
    const link = make("a", { href: URL.createObjectURL(blob), download: `${title} ${this.view.map}.png` });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  private writeAddress(): void {
    if (!this.stage) return;
    Object.assign(this.view, this.stage.camera);
    const said = encodeSurfaceView(this.view, this.surfaces);
    history.replaceState(history.state, "", said ? `#${said}` : location.pathname + location.search);
  }

  private tell(text: string): void {
    this.news.textContent = text;
    this.news.hidden = !text;
  }
}
