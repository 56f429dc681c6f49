import { expect, test } from "vitest";
import { outline } from "../src/panels/histogram";
import { coloursOf } from "../src/panels/neuronGroup";
import { sampleScene } from "./fixtures";

const neuron = (length_um: number | null, soma_color = "") => ({ name: "n", kind: "skeleton" as const, source: `precomputed:///${length_um}`, color: "6FD0C0", neuron: { soma: "", soma_color, length_um } });
const scene = sampleScene({ layers: [neuron(100), neuron(300, "FF0000"), neuron(200)] as never });

test("neurons are coloured by themselves, by the regions of their somas, or from short to long", () => {
  expect(coloursOf(scene, [0, 1], "each")).toEqual(["6FD0C0", "6FD0C0"]);
  expect(coloursOf(scene, [0, 1], "soma")).toEqual(["808080", "FF0000"]);
  const [short, long, middle] = coloursOf(scene, [0, 1, 2], "length");
  expect([short, middle, long]).toEqual(["886EF0", "28BEA5", "FDE725"]);
  expect(coloursOf(scene, [0], "length")).toEqual(["886EF0"]);
});

test("a histogram is an area from the floor to the floor, as high as the most frequent value", () => {
  const path = outline([0, 16, 1]);
  expect(path).toMatch(/^M0 44V44\.0h.*V0\.0h.*V22\.0h.*V44Z$/);
});
