/** The panel of layers: what is drawn, how, and at which moment. */

import { make } from "../dom";
import type { SceneLayer } from "../scene";
import { arcRows } from "./arcRows";
import { layerPicker } from "./layerPicker";
import { layerList } from "./layerRows";
import { setName } from "./neuronRows";
import type { Panel, PanelContext } from "./panel";
import { warpRows } from "./warpRows";

export function layersPanel(context: PanelContext): Panel {
  const { explorer, say, scene } = context;
  const list = make("div", {});
  const [times, showTime, stopTime] = timeRow(context);
  const picker = layerPicker(context);
  const arcs = arcRows(context);
  const warps = warpRows(context);
  return {
    name: "layers",
    title: say("layers"),
    element: make("div", {}, ...emptySets(context), list, arcs.element, warps.element, ...(picker ? [picker] : []), ...times),
    refresh() {
      const { layers } = context.view();
      list.replaceChildren(
        layerList(scene, layers, context, say, {
          changed(index) {
            explorer.setLayer(index, layers[index]!);
            context.applied();
          },
          removed: (layer) => void remove(context, layer),
          raised: (layer) => raise(context, layer),
        }),
      );
      showTime();
      warps.refresh();
    },
    dispose() {
      stopTime();
      arcs.dispose();
      warps.dispose();
    },
  };
}

/** What brings an added asset before the one before it; null where none is. */
function raise(context: PanelContext, { asset }: SceneLayer): (() => void) | null {
  const order = [...context.asked("asset")];
  const at = order.indexOf(asset);
  if (at < 1) return null;
  [order[at - 1], order[at]] = [order[at]!, order[at - 1]!];
  return () => void context.ask("asset", order);
}

/** Take away what was added: an asset, or a set of neurons. */
async function remove(context: PanelContext, { asset, neurons }: Pick<SceneLayer, "asset" | "neurons">): Promise<void> {
  const parameter = asset ? "asset" : neurons?.kind === "ends" && context.asked("ends").includes(neurons.asked) ? "ends" : "neurons";
  const value = asset || neurons?.asked;
  await context.ask(parameter, context.asked(parameter).filter((one) => one !== value));
}

/** What is said of sets that have no neurons, each with a way to be rid of it. */
function emptySets(context: PanelContext): HTMLElement[] {
  const { say, scene } = context;
  return scene.without.map((neurons) => {
    const button = make("button", { type: "button", class: "pv-small" }, say("remove"));
    button.addEventListener("click", () => void remove(context, { asset: "", neurons }));
    return make("p", { class: "pv-note" }, `${setName(neurons, say)}: ${say("neuronsNoneKnown")} `, button);
  });
}

/** From one time point to the next while it plays, as soon as the one before is drawn. */
const FRAME_MS = 200;

function timeRow({ explorer, scene, say }: PanelContext): [HTMLElement[], () => void, () => void] {
  const times = Math.max(...scene.layers.map((layer) => layer.times));
  if (times < 2) return [[], () => undefined, () => undefined];
  const slider = make("input", { type: "range", id: "pv-time", min: 0, max: times - 1, step: 1 });
  const shown = make("output", { for: slider.id }, "0");
  slider.addEventListener("input", () => {
    shown.value = slider.value;
    explorer.setTime(Number(slider.value));
  });
  const show = () => {
    slider.value = String(explorer.time());
    shown.value = slider.value;
  };
  let timer = 0;
  const play = make("button", { type: "button", class: "pv-small", "data-action": "play" }, say("play"));
  const stop = () => {
    window.clearInterval(timer);
    timer = 0;
    play.textContent = say("play");
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    play.textContent = say("pause");
    timer = window.setInterval(() => {
      if (!explorer.isReady()) return;
      explorer.setTime((explorer.time() + 1) % times);
      show();
    }, FRAME_MS);
  });
  return [[make("div", { class: "pv-row" }, make("label", { for: slider.id }, say("time")), slider, shown), play], show, stop];
}
