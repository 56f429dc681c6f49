import { describe, expect, it } from "vitest";
import { judged } from "../src/panels/marks";
import type { SceneLayer } from "../src/scene";

const layer = (kind: string, source: string) => ({ kind, source }) as SceneLayer;

describe("the cells that verdicts are about", () => {
  it("are the points of the dataset that one looks at", () => {
    const layers = [layer("image", "zarr3:///data/abc/one/chunks/"), layer("points", "precomputed:///data/abc/two/objects/precomputed")];
    expect(judged({ layers })).toEqual({ asset: "two" });
  });

  it("are not those of another dataset, nor anything that is no points", () => {
    const own = layer("image", "zarr3:///data/abc/one/chunks/");
    expect(judged({ layers: [own, layer("points", "precomputed:///data/def/two/objects/precomputed")] })).toEqual({});
    expect(judged({ layers: [own, layer("mesh", "precomputed:///data/abc/two/objects/precomputed")] })).toEqual({});
    expect(judged({ layers: [] })).toEqual({});
  });
});
