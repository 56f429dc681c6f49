import { expect, test } from "vitest";
import { decodeView, defaultView, encodeView, looksThrough, showsSections, type View } from "../src/view";
import { sampleScene } from "./fixtures";

const scene = sampleScene();

test("an untouched view needs only its position in the link", () => {
  expect(encodeView(defaultView(scene), scene)).toBe("p=-250_-6250_1750");
});

test("a link restores everything that a person can change", () => {
  const view: View = {
    ...defaultView(scene),
    layout: "xz",
    position: [1234.5, -0.25, 70000],
    time: 3,
    scale: 12.5,
    scale3d: 90000,
    rotation: [0.5, 0.5, -0.5, 0.5],
    rotation3d: [0, 0, 0, 1],
    axes: false,
    slices: false,
    slices3d: true,
    volume: false,
    cut: true,
    plane: [0.6, 0, -0.8, -1234.5],
    scaleBar: false,
    regions: ["382", "18446744073709551615"],
    only: true,
    outline: true,
    line: { corners: [[-12000, 250.5, 0], [1, 2, 3], [4000, 5000, -6000]], width_um: 25, asset: "01KYB21SS5RFZCEFFY7WHXHBCP", level: 2 },
    warps: [{ form: "size", longer: 1 }, { form: "grid", longer: 7 }],
  };
  view.layers[0] = { visible: false, opacity: 0.5, window: [-3.5, 77], threshold: 2.3, palette: "statistic", color: "FF0000", blend: "additive", colouring: "length", filter: "CP 17302", all: true, column: "type_0", chosen: [3, 11], within: true, name: "海马 T1" };
  view.layers[2]!.opacity = 0.9;
  expect(decodeView(`#${encodeView(view, scene)}`, scene)).toEqual(view);
});

test("a link is short enough to send", () => {
  const view = { ...defaultView(scene), scale: 123.456, scale3d: 98765.4, layout: "3d" as const };
  view.layers.forEach((layer) => (layer.window = [1, 2]));
  expect(encodeView(view, scene).length).toBeLessThan(160);
});

test.each(["", "#", "#p=1_2", "#p=a_b_c&s=-4&s3=0&r=0_0_0_0&l=hexagon&0=w1~ox~mrainbow~c12", "#=&&&%E4%B8", "#p=1e999_2_3", "#m=p1_2_3", "#m=p1_2_x_4_5_6~aa/b~w-1"])(
  "a damaged link %j opens the scene's own view",
  (fragment) => {
    expect(decodeView(fragment, scene)).toEqual(defaultView(scene));
  },
);

test("a link to layers that are gone changes nothing else", () => {
  const view = decodeView("#l=3d&9=v0~o0.1", scene);
  expect(view.layout).toBe("3d");
  expect(view.layers).toEqual(defaultView(scene).layers);
});

test("the layout 3d has a volume or sections to show, and both where both are asked for", () => {
  const view: View = { ...defaultView(scene), layout: "3d" };
  expect([looksThrough(view, scene), showsSections(view, scene)]).toEqual([true, false]);
  expect(showsSections({ ...view, slices3d: true }, scene)).toBe(true);
  expect(showsSections({ ...view, volume: false }, scene)).toBe(true);
  const hidden = view.layers.map((layer, index) => (scene.layers[index]!.kind === "image" ? { ...layer, visible: false } : layer));
  expect(showsSections({ ...view, layers: hidden }, scene)).toBe(true);
});

test("four panels look through nothing and keep their own switch for sections", () => {
  const view: View = { ...defaultView(scene), slices3d: false };
  expect([looksThrough(view, scene), showsSections(view, scene)]).toEqual([false, true]);
  expect(showsSections({ ...view, slices: false }, scene)).toBe(false);
});
