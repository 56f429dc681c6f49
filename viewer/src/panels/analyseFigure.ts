/** The view as a figure for a publication: a large PNG, or an SVG with scale bars, directions, a legend and a caption. */

import { make, section } from "../dom";
import { figureSvg, withDensity } from "../figure";
import type { Figure } from "../facade";
import { button, field } from "./analyseFields";
import { Outcome, fetched, recipeFold } from "./analyseResult";
import type { PanelContext } from "./panel";

const FACTORS = [1, 2, 4];
const MM_PER_INCH = 25.4;

export class FigureTool {
  readonly section: HTMLElement;
  private readonly factor = make("select", {}, ...FACTORS.map((factor) => make("option", { value: factor, selected: factor === 4 }, `${factor} ×`)));
  private readonly dpi = make("input", { type: "number", min: 30, max: 2400, step: 1, value: 300 });
  private readonly outcome: Outcome;

  constructor(private readonly context: PanelContext) {
    const { say } = context;
    this.outcome = new Outcome(say);
    this.section = section(
      say("figureTool"),
      make("p", { class: "pv-quiet" }, say("figureHint")),
      field(say("figureFactor"), this.factor),
      field(say("figureDpi"), this.dpi),
      make(
        "div",
        { class: "pv-row" },
        button(say("figurePng"), "figurePng", () => this.make("png")),
        button(say("figureSvg"), "figureSvg", () => this.make("svg")),
        button(say("figureMovie"), "figureMovie", () => this.movie()),
      ),
      this.outcome.element,
    );
  }

  dispose(): void {
    this.outcome.clear();
  }

  private make(kind: "png" | "svg"): void {
    const { explorer, say, scene } = this.context;
    const factor = Number(this.factor.value);
    void this.outcome.show(async () => {
      const figure = await explorer.figure(factor);
      const dpi = Math.min(2400, Math.max(30, Number(this.dpi.value) || 300));
      const png = withDensity(new Uint8Array(await figure.blob.arrayBuffer()), dpi);
      const picture = new Blob([png as BlobPart], { type: "image/png" });
      const file = kind === "png" ? picture : new Blob([this.drawing(figure, await dataAddress(picture), dpi)], { type: "image/svg+xml" });
      save(file, `${scene.title || "pulvinar"}.${kind}`);
      const told = `${say("figureSaved")}: ${figure.width} × ${figure.height}, ${dpi} dpi`;
      return [make("p", { class: "pv-quiet" }, figure.factor < factor ? `${told}. ${say("figureSmaller")}` : told)];
    }, "figureDrawing");
  }

  /** Have the server make a movie of what is seen here in 3D, turning once. */
  private movie(): void {
    const { say, scene } = this.context;
    const page = location.pathname + location.search + location.hash;
    void this.outcome.show(async () => {
      this.context.tell(say("figureMovieMaking"));
      const answer = await fetched(say, `/api/v1/movies/turntable?${new URLSearchParams({ page })}`);
      save(await answer.blob(), `${scene.title || "pulvinar"}.mp4`);
      const code = recipeFold(say, { python: "", cli: `pulvinar movie '${location.href.replace(/'/g, "%27")}' turntable.mp4` });
      return [make("p", { class: "pv-quiet" }, say("figureMovieSaved")), code];
    }, "figureMovieMaking");
  }

  private drawing(figure: Figure, picture: string, dpi: number): string {
    const { scene, view, say } = this.context;
    const { layers } = view();
    const legend = scene.layers.flatMap((layer, index) => {
      const shown = layers[index];
      return shown?.visible ? [{ name: layer.name, color: layer.kind === "labels" ? "#cccccc" : `#${shown.color}` }] : [];
    });
    const caption = [scene.title, scene.citation, scene.attribution, `${say("figureSource")}: ${location.href}`].filter(Boolean);
    const mm_per_pixel = (MM_PER_INCH / dpi) * figure.factor;
    return figureSvg({ ...figure, width: figure.width / figure.factor, height: figure.height / figure.factor, picture, legend, caption, mm_per_pixel });
  }
}

function dataAddress(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result)));
    reader.addEventListener("error", () => reject(reader.error ?? new Error("unreadable")));
    reader.readAsDataURL(blob);
  });
}

function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  make("a", { href: address, download: name }).click();
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
