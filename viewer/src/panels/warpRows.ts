/** Transforms in the list of layers: how they deform what the sections show. */

import { debounce, make } from "../dom";
import { tidy } from "../places";
import { fetchDisplacements, latticeOf, sizes, warpShapes, WARP_FORMS, type Displacements, type Lattice, type WarpForm } from "../warp";
import type { PanelContext } from "./panel";

const LONGEST = 20;

/** One item for each transform that is asked for; `dispose` takes the drawings away. */
export function warpRows(context: PanelContext): { element: HTMLElement; dispose(): void } {
  const { atlas } = context;
  const element = make("ul", { class: "pv-layers" });
  const items = atlas ? context.asked("warp").map((asset) => new WarpItem(context, atlas.api, asset)) : [];
  element.append(...items.map((item) => item.element));
  const viewer = context.stage.closest("pulvinar-viewer");
  const follow = debounce(() => items.forEach((item) => void item.look()), 300);
  if (items.length) viewer?.addEventListener("pv-move", follow);
  follow();
  return {
    element,
    dispose() {
      viewer?.removeEventListener("pv-move", follow);
      items.forEach((item) => item.dispose());
    },
  };
}

class WarpItem {
  readonly element: HTMLElement;
  private readonly overlay;
  private readonly form = make("select", {});
  private readonly longer = make("input", { type: "range", min: 1, max: LONGEST, step: 1, value: 1 });
  private readonly title = make("summary", {});
  private readonly said = make("p", { class: "pv-quiet", role: "status" });
  private told: [Displacements, Lattice][] = [];
  private asked = "";

  constructor(
    private readonly context: PanelContext,
    private readonly api: string,
    private readonly asset: string,
  ) {
    const { say, explorer } = context;
    this.overlay = explorer.overlay(`warp ${asset}`, "#FDE725", { knobs: false });
    const times = make("output", {}, "1×");
    this.form.append(...WARP_FORMS.map((form) => make("option", { value: form }, say(`warp_${form}`))));
    this.form.addEventListener("change", () => this.draw());
    this.longer.addEventListener("input", () => {
      times.value = `${this.longer.value}×`;
      this.draw();
    });
    const remove = make("button", { type: "button", class: "pv-small" }, say("remove"));
    remove.addEventListener("click", () => void context.ask("warp", context.asked("warp").filter((one) => one !== asset)));
    this.title.textContent = say("warpOf");
    this.element = make(
      "li",
      {},
      make("details", { open: true }, this.title, make("label", { class: "pv-row" }, make("span", {}, say("warpForm")), this.form), make("label", { class: "pv-row" }, make("span", {}, say("warpLonger")), this.longer, times), this.said, make("p", { class: "pv-quiet" }, say("warpNote")), remove),
    );
  }

  /** Ask about the sections that are on the screen, unless they are those that were asked about. */
  async look(): Promise<void> {
    const lattices = this.context.explorer.sections().map(latticeOf);
    const asked = JSON.stringify(lattices);
    if (asked === this.asked) return;
    this.asked = asked;
    if (!lattices.length) return this.show([], this.context.say("warpNoSection"));
    const told = await Promise.all(lattices.map(async (lattice) => [await fetchDisplacements(this.api, this.asset, lattice), lattice] as const));
    if (asked !== this.asked) return;
    const known = told.filter((one): one is [Displacements, Lattice] => one[0] !== null);
    const far = known.flatMap(([displacements]) => sizes(displacements)).filter((size) => size !== null).sort((one, other) => one - other);
    const { say } = this.context;
    if (!far.length) return this.show([], say("warpNone"));
    this.title.textContent = `${say("warpOf")} ${known[0]![0].name}`;
    this.show(known, `${say("warpMedian")} ${tidy(far[far.length >> 1]!)} µm, ${say("warpMost")} ${tidy(far.at(-1)!)} µm`);
  }

  dispose(): void {
    this.asked = "";
    this.overlay.dispose();
  }

  private show(told: [Displacements, Lattice][], text: string): void {
    this.told = told;
    this.said.textContent = text;
    this.draw();
  }

  private draw(): void {
    const most = Math.max(0, ...this.told.flatMap(([displacements]) => sizes(displacements)).filter((size) => size !== null));
    this.overlay.clear();
    for (const [displacements, lattice] of this.told) {
      for (const { shape, color } of warpShapes(displacements, lattice, this.form.value as WarpForm, Number(this.longer.value), most)) this.overlay.add(shape, color);
    }
  }
}
