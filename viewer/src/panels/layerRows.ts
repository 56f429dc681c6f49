/** The layer list: ordinary form controls, so that keyboards and screen readers work without further doing. */

import { make } from "../dom";
import { tidy } from "../places";
import { histogram } from "./histogram";
import type { PointDisplay } from "../pointDisplay";
import { neuronRows, setName } from "./neuronRows";
import type { PanelContext } from "./panel";
import { pointRows } from "./pointRows";
import type { Scene, SceneLayer } from "../scene";
import { reach } from "../statistic";
import type { Say, Word } from "../words";
import { BLENDS, LONGEST_NAME, PALETTES, defaultLayer, type LayerView, type Palette } from "../view";

let serial = 0;

/** What a list of layers tells. */
export interface LayerListener {
  /** Somebody wants an asset that was added before the one that was added before it; null where it is the first. */
  raised(layer: SceneLayer): (() => void) | null;
  /** `views[index]` has been changed in place. */
  changed(index: number): void;
  /** Somebody wants an asset that was added, or a set of neurons, away. */
  removed(layer: SceneLayer): void;
}

/** The controls of every layer of `scene`; `neurons` and `points` are the sets and the tables among them. */
export function layerList(scene: Scene, views: LayerView[], { neurons, points }: Pick<PanelContext, "neurons" | "points">, say: Say, { changed, removed, raised }: LayerListener): HTMLElement {
  const open = scene.layers.length <= 4;
  const items = scene.layers.map((layer, index) => {
    const [view, change, remove] = [views[index]!, () => changed(index), () => removed(layer)] as const;
    if (!layer.neurons) return layerItem(layer, view, open, say, change, remove, raised(layer), points.find((table) => table.layer === index));
    const display = neurons.find((set) => set.layer === index);
    const more = [opacityRow(view, say, change), make("div", { class: "pv-marks-tools" }, smallButton(say("remove"), remove))];
    return neuronRows(layer, view, display, say, change, head(layer, setName(layer.neurons, say), view, say, change).element, more);
  });
  return make("ul", { class: "pv-layers" }, ...items);
}

/** The switch of a layer and its colour; `paint` shows the colour that the view has now. */
function head(layer: SceneLayer, name: string, view: LayerView, say: Say, changed: () => void): { element: HTMLElement; paint: () => void } {
  const box = make("input", { type: "checkbox", checked: view.visible, "aria-label": `${say("visible")}: ${name}` });
  box.addEventListener("change", () => {
    view.visible = box.checked;
    changed();
  });
  const swatch = make("span", { class: `pv-swatch pv-swatch-${layer.kind}`, "aria-hidden": "true" });
  const paint = () => swatch.style.setProperty("--tone", `#${view.color}`);
  paint();
  return { element: make("label", { class: "pv-check" }, box, swatch), paint };
}

function layerItem(layer: SceneLayer, view: LayerView, open: boolean, say: Say, changed: () => void, removed: () => void, raise: (() => void) | null, points: PointDisplay | undefined): HTMLElement {
  const { element: control, paint } = head(layer, layer.name, view, say, changed);
  const repainted = () => {
    points?.apply(view);
    changed();
  };
  const settings = [opacityRow(view, say, repainted)];
  if (layer.kind === "image") settings.unshift(...imageRows(layer, view, say, changed, paint), blendRow(view, say, changed));
  if (layer.kind === "skeleton" || points) settings.unshift(colorRow(view, say, repainted, paint));
  const title = make("summary", {}, view.name || layer.name);
  settings.push(nameRow(layer, view, say, () => {
    title.textContent = view.name || layer.name;
    changed();
  }));
  const buttons = [...(layer.asset ? [smallButton(say("remove"), removed)] : []), ...(raise ? [smallButton(say("raise"), raise)] : [])];
  if (buttons.length) settings.push(make("div", { class: "pv-marks-tools" }, ...buttons));
  const details = make("details", { open: open && view.visible && layer.kind === "image" }, title, ...settings);
  // what the columns are is asked for when somebody wants to know
  const columns = () => points && details.open && !details.querySelector(".pv-points") && title.after(pointRows(view, points, say, changed));
  details.addEventListener("toggle", columns);
  return make("li", { class: "pv-layer" }, control, details);
}

function smallButton(text: string, pressed: () => void): HTMLElement {
  const button = make("button", { type: "button", class: "pv-small" }, text);
  button.addEventListener("click", pressed);
  return button;
}

function nameRow(layer: SceneLayer, view: LayerView, say: Say, changed: () => void): HTMLElement {
  const input = make("input", { type: "text", maxlength: LONGEST_NAME, value: view.name || layer.name, autocomplete: "off" });
  input.addEventListener("change", () => {
    const name = input.value.trim();
    view.name = name === layer.name ? "" : name;
    changed();
  });
  return labelled(say("layerName"), input);
}

function colorRow(view: LayerView, say: Say, changed: () => void, paint: () => void): HTMLElement {
  const picker = make("input", { type: "color", value: `#${view.color}` });
  picker.addEventListener("input", () => {
    view.color = picker.value.slice(1).toUpperCase();
    paint();
    changed();
  });
  return labelled(say("color"), picker);
}

function blendRow(view: LayerView, say: Say, changed: () => void): HTMLElement {
  const words: Record<LayerView["blend"], Word> = { auto: "blendAuto", additive: "blendAdditive", normal: "blendNormal" };
  const select = make("select", {}, ...BLENDS.map((blend) => make("option", { value: blend, selected: blend === view.blend }, say(words[blend]))));
  select.addEventListener("change", () => {
    view.blend = select.value as LayerView["blend"];
    changed();
  });
  return labelled(say("blend"), select);
}

function labelled(text: string, control: HTMLElement, extra?: HTMLElement): HTMLElement {
  const id = `pv-control-${(serial += 1)}`;
  control.id = id;
  return make("div", { class: "pv-row" }, make("label", { for: id }, text), control, ...(extra ? [extra] : []));
}

function opacityRow(view: LayerView, say: Say, changed: () => void): HTMLElement {
  const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: view.opacity });
  const shown = make("output", {}, percent(view.opacity));
  slider.addEventListener("input", () => {
    view.opacity = Number(slider.value);
    shown.value = percent(view.opacity);
    changed();
  });
  return labelled(say("opacity"), slider, shown);
}

/** The ends of the contrast sliders: the data's range, but not so far beyond the display range that a slider gets coarse. */
export function sliderRange(layer: SceneLayer): [number, number] {
  const [low, high] = layer.window ?? layer.range ?? [0, 255];
  const [least, most] = layer.range ?? [low, high];
  const width = high - low || 1;
  return [Math.max(least, low - 3 * width), Math.min(most, high + 3 * width)].map((end, side) => (side ? Math.max(end, high) : Math.min(end, low))) as [number, number];
}

/** Values and colours of an image: the ends of the contrast, or of a statistic how far it reaches and what is too near to zero. */
function imageRows(layer: SceneLayer, view: LayerView, say: Say, changed: () => void, paint: () => void): HTMLElement[] {
  const element = make("div", {});
  const fill = () => element.replaceChildren(...(view.palette === "statistic" ? statisticRows(layer, view, say, changed) : contrastRows(layer, view, say, changed)));
  fill();
  const palette = paletteRow(view, say, () => {
    fill();
    changed();
  }, paint);
  return [element, palette];
}

function statisticRows(layer: SceneLayer, view: LayerView, say: Say, changed: () => void): HTMLElement[] {
  const most = Math.max(reach(layer.range ?? layer.window ?? view.window), reach(view.window));
  const [size, threshold] = [reach(view.window), view.threshold].map((value) => make("input", { type: "range", min: 0, max: most, step: most / 500, value })) as [HTMLInputElement, HTMLInputElement];
  const [sizeText, thresholdText] = [make("output", {}), make("output", {})];
  const show = () => {
    sizeText.value = `±${tidy(reach(view.window))}`;
    thresholdText.value = `±${tidy(view.threshold)}`;
  };
  size.addEventListener("input", () => {
    const value = Math.max(most / 500, Number(size.value));
    view.window = [-value, value];
    show();
    changed();
  });
  threshold.addEventListener("input", () => {
    view.threshold = Number(Number(threshold.value).toPrecision(4));
    show();
    changed();
  });
  show();
  const bar = make("div", { class: "pv-statistic", role: "img", "aria-label": say("statisticBar") });
  return [make("fieldset", { class: "pv-contrast" }, make("legend", {}, say("statistic")), bar, labelled(say("threshold"), threshold, thresholdText), labelled(say("statisticFull"), size, sizeText), make("p", { class: "pv-quiet" }, say("thresholdNote")))];
}

function contrastRows(layer: SceneLayer, view: LayerView, say: Say, changed: () => void): HTMLElement[] {
  const [least, most] = sliderRange(layer);
  const step = (most - least) / 500 || 1;
  const sliders = [0, 1].map((side) => make("input", { type: "range", min: least, max: most, step, value: view.window[side]! }));
  const shown = [0, 1].map((side) => make("output", {}, tidy(view.window[side]!)));
  const bars = histogram(layer, [least, most], say("histogram"));
  bars.show(view.window);
  const refresh = () => {
    bars.show(view.window);
    sliders.forEach((slider, side) => (slider.value = String(view.window[side]!)));
    shown.forEach((output, side) => (output.value = tidy(view.window[side]!)));
    changed();
  };
  sliders.forEach((slider, side) =>
    slider.addEventListener("input", () => {
      const value = Number(slider.value);
      view.window = side === 0 ? [Math.min(value, view.window[1] - step), view.window[1]] : [view.window[0], Math.max(value, view.window[0] + step)];
      refresh();
    }),
  );
  const auto = make("button", { type: "button", class: "pv-small", title: say("autoHint") }, say("auto"));
  auto.addEventListener("click", () => {
    view.window = [...defaultLayer(layer).window];
    refresh();
  });
  const legend = make("legend", {}, say("contrast"));
  const rows = [labelled(say("low"), sliders[0]!, shown[0]), labelled(say("high"), sliders[1]!, shown[1])];
  return [make("fieldset", { class: "pv-contrast" }, legend, bars.element, ...rows, auto)];
}

function paletteRow(view: LayerView, say: Say, changed: () => void, paint: () => void): HTMLElement {
  const options = PALETTES.map((palette) => make("option", { value: palette, selected: palette === view.palette }, say(palette as Word)));
  const select = make("select", {}, ...options);
  const picker = make("input", { type: "color", value: `#${view.color}`, "aria-label": say("color") });
  picker.hidden = view.palette !== "tint";
  select.addEventListener("change", () => {
    view.palette = select.value as Palette;
    picker.hidden = view.palette !== "tint";
    changed();
  });
  picker.addEventListener("input", () => {
    view.color = picker.value.slice(1).toUpperCase();
    paint();
    changed();
  });
  return labelled(say("palette"), select, picker);
}

function percent(value: number): string {
  return `${Math.round(value * 100)} %`;
}
