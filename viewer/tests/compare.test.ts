import { expect, test } from "vitest";
import { asked, asking, carried } from "../src/asking";
import { inOneSpace, joinViews, missing, shared, splitViews } from "../src/compare/linking";
import type { Pose } from "../src/facade";
import { defaultView } from "../src/view";
import { sampleScene } from "./fixtures";

const pose: Pose = { position: [1, 2, 3], scale: 10, scale3d: 5000, rotation: [0, 0, 0, 1], rotation3d: [1, 0, 0, 0] };

test("brains of one space share the place, others only the direction", () => {
  expect(shared(pose, "space")).toEqual(pose);
  expect(Object.keys(shared(pose, "turn"))).toEqual(["rotation", "rotation3d"]);
  expect(shared(pose, "none")).toEqual({});
});

test("two that follow each other come to rest", () => {
  const near: Pose = { ...pose, position: [1, 2, 3 + 1e-6] };
  expect(missing(shared(pose, "space"), near)).toEqual({});
  expect(missing(shared(pose, "space"), { ...pose, scale: 11 })).toEqual({ scale: 10 });
});

test("only worlds that are known to be one are one", () => {
  expect([inOneSpace(["a", "a"]), inOneSpace(["a", "b"]), inOneSpace(["", ""])]).toEqual([true, false, false]);
});

test("an address keeps the view of every brain", () => {
  const joined = joinViews(["p=1_2_3&l=xy", ""], { link: "turn" });
  const { views, rest } = splitViews(`#${joined}`, 2);
  expect([views, rest.get("link")]).toEqual([["p=1_2_3&l=xy", ""], "turn"]);
});

test("a scene is asked for something else, and nothing of its address is lost", () => {
  expect(asking("/api/v1/atlases/a/scene?region=1&ends=3", "ends", ["4", "5"])).toBe("/api/v1/atlases/a/scene?region=1&ends=4&ends=5");
  expect(asking("http://x/view?ends=3#p=1", "ends", [])).toBe("http://x/view#p=1");
  expect(asked("/a?region=1&region=2#region=3", "region")).toEqual(["1", "2"]);
});

test("what a person set stays when layers come and go", () => {
  const before = sampleScene();
  const view = defaultView(before);
  view.layers[3]!.opacity = 0.25;
  const after = sampleScene({ layers: [before.layers[3]!, { ...before.layers[3]!, source: "precomputed:///other" }] });
  expect(carried(view, before, after).layers.map(({ opacity }) => opacity)).toEqual([0.25, 1]);
});
