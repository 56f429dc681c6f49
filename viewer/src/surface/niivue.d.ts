/**
 * What we use of NiiVue: its own types bring another release of gl-matrix, whose types shadow those that Neuroglancer is written for (see `paths`
 * in tsconfig.json).
 */

export enum SLICE_TYPE {
  RENDER = 4,
}

export class NVMesh {
  /** `rgba255` is one colour, or one a vertex. */
  constructor(places: Float32Array, triangles: Uint32Array, name: string, rgba255: Uint8Array, opacity: number, visible: boolean, gl: WebGL2RenderingContext);
  rgba255: Uint8Array;
  updateMesh(gl: WebGL2RenderingContext): void;
}

export class Niivue {
  constructor(options: Record<string, unknown>);
  readonly gl: WebGL2RenderingContext;
  readonly opts: { forceDevicePixelRatio: number };
  readonly scene: { renderAzimuth: number; renderElevation: number; volScaleMultiplier: number };
  attachToCanvas(canvas: HTMLCanvasElement): Promise<this>;
  setSliceType(type: SLICE_TYPE): this;
  addMesh(mesh: NVMesh): void;
  removeMesh(mesh: NVMesh): void;
  drawScene(): void;
  setRenderAzimuthElevation(azimuth: number, elevation: number): void;
  setScale(scale: number): void;
  setHighResolutionCapable(ratio: number): void;
  /** The matrix from places to the picture, its model part, and that of normals: columns one after the other. */
  calculateMvpMatrix(unused: null, box: [left: number, top: number, width: number, height: number], azimuth: number, elevation: number): [Float32Array, Float32Array, Float32Array];
  cleanup(): void;
}
