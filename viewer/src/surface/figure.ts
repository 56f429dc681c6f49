/** A surface as a figure: the picture, the bar of its colours, and where it is from. */

const MARGIN = 36;
const FONT = "36px Helvetica, Arial, 'Noto Sans CJK SC', sans-serif";
const LINE = 50;

/** PNG of `picture` on white with what it shows below it. */
export async function surfaceFigure(picture: HTMLCanvasElement, name: string, bar: { from: number; to: number; colours: string[] } | null, caption: readonly string[]): Promise<Blob> {
  const sheet = document.createElement("canvas");
  const ink = sheet.getContext("2d")!;
  ink.font = FONT;
  const lines = caption.flatMap((text) => wrapped(ink, text, picture.width - 2 * MARGIN));
  [sheet.width, sheet.height] = [picture.width, picture.height + 2 * MARGIN + (lines.length + 1) * LINE];
  ink.fillStyle = "#ffffff";
  ink.fillRect(0, 0, sheet.width, sheet.height);
  ink.drawImage(picture, 0, 0);
  ink.font = FONT;
  ink.fillStyle = "#111111";
  const top = picture.height + MARGIN + 30;
  ink.fillText(name, MARGIN, top);
  if (bar) drawBar(ink, bar, MARGIN + ink.measureText(name).width + MARGIN, top);
  lines.forEach((text, at) => ink.fillText(text, MARGIN, top + (at + 1) * LINE));
  return new Promise((done, failed) => sheet.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture")))));
}

function drawBar(ink: CanvasRenderingContext2D, { from, to, colours }: { from: number; to: number; colours: string[] }, left: number, base: number): void {
  const [low, high] = [from, to].map((value) => String(Number(value.toPrecision(3)))) as [string, string];
  ink.fillText(low, left, base);
  const first = left + ink.measureText(low).width + 12;
  colours.forEach((colour, at) => {
    ink.fillStyle = colour;
    ink.fillRect(first + 5 * at, base - 28, 6, 36);
  });
  ink.fillStyle = "#111111";
  ink.fillText(high, first + 5 * colours.length + 12, base);
}

function wrapped(ink: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of text.split(/(?<=\s)|(?<=[\u3000-\u9fff])/)) {
    if (line && ink.measureText(line + part).width > width) {
      lines.push(line.trim());
      line = "";
    }
    line += part;
  }
  return line.trim() ? [...lines, line.trim()] : lines;
}
