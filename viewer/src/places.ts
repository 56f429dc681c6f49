/** Places as people write and read them: short numbers with a unit that suits the size of what is shown. */

import type { Scene } from "./scene";

export type Unit = "mm" | "µm";

const UM_IN: Record<Unit, number> = { mm: 1000, "µm": 1 };
/** From this extent on, micrometres have too many digits to be read. */
const LARGE_UM = 20_000;

export function unitOf(scene: Scene): Unit {
  const [low, high] = scene.bounds_um;
  return Math.max(...high.map((value, axis) => value - low[axis]!)) > LARGE_UM ? "mm" : "µm";
}

/** A number without digits that nobody reads. */
export function tidy(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** `position` (micrometres) as text; a hundredth of a millimetre is less than a voxel of what is read in millimetres. */
export function placeText(position: readonly number[], unit: Unit): string {
  const numbers = position.map((value) => (unit === "mm" ? Number((value / UM_IN.mm).toFixed(2)) : Number(tidy(value))));
  return `${numbers.map((value) => String(value + 0)).join(", ")} ${unit}`;
}

/** Three numbers as micrometres; a number without a unit has that of the next one that says it, or `unit`. Null when it is something else. */
export function readPlace(text: string, unit: Unit): [number, number, number] | null {
  const token = /([-+\u2212]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)[\s)）]*(mm|µm|μm|um|毫米|微米)?/gi;
  if (text.replace(token, "").replace(/[\s,;()，；、（）]/g, "")) return null;
  const parts = [...text.matchAll(token)].map(([, number, said]) => ({ value: Number(number!.replace("\u2212", "-")), said }));
  if (parts.length !== 3) return null;
  const values = parts.map(({ value }, index) => {
    const said = parts.slice(index).find((part) => part.said)?.said;
    return value * UM_IN[said === undefined ? unit : /^(mm|毫米)$/i.test(said) ? "mm" : "µm"];
  });
  return values.every(Number.isFinite) ? (values as [number, number, number]) : null;
}
