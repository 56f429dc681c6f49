/** What the picture shows of a table of points: coloured by a column, and of that what was chosen. */

import type { Explorer } from "./facade";
import { pointShader, readColumns, type PointColumn } from "./points";
import type { LayerView } from "./view";

export class PointDisplay {
  columns: readonly PointColumn[] = [];
  private asked: Promise<void> | null = null;

  constructor(
    private readonly explorer: Explorer,
    readonly layer: number,
  ) {}

  /** Fetch what the columns are, and a sample of them; once. */
  learn(): Promise<void> {
    return (this.asked ??= this.fetch());
  }

  private async fetch(): Promise<void> {
    const folder = this.explorer.scene.layers[this.layer]!.source.replace(/^precomputed:\/\//, "").replace(/\/$/, "");
    const answer = await fetch(`${folder}/info`).catch(() => null);
    if (!answer?.ok) return;
    const info = (await answer.json()) as { spatial?: { key: string; grid_shape: number[] }[] };
    const first = info.spatial?.[0];
    const cell = first ? await fetch(`${folder}/${first.key}/${first.grid_shape.map(() => 0).join("_")}`).catch(() => null) : null;
    this.columns = readColumns(info, cell?.ok ? await cell.arrayBuffer() : null);
  }

  /** Bring the picture to what `view` says. */
  apply(view: LayerView): void {
    this.explorer.setPoints(this.layer, pointShader(view, this.columns));
  }
}
