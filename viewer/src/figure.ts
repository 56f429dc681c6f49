/** Figures for publications: a PNG that knows how large it is, and a drawing over it whose text stays text. Pure. */

import type { PanelEdge } from "./facade";
import type { Arm } from "./geometry";

export interface FigureParts {
  /** Pixels of the screen. */
  width: number;
  height: number;
  /** The picture as a data address. */
  picture: string;
  panels: readonly PanelEdge[];
  /** Micrometres a pixel of the screen, in sections. */
  pixel: number;
  legend: readonly { name: string; color: string }[];
  caption: readonly string[];
  /** Millimetres a pixel of the screen, on paper. */
  mm_per_pixel: number;
}

const FONT = 'font-family="Helvetica, Arial, \'Noto Sans CJK SC\', sans-serif"';
const MARGIN = 16;
const LINE = 18;
/** Characters a line of a caption; a Chinese one counts as two. */
const CHARACTER_PIXELS = 6.4;

/** The figure as SVG: the picture, and over it scale bars, directions, a legend and a caption as text. */
export function figureSvg(parts: FigureParts): string {
  const { width, height, picture, panels, pixel, legend, caption, mm_per_pixel } = parts;
  const lines = caption.flatMap((text) => wrapped(text, Math.floor((width - 2 * MARGIN) / CHARACTER_PIXELS)));
  const rows = legendRows(legend, width);
  const below = (rows.length + lines.length) * LINE + (rows.length || lines.length ? MARGIN : 0);
  const whole = height + below;
  const size = (pixels: number) => `${Number((pixels * mm_per_pixel).toFixed(3))}mm`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size(width)}" height="${size(whole)}" viewBox="0 0 ${width} ${whole}">`,
    `<rect width="${width}" height="${whole}" fill="#ffffff"/>`,
    `<image href="${picture}" width="${width}" height="${height}" preserveAspectRatio="none"/>`,
    ...panels.map((panel) => panelMarks(panel, pixel)),
    ...rows.map((row, at) => legendRow(row, height + MARGIN + at * LINE)),
    ...lines.map((text, at) => `<text x="${MARGIN}" y="${height + MARGIN + (rows.length + at) * LINE + 4}" font-size="12" fill="#111111" ${FONT}>${escaped(text)}</text>`),
    "</svg>",
  ].join("\n");
}

function panelMarks({ left, top, width, height, letters, compass }: PanelEdge, pixel: number): string {
  if (compass) return compassMarks(compass, left + width - 48, top + height - 48);
  const marks = letters
    ? [
        over(letters.left, left + 14, top + height / 2),
        over(letters.right, left + width - 14, top + height / 2),
        over(letters.top, left + width / 2, top + 14),
        over(letters.bottom, left + width / 2, top + height - 14),
      ]
    : [];
  return [...marks, barMarks(scaleBar(width * 0.25, pixel), left + MARGIN, top + height - MARGIN)].join("\n");
}

/** A round length that takes at most `most` pixels, 1, 2 or 5 times a power of ten. */
export function scaleBar(most: number, pixel: number): { um: number; pixels: number; text: string } {
  const reach = most * pixel;
  const power = 10 ** Math.floor(Math.log10(reach));
  const um = [5, 2, 1].map((step) => step * power).find((length) => length <= reach * (1 + 1e-9)) ?? power;
  const text = um >= 1000 ? `${Number((um / 1000).toPrecision(3))} mm` : um < 1 ? `${Number((um * 1000).toPrecision(3))} nm` : `${Number(um.toPrecision(3))} µm`;
  return { um, pixels: um / pixel, text };
}

function barMarks({ pixels, text }: { pixels: number; text: string }, x: number, y: number): string {
  return `<rect x="${x}" y="${y - 4}" width="${round(pixels)}" height="4" fill="#ffffff" stroke="#000000" stroke-width="0.5"/>\n${over(text, x + pixels / 2, y - 14, 12)}`;
}

function compassMarks(arms: readonly Arm[], x: number, y: number): string {
  return arms
    .map(({ text, right, down, away }) => {
      const fade = away > 0.15 ? 0.55 : 1;
      const arm = `<line x1="${x}" y1="${y}" x2="${round(x + right * 24)}" y2="${round(y + down * 24)}" stroke="#ffffff" stroke-width="1.5" opacity="${fade}"/>`;
      return Math.hypot(right, down) < 0.3 ? arm : `${arm}\n${over(text, x + right * 34, y + down * 34, 12)}`;
    })
    .join("\n");
}

/** Light text with a dark edge: it is read over whatever the picture shows. */
function over(text: string, x: number, y: number, size = 14): string {
  if (!text) return "";
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="600" text-anchor="middle" dominant-baseline="central" fill="#ffffff" stroke="#000000" stroke-width="3" paint-order="stroke" ${FONT}>${escaped(text)}</text>`;
}

interface Entry {
  name: string;
  color: string;
  x: number;
}

function legendRows(legend: FigureParts["legend"], width: number): Entry[][] {
  const rows: Entry[][] = [];
  let x = width;
  for (const { name, color } of legend) {
    const needed = 34 + span(name) * CHARACTER_PIXELS;
    if (x + needed > width - MARGIN || !rows.length) {
      rows.push([]);
      x = MARGIN;
    }
    rows.at(-1)!.push({ name, color, x });
    x += needed;
  }
  return rows;
}

function legendRow(row: readonly Entry[], y: number): string {
  return row
    .map(({ name, color, x }) => `<rect x="${round(x)}" y="${y - 6}" width="12" height="12" fill="${escaped(color)}" stroke="#555555" stroke-width="0.5"/><text x="${round(x + 18)}" y="${y + 4}" font-size="12" fill="#111111" ${FONT}>${escaped(name)}</text>`)
    .join("\n");
}

/** `text` in lines of at most `most` characters, cut between words, and between Chinese characters. */
export function wrapped(text: string, most: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of text.match(/[\u2e80-\uffef]|[^\s\u2e80-\uffef]+\s*|\s+/g) ?? []) {
    if (line && span(line + piece.trimEnd()) > most) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += piece;
    while (span(line) > most) {
      lines.push(line.slice(0, most));
      line = line.slice(most);
    }
  }
  return line.trim() ? [...lines, line.trimEnd()] : lines;
}

function span(text: string): number {
  return [...text].reduce((sum, one) => sum + (one > "\u2e7f" ? 2 : 1), 0);
}

function round(value: number): number {
  return Number(value.toFixed(2));
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}

/** The bytes of a PNG with its dots per inch written into it (the chunk pHYs, before the first of the picture's data). */
export function withDensity(png: Uint8Array, dpi: number): Uint8Array {
  const perMetre = Math.round(dpi / 0.0254);
  const chunk = new Uint8Array(21);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, 9);
  chunk.set([0x70, 0x48, 0x59, 0x73], 4);
  view.setUint32(8, perMetre);
  view.setUint32(12, perMetre);
  chunk[16] = 1;
  view.setUint32(17, crc32(chunk.subarray(4, 17)));
  const header = 8 + 25;
  const made = new Uint8Array(png.length + chunk.length);
  made.set(png.subarray(0, header));
  made.set(chunk, header);
  made.set(png.subarray(header), header + chunk.length);
  return made;
}

/** The checksum of PNG's chunks, as its specification gives it. */
function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (sum ^ 0xffffffff) >>> 0;
}
