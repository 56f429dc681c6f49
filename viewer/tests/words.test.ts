import { expect, test } from "vitest";
import { PARTS, TABLES, speaker } from "../src/words";

test("both languages say everything", () => {
  expect(Object.keys(TABLES.zh).sort()).toEqual(Object.keys(TABLES.en).sort());
  for (const [word, text] of Object.entries(TABLES.zh)) expect(text.length, word).toBeGreaterThan(0);
});

test("the language follows the page", () => {
  expect(speaker("zh-Hans")("layers")).toBe("图层");
  expect(speaker("en")("layers")).toBe("Layers");
  expect(speaker("fr")("layers")).toBe("Layers");
});

test("no panel says a word of another's", () => {
  const words = Object.values(PARTS).flatMap(({ en }) => Object.keys(en));
  expect(words.filter((word, at) => words.indexOf(word) !== at)).toEqual([]);
});
