/** Skeletons in the form that fits the screen: exact near by, simpler from afar and in crowds. Knows Neuroglancer. */

import type { Viewer } from "neuroglancer/unstable/viewer.js";
import { debounce } from "./dom";
import { formFor, segmentOf } from "./neurons";
import type { Scene } from "./scene";

/** Neurons of a set that are shown, with their colours ("#RRGGBB"). */
export interface ShownNeurons {
  ids: readonly string[];
  colors: readonly string[];
}

interface Held extends ShownNeurons {
  /** The form that is asked for, and the one that stays until it has come. */
  form: number;
  before: number | null;
}

export class Skeletons {
  private readonly sets = new Map<number, Held>();

  constructor(
    private readonly viewer: Viewer,
    private readonly scene: () => Scene,
    /** Micrometres a pixel where it is finest. */
    private readonly finestPixel: () => number,
  ) {}

  /** Forget what was shown of another scene. */
  clear(): void {
    this.sets.clear();
  }

  /** Show these neurons of the set that is layer `index`, and no others. */
  show(index: number, shown: ShownNeurons): void {
    const form = this.formOf(index, shown.ids.length);
    this.sets.set(index, { ...shown, form, before: null });
    this.attach(index);
  }

  /** Put what is shown into the picture: after a change, and after Neuroglancer's state was replaced. */
  attach(only?: number): void {
    for (const [index, { ids, colors, form }] of this.sets) {
      const state = this.stateOf(index);
      if (!state || (only !== undefined && only !== index)) continue;
      const segments = BigUint64Array.from(ids, (id) => segmentOf(id, form));
      this.colour(state, ids, colors, form);
      const { visibleSegments } = state.segmentationGroupState.value;
      visibleSegments.clear();
      if (segments.length) visibleSegments.add(segments);
    }
  }

  /** Bring everything to the form that fits the screen as it is now. */
  refine(): void {
    this.refineSingles();
    for (const [index, held] of this.sets) {
      const state = this.stateOf(index);
      if (!state) continue;
      const shown = state.segmentationGroupState.value.visibleSegments;
      if (held.before !== null) {
        if (!this.viewer.isReady()) this.refineSoon();
        else {
          shown.delete(BigUint64Array.from(held.ids, (id) => segmentOf(id, held.before!)));
          held.before = null;
        }
        continue;
      }
      const form = this.formOf(index, held.ids.length);
      if (form === held.form || held.ids.length === 0) continue;
      [held.before, held.form] = [held.form, form];
      this.colour(state, held.ids, held.colors, form);
      shown.add(BigUint64Array.from(held.ids, (id) => segmentOf(id, form)));
      this.refineSoon();
    }
  }

  /** Show each single skeleton exactly where one could tell the difference, else its overview; the one stays until the other has come. */
  private refineSingles(): void {
    this.scene().layers.forEach(({ overview, segments }, index) => {
      const shown = this.stateOf(index)?.segmentationGroupState.value.visibleSegments;
      if (!overview || !shown) return;
      const [wanted, other] = this.finestPixel() < overview.tolerance_um ? [segments[0]!, overview.segment] : [overview.segment, segments[0]!];
      if (!shown.has(BigInt(wanted))) shown.add(BigInt(wanted));
      else if (!shown.has(BigInt(other))) return;
      else if (this.viewer.isReady()) shown.delete(BigInt(other));
      else this.refineSoon();
    });
  }

  /** The last chunk to come may be ready only after the frame that it called for. */
  private readonly refineSoon = debounce(() => this.refine(), 200);

  private formOf(index: number, count: number): number {
    const { neurons } = this.scene().layers[index]!;
    return neurons ? formFor(neurons.forms, count / Math.max(1, neurons.count), this.finestPixel()) : 0;
  }

  /** Both forms are coloured while one stands for the other. */
  private colour(state: any, ids: readonly string[], colors: readonly string[], form: number): void {
    const { segmentStatedColors } = state.segmentationColorGroupState.value;
    const one = (at: number) => BigInt(Number.parseInt(colors[at]!.slice(5, 7) + colors[at]!.slice(3, 5) + colors[at]!.slice(1, 3), 16));
    ids.forEach((id, at) => {
      segmentStatedColors.delete(segmentOf(id, form));
      segmentStatedColors.set(segmentOf(id, form), one(at));
    });
  }

  /** Neuroglancer's own state of a layer; its classes of layers aren't part of its types. */
  private stateOf(index: number): any {
    return (this.viewer.layerManager.managedLayers[index]?.layer as any)?.displayState;
  }
}
