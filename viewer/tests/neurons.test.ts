import { expect, test } from "vitest";
import { MOST_NODES, classes, colours, exactOf, formFor, matching, ramp, readNeurons, segmentOf, spread } from "../src/neurons";

const info = {
  "@type": "neuroglancer_segment_properties",
  inline: {
    ids: ["4", "1125899906842620", "12"],
    properties: [
      { id: "label", type: "label", values: ["17302_00002", "18453", "AA0001"] },
      { id: "dataset", type: "description", values: ["fMOST", "fMOST", "MouseLight"] },
      { id: "soma", type: "number", values: [672, 985, 672] },
      { id: "target", type: "number", values: [381, 0, 381] },
      { id: "length_um", type: "number", values: [1000, 3000, 2000] },
    ],
  },
};
const neurons = readNeurons(info);
const regions = new Map([
  ["672", { name: "Caudoputamen", acronym: "CP", also: "尾壳核", color: "#98D6F9" }],
  ["985", { name: "Primary motor area", acronym: "MOp", also: "初级运动区", color: "#1F9D5A" }],
]);

test("neurons are read from segment properties, what is missing is nothing", () => {
  expect(neurons[1]).toEqual({ id: "1125899906842620", name: "18453", dataset: "fMOST", soma: "985", target: "0", length_um: 3000, strength_um: 0 });
  expect(readNeurons(null)).toEqual([]);
  expect(readNeurons({ inline: { ids: ["4"] } })[0]).toMatchObject({ name: "4", soma: "0", length_um: 0 });
});

test("a filter finds words in names, datasets and regions of both languages", () => {
  const found = (text: string) => matching(neurons, text, regions).map(({ name }) => name);
  expect(found("")).toHaveLength(3);
  expect(found("fmost cp")).toEqual(["17302_00002"]);
  expect(found("初级")).toEqual(["18453"]);
  expect(found("nothing")).toEqual([]);
});

test("colours are those of regions, of datasets, or from short to long", () => {
  expect(colours(neurons, "soma", regions)).toEqual(["#98D6F9", "#1F9D5A", "#98D6F9"]);
  expect(colours(neurons, "target", regions)).toEqual(["#808080", "#808080", "#808080"]);
  expect(colours(neurons, "length", regions)).toEqual([ramp(0), ramp(1), ramp(0.5)]);
  expect([ramp(0), ramp(0.5), ramp(1)]).toEqual(["#886EF0", "#28BEA5", "#FDE725"]);
  const [first, second, third] = colours(neurons, "dataset", regions);
  expect(first).toBe(second);
  expect(third).not.toBe(first);
  expect(classes(neurons, "soma", regions)).toMatchObject([{ name: "Caudoputamen", count: 2 }, { name: "Primary motor area", count: 1 }]);
  expect(classes(neurons, "length", regions)).toEqual([]);
});

test("a crowd is as coarse as a pixel hides, or as many nodes need", () => {
  const forms = [{ tolerance_um: 0, nodes: 1000 }, { tolerance_um: 10, nodes: 100 }, { tolerance_um: 40, nodes: 20 }];
  expect([1, 10, 39, 40].map((pixel) => formFor(forms, 1, pixel))).toEqual([0, 1, 1, 2]);
  const many = forms.map((form) => ({ ...form, nodes: form.nodes * (MOST_NODES / 500) }));
  expect([1, 0.4].map((share) => formFor(many, share, 1))).toEqual([1, 0]);
  expect(formFor(many.map((form) => ({ ...form, nodes: MOST_NODES * 10 })), 1, 1)).toBe(2);
});

test("forms are segments beside each other, exact beyond what a double counts by halves", () => {
  expect([0, 1, 2].map((form) => exactOf(segmentOf("1125899906842620", form)))).toEqual(["1125899906842620", "1125899906842620", "1125899906842620"]);
});

test("of a crowd some are drawn, spread evenly and each once; of few all", () => {
  const many = Array.from({ length: 2500 }, (_, at) => at);
  const some = spread(many, 1000);
  expect(new Set(some).size).toBe(1000);
  expect([some[0], some.at(-1)]).toEqual([0, 2497]);
  expect(spread(many, 2500)).toBe(many);
});
