/** A set of neurons in the list of layers: on or off, by what it is coloured, a filter, and the neurons by name. */

import { debounce, make } from "../dom";
import type { NeuronDisplay } from "../neuronDisplay";
import { COLOURINGS, classes, ramp, type Colouring, type Neuron } from "../neurons";
import { tidy } from "../places";
import type { SceneLayer, ShownSet } from "../scene";
import type { LayerView } from "../view";
import type { Say, Word } from "../words";

const MOST_LISTED = 100;
const MOST_CLASSES = 8;
const BY: Record<Colouring, Word> = { soma: "neuronsSoma", target: "neuronsTarget", dataset: "neuronsDataset", length: "neuronsLength", strength: "neuronsStrength", each: "neuronsEach" };
const KIND: Record<ShownSet["kind"], Word> = { ends: "neuronsEnding", soma: "neuronsWithSoma", dataset: "neuronsOf", collection: "neuronsOf", search: "neuronsFound", all: "neuronsAll" };

/** What a set is called. */
export function setName({ kind, name }: ShownSet, say: Say): string {
  return `${say(KIND[kind])}${name ? ` ${name}` : ""}`;
}

/** The item of the list; `head` is its switch, `more` what stands at its end. */
export function neuronRows(layer: SceneLayer, view: LayerView, display: NeuronDisplay | undefined, say: Say, changed: () => void, head: HTMLElement, more: HTMLElement[]): HTMLElement {
  const set = layer.neurons!;
  const title = make("summary", {}, "");
  const listed = make("ul", { class: "pv-neurons" });
  const legend = make("ul", { class: "pv-legend" });
  const said = make("p", { class: "pv-quiet", role: "status" });
  const all = make("button", { type: "button", class: "pv-small", "data-action": "neuronsEveryone" }, say("neuronsEveryone"));
  const crowd = make("p", { class: "pv-note", hidden: true }, make("span", {}, say("neuronsSpread")), " ", all);
  const show = () => {
    const shown = display?.shown ?? [];
    title.textContent = `${view.name || setName(set, say)} (${set.count})`;
    said.textContent = display?.neurons.length === set.count ? `${shown.length < display.found ? `${shown.length} / ${display.found}` : shown.length} ${say("neuronsShown")}` : say("neuronsComing");
    crowd.hidden = !display || shown.length >= display.found;
    if (display) {
      legend.replaceChildren(...legendOf(display.neurons, view.colouring, display, say));
      listed.replaceChildren(...shown.slice(0, MOST_LISTED).map((one) => row(one, display)));
    }
  };
  const changedHere = () => {
    display?.apply(view);
    show();
    changed();
  };
  all.addEventListener("click", () => {
    view.all = true;
    changedHere();
  });
  const options = COLOURINGS.filter((by) => by !== "strength" || set.kind === "ends" || set.kind === "soma");
  const select = make("select", { "aria-label": say("neuronsColour") }, ...options.map((by) => make("option", { value: by, selected: by === view.colouring }, say(BY[by]))));
  select.addEventListener("change", () => {
    view.colouring = select.value as Colouring;
    changedHere();
  });
  const input = make("input", { type: "search", value: view.filter, autocomplete: "off", spellcheck: "false", "aria-label": say("neuronsFilter"), placeholder: say("neuronsFilter") });
  const filtered = debounce(() => {
    view.filter = input.value.trim();
    changedHere();
  }, 200);
  input.addEventListener("input", filtered);
  show();
  return make(
    "li",
    { class: "pv-layer" },
    head,
    make("details", { open: true }, title, make("div", { class: "pv-row pv-row-short" }, make("span", {}, say("neuronsColour")), select), legend, make("div", { class: "pv-find" }, input), said, crowd, listed, ...more),
  );
}

function row(one: Neuron, display: NeuronDisplay): HTMLElement {
  const about = [display.regionName(one.soma), `${tidy(one.length_um / 1000)} mm`].filter(Boolean).join(" · ");
  return make("li", {}, one.name, make("small", {}, about));
}

/** What the colours stand for: the most frequent classes, or the two ends of a ramp. */
function legendOf(neurons: readonly Neuron[], by: Colouring, { known }: NeuronDisplay, say: Say): HTMLElement[] {
  if (by === "length" || by === "strength") {
    const values = neurons.map((one) => (by === "length" ? one.length_um : one.strength_um) / 1000).sort((one, other) => one - other);
    const ends = [values[0] ?? 0, values[values.length - 1] ?? 0];
    return ends.map((value, end) => sample(ramp(end), `${tidy(value)} mm`));
  }
  const found = classes(neurons, by, known);
  const shown = found.slice(0, MOST_CLASSES).map(({ name, color, count }) => sample(color, `${name || say("noRegion")} (${count})`));
  const rest = found.slice(MOST_CLASSES);
  return rest.length ? [...shown, make("li", { class: "pv-quiet" }, `+ ${rest.length}`)] : shown;
}

function sample(color: string, text: string): HTMLElement {
  const swatch = make("span", { class: "pv-swatch", "aria-hidden": "true" });
  swatch.style.setProperty("--tone", color);
  return make("li", {}, swatch, text);
}
