/** Regions in figures: volume, the mean of an image, cells; of what is chosen in any panel, or typed. */

import { make, section } from "../dom";
import { targetsOf } from "../measure";
import { regionRecipe, type RegionWish } from "../recipes";
import { button, field, levelNote, targetChoice } from "./analyseFields";
import { Outcome, ask, chartOver, csvLink, recipeFold, type Table } from "./analyseResult";
import type { PanelContext } from "./panel";

interface Row {
  id: number;
  acronym: string;
  name: string;
  name_zh: string;
  voxels: number;
  volume_mm3: number;
  signal: { channel: string; mean: number | null; sd: number | null }[];
  cells: number | null;
  cells_per_mm3: number | null;
}

interface Answer {
  level: number | null;
  rows: Row[];
}

export class RegionTool {
  readonly section: HTMLElement;
  private readonly typed = make("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  private readonly children = make("input", { type: "checkbox", checked: true });
  private readonly image: HTMLSelectElement;
  private readonly cells: HTMLSelectElement;
  private readonly count = make("p", { class: "pv-quiet" });
  private readonly outcome: Outcome;
  private readonly unfollow: () => void;

  constructor(
    private readonly context: PanelContext,
    /** The address of the atlas: ".../api/v1/atlases/NAME". */
    private readonly atlas: string,
  ) {
    const { say, scene, select } = context;
    this.outcome = new Outcome(say);
    this.image = targetChoice(targetsOf(scene, ["image"]), say("regionNothing"));
    this.cells = targetChoice(targetsOf(scene, ["points"]), say("regionNothing"));
    this.unfollow = select.onChange(() => this.tellCount());
    this.section = section(
      say("regionFigures"),
      make("p", { class: "pv-quiet" }, say("regionFiguresHint")),
      this.count,
      field(say("regionTyped"), this.typed),
      make("label", { class: "pv-check" }, this.children, say("regionChildren")),
      field(say("regionImage"), this.image),
      ...(this.cells.options.length > 1 ? [field(say("regionCells"), this.cells)] : []),
      button(say("regionCompute"), "regionCompute", () => this.measure()),
      this.outcome.element,
    );
    this.tellCount();
  }

  dispose(): void {
    this.unfollow();
  }

  private tellCount(): void {
    const { say, select } = this.context;
    this.count.textContent = `${select.ids.length} ${say("regionChosen")}`;
  }

  private measure(): void {
    const { say, select } = this.context;
    const named = this.typed.value.split(/[;；]/).map((text) => text.trim()).filter(Boolean);
    const wish: RegionWish = {
      atlas: decodeURIComponent(this.atlas.split("/").at(-1)!),
      regions: [...new Set([...select.ids, ...named])],
      children: this.children.checked,
      image: this.image.value,
      cells: this.cells.value,
    };
    void this.outcome.show(async () => {
      if (!wish.regions.length) throw new Error(say("regionNoneChosen"));
      const address = addressOf(this.atlas, wish);
      const told = await ask<Answer>(say, address);
      const table = this.table(told);
      const notes = told.level === null ? [] : [levelNote(say, told.level)];
      return [...chartOver(say, "bar", table, [0, this.drawn(told)]), ...notes, csvLink(say, address), recipeFold(say, regionRecipe(location.origin, wish))];
    });
  }

  /** The column that the chart shows: density where cells were counted, the mean where an image was, else the volume. */
  private drawn({ rows }: Answer): number {
    if (rows[0]?.cells !== null) return 4;
    return rows[0]?.signal.length ? 3 : 2;
  }

  private table({ rows }: Answer): Table {
    const { say, language } = this.context;
    const counted = rows[0]?.cells !== null;
    const channels = rows[0]?.signal ?? [];
    const named = (channel: string) => (channels.length > 1 ? ` ${channel}` : "");
    return {
      caption: say("regionFigures"),
      head: [
        say("measureRegion"),
        say("measureVoxels"),
        say("volumeMm3"),
        ...(counted ? [say("cellsCounted"), say("cellDensity")] : []),
        ...channels.flatMap(({ channel }) => [`${say("meanOf")}${named(channel)}`, `${say("sdOf")}${named(channel)}`]),
      ],
      rows: rows.map((row) => [
        (language === "zh" && row.name_zh) || row.name,
        row.voxels,
        row.volume_mm3,
        ...(counted ? [row.cells, row.cells_per_mm3] : []),
        ...row.signal.flatMap(({ mean, sd }) => [mean, sd]),
      ]),
    };
  }
}

function addressOf(atlas: string, { regions, children, image, cells }: RegionWish): string {
  const query = new URLSearchParams(regions.map((one) => ["region", one]));
  query.set("children", String(children));
  if (image) query.set("image", image);
  if (cells) query.set("cells", cells);
  return `${atlas}/statistics?${query}`;
}
