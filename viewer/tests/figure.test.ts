import { describe, expect, test } from "vitest";
import { deflateSync } from "node:zlib";
import { figureSvg, scaleBar, withDensity, wrapped, type FigureParts } from "../src/figure";

const PARTS: FigureParts = {
  width: 400,
  height: 300,
  picture: "data:image/png;base64,AAAA",
  panels: [
    { left: 0, top: 0, width: 200, height: 300, letters: { left: "L", right: "R", top: "S", bottom: "I" }, compass: null },
    { left: 200, top: 0, width: 200, height: 300, letters: null, compass: [{ text: "A", right: 1, down: 0, away: 0 }] },
  ],
  pixel: 100,
  legend: [{ name: "T1 <raw>", color: "#FFFFFF" }],
  caption: ["A brain & its \"regions\"", "CC-BY-4.0"],
  mm_per_pixel: 0.2,
};

describe("the drawing", () => {
  const svg = figureSvg(PARTS);

  test("has its size on paper, and text that stays text", () => {
    expect(svg).toMatch(/<svg [^>]*width="80mm" height="[\d.]+mm" viewBox="0 0 400 \d+"/);
    for (const text of [">L<", ">R<", ">S<", ">I<", ">A<", ">5 mm<", ">CC-BY-4.0<"]) expect(svg).toContain(text);
  });

  test("takes no name for markup", () => {
    expect(svg).toContain("T1 &#60;raw&#62;");
    expect(svg).toContain("A brain &#38; its &#34;regions&#34;");
  });

  test("has a scale bar of the stated length, in sections alone", () => {
    expect(svg.match(/ mm</g)).toHaveLength(1);
    expect(svg).toMatch(/<rect x="16" y="280" width="50" height="4"/);
  });
});

test("a scale bar is 1, 2 or 5 times a power of ten and fits", () => {
  for (const pixel of [0.003, 0.4, 7, 24.9, 130]) {
    const { um, pixels } = scaleBar(120, pixel);
    expect(pixels).toBeLessThanOrEqual(120.001);
    expect(pixels).toBeGreaterThan(120 / 2.6);
    expect(pixels * pixel).toBeCloseTo(um, 9);
    expect([1, 2, 5]).toContain(Number((um / 10 ** Math.floor(Math.log10(um * 1.0000001))).toPrecision(3)));
  }
  expect([scaleBar(100, 10).text, scaleBar(100, 0.1).text, scaleBar(100, 0.001).text]).toEqual(["1 mm", "10 µm", "100 nm"]);
});

test("a caption is cut between words, and between Chinese characters", () => {
  expect(wrapped("one two three", 8)).toEqual(["one two", "three"]);
  expect(wrapped("海马齿状回", 6)).toEqual(["海马齿", "状回"]);
  expect(wrapped("a".repeat(20), 8)).toEqual(["aaaaaaaa", "aaaaaaaa", "aaaa"]);
});

test("a PNG says its dots per inch, and its checksum is right", () => {
  const made = withDensity(tinyPng(), 300);
  const view = new DataView(made.buffer);
  expect(new TextDecoder().decode(made.subarray(37, 41))).toBe("pHYs");
  expect([view.getUint32(41), view.getUint32(45), made[49]]).toEqual([11811, 11811, 1]);
  // the checksum that another program computes of the same 13 bytes for 300 dots per inch
  expect(view.getUint32(50)).toBe(0x78a53f76);
  expect(new TextDecoder().decode(made.subarray(58, 62))).toBe("IDAT");
});

function tinyPng(): Uint8Array {
  const chunk = (name: string, data: Uint8Array) => [0, 0, 0, data.length, ...new TextEncoder().encode(name), ...data, 0, 0, 0, 0];
  const header = new Uint8Array([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
  return new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...chunk("IHDR", header), ...chunk("IDAT", deflateSync(new Uint8Array([0, 0]))), ...chunk("IEND", new Uint8Array())]);
}
