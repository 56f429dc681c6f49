/** The one module that knows NiiVue: surfaces with a colour a vertex, seen from anywhere. Loaded with the first surface. */

import { NVMesh, Niivue, SLICE_TYPE } from "@niivue/niivue";
import type { Geometry } from "./data";

const BACKGROUND: [number, number, number, number] = [0.043, 0.055, 0.075, 1];
/** How near the cursor a vertex is picked, pixels of the screen. */
const REACH = 12;

export interface Picked {
  /** Which of the surfaces that are shown, and which of its vertices. */
  surface: number;
  vertex: number;
}

export class Stage {
  private meshes: NVMesh[] = [];
  private shown: Geometry[] = [];

  private constructor(
    private readonly viewer: Niivue,
    private readonly canvas: HTMLCanvasElement,
  ) {}

  static async open(canvas: HTMLCanvasElement): Promise<Stage> {
    const viewer = new Niivue({
      backColor: BACKGROUND,
      show3Dcrosshair: false,
      isOrientCube: false,
      isColorbar: false,
      dragAndDropEnabled: false,
      loadingText: "",
      logLevel: "error",
      // our own keys do what they do, and say so
      clipPlaneHotKey: "",
      viewModeHotKey: "",
    });
    await viewer.attachToCanvas(canvas);
    viewer.setSliceType(SLICE_TYPE.RENDER);
    return new Stage(viewer, canvas);
  }

  /** Show these surfaces, and no others; `colours` are RGBA a vertex. */
  show(surfaces: readonly Geometry[], colours: readonly Uint8Array[]): void {
    for (const mesh of this.meshes) this.viewer.removeMesh(mesh);
    this.shown = [...surfaces];
    this.meshes = surfaces.map(({ places, triangles }, at) => new NVMesh(places, triangles, `${at}`, colours[at]!, 1, true, this.viewer.gl));
    for (const mesh of this.meshes) this.viewer.addMesh(mesh);
    this.viewer.drawScene();
  }

  /** Draw the same surfaces in other colours. */
  recolour(colours: readonly Uint8Array[]): void {
    this.meshes.forEach((mesh, at) => {
      mesh.rgba255 = colours[at]!;
      mesh.updateMesh(this.viewer.gl);
    });
    this.viewer.drawScene();
  }

  /** Where the camera stands, degrees. */
  get camera(): { azimuth: number; elevation: number } {
    return { azimuth: this.viewer.scene.renderAzimuth, elevation: this.viewer.scene.renderElevation };
  }

  turnTo(azimuth: number, elevation: number): void {
    this.viewer.setRenderAzimuthElevation(azimuth, elevation);
  }

  /** Come nearer by a factor above 1. */
  zoom(factor: number): void {
    this.viewer.setScale(Math.min(10, Math.max(0.3, this.viewer.scene.volScaleMultiplier * factor)));
  }

  /** The vertex that is seen at a point of the window; null where there is none. */
  pick(clientX: number, clientY: number): Picked | null {
    const frame = this.canvas.getBoundingClientRect();
    const [x, y] = [(2 * (clientX - frame.left)) / frame.width - 1, 1 - (2 * (clientY - frame.top)) / frame.height];
    const { azimuth, elevation } = this.camera;
    const [matrix] = this.viewer.calculateMvpMatrix(null, [0, 0, this.canvas.width, this.canvas.height], azimuth, elevation);
    return nearest(this.shown, matrix, [x, y], [(2 * REACH) / frame.width, (2 * REACH) / frame.height]);
  }

  /** The picture with `factor` times as many pixels a side as on the screen. */
  async picture(factor: number): Promise<HTMLCanvasElement> {
    const before = this.viewer.opts.forceDevicePixelRatio;
    this.viewer.setHighResolutionCapable(factor);
    this.viewer.drawScene();
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [this.canvas.width, this.canvas.height];
    copy.getContext("2d")!.drawImage(this.canvas, 0, 0);
    this.viewer.setHighResolutionCapable(before);
    this.viewer.drawScene();
    return copy;
  }

  dispose(): void {
    this.viewer.cleanup();
  }
}

/** Of the vertices within `reach` of a place of the picture (-1 to 1), the nearest to the camera's eye and the place: what lies behind is hidden. */
function nearest(surfaces: readonly Geometry[], m: Float32Array, [x, y]: [number, number], [wide, high]: [number, number]): Picked | null {
  let found: Picked | null = null;
  let least = Number.POSITIVE_INFINITY;
  surfaces.forEach(({ places }, surface) => {
    for (let at = 0; at < places.length; at += 3) {
      const [px, py, pz] = [places[at]!, places[at + 1]!, places[at + 2]!];
      const across = (m[0]! * px + m[4]! * py + m[8]! * pz + m[12]! - x) / wide;
      const up = (m[1]! * px + m[5]! * py + m[9]! * pz + m[13]! - y) / high;
      const distance = across * across + up * up;
      if (distance > 1) continue;
      const depth = m[2]! * px + m[6]! * py + m[10]! * pz + m[14]! + 0.05 * distance;
      if (depth >= least) continue;
      least = depth;
      found = { surface, vertex: at / 3 };
    }
  });
  return found;
}
