/** Transforms in the list of layers: how they deform what the sections show. */

import { debounce, make } from "../dom";
import { tidy } from "../places";
import { fetchDisplacements, latticeOf, LONGEST_WARP, sizes, warpShapes, WARP_FORMS, type Displacements, type Lattice, type WarpForm } from "../warp";
import type { PanelContext } from "./panel";

/** One item for each transform that is asked for; `dispose` takes the drawings away. */
export function warpRows(context: PanelContext): { element: HTMLElement; refresh(): void; dispose(): void } {
  const { atlas } = context;
  const element = make("ul", { class: "pv-layers" });
  const items = atlas ? context.asked("warp").map((asset, at) => new WarpItem(context, atlas.api, asset, at)) : [];
  element.append(...items.map((item) => item.element));
  const viewer = context.stage.closest("pulvinar-viewer");
  const follow = debounce(() => items.forEach((item) => void item.look()), 300);
  if (items.length) viewer?.addEventListener("pv-move", follow);
  follow();
  return {
    element,
    refresh: () => items.forEach((item) => item.settle()),
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
  private readonly longer = make("input", { type: "range", min: 1, max: LONGEST_WARP, step: 1, value: 1 });
  private readonly times = make("output", {});
  private readonly title = make("summary", {});
  private readonly said = make("p", { class: "pv-quiet", role: "status" });
  private told: [Displacements, Lattice][] = [];
  private asked = "";

  constructor(
    private readonly context: PanelContext,
    private readonly api: string,
    private readonly asset: string,
    /** Which of the deformations that are asked for. */
    private readonly at: number,
  ) {
    const { say, explorer } = context;
    this.overlay = explorer.overlay(`warp ${asset}`, "#FDE725", { knobs: false });
    this.form.append(...WARP_FORMS.map((form) => make("option", { value: form }, say(`warp_${form}`))));
    this.form.addEventListener("change", () => this.changed());
    this.longer.addEventListener("input", () => this.changed());
    const remove = make("button", { type: "button", class: "pv-small" }, say("remove"));
    remove.addEventListener("click", () => this.remove());
    this.title.textContent = say("warpOf");
    this.element = make(
      "li",
      {},
      make("details", { open: true }, this.title, make("label", { class: "pv-row" }, make("span", {}, say("warpForm")), this.form), make("label", { class: "pv-row" }, make("span", {}, say("warpLonger")), this.longer, this.times), this.said, make("p", { class: "pv-quiet" }, say("warpNote")), remove),
    );
    this.settle();
  }

  /** Bring the controls to what the view says. */
  settle(): void {
    const { form, longer } = this.context.view().warps[this.at] ?? { form: WARP_FORMS[0], longer: 1 };
    this.form.value = form;
    this.longer.value = String(longer);
    this.times.value = `${longer}×`;
    this.draw();
  }

  private changed(): void {
    const kept = this.context.view().warps;
    const warps = this.context.asked("warp").map((_, at) => kept[at] ?? { form: WARP_FORMS[0], longer: 1 });
    warps[this.at] = { form: this.form.value as WarpForm, longer: Number(this.longer.value) };
    this.context.explorer.note({ warps });
    this.settle();
  }

  private remove(): void {
    const { context, asset } = this;
    context.explorer.note({ warps: context.view().warps.filter((_, at) => at !== this.at) });
    void context.ask("warp", context.asked("warp").filter((one) => one !== asset));
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
