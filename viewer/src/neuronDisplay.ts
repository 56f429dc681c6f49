/** What the picture shows of a set of neurons: all, or those that a filter finds, coloured by what they are told apart by. */

import type { Explorer } from "./facade";
import { colours, matching, MOST_AT_ONCE, readNeurons, spread, type Neuron } from "./neurons";
import type { Region } from "./regions";
import type { LayerView } from "./view";

export class NeuronDisplay {
  neurons: readonly Neuron[] = [];
  /** Those that are shown, in the order of their set. */
  shown: readonly Neuron[] = [];
  /** How many there are to show: more than are shown where they would be a crowd. */
  found = 0;
  private regions: ReadonlyMap<string, Region> = new Map();
  private applied = "";

  constructor(
    private readonly explorer: Explorer,
    readonly layer: number,
  ) {}

  /** Fetch what is known of the neurons; `regions` settles when the names of regions are there. */
  async learn(regions: Promise<ReadonlyMap<string, Region>>): Promise<void> {
    const folder = this.explorer.scene.layers[this.layer]!.source.replace(/^precomputed:\/\//, "");
    const answer = await fetch(`${folder}/segments/info`, { headers: { Accept: "application/json" } }).catch(() => null);
    const neurons = answer?.ok ? readNeurons(await answer.json()) : [];
    this.regions = await regions;
    this.neurons = neurons;
  }

  /** The name of a region, "" where nobody knows. */
  regionName(id: string): string {
    return this.regions.get(id)?.name ?? "";
  }

  get known(): ReadonlyMap<string, Region> {
    return this.regions;
  }

  /** Bring the picture to what `view` says. */
  apply({ filter, colouring, all: everyone }: LayerView): void {
    const asked = JSON.stringify([filter, colouring, everyone, this.neurons.length, this.regions.size]);
    if (asked === this.applied) return;
    this.applied = asked;
    const all = colours(this.neurons, colouring, this.regions);
    const colorOf = new Map(this.neurons.map(({ id }, at) => [id, all[at]!]));
    const found = matching(this.neurons, filter, this.regions);
    this.found = found.length;
    this.shown = everyone ? found : spread(found, MOST_AT_ONCE);
    this.explorer.setNeurons(this.layer, { ids: this.shown.map(({ id }) => id), colors: this.shown.map(({ id }) => colorOf.get(id)!) });
  }

  /** Show the same anew: the picture has been replaced. */
  again(view: LayerView): void {
    this.applied = "";
    this.apply(view);
  }
}
