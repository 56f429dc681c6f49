/** The panel of layers: what is drawn, how, and at which moment. */

import { make } from "../dom";
import { layerList } from "./layerRows";
import type { Panel, PanelContext } from "./panel";

export function layersPanel(context: PanelContext): Panel {
  const { explorer, say, scene } = context;
  const list = make("div", {});
  const [times, showTime] = timeRow(context);
  return {
    name: "layers",
    title: say("layers"),
    element: make("div", {}, list, ...times),
    refresh() {
      const { layers } = context.view();
      list.replaceChildren(
        layerList(scene, layers, say, (index) => {
          explorer.setLayer(index, layers[index]!);
          context.applied();
        }),
      );
      showTime();
    },
  };
}

function timeRow({ explorer, scene, say }: PanelContext): [HTMLElement[], () => void] {
  const times = Math.max(...scene.layers.map((layer) => layer.times));
  if (times < 2) return [[], () => undefined];
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
  return [[make("div", { class: "pv-row" }, make("label", { for: slider.id }, say("time")), slider, shown)], show];
}
