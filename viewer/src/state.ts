/** A scene and a view written as Neuroglancer's state. Pure: this is the part of the facade that tests without a browser. */

import { boxOnScreen, cameraRotation, multiply, panelRotation, sectionRotation, sourceMatrix, stepOf } from "./geometry";
import { pointShader } from "./points";
import type { Scene, SceneLayer } from "./scene";
import { STATISTIC_SHADER, reach } from "./statistic";
import { looksThrough, showsSections, unchosenAlpha, type LayerView, type Layout, type Palette, type View } from "./view";

export type Json = Record<string, unknown>;

const UM_A_METRE = 1e6;
const SECTION_PIXELS = 1200;
const DEPTH_SAMPLES = 64;
/** How deep 3D looks, as a multiple of the panel's height: through a volume only so far that the samples lie close. */
const DEPTH = { through: -1.2, past: -10 };

/** The state that shows `view` of `scene`; relative sources are resolved against `origin`. */
export function neuroglancerState(scene: Scene, view: View, origin: string, fitted: { scale: number; scale3d: number }): Json {
  const step = stepOf(scene);
  const times = Math.max(1, ...scene.layers.map((layer) => layer.times));
  const length: [number, string] = [step / UM_A_METRE, "m"];
  const dimensions: Json = { x: length, y: length, z: length };
  const position = view.position.map((value) => value / step);
  if (times > 1) {
    dimensions.t = timeDimension(scene);
    position.push(Math.min(view.time, times - 1));
  }
  return {
    dimensions,
    position,
    displayDimensions: ["x", "y", "z"],
    crossSectionScale: (view.scale ?? fitted.scale) / step,
    projectionDepth: depthOf(view, scene),
    projectionScale: (view.scale3d ?? fitted.scale3d) / step,
    crossSectionOrientation: view.rotation ?? sectionRotation(scene.oriented),
    projectionOrientation: view.rotation3d ?? cameraRotation(scene.oriented),
    showAxisLines: view.axes,
    showScaleBar: view.scaleBar,
    showDefaultAnnotations: false,
    showSlices: showsSections(view, scene),
    hideCrossSectionBackground3D: true,
    crossSectionBackgroundColor: "#000000",
    projectionBackgroundColor: "#0b0e13",
    layout: layoutState(scene, view.layout),
    layers: scene.layers.map((layer, index) => layerState(layer, index, scene, view, origin)),
  };
}

/** The layout "3d" has no panels whose sections it could borrow, so it gets three of its own, each as wide as twice the scene. */
export function layoutState(scene: Scene, layout: Layout): Json {
  const state: Json = { type: layout, orthographicProjection: true };
  if (layout !== "3d") return state;
  const planes = (["xy", "xz", "yz"] as const).map((plane) => [plane, sectionOfItsOwn(scene, plane)]);
  return { ...state, crossSections: Object.fromEntries(planes) };
}

function sectionOfItsOwn(scene: Scene, plane: Layout): Json {
  const turned = panelRotation(plane);
  const [across, down] = boxOnScreen(scene, multiply(sectionRotation(scene.oriented), turned));
  const scale = (2 * Math.max(across, down)) / SECTION_PIXELS || 1;
  return {
    width: Math.max(1, Math.round((2 * across) / scale)),
    height: Math.max(1, Math.round((2 * down) / scale)),
    orientation: { link: "relative", value: turned },
    scale: { link: "unlinked", value: scale / stepOf(scene) },
  };
}

/** Neuroglancer's depth range in 3D; below zero it counts in the panel's height. */
export function depthOf(view: Pick<View, "layout" | "volume" | "regions">, scene: Scene): number {
  return looksThrough(view, scene) ? DEPTH.through : DEPTH.past;
}

function timeDimension(scene: Scene): [number, string] {
  return moment(scene.layers.find((layer) => layer.times > 1)!);
}

function layerState(layer: SceneLayer, index: number, scene: Scene, whole: View, origin: string): Json {
  const view = whole.layers[index]!;
  const common = { name: layerName(layer, index), visible: view.visible };
  const source = sourceState(layer, scene, origin);
  if (layer.kind === "image") {
    return {
      ...common,
      type: "image",
      source,
      localDimensions: layer.times > 1 ? { "c'": [1, ""] } : { "t'": moment(layer), "c'": [1, ""] },
      localPosition: layer.times > 1 ? [layer.channel] : [0, layer.channel],
      opacity: view.opacity,
      blend: blendOf(scene, whole.layers, index),
      volumeRendering: looksThrough(whole, scene) ? "max" : "off",
      volumeRenderingDepthSamples: DEPTH_SAMPLES,
      shader: shaderFor(view.palette, view.color, liesOver(scene, index)),
      shaderControls: controlsFor(view),
    };
  }
  if (layer.kind === "points") {
    return { ...common, type: "annotation", source, shader: pointShader(view, []), annotationColor: `#${view.color}` };
  }
  if (layer.kind === "neurons") {
    return {
      ...common,
      type: "segmentation",
      // what is known of the neurons comes once, for the list beside the picture
      source: { ...source, subsources: { properties: false } },
      objectAlpha: view.opacity,
      // which ones, in which form: see skeletons.ts
      segments: [],
      skeletonRendering: { mode2d: "lines", mode3d: "lines", lineWidth2d: 2, lineWidth3d: 1 },
    };
  }
  const names = layer.names ? [{ url: resolveSource(`precomputed://${layer.names}`, origin) }] : [];
  return {
    ...common,
    type: "segmentation",
    source: [source, ...names],
    selectedAlpha: view.opacity,
    notSelectedAlpha: unchosenAlpha(scene, whole),
    objectAlpha: layer.kind === "labels" ? 1 : view.opacity,
    // Whoever looks closely enough gets the exact one: see skeletons.ts.
    segments: layer.overview ? [layer.overview.segment] : layer.segments,
    segmentDefaultColor: layer.kind === "labels" || layer.segments.length > 1 ? undefined : `#${view.color}`,
    skeletonRendering: { mode2d: "lines_and_points", mode3d: "lines", lineWidth3d: 2 },
  };
}

/** Whether an image is of another asset than the first: it is drawn over it, and as clear as its values are low. */
export function liesOver(scene: Scene, index: number): boolean {
  const { source } = scene.layers[index]!;
  return source !== scene.layers.find((layer) => layer.kind === "image")?.source;
}

/** Channels of one asset add up, as light does; whole assets added up would only be white. */
export function blendOf(scene: Scene, views: LayerView[], index: number): "additive" | "default" {
  const { source } = scene.layers[index]!;
  const { blend } = views[index]!;
  if (blend !== "auto") return blend === "additive" ? "additive" : "default";
  return scene.layers.slice(0, index).some((layer, before) => layer.source === source && views[before]?.visible) ? "additive" : "default";
}

/** Layers are told apart by name inside Neuroglancer; two channels may well have the same one. */
export function layerName(layer: SceneLayer, index: number): string {
  return `${index + 1} ${layer.name}`;
}

function sourceState(layer: SceneLayer, scene: Scene, origin: string): Json {
  const url = resolveSource(layer.source, origin);
  if (layer.source.startsWith("precomputed://")) return layer.transform ? { url, transform: flatTransform(layer.transform, scene) } : { url };
  const voxel = layer.voxel_size_um ?? scene.voxel_size_um;
  const step = stepOf(scene);
  const matrix = sourceMatrix(layer.transform ?? scaling(voxel), voxel, step);
  // One time point or one channel is no axis to travel on: a prime makes it the layer's own.
  const time = layer.times > 1 ? "t" : "t'";
  const length: [number, string] = [step / UM_A_METRE, "m"];
  return {
    url,
    transform: { outputDimensions: { [time]: moment(layer), "c'": [1, ""], z: length, y: length, x: length }, matrix },
  };
}

function moment(layer: SceneLayer): [number, string] {
  return layer.time_step_s ? [layer.time_step_s, "s"] : [1, ""];
}

/** Three rows of four, (z, y, x) in micrometres, as Neuroglancer takes them. */
export function flatTransform(rows: number[][], scene: Scene): Json {
  const step = stepOf(scene);
  const length: [number, string] = [step / UM_A_METRE, "m"];
  const order = [2, 1, 0];
  const matrix = order.map((row) => [...order.map((column) => rows[row]![column]!), rows[row]![3]! / step]);
  return { outputDimensions: { x: length, y: length, z: length }, matrix };
}

function scaling(voxel: readonly number[]): number[][] {
  return [0, 1, 2].map((row) => [0, 1, 2, 3].map((column) => (row === column ? voxel[row]! : 0)));
}

/** A source with its address made absolute against `origin`. */
export function resolveSource(source: string, origin: string): string {
  const [, scheme, address] = /^(\w+):\/\/(.*)$/.exec(source) as unknown as [string, string, string];
  return `${scheme}://${new URL(address, origin).href}`;
}

const PALETTE_CODE: Record<Exclude<Palette, "statistic">, string> = {
  tint: "tone * v",
  fire: "clamp(vec3(3.0 * v, 3.0 * v - 1.0, 3.0 * v - 2.0), 0.0, 1.0)",
  ice: "clamp(vec3(3.0 * v - 2.0, 2.0 * v - 0.4, 1.8 * v), 0.0, 1.0)",
  cubehelix: "colormapCubehelix(v)",
};

/** The shader of an image layer: the display range is a control, so changing it compiles nothing. */
export function shaderFor(palette: Palette, color: string, over = false): string {
  if (palette === "statistic") return STATISTIC_SHADER;
  return `#uicontrol invlerp contrast
#uicontrol float opacity slider(min=0, max=1, default=1)
void main() {
  float v = clamp(contrast(), 0.0, 1.0);
#ifdef ALONG_RAY
  float black = 0.08;
#else
  float black = 0.02;
#endif
  // What is as good as black lets what is behind show through in 3D; in a section it is black on black.
  if (v <= black) {
    emitTransparent();
    return;
  }
  vec3 tone = ${vec3(color)};
  vec3 shade = ${PALETTE_CODE[palette]};
#ifdef ALONG_RAY
  // The brightest sample of a ray is drawn; what lies deeper counts as darker, or a brain would be a flat blot.
  float near = clamp(1.3 - 1.2 * depthAtRayPosition, 0.15, 1.0);
  emitIntensity(v * near);
  emitRGBA(vec4(shade * near, opacity));
#else
  ${over ? `emitRGBA(vec4(${palette === "tint" ? "tone" : "shade"}, v));` : "emitRGB(shade);"}
#endif
}
`;
}

function vec3(color: string): string {
  const parts = [0, 2, 4].map((at) => (Number.parseInt(color.slice(at, at + 2), 16) / 255).toFixed(4));
  return `vec3(${parts.join(", ")})`;
}

/** The shader controls of an image layer: always given, since Neuroglancer does not read them from OME-Zarr 0.5. */
export function controlsFor(view: LayerView): Json {
  const [low, high] = view.window;
  if (view.palette === "statistic") {
    const most = reach(view.window);
    return { contrast: { range: [-most, most] }, threshold: Math.min(1, view.threshold / most), opacity: view.opacity };
  }
  return { contrast: { range: [low, high === low ? low + 1 : high] }, opacity: view.opacity };
}
