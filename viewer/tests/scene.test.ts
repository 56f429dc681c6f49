import { expect, test } from "vitest";
import { readScene } from "../src/scene";
import { readRegions } from "../src/regions";
import { sampleScene } from "./fixtures";

test("what the server leaves out is filled in", () => {
  const scene = readScene({ layers: [{ kind: "image", source: "zarr3:///x/" }], bounds_um: [[0, 0, 0], [10, 20, 30]] });
  expect(scene.layers[0]).toMatchObject({ channel: 0, color: "FFFFFF", visible: true, opacity: 1, times: 1, segments: [] });
  expect(scene.position_um).toEqual([5, 10, 15]);
  expect(scene.oriented).toBe(false);
});

test("a scene that makes no sense is refused with the reason", () => {
  expect(() => readScene({})).toThrow("no list of layers");
  expect(() => readScene({ layers: [{ kind: "hologram", source: "zarr3:///x" }] })).toThrow("hologram");
  expect(() => readScene({ layers: [{ kind: "image", source: "javascript:alert(1)" }] })).toThrow("javascript");
});

test("regions have the names and colours of their segment properties, whatever their alphabet", () => {
  const label = { id: "label", type: "label", values: ["海马", "V1"] };
  const color = { id: "color", type: "string", values: ["#7ED04B", ""] };
  const info = { inline: { ids: ["7", "18446744073709551615"], properties: [label, color] } };
  expect(readRegions(info).get("7")).toEqual({ name: "海马", color: "#7ED04B" });
  expect(readRegions(info).get("18446744073709551615")).toEqual({ name: "V1", color: "" });
  expect(readRegions({ inline: { ids: ["7"], properties: [{ ...color, values: ["red;}"] }] } }).get("7")!.color).toBe("");
  expect(readRegions({}).size).toBe(0);
});

test("every colour is upper case, so that links compare", () => {
  expect(sampleScene().layers[1]!.color).toBe("64FF64");
});
