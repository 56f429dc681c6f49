import { describe, expect, test } from "vitest";
import { bar, colourOf, isStatistic, paint, usualValues } from "../src/surface/colours";
import { apart, borders, decodeSurfaceView, defaultSurfaceView, encodeSurfaceView, readGeometry, readValues, type SurfaceSet } from "../src/surface/data";

const SET: SurfaceSet = {
  title: "A cortex",
  citation: "",
  attribution: "",
  surfaces: [
    { asset: "1", name: "lh.pial", side: "left", form: "pial", vertices: 4, source: "/1" },
    { asset: "2", name: "rh.pial", side: "right", form: "pial", vertices: 4, source: "/2" },
    { asset: "3", name: "lh.inflated", side: "left", form: "inflated", vertices: 4, source: "/3" },
  ],
  maps: ["aparc", "sulc", "z"].map((name) => ({ name, parts: [] })),
};
const square = () => ({ places: Float32Array.from([-1, 0, 0, 1, 0, 0, 1, 1, 0, -1, 1, 0]), triangles: Uint32Array.from([0, 1, 2, 0, 2, 3]) });

test("a mesh is read in millimetres, and not when it is cut short", () => {
  const bytes = new ArrayBuffer(4 + 36 + 12);
  new DataView(bytes).setUint32(0, 3, true);
  new Float32Array(bytes, 4, 9).set([0, 0, 0, 2e6, 0, 0, 0, 3e6, 0]);
  new Uint32Array(bytes, 40).set([0, 1, 2]);
  const { places, triangles } = readGeometry(bytes);
  expect([...places]).toEqual([0, 0, 0, 2, 0, 0, 0, 3, 0]);
  expect([...triangles]).toEqual([0, 1, 2]);
  for (const length of [0, 4, 39, 45]) expect(() => readGeometry(bytes.slice(0, length))).toThrow("cut short");
});

test("values come as they were written", () => {
  const text = btoa(String.fromCharCode(...new Uint8Array(Float32Array.from([1.5, Number.NaN]).buffer)));
  const { values } = readValues({ values: text, words: null, colors: [] });
  expect([...values]).toEqual([1.5, Number.NaN]);
});

test("sides that lie in each other are moved apart, others stay", () => {
  const large = () => ({ ...square(), places: square().places.map((value) => 10 * value) });
  const [left, right] = [large(), large()];
  apart(left, right);
  expect(Math.max(left.places[3]!, left.places[6]!)).toBe(-4);
  expect(right.places[0]).toBe(4);
  const [one, other] = [square(), square()];
  apart(one, other);
  expect([...one.places, ...other.places]).toEqual([...square().places, ...square().places]);
});

test("a border is where a triangle joins two values, nothing known being one", () => {
  expect([...borders(square(), Float32Array.from([1, 1, 1, 2]))]).toEqual([1, 0, 1, 1]);
  expect([...borders(square(), Float32Array.from([Number.NaN, Number.NaN, Number.NaN, Number.NaN]))]).toEqual([0, 0, 0, 0]);
});

describe("colours", () => {
  const statistic = { palette: "statistic", range: [-4, 6], threshold: 2 } as const;

  test("tell a statistic by its signs", () => {
    expect(isStatistic([-4, 6])).toBe(true);
    expect(isStatistic([-0.1, 6])).toBe(false);
    expect(isStatistic([1, 6])).toBe(false);
  });

  test("are warm above zero, cold below, and none within the threshold or where nothing is known", () => {
    const [red, , blue] = colourOf(5, { ...statistic, range: [-4, 6] })!;
    expect(red).toBeGreaterThan(blue + 100);
    const [r, , b] = colourOf(-5, { ...statistic, range: [-4, 6] })!;
    expect(b).toBeGreaterThan(r + 100);
    for (const value of [0, 1.9, -1.9, Number.NaN]) expect(colourOf(value, { ...statistic, range: [-4, 6] })).toBeNull();
  });

  test("of the bar are grey where nothing is drawn, and as far below zero as above", () => {
    const { from, to, colours } = bar({ ...statistic, range: [-4, 6] }, 12);
    expect([from, to]).toEqual([-6, 6]);
    expect(new Set(colours.slice(4, 8)).size).toBe(1);
    expect(colours[0]).not.toBe(colours[11]);
  });

  test("paint the map over the folds, words in their own colour, borders over all", () => {
    const values = Float32Array.from([0, 1, Number.NaN, Number.NaN]);
    const words = { values, words: ["V1", "V2"], colors: ["FF0000", ""] };
    const relief = { values: Float32Array.from([1, 1, 1, -1]), words: null, colors: [] };
    const painted = paint(4, words, { palette: "grey", range: [0, 1], threshold: 0 }, relief, Uint8Array.from([0, 1, 0, 0]));
    expect([...painted.slice(0, 8)]).toEqual([255, 0, 0, 255, 14, 16, 22, 255]);
    expect(painted[8]).toBeLessThan(painted[12]!);
  });

  test("are spread over what is usual, without what is not known", () => {
    const values = Float32Array.from({ length: 201 }, (_, at) => (at === 200 ? Number.NaN : at));
    expect(usualValues([{ values, words: null, colors: [] }])).toEqual([2, 198]);
    expect(usualValues([])).toEqual([0, 1]);
  });
});

describe("a view in a link", () => {
  test("opens with the statistic, names from the regions, and the folds for shade", () => {
    expect(defaultSurfaceView(SET)).toMatchObject({ form: "pial", side: "", map: "z", regions: "aparc", azimuth: 90 });
    expect(encodeSurfaceView(defaultSurfaceView(SET), SET)).toBe("");
  });

  test("comes back as it was", () => {
    const view = { ...defaultSurfaceView(SET), form: "inflated", side: "left" as const, map: "", outline: true, palette: "fire" as const, threshold: 2.3, range: [-1, 4] as [number, number], azimuth: 80, elevation: -10 };
    expect(decodeSurfaceView(`#${encodeSurfaceView(view, SET)}`, SET)).toEqual(view);
  });

  test("that makes no sense keeps the set's own", () => {
    expect(decodeSurfaceView("#form=round&side=up&map=q&range=1&threshold=-3&from=x_y&palette=loud", SET)).toEqual(defaultSurfaceView(SET));
  });
});
