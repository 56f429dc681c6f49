/** The surfaces of chosen regions in 3D, as one layer; with `facade.ts` and `overlay.ts` the only one that knows Neuroglancer. */

import { makeLayer } from "neuroglancer/unstable/layer/index.js";
import type { Viewer } from "neuroglancer/unstable/viewer.js";
import type { Scene } from "./scene";
import { flatTransform, resolveSource } from "./state";

const NAME = "surfaces of regions";

export class SurfaceLayer {
  private shown: readonly string[] = [];
  private colors: Record<string, string> = {};

  constructor(
    private readonly viewer: Viewer,
    public scene: Scene,
  ) {}

  /** Show the surfaces of these regions, each in its colour ("#RRGGBB"; "" leaves the choice). */
  show(colored: ReadonlyMap<string, string>): void {
    this.shown = [...colored.keys()];
    this.colors = Object.fromEntries([...colored].filter(([, color]) => color));
    this.attach();
  }

  /** Put the layer into the picture: after a change, and after Neuroglancer's state was replaced. */
  attach(): void {
    const { layerSpecification, layerManager } = this.viewer;
    const before = layerManager.getLayerByName(NAME);
    if (!this.scene.surfaces || this.shown.length === 0) {
      if (before) layerManager.removeManagedLayer(before);
      return;
    }
    const group = (before?.layer as any)?.displayState?.segmentationGroupState.value;
    if (group) {
      group.visibleSegments.clear();
      for (const id of this.shown) group.visibleSegments.add(BigInt(id));
      (before!.layer as any).displayState.segmentationColorGroupState.value.restoreState({ segmentColors: this.colors });
      return;
    }
    const { source, transform } = this.scene.surfaces;
    const state = {
      type: "segmentation",
      source: { url: resolveSource(source, location.origin), transform: flatTransform(transform, this.scene) },
      segments: [...this.shown],
      segmentColors: this.colors,
      objectAlpha: 1,
      hoverHighlight: false,
    };
    layerSpecification.add(makeLayer(layerSpecification, NAME, state));
  }
}
