import { expect, test } from "vitest";
import { outline } from "../src/panels/histogram";

test("a histogram is an area from the floor to the floor, as high as the most frequent value", () => {
  const path = outline([0, 16, 1]);
  expect(path).toMatch(/^M0 44V44\.0h.*V0\.0h.*V22\.0h.*V44Z$/);
});
