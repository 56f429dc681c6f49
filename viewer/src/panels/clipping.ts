/** A plane that cuts the 3D view open, wherever one looks from: which way it faces, and where it lies. */

import { make } from "../dom";
import { rotate, type Vector } from "../geometry";
import { lengthText } from "../measure";
import type { Plane } from "../view";
import type { Word } from "../words";
import type { PanelContext } from "./panel";

const FACING = ["off", "x", "y", "z", "camera", "own"] as const;
type Facing = (typeof FACING)[number];
const AXES: Record<"x" | "y" | "z", Vector> = { x: [1, 0, 0], y: [0, 1, 0], z: [0, 0, 1] };

/** The plane with this unit normal through `place`; what lies along the normal stays. */
export function planeThrough(normal: Vector, place: Vector): Plane {
  return [...normal, -dot(normal, place)];
}

/** How far along its normal a plane may go and still cut the box (x, y, z). */
export function reach([x, y, z]: Plane, low: Vector, high: Vector): [number, number] {
  const ends = [x, y, z].map((part, axis) => [part * low[axis]!, part * high[axis]!] as const);
  return [ends.reduce((sum, end) => sum + Math.min(...end), 0), ends.reduce((sum, end) => sum + Math.max(...end), 0)];
}

export function clippingRows({ explorer, scene, say, applied }: PanelContext): { element: HTMLElement; refresh(): void } {
  const words: Record<Facing, Word> = { off: "clipOff", x: scene.oriented ? "clipLeft" : "clipX", y: scene.oriented ? "clipFront" : "clipY", z: scene.oriented ? "clipTop" : "clipZ", camera: "clipCamera", own: "clipOwn" };
  const select = make("select", { "aria-label": say("clip") }, ...FACING.map((facing) => make("option", { value: facing, hidden: facing === "own" }, say(words[facing]))));
  const slider = make("input", { type: "range", "aria-label": say("clipMove") });
  const shown = make("output", {});
  const flip = make("button", { type: "button", class: "pv-small", "data-action": "clipFlip" }, say("clipFlip"));
  const more = make("div", { hidden: true }, make("div", { class: "pv-row" }, make("span", {}, say("clipMove")), slider, shown), flip);
  const [low, high] = scene.bounds_um.map(([z, y, x]) => [x, y, z] as Vector) as [Vector, Vector];
  const set = (plane: Plane | null) => {
    explorer.setPlane(plane);
    applied();
    refresh();
  };
  const refresh = () => {
    const { plane } = explorer;
    more.hidden = !plane;
    if (!plane) return void (select.value = "off");
    select.value = (["x", "y", "z"] as const).find((axis) => AXES[axis].every((part, at) => Math.abs(part) === Math.abs(plane[at]!))) ?? "own";
    const [least, most] = reach(plane, low, high);
    Object.assign(slider, { min: String(least), max: String(most), step: String((most - least) / 500 || 1) });
    slider.value = String(-plane[3]);
    shown.value = lengthText(-plane[3] - least);
  };
  select.addEventListener("change", () => {
    const facing = select.value as Facing;
    if (facing === "off") return set(null);
    const normal = facing === "camera" ? rotate(explorer.pose().rotation3d, [0, 0, 1]) : AXES[facing as "x" | "y" | "z"];
    set(planeThrough(normal, explorer.position()));
  });
  slider.addEventListener("input", () => {
    const [x, y, z] = explorer.plane!;
    explorer.setPlane([x, y, z, -Number(slider.value)]);
    shown.value = lengthText(Number(slider.value) - Number(slider.min));
    applied();
  });
  flip.addEventListener("click", () => set(explorer.plane!.map((part) => -part) as Plane));
  return { element: make("div", { class: "pv-clip" }, make("div", { class: "pv-row pv-row-short" }, make("span", {}, say("clip")), select), more), refresh };
}

function dot(one: Vector, other: Vector): number {
  return one.reduce((sum, value, axis) => sum + value * other[axis]!, 0);
}
