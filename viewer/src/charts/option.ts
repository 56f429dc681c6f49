/** What a chart shows, from the table that it stands beside. Pure; `element.ts` reads the table and draws. */

export type ChartKind = "line" | "bar" | "histogram";

export interface TableText {
  caption: string;
  head: readonly string[];
  /** Numbers where a cell is one, else its text; null where it is empty. */
  rows: readonly (readonly (number | string | null)[])[];
}

export interface Look {
  ink: string;
  quiet: string;
  line: string;
  ground: string;
  dark: boolean;
  still: boolean;
}

/** Okabe and Ito's colours, told apart by red-blind and green-blind eyes too: in the order in which they stand out from a dark ground, and a light one. */
export const ON_DARK: readonly string[] = ["#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00"];
export const ON_LIGHT: readonly string[] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"];
/** Rows of bars of which each still has a name that can be read. */
const BARS_IN_SIGHT = 14;
const ZOOM = { yAxisIndex: 0, width: 14, right: 8, startValue: 0, endValue: BARS_IN_SIGHT - 1, zoomOnMouseWheel: false, moveOnMouseWheel: true };

/** The options of ECharts for `table`: its first column is what the others are drawn over; of a histogram the first two are a bin's ends. */
export function chartOption(kind: ChartKind, table: TableText, look: Look): Record<string, unknown> {
  const first = kind === "histogram" ? 2 : 1;
  const names = table.head.slice(first);
  const axis = { axisLabel: { color: look.quiet }, axisLine: { lineStyle: { color: look.line } }, splitLine: { lineStyle: { color: look.line } } };
  const bars = kind === "bar";
  const categories = bars ? table.rows.map((row) => String(row[0] ?? "")) : [];
  const slides = bars && categories.length > BARS_IN_SIGHT;
  const across = { ...axis, type: "value", name: table.head[0], nameLocation: "middle", nameGap: 26, nameTextStyle: { color: look.quiet }, min: "dataMin", max: "dataMax" };
  return {
    animation: !look.still,
    color: [...(look.dark ? ON_DARK : ON_LIGHT)],
    textStyle: { color: look.ink, fontFamily: "inherit" },
    grid: { left: 8, right: slides ? 48 : 16, top: names.length > 1 ? 36 : 12, bottom: 32, containLabel: true },
    legend: { show: names.length > 1, top: 0, type: "scroll", textStyle: { color: look.ink }, pageTextStyle: { color: look.ink } },
    tooltip: { trigger: "axis", confine: true, backgroundColor: look.ground, borderColor: look.line, textStyle: { color: look.ink } },
    xAxis: bars ? { ...across, name: names.length > 1 ? "" : names[0], min: undefined, max: undefined } : across,
    yAxis: bars ? { ...axis, type: "category", data: categories, inverse: true } : { ...axis, type: "value", scale: kind === "line" },
    dataZoom: slides ? ["inside", "slider"].map((type) => ({ type, ...ZOOM })) : [],
    series: names.map((name, index) => ({ name, ...series(kind, table.rows, first + index) })),
  };
}

function series(kind: ChartKind, rows: TableText["rows"], column: number): Record<string, unknown> {
  if (kind === "bar") return { type: "bar", barMaxWidth: 22, data: rows.map((row) => numeric(row[column])) };
  const points = rows.map((row) => [numeric(row[0]), numeric(row[column])]);
  if (kind === "line") return { type: "line", showSymbol: false, connectNulls: false, sampling: "lttb", data: points };
  // a bin is as high from its beginning to its end: the last one's end has to be said
  const last = rows.at(-1);
  if (last) points.push([numeric(last[1]), numeric(last[column])]);
  return { type: "line", step: "end", showSymbol: false, areaStyle: { opacity: 0.25 }, lineStyle: { width: 1 }, data: points };
}

function numeric(value: number | string | null | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A cell as a number, where it is one: `said` is what its data-value says, else its text, with or without commas between thousands. */
export function cellValue(said: string): number | string | null {
  const text = said.trim();
  if (text === "") return null;
  const plain = text.replace(/\u2212/g, "-").replace(/,(?=\d{3}(\D|$))/g, "");
  const value = Number(plain);
  return Number.isFinite(value) ? value : text;
}
