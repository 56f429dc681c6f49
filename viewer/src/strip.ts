/** The line below the picture: where the cross-hair is, and what lies under the mouse. */

import { make } from "./dom";
import type { Cursor, Explorer } from "./facade";
import type { Vector } from "./geometry";
import { placeText, readPlace, tidy, type Unit } from "./places";
import type { NeuronDisplay } from "./neuronDisplay";
import type { Region } from "./regions";
import type { Scene } from "./scene";
import type { Say } from "./words";

export class Strip {
  readonly element: HTMLElement;
  private readonly place = make("input", { type: "text", id: "pv-place", spellcheck: "false", autocomplete: "off" });
  private readonly here = make("a", { class: "pv-small", "data-action": "whatIsHere" });
  private readonly reading = make("div", { class: "pv-reading" });

  constructor(
    private readonly explorer: Explorer,
    private readonly scene: Scene,
    private readonly unit: Unit,
    private readonly say: Say,
    /** Names of the regions of each layer that has some. */
    private readonly regions: ReadonlyMap<number, ReadonlyMap<string, Region>>,
    private readonly neurons: readonly NeuronDisplay[],
    /** The page that says what is at a place; none where no atlas is shown. */
    private readonly pageOf: ((place: Vector) => string) | null,
    private readonly tell: (text: string) => void,
  ) {
    const label = make("label", { for: this.place.id }, `${say("goto")} (${unit})`);
    const form = make("form", { class: "pv-goto" }, label, this.place, make("button", { class: "pv-small" }, say("go")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.go();
    });
    if (pageOf) form.append(this.here);
    this.here.textContent = say("whatIsHere");
    this.here.addEventListener("pointerdown", () => this.link());
    this.element = make("div", { class: "pv-strip" }, form, this.reading);
    this.readNothing();
  }

  /** Show where the cross-hair is, unless somebody is typing. */
  showPlace(): void {
    if (document.activeElement !== this.place) this.place.value = placeText(this.explorer.position(), this.unit);
    this.link();
  }

  private link(): void {
    if (this.pageOf) this.here.href = this.pageOf(this.explorer.position());
  }

  /** Show what lies under the mouse. */
  read({ position, readings }: Cursor): void {
    if (!position) return this.readNothing();
    const parts = readings.map(({ layer, value }) => this.part(this.scene.layers[layer]!.name, this.named(layer, value)));
    this.reading.replaceChildren(this.part("x, y, z", placeText(position, this.unit)), ...parts);
  }

  private part(name: string, value: string): HTMLElement {
    return make("span", {}, make("b", {}, name), " ", value);
  }

  private named(layer: number, value: number | bigint | string): string {
    const id = String(value);
    if (this.scene.layers[layer]!.kind === "neurons") return this.neurons.find((set) => set.layer === layer)?.neurons.find((one) => one.id === id)?.name ?? id;
    if (this.scene.layers[layer]!.kind !== "labels") return typeof value === "number" ? tidy(value) : id;
    // Labels count from one: zero is where there is no region.
    if (id === "0") return this.say("noRegion");
    const name = this.regions.get(layer)?.get(id)?.name;
    return name ? `${name} (${id})` : id;
  }

  private readNothing(): void {
    if (!this.reading.querySelector(".pv-quiet")) this.reading.replaceChildren(make("span", { class: "pv-quiet" }, this.say("outside")));
  }

  private go(): void {
    const place = readPlace(this.place.value, this.unit);
    if (place) this.explorer.setPosition(place);
    else this.tell(this.say("badPosition"));
  }
}
