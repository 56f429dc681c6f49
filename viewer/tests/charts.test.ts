import { describe, expect, test } from "vitest";
import { ON_DARK, ON_LIGHT, cellValue, chartOption, type TableText } from "../src/charts/option";

const LOOK = { ink: "rgb(1, 1, 1)", quiet: "", line: "", ground: "", dark: true, still: true };
const TABLE: TableText = { caption: "Profile", head: ["µm", "red", "green"], rows: [[0, 5, 6], [10, null, 7], [20, 8, 9]] };

type Series = { name: string; data: unknown[] };
const seriesOf = (option: Record<string, unknown>) => option.series as Series[];

describe("a chart draws what its table says", () => {
  test("a line a column over the first, with gaps where a cell is empty", () => {
    const option = chartOption("line", TABLE, LOOK);
    expect(seriesOf(option).map(({ name, data }) => [name, data])).toEqual([
      ["red", [[0, 5], [10, null], [20, 8]]],
      ["green", [[0, 6], [10, 7], [20, 9]]],
    ]);
    expect((option.xAxis as { name: string }).name).toBe("µm");
    expect(option.animation).toBe(false);
  });

  test("bars by name, with a slider once they are many", () => {
    const rows = Array.from({ length: 30 }, (_, at) => [`region ${at}`, at] as const);
    const option = chartOption("bar", { caption: "", head: ["region", "mm³"], rows }, LOOK);
    expect((option.yAxis as { data: string[] }).data).toHaveLength(30);
    expect((option.xAxis as { name: string }).name).toBe("mm³");
    expect(option.dataZoom).toHaveLength(2);
    expect(chartOption("bar", { caption: "", head: ["region", "mm³"], rows: rows.slice(0, 5) }, LOOK).dataZoom).toEqual([]);
  });

  test("a histogram to the end of its last bin", () => {
    const option = chartOption("histogram", { caption: "", head: ["from", "to", "n"], rows: [[0, 1, 4], [1, 2, 3]] }, LOOK);
    expect(seriesOf(option)[0]!.data).toEqual([[0, 4], [1, 3], [2, 3]]);
  });
});

test("no colour is near its ground", () => {
  const light = ([red, green, blue]: number[]) => 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  const luminance = (color: string) => light([1, 3, 5].map((at) => ((Number.parseInt(color.slice(at, at + 2), 16) / 255 + 0.055) / 1.055) ** 2.4));
  const contrast = (one: string, other: string) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
    return (high + 0.05) / (low + 0.05);
  };
  for (const color of ON_DARK) expect(contrast(color, "#10141a"), color).toBeGreaterThan(3);
  for (const color of ON_LIGHT.slice(0, 3)) expect(contrast(color, "#f7f5f0"), color).toBeGreaterThan(3);
});

test("cells are read as people write them", () => {
  expect(["1,234", "\u22123.5", " 7 ", "", "–", "1,2", "12,345,678.5"].map(cellValue)).toEqual([1234, -3.5, 7, null, "–", "1,2", 12345678.5]);
});
