/** What the rest of the viewer sees of Neuroglancer: with its parts (camera, readings, problems, ...) the only one that knows it. Everything else speaks of scenes, views and micrometres. */

import "neuroglancer";
import { makeMinimalViewer } from "neuroglancer/unstable/ui/minimal_viewer.js";
import { getDefaultPerspectivePanelBindings, getDefaultRenderedDataPanelBindings, getDefaultSliceViewPanelBindings } from "neuroglancer/unstable/ui/default_input_event_bindings.js";
import { EventActionMap, registerActionListener } from "neuroglancer/unstable/util/event_action_map.js";
import type { Viewer } from "neuroglancer/unstable/viewer.js";
import { Camera, toQuaternion, type PanelEdge } from "./camera";
import { boxOnScreen, cameraRotation, fittingScale, sameRotation, sectionRotation, spun, stepOf } from "./geometry";
import { Overlay } from "./overlay";
import { Pictures, type Enlarged } from "./pictures";
import { Problems, type Problem } from "./problems";
import { Readings, type Cursor } from "./readings";
import { Skeletons, type ShownNeurons } from "./skeletons";
import { SurfaceLayer } from "./surfaces";
import type { Scene } from "./scene";
import { blendOf, controlsFor, depthOf, layoutState, liesOver, neuroglancerState, shaderFor, type Json } from "./state";
import { looksThrough, showsSections, unchosenAlpha, type Layout, type LayerView, type Plane, type Quaternion, type Toggle, type View } from "./view";

export type { PanelEdge, Pose } from "./camera";
export type { Problem } from "./problems";
export type { Cursor, Reading } from "./readings";

export interface Listener {
  viewChanged(): void;
  cursorMoved(cursor: Cursor): void;
  panelsMoved(edges: PanelEdge[]): void;
  failed(problem: Problem): void;
}

/** A picture of the panels, and where they are in it. */
export interface Figure extends Enlarged {
  /** In pixels of the screen. */
  panels: PanelEdge[];
  /** Micrometres a pixel of the screen, in sections. */
  pixel: number;
}

/** One Neuroglancer showing one scene. */
export class Explorer extends Camera {
  protected readonly viewer: Viewer;
  protected readonly unit: number;
  private readonly problems: Problems;
  private readonly readings: Readings;
  private readonly overlays = new Map<string, Overlay>();
  /** True while the panels are drawn larger than they stand. */
  private enlarged = false;
  protected chosen: Pick<View, "layout" | "volume" | "cut" | "plane" | "slices" | "slices3d" | "layers" | "regions" | "only" | "outline" | "line" | "warps">;
  private readonly surfaces: SurfaceLayer;
  private readonly skeletons: Skeletons;
  private readonly pictures: Pictures;

  constructor(
    target: HTMLElement,
    public scene: Scene,
    view: View,
    private readonly listener: Listener,
  ) {
    super(target);
    this.unit = stepOf(scene);
    this.chosen = view;
    this.viewer = makeMinimalViewer({
      target,
      showUIControls: false,
      showLayerDialog: false,
      resetStateWhenEmpty: false,
    });
    this.surfaces = new SurfaceLayer(this.viewer, scene);
    this.pictures = new Pictures(this.viewer, target);
    this.skeletons = new Skeletons(this.viewer, () => this.scene, () => this.finestPixel());
    this.viewer.uiConfiguration.showUIControls.value = false;
    this.viewer.uiConfiguration.showPanelBorders.value = false;
    this.viewer.inputEventBindings.sliceView.addParent(getDefaultSliceViewPanelBindings(), Number.NEGATIVE_INFINITY);
    this.viewer.inputEventBindings.perspectiveView.addParent(getDefaultPerspectivePanelBindings(), Number.NEGATIVE_INFINITY);
    this.problems = new Problems(this.viewer, () => this.scene, (problem) => listener.failed(problem));
    this.readings = new Readings(this.viewer, () => this.scene, (coordinates) => this.spatial(coordinates));
    this.bindSteps();
    this.show(view);
    this.viewer.state.changed.add(() => {
      if (!this.enlarged) this.listener.viewChanged();
    });
    this.viewer.layerSelectedValues.changed.add(() => this.listener.cursorMoved(this.readings.cursor()));
    this.viewer.mouseState.changed.add(() => this.listener.cursorMoved(this.readings.cursor()));
    this.viewer.display.updateFinished.add(() => {
      this.skeletons.refine();
      this.listener.panelsMoved(this.edges());
    });
  }

  /**
   * Neuroglancer's own steps go to the next half: there lie the middles of its voxels, but the faces of ours, whose middles are whole numbers.
   * So steps are ours: the wheel here, the keys wherever the events of the panels arrive.
   */
  private bindSteps(): void {
    const { sliceView, perspectiveView } = this.viewer.inputEventBindings;
    for (const key of ["arrowleft", "arrowright", "arrowup", "arrowdown", "comma", "period"]) getDefaultRenderedDataPanelBindings().delete(key);
    const steps = { "at:wheel": "step-section", "at:shift+wheel": "step-ten-sections" };
    sliceView.addParent(EventActionMap.fromObject(Object.fromEntries(Object.entries(steps).map(([event, action]) => [event, { action, preventDefault: true }]))), 1000);
    // In 3D there is no section to step through.
    perspectiveView.addParent(EventActionMap.fromObject({ "at:wheel": { action: "zoom-via-wheel", preventDefault: true } }), 1000);
    for (const [action, count] of [["step-section", 1], ["step-ten-sections", 10]] as const) {
      registerActionListener(this.target, action, ({ detail }: CustomEvent) => {
        const { deltaX, deltaY, target } = detail as WheelEvent;
        this.step((deltaY || deltaX) > 0 ? -count : count, target);
      });
    }
  }

  /** Replace all that is shown by `view`. */
  show(view: View): void {
    this.chosen = { ...view };
    this.target.toggleAttribute("data-cut", view.cut);
    this.clip();
    this.viewer.state.reset();
    this.viewer.state.restoreState(neuroglancerState(this.scene, view, location.origin, this.fitted(view)));
    for (const overlay of this.overlays.values()) overlay.attach();
    this.surfaces.attach();
    this.skeletons.attach();
  }

  /** Show regions: those that are chosen, by surfaces too, and what the sections show of the others. */
  setRegions(layer: number, { regions, only, outline }: Pick<View, "regions" | "only" | "outline">, parts: readonly string[], surfaces: ReadonlyMap<string, string>): void {
    Object.assign(this.chosen, { regions: [...regions], only, outline });
    this.showOnly(layer, only ? parts : []);
    const alpha = (this.viewer.layerManager.managedLayers[layer]?.layer as any)?.displayState?.notSelectedAlpha;
    if (alpha) alpha.value = unchosenAlpha(this.scene, this.chosen);
    this.surfaces.show(surfaces);
    this.arrange();
  }

  /** Show these neurons of a layer that is a set of them, and no others. */
  setNeurons(index: number, shown: ShownNeurons): void {
    this.skeletons.show(index, shown);
  }

  /** Draw the points of a layer by this shader. */
  setPoints(index: number, shader: string): void {
    const state = (this.viewer.layerManager.managedLayers[index]?.layer as any)?.annotationDisplayState;
    if (state && state.shader.value !== shader) state.shader.value = shader;
  }

  /** Show another scene of the same world, as `view` says. */
  replace(scene: Scene, view: View): void {
    this.scene = scene;
    this.surfaces.scene = scene;
    this.skeletons.clear();
    this.problems.forget();
    this.show(view);
  }

  private fitted(view: View): { scale: number; scale3d: number } {
    const { clientWidth: width, clientHeight: height } = this.target;
    const cut = view.layout === "4panel" ? 2 : 1;
    const rotation = view.rotation ?? sectionRotation(this.scene.oriented);
    const scale = fittingScale(this.scene, rotation, Math.max(80, width / cut), Math.max(80, height / cut));
    const largest = Math.hypot(...boxOnScreen(this.scene, rotation));
    const narrow = Math.min(1, Math.max(0.3, width / Math.max(1, height)));
    // A volume's corners are empty; what lies in the world by itself fills its box.
    const volumes = this.scene.layers.some((layer) => layer.kind === "image" || layer.kind === "labels");
    return { scale, scale3d: (largest * (volumes ? 0.72 : 0.95)) / narrow };
  }

  /** What is shown now, read back from Neuroglancer; the layers' own settings stay with the caller. */
  view(layers: LayerView[]): View {
    const { viewer } = this;
    const rotation = toQuaternion(viewer.crossSectionOrientation.orientation);
    const rotation3d = toQuaternion(viewer.projectionOrientation.orientation);
    const { oriented } = this.scene;
    const { layout, volume, cut, plane, slices, slices3d, regions, only, outline, line, warps } = this.chosen;
    return {
      layout,
      position: this.position(),
      time: this.time(),
      scale: viewer.crossSectionScale.value * this.unit,
      scale3d: viewer.projectionScale.value * this.unit,
      rotation: sameRotation(rotation, sectionRotation(oriented)) ? null : rotation,
      rotation3d: sameRotation(rotation3d, cameraRotation(oriented)) ? null : rotation3d,
      axes: viewer.showAxisLines.value,
      slices,
      slices3d,
      volume,
      cut,
      plane,
      scaleBar: viewer.showScaleBar.value,
      regions,
      only,
      outline,
      line,
      warps,
      layers,
    };
  }

  /** Keep what the view says of a measured line or of deformations, which the caller draws. */
  note(what: Partial<Pick<View, "line" | "warps">>): void {
    Object.assign(this.chosen, what);
    this.listener.viewChanged();
  }

  /** Shapes over the data that are the caller's own; `color` ("#RRGGBB") is that of what is added without one. */
  overlay(name: string, color: string, { knobs = true } = {}): Overlay {
    const found = this.overlays.get(name);
    if (found) return found;
    const made = new Overlay(this.viewer, this, this.unit, name, color, knobs, () => this.overlays.delete(name));
    this.overlays.set(name, made);
    return made;
  }

  /** Lay `sheet` over the panels, so that the mouse draws instead of moving the sections. */
  cover(sheet: HTMLElement): void {
    this.target.parentElement!.append(sheet);
    this.focus();
  }

  /** Bring the keyboard to the panels. */
  focus(): void {
    this.target.focus({ preventScroll: true });
  }

  /** Whether `element` is among the panels. */
  holds(element: EventTarget | null): boolean {
    return element instanceof Node && this.target.contains(element);
  }

  setLayout(layout: Layout): void {
    this.chosen.layout = layout;
    this.viewer.layout.restoreState(layoutState(this.scene, layout));
    this.arrange();
  }

  setToggle(what: Toggle, on: boolean): void {
    const { chosen, viewer } = this;
    if (what === "axes") viewer.showAxisLines.value = on;
    else if (what === "scaleBar") viewer.showScaleBar.value = on;
    else {
      if (what === "cut") chosen.cut = on;
      else if (what === "volume") Object.assign(chosen, { volume: on, slices3d: null });
      else if (chosen.layout === "3d") chosen.slices3d = on;
      else chosen.slices = on;
      this.arrange();
      this.listener.viewChanged();
    }
  }

  /** Whether `what` is switched on in the present layout. */
  toggled(what: Toggle): boolean {
    const { chosen, viewer } = this;
    if (what === "slices") return showsSections(chosen, this.scene);
    return { axes: viewer.showAxisLines.value, scaleBar: viewer.showScaleBar.value, volume: chosen.volume, cut: chosen.cut }[what];
  }

  /** What 3D is cut open by. */
  get plane(): Plane | null {
    return this.chosen.plane;
  }

  /** Cut 3D open by a plane, or close it again. */
  setPlane(plane: Plane | null): void {
    this.chosen.plane = plane;
    this.clip();
  }

  private clip(): void {
    const { plane } = this.chosen;
    if (plane) this.target.dataset.plane = [...plane.slice(0, 3), plane[3] / this.unit].join();
    else delete this.target.dataset.plane;
    // only who looks from elsewhere makes Neuroglancer count anew
    this.viewer.projectionOrientation.changed.dispatch();
  }

  /** Put volumes and sections into 3D as they were chosen for the present layout, and layers over each other as they are visible. */
  private arrange(): void {
    const { chosen, viewer } = this;
    viewer.layerManager.managedLayers.forEach(({ layer }, index) => {
      (layer as any)?.volumeRenderingMode?.restoreState(looksThrough(chosen, this.scene) ? "max" : "off");
      (layer as any)?.blendMode?.restoreState(blendOf(this.scene, chosen.layers, index));
    });
    this.target.toggleAttribute("data-cut", chosen.cut);
    viewer.display.scheduleRedraw();
    viewer.projectionDepthRange.value = depthOf(chosen, this.scene);
    viewer.showPerspectiveSliceViews.value = showsSections(chosen, this.scene);
  }

  /** Apply a layer's settings without loading anything again. */
  setLayer(index: number, view: LayerView): void {
    const managed = this.viewer.layerManager.managedLayers[index];
    const kind = this.scene.layers[index]?.kind;
    if (!managed?.layer || !kind) return;
    this.chosen.layers[index] = view;
    if (managed.visible !== view.visible) managed.setVisible(view.visible);
    // Neuroglancer's classes of layers aren't part of its types.
    const layer = managed.layer as any;
    if (kind === "image") {
      layer.opacity.value = view.opacity;
      const shader = shaderFor(view.palette, view.color, liesOver(this.scene, index));
      if (layer.fragmentMain.value !== shader) layer.fragmentMain.value = shader;
      layer.shaderControlState.restoreState(controlsFor(view));
    } else if (kind === "labels") {
      layer.displayState.selectedAlpha.value = view.opacity;
    } else if (kind !== "points") {
      layer.displayState.objectAlpha.value = view.opacity;
      if (kind === "skeleton") layer.displayState.segmentDefaultColor.restoreState(`#${view.color}`);
    }
    this.arrange();
  }

  /** Draw the regions of a layer of labels in the atlas's own colours ("#RRGGBB"); "" leaves Neuroglancer's choice. */
  setRegionColors(index: number, colors: Map<string, string>): void {
    const segmentColors = Object.fromEntries([...colors].filter(([, color]) => color));
    const layer = this.viewer.layerManager.managedLayers[index]?.layer as any;
    layer?.displayState.segmentationColorGroupState.value.restoreState({ segmentColors });
  }

  /** Draw only these labels of a layer (decimal identifiers); none of them means all. */
  private showOnly(index: number, ids: readonly string[]): void {
    const group = (this.viewer.layerManager.managedLayers[index]?.layer as any)?.displayState?.segmentationGroupState.value;
    if (!group) return;
    group.visibleSegments.clear();
    for (const id of ids) group.visibleSegments.add(BigInt(id));
  }

  /** The label of a layer under the mouse; null outside, and where there is no region. */
  labelUnderMouse(layer: number): string | null {
    return this.readings.labelUnderMouse(layer);
  }

  /** What `layer` holds at the crossing point, from the chunks that are loaded; null while they aren't. */
  valueHere(layer: number): number | bigint | string | null {
    return this.readings.valueHere(layer);
  }

  /** Whether everything in sight has been loaded and drawn. */
  isReady(): boolean {
    return this.viewer.isReady();
  }

  /** The picture as it stands, as PNG. */
  picture(): Promise<Blob | null> {
    return this.pictures.whole();
  }

  /**
   * The picture with `factor` times as many pixels a side as on the screen, all loaded as fine as that, without Neuroglancer's own scale bar.
   * Where the graphics card has no room for it, with as many as it has: `factor` of the answer says it. `panels` are in pixels of the screen.
   */
  async figure(factor: number): Promise<Figure> {
    const [panels, { pixel }] = [this.edges(), this.scale()];
    this.enlarged = true;
    try {
      return { ...(await this.pictures.enlarged(factor)), panels, pixel };
    } finally {
      // what changed here and back is told a moment later
      window.setTimeout(() => (this.enlarged = false), 0);
    }
  }

  /** The picture of the 3D camera turned by `part` of a full turn from `start`, which is how it stood: a frame of a turntable. */
  turntable(start: Quaternion, part: number): Promise<string> {
    return this.pictures.turned(spun(start, part, this.scene.oriented), part === 0);
  }

  /** Share of pixels that aren't background in each panel, by its centre half: a blank panel gives 0. */
  litPanels(): number[] {
    return this.pictures.lit([...this.panels()].map(({ element }) => element));
  }

  /** Neuroglancer's own state, for whoever wants to take a view elsewhere. */
  rawState(): Json {
    return this.viewer.state.toJSON() as Json;
  }

  dispose(): void {
    this.problems.dispose();
    this.viewer.dispose();
    this.target.replaceChildren();
  }
}

