/** Where one looks from: the part of the facade that moves sections and camera. With the other parts the only one that knows Neuroglancer. */

import type { Viewer } from "neuroglancer/unstable/viewer.js";
import { compass, edgeLetters, multiply, panelRotation, rotate, smallRotation, steppingGrid, stepSection, type Arm, type Vector } from "./geometry";
import type { Scene } from "./scene";
import type { Quaternion, View } from "./view";
import type { SectionFrame } from "./warp";

export interface PanelEdge {
  left: number;
  top: number;
  width: number;
  height: number;
  /** What lies beyond the four edges of a section; in 3D, the directions as the camera sees them. */
  letters: { left: string; right: string; top: string; bottom: string } | null;
  compass: Arm[] | null;
}

/** Where one looks from: micrometres, a pixel of the sections, and over the height of the 3D panel. */
export interface Pose {
  position: Vector;
  scale: number;
  scale3d: number;
  rotation: Quaternion;
  rotation3d: Quaternion;
}

interface SectionPanel {
  element: HTMLElement;
  sliceView?: unknown;
  navigationState?: { pose: { orientation: { orientation: ArrayLike<number> } } };
}

/** The sections and the camera of one Neuroglancer, in micrometres of the world. */
export abstract class Camera {
  protected abstract readonly viewer: Viewer;
  /** Micrometres that Neuroglancer's coordinates are counted in. */
  protected abstract readonly unit: number;
  /** What was chosen that Neuroglancer does not know by itself. */
  protected abstract chosen: Pick<View, "layout" | "layers">;
  abstract scene: Scene;

  constructor(protected readonly target: HTMLElement) {}

  /** Where one looks from and how near, in the terms of the world. */
  pose(): Pose {
    const { viewer } = this;
    return {
      position: this.position(),
      scale: viewer.crossSectionScale.value * this.unit,
      scale3d: viewer.projectionScale.value * this.unit,
      rotation: toQuaternion(viewer.crossSectionOrientation.orientation),
      rotation3d: toQuaternion(viewer.projectionOrientation.orientation),
    };
  }

  /** Look from elsewhere; what `pose` leaves out stays. */
  setPose(pose: Partial<Pose>): void {
    const { crossSectionScale, projectionScale, crossSectionOrientation, projectionOrientation } = this.viewer;
    if (pose.position) this.setPosition(pose.position);
    if (pose.scale) crossSectionScale.value = pose.scale / this.unit;
    if (pose.scale3d) projectionScale.value = pose.scale3d / this.unit;
    for (const [turned, rotation] of [[crossSectionOrientation, pose.rotation], [projectionOrientation, pose.rotation3d]] as const) {
      if (!rotation) continue;
      turned.orientation.set(rotation);
      turned.changed.dispatch();
    }
  }

  /** Bring the box (x, y, z) in micrometres into sight, with `place` in the middle. */
  frame(place: Vector, size: Vector): void {
    const { clientWidth: width, clientHeight: height } = this.target;
    const cut = this.chosen.layout === "4panel" ? 2 : 1;
    const largest = Math.max(...size);
    this.setPose({ position: place, scale: (1.6 * largest) / Math.max(80, Math.min(width, height) / cut), scale3d: 2.4 * largest });
  }

  /** The crossing point of the sections, (x, y, z) in micrometres. */
  position(): [number, number, number] {
    return this.spatial(this.viewer.position.value);
  }

  setPosition(position: readonly number[]): void {
    const next = Float32Array.from(this.viewer.position.value);
    this.axes("x", "y", "z").forEach((at, axis) => {
      if (at >= 0) next[at] = position[axis]! / this.unit;
    });
    this.viewer.position.value = next;
  }

  /** Move the crossing point by micrometres to the right and down in the section at `place`. */
  move(right: number, down: number, place: EventTarget | null = null): void {
    const shift = rotate(this.sectionAt(place), [right, down, 0]);
    this.setPosition(this.position().map((value, axis) => value + shift[axis]!));
  }

  /** Go `notches` sections on, away from whoever looks at the section at `place`, as far as the data go. */
  step(notches: number, place: EventTarget | null = null): void {
    const normal = rotate(this.sectionAt(place), [0, 0, 1]);
    const grid = steppingGrid(this.scene, this.chosen.layers.map((layer) => layer.visible));
    for (let count = Math.abs(notches); count > 0; count -= 1) {
      const next = stepSection(this.position(), normal, Math.sign(notches) * count, grid);
      if (this.leaves(next)) continue;
      return this.setPosition(next);
    }
  }

  /** Whether going to `next` leads out of the data, or farther away from them. */
  private leaves(next: Vector): boolean {
    const [low, high] = this.scene.bounds_um;
    const now = this.position();
    return next.some((value, axis) => (value < low[2 - axis]! && value < now[axis]!) || (value > high[2 - axis]! && value > now[axis]!));
  }

  /** The rotation of the section that holds `place`, an element; else of the layout's first. */
  private sectionAt(place: EventTarget | null): Quaternion {
    for (const panel of this.panels()) {
      if (panel.sliceView && panel.navigationState && panel.element.contains(place as Node | null)) return toQuaternion(panel.navigationState.pose.orientation.orientation);
    }
    return multiply(toQuaternion(this.viewer.crossSectionOrientation.orientation), panelRotation(this.chosen.layout));
  }

  /** The place under a point of the window, and how the section there is turned; null where there is no section. */
  placeAt(clientX: number, clientY: number): { place: Vector; rotation: Quaternion } | null {
    for (const { sliceView, navigationState, element } of this.panels()) {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      if (!sliceView || !navigationState || clientX < left || clientX > right || clientY < top || clientY > bottom) continue;
      const rotation = toQuaternion(navigationState.pose.orientation.orientation);
      const { pixel } = this.scale();
      const shift = rotate(rotation, [(clientX - (left + right) / 2) * pixel, (clientY - (top + bottom) / 2) * pixel, 0]);
      return { place: this.position().map((value, axis) => value + shift[axis]!) as Vector, rotation };
    }
    return null;
  }

  /** Turn the sections by radians about their right, down and away directions. */
  turn(right: number, down: number, away: number): void {
    const { crossSectionOrientation } = this.viewer;
    const turned = multiply(toQuaternion(crossSectionOrientation.orientation), smallRotation([right, down, away]));
    crossSectionOrientation.orientation.set(turned);
    crossSectionOrientation.changed.dispatch();
  }

  /** Micrometres a pixel of the sections, and micrometres from one section to the next. */
  scale(): { pixel: number; section: number } {
    return { pixel: this.viewer.crossSectionScale.value * this.unit, section: this.unit };
  }

  time(): number {
    const [at] = this.axes("t");
    return at === undefined || at < 0 ? 0 : Math.max(0, Math.round(this.viewer.position.value[at] ?? 0));
  }

  setTime(time: number): void {
    const [at] = this.axes("t");
    if (at === undefined || at < 0) return;
    const next = Float32Array.from(this.viewer.position.value);
    next[at] = time;
    this.viewer.position.value = next;
  }

  protected axes(...names: string[]): number[] {
    return names.map((name) => this.viewer.coordinateSpace.value.names.indexOf(name));
  }

  protected spatial(coordinates: ArrayLike<number>): [number, number, number] {
    return this.axes("x", "y", "z").map((at) => (coordinates[at] ?? 0) * this.unit) as [number, number, number];
  }

  /** Zoom the sections and the 3D camera by `factor`; below 1 comes nearer. */
  zoom(factor: number): void {
    this.viewer.crossSectionScale.value *= factor;
    this.viewer.projectionScale.value *= factor;
  }

  /** Micrometres a pixel where it is finest in the panels that are shown. */
  protected finestPixel(): number {
    const { crossSectionScale, projectionScale } = this.viewer;
    const pixels = [...this.panels()].map(({ sliceView, element }) =>
      sliceView ? crossSectionScale.value : projectionScale.value / Math.max(1, element.clientHeight),
    );
    return Math.min(...pixels) * this.unit;
  }

  protected edges(): PanelEdge[] {
    const frame = this.target.getBoundingClientRect();
    const found: PanelEdge[] = [];
    for (const panel of this.panels()) {
      if (!panel.navigationState) continue;
      const box = panel.element.getBoundingClientRect();
      const rotation = toQuaternion(panel.navigationState.pose.orientation.orientation);
      found.push({
        left: box.left - frame.left,
        top: box.top - frame.top,
        width: box.width,
        height: box.height,
        letters: panel.sliceView ? edgeLetters(rotation, this.scene.oriented) : null,
        compass: panel.sliceView ? null : compass(rotation, this.scene.oriented),
      });
    }
    return found;
  }

  /** The sections that are on the screen. */
  sections(): SectionFrame[] {
    const { pixel } = this.scale();
    return [...this.panels()].flatMap(({ sliceView, navigationState, element }) => {
      if (!sliceView || !navigationState) return [];
      const rotation = toQuaternion(navigationState.pose.orientation.orientation);
      const [width, height] = [element.clientWidth * pixel, element.clientHeight * pixel];
      const shift = rotate(rotation, [-width / 2, -height / 2, 0]);
      return [{ corner: this.position().map((value, axis) => value + shift[axis]!) as Vector, rotation, width, height, pixel }];
    });
  }

  protected panels(): Set<SectionPanel> {
    return this.viewer.display.panels as unknown as Set<SectionPanel>;
  }
}

export function toQuaternion(values: ArrayLike<number>): Quaternion {
  return Array.from(values).slice(0, 4) as Quaternion;
}

