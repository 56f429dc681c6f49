/** Rotations and boxes of the view. World axes are (x, y, z): right, anterior, superior where a scene is oriented. */

import type { Scene, Triple } from "./scene";
import type { Layout, Quaternion } from "./view";

export type Vector = [number, number, number];

/**
 * Rotation from the screen's axes (right, down, away) to the world's.
 *
 * Oriented scenes have right on the right and superior up, looked at from behind: Neuroglancer's panel xy then is the coronal
 * section, xz the axial one with anterior up, and yz the sagittal one with anterior on the right. Other scenes keep x to the right and y down.
 */
export function sectionRotation(oriented: boolean): Quaternion {
  return oriented ? aboutX(-Math.PI / 2) : [0, 0, 0, 1];
}

/** The 3D camera's first rotation: oriented brains from the front and above, turned so that three faces show. */
export function cameraRotation(oriented: boolean): Quaternion {
  const turned = multiply(aboutY(-0.62), aboutX(-0.38));
  return oriented ? multiply([0, Math.SQRT1_2, -Math.SQRT1_2, 0], turned) : turned;
}

export function multiply(a: Quaternion, b: Quaternion): Quaternion {
  const [ax, ay, az, aw] = a;
  const [bx, by, bz, bw] = b;
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}

/** How the panel of a layout is turned against the panel "xy"; vite.config.ts sees to it that Neuroglancer does the same. */
export function panelRotation(layout: Layout): Quaternion {
  if (layout === "xz") return aboutX(-Math.PI / 2);
  return layout === "yz" ? aboutY(-Math.PI / 2) : [0, 0, 0, 1];
}

function aboutX(angle: number): Quaternion {
  return [Math.sin(angle / 2), 0, 0, Math.cos(angle / 2)];
}

function aboutY(angle: number): Quaternion {
  return [0, Math.sin(angle / 2), 0, Math.cos(angle / 2)];
}

/** The camera's rotation `q` after `part` of a full turn of what it looks at, about what is up there: z of an oriented scene, else the screen's own. */
export function spun(q: Quaternion, part: number, oriented: boolean): Quaternion {
  const angle = 2 * Math.PI * part;
  return oriented ? multiply(smallRotation([0, 0, angle]), q) : multiply(q, smallRotation([0, angle, 0]));
}

/** The rotation by the vector's length, in radians, about its direction. */
export function smallRotation(vector: Vector): Quaternion {
  const angle = Math.hypot(...vector) || 1e-9;
  const [x, y, z] = vector.map((part) => (part / angle) * Math.sin(angle / 2)) as Vector;
  return [x, y, z, Math.cos(angle / 2)];
}

export function rotate(q: Quaternion, v: Vector): Vector {
  const [x, y, z] = multiply(multiply(q, [v[0], v[1], v[2], 0]), [-q[0], -q[1], -q[2], q[3]]);
  return [x, y, z];
}

export function sameRotation(a: Quaternion, b: Quaternion): boolean {
  const dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
  return Math.abs(dot) > 0.99999;
}

/** What the four edges of a panel with rotation `q` are called: anatomy's letters, or signed axes; "" when it is oblique. */
export function edgeLetters(q: Quaternion, oriented: boolean): { left: string; right: string; top: string; bottom: string } {
  const right = rotate(q, [1, 0, 0]);
  const down = rotate(q, [0, 1, 0]);
  const negate = (v: Vector): Vector => [-v[0], -v[1], -v[2]];
  return {
    left: letter(negate(right), oriented),
    right: letter(right, oriented),
    top: letter(negate(down), oriented),
    bottom: letter(down, oriented),
  };
}

function letter(direction: Vector, oriented: boolean): string {
  const axis = direction.findIndex((value) => Math.abs(value) > 0.85);
  if (axis < 0) return "";
  const positive = direction[axis]! > 0;
  if (!oriented) return `${positive ? "+" : "\u2212"}${"xyz"[axis]}`;
  return (["RL", "AP", "SI"][axis] as string)[positive ? 0 : 1]!;
}

/** An arm of the little cross that says which way is which in 3D: where it ends on the screen, in arms, and how far it points away. */
export interface Arm {
  text: string;
  right: number;
  down: number;
  away: number;
}

/** The six directions of the world as a camera with rotation `q` sees them, the farthest first. */
export function compass(q: Quaternion, oriented: boolean): Arm[] {
  const back: Quaternion = [-q[0], -q[1], -q[2], q[3]];
  const arms = [0, 1, 2].flatMap((axis) =>
    [1, -1].map((sign) => {
      const direction: Vector = [0, 0, 0];
      direction[axis] = sign;
      const [right, down, away] = rotate(back, direction);
      return { text: letter(direction, oriented), right, down, away };
    }),
  );
  return arms.sort((one, other) => other.away - one.away);
}

/** Width, height and depth in micrometres, as panel "xy" (or the one turned by `q`) shows the scene's box. */
export function boxOnScreen(scene: Scene, q: Quaternion): Vector {
  const [low, high] = scene.bounds_um;
  const size: Vector = [high[2] - low[2], high[1] - low[1], high[0] - low[0]];
  const along = (v: Vector) => rotate(q, v).reduce((sum, part, axis) => sum + Math.abs(part) * size[axis]!, 0);
  return [along([1, 0, 0]), along([0, 1, 0]), along([0, 0, 1])];
}

/** Micrometres a pixel at which the scene's box fits `width` x `height` pixels in all three sections. */
export function fittingScale(scene: Scene, q: Quaternion, width: number, height: number): number {
  const [across, down, deep] = boxOnScreen(scene, q);
  const needed = Math.max(across / width, down / height, deep / height, deep / width);
  return (needed * 1.12) || 1;
}

/**
 * Where `notches` sections on from `position` along `normal` lies, in a volume whose voxel indices `transform` maps to the world (both as on the
 * wire, in (z, y, x)). Along an axis of the volume it is the middle of a voxel, whatever fraction the way began at; across, nothing moves.
 * A section that runs askew has no voxels in its way and moves by one voxel's worth.
 */
export function stepSection(position: Vector, normal: Vector, notches: number, transform: number[][]): Vector {
  const [x, y, z] = position;
  const towards = [normal[2], normal[1], normal[0]];
  const column = (axis: number) => [0, 1, 2].map((row) => transform[row]![axis]!);
  const inverse = invert([0, 1, 2].map((row) => transform[row]!.slice(0, 3)));
  const along = inverse.map((row) => dot(row, towards));
  const axis = [0, 1, 2].reduce((best, next) => (Math.abs(along[next]!) > Math.abs(along[best]!) ? next : best));
  const edge = column(axis);
  let shift = towards.map((part) => (part * notches) / Math.abs(along[axis]!));
  if (Math.abs(dot(edge, towards)) > 0.9999 * Math.hypot(...edge)) {
    const index = dot(inverse[axis]!, [z, y, x].map((value, row) => value - transform[row]![3]!));
    const steps = notches * Math.sign(along[axis]!);
    const next = (steps > 0 ? Math.floor(index + TOUCHING) : Math.ceil(index - TOUCHING)) + steps;
    shift = edge.map((part) => part * (next - index));
  }
  return [x + shift[2]!, y + shift[1]!, z + shift[0]!];
}

/** Positions are single floats inside Neuroglancer: this much of a voxel is no distance. */
const TOUCHING = 0.01;

function dot(a: number[], b: number[]): number {
  return a.reduce((sum, value, index) => sum + value * b[index]!, 0);
}

function invert(rows: number[][]): number[][] {
  const cross = (a: number[], b: number[]) => [a[1]! * b[2]! - a[2]! * b[1]!, a[2]! * b[0]! - a[0]! * b[2]!, a[0]! * b[1]! - a[1]! * b[0]!];
  const [a, b, c] = rows as [number[], number[], number[]];
  const columns = [cross(b, c), cross(c, a), cross(a, b)];
  const size = dot(a, columns[0]!);
  return [0, 1, 2].map((row) => columns.map((column) => column[row]! / size));
}

/** The volume on whose voxels the sections step: the first that is switched on, else the first; without one, cubes of the scene's step. */
export function steppingGrid(scene: Scene, visible: boolean[]): number[][] {
  const volumes = scene.layers.map((layer, index) => ({ layer, index })).filter(({ layer }) => layer.kind === "image" || layer.kind === "labels");
  const first = volumes.find(({ index }) => visible[index]) ?? volumes[0];
  const size = first?.layer.voxel_size_um ?? ([0, 0, 0].fill(stepOf(scene)) as Triple);
  return first?.layer.transform ?? size.map((length, row) => [0, 1, 2, 3].map((column) => (row === column ? length : 0)));
}

/** The smallest voxel edge of a scene, in micrometres: the unit in which Neuroglancer's coordinates are counted. */
export function stepOf(scene: Scene): number {
  return Math.min(...scene.voxel_size_um.filter((size) => size > 0)) || 1;
}

/**
 * The matrix that Neuroglancer wants for a five-axis source (t, c, z, y, x): its linear part maps lengths to lengths, its
 * translation counts in `step` micrometres.
 */
export function sourceMatrix(transform: number[][], voxel: Triple, step: number): number[][] {
  const rows: number[][] = [
    [1, 0, 0, 0, 0, 0],
    [0, 1, 0, 0, 0, 0],
  ];
  for (let row = 0; row < 3; row += 1) {
    const from = transform[row]!;
    rows.push([0, 0, from[0]! / voxel[0], from[1]! / voxel[1], from[2]! / voxel[2], from[3]! / step]);
  }
  return rows;
}
