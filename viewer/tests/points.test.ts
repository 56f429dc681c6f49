import { expect, test } from "vitest";
import { pointShader, readColumns, usualRange, wordColour } from "../src/points";
import { defaultLayer } from "../src/view";
import { sampleScene } from "./fixtures";

const info = {
  properties: [
    { id: "signal_2", type: "float32", description: "signal" },
    { id: "type_0", type: "uint8", description: "type", enum_values: [0, 1], enum_labels: ["Astro", "VLM"] },
  ],
};

/** A cell as the server stores it: records of 20 bytes, of which the last three fill up. */
function cell(rows: [signal: number, type: number][]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(8 + rows.length * 28));
  view.setBigUint64(0, BigInt(rows.length), true);
  rows.forEach(([signal, type], row) => {
    view.setFloat32(8 + row * 20 + 12, signal, true);
    view.setUint8(8 + row * 20 + 16, type);
  });
  return view.buffer;
}

test("columns are known by their names, and by a sample of their values", () => {
  const [signal, type] = readColumns(info, cell([[3, 1], [1.5, 0], [2, 1]]));
  expect(signal).toMatchObject({ id: "signal_2", name: "signal", words: null, sorted: [1.5, 2, 3] });
  expect(type).toMatchObject({ name: "type", words: ["Astro", "VLM"], counts: [1, 2] });
  expect(usualRange(signal!)).toEqual([1.5, 3]);
  expect(readColumns(info, null)[1]!.counts).toEqual([0, 0]);
  expect(readColumns(null, null)).toEqual([]);
});

test("a shader colours by a column and leaves out what isn't chosen", () => {
  const columns = readColumns(info, null);
  const view = { ...defaultLayer(sampleScene().layers[0]!), color: "FF0000" };
  expect(pointShader(view, columns)).toContain("vec3 tone = vec3(1.0000, 0.0000, 0.0000)");
  const words = pointShader({ ...view, column: "type_0", chosen: [1] }, columns);
  expect(words).toContain("prop_type_0()");
  expect(words).toContain("bool shown = code == 1u;");
  const numbers = pointShader({ ...view, column: "signal_2", window: [1, 3], within: true }, columns);
  expect(numbers).toContain("(value - 1.0) / 2.0");
  expect(numbers).toContain("value >= 1.0 && value <= 3.0");
  expect(pointShader({ ...view, column: "gone_9" }, columns)).toBe(pointShader(view, columns));
});

test("words take colours in turn", () => {
  expect(wordColour(0)).toBe(wordColour(12));
  expect(new Set(Array.from({ length: 12 }, (_, code) => wordColour(code))).size).toBe(12);
});
