/** What goes wrong while data load, told once each; with the other parts of the facade the only one that knows Neuroglancer. */

import { ChunkState, getChunkStateStatisticIndex, numChunkMemoryStatistics } from "neuroglancer/unstable/chunk_manager/base.js";
import type { Viewer } from "neuroglancer/unstable/viewer.js";
import type { Scene } from "./scene";
import { resolveSource } from "./state";

export interface Problem {
  layer: number | null;
  /** What the server answered, when it answered: 401 is "sign in". */
  status: number | null;
  message: string;
}

const EACH_MS = 2000;

export class Problems {
  private readonly reported = new Set<string>();
  private readonly watch = window.setInterval(() => void this.find(), EACH_MS);

  constructor(
    private readonly viewer: Viewer,
    private readonly scene: () => Scene,
    private readonly failed: (problem: Problem) => void,
  ) {}

  /** Tell of everything anew. */
  forget(): void {
    this.reported.clear();
  }

  dispose(): void {
    window.clearInterval(this.watch);
  }

  private async find(): Promise<void> {
    this.viewer.layerManager.managedLayers.forEach((managed, layer) => {
      for (const source of managed.layer?.dataSources ?? []) {
        const error = source.loadState?.error as Error | undefined;
        if (error) void this.report(layer, error.message);
      }
    });
    if (await this.hasFailedChunks()) void this.report(null, "");
  }

  private async hasFailedChunks(): Promise<boolean> {
    const statistics = await this.viewer.chunkQueueManager.getStatistics();
    const failed = [0, 1, 2].map((tier) => getChunkStateStatisticIndex(ChunkState.FAILED, tier) * numChunkMemoryStatistics);
    return [...statistics.values()].some((counts) => failed.some((at) => (counts[at] ?? 0) > 0));
  }

  /** Tell of a problem once; what the server says to the source's own metadata tells "sign in" from "broken". */
  private async report(layer: number | null, message: string): Promise<void> {
    const key = `${layer} ${message}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    const source = this.scene().layers[layer ?? 0]?.source ?? "";
    this.failed({ layer, status: await statusOf(source), message });
  }
}

async function statusOf(source: string): Promise<number | null> {
  const address = resolveSource(source, location.origin).replace(/^\w+:\/\//, "").replace(/\/?$/, "/");
  const document = source.startsWith("zarr3") ? "zarr.json" : "info";
  try {
    return (await fetch(address + document, { cache: "no-store" })).status;
  } catch {
    return null;
  }
}
