/** The one module that knows Neuroglancer. Everything else speaks of scenes, views and micrometres. */

import "neuroglancer";
import { makeMinimalViewer } from "neuroglancer/unstable/ui/minimal_viewer.js";
import { getDefaultPerspectivePanelBindings, getDefaultRenderedDataPanelBindings, getDefaultSliceViewPanelBindings } from "neuroglancer/unstable/ui/default_input_event_bindings.js";
import { EventActionMap, registerActionListener } from "neuroglancer/unstable/util/event_action_map.js";
import { ChunkState, getChunkStateStatisticIndex, numChunkMemoryStatistics } from "neuroglancer/unstable/chunk_manager/base.js";
import type { Viewer } from "neuroglancer/unstable/viewer.js";
import { boxOnScreen, cameraRotation, compass, edgeLetters, fittingScale, multiply, panelRotation, rotate, sameRotation, sectionRotation, smallRotation, spun, steppingGrid, stepOf, stepSection, type Arm, type Vector } from "./geometry";
import { Overlay } from "./overlay";
import { exactOf } from "./neurons";
import { Pictures, type Enlarged } from "./pictures";
import { Skeletons, type ShownNeurons } from "./skeletons";
import { SurfaceLayer } from "./surfaces";
import type { Scene } from "./scene";
import { blendOf, controlsFor, depthOf, layoutState, liesOver, neuroglancerState, resolveSource, shaderFor, type Json } from "./state";
import { looksThrough, showsSections, unchosenAlpha, type Layout, type LayerView, type Plane, type Quaternion, type Toggle, type View } from "./view";

export interface Reading {
  /** Index of the layer, and what it holds under the cursor: an intensity, or a segment's identifier. */
  layer: number;
  value: number | bigint | string;
}

export interface Cursor {
  /** (x, y, z) in micrometres; null when the pointer is outside. */
  position: [number, number, number] | null;
  readings: Reading[];
}

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

export interface Problem {
  layer: number | null;
  /** What the server answered, when it answered: 401 is "sign in". */
  status: number | null;
  message: string;
}

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

interface SectionPanel {
  element: HTMLElement;
  sliceView?: unknown;
  navigationState?: { pose: { orientation: { orientation: ArrayLike<number> } } };
}

/** One Neuroglancer showing one scene. */
export class Explorer {
  private readonly viewer: Viewer;
  /** Micrometres that Neuroglancer's coordinates are counted in. */
  private readonly unit: number;
  private readonly reported = new Set<string>();
  private readonly watch: number;
  private readonly overlays = new Map<string, Overlay>();
  /** True while the panels are drawn larger than they stand. */
  private enlarged = false;
  /** What was chosen that Neuroglancer does not know by itself. */
  private chosen: Pick<View, "layout" | "volume" | "cut" | "plane" | "slices" | "slices3d" | "layers" | "regions" | "only" | "outline">;
  private readonly surfaces: SurfaceLayer;
  private readonly skeletons: Skeletons;
  private readonly pictures: Pictures;

  constructor(
    private readonly target: HTMLElement,
    public scene: Scene,
    view: View,
    private readonly listener: Listener,
  ) {
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
    this.bindSteps();
    this.show(view);
    this.viewer.state.changed.add(() => {
      if (!this.enlarged) this.listener.viewChanged();
    });
    this.viewer.layerSelectedValues.changed.add(() => this.listener.cursorMoved(this.cursor()));
    this.viewer.mouseState.changed.add(() => this.listener.cursorMoved(this.cursor()));
    this.viewer.display.updateFinished.add(() => {
      this.skeletons.refine();
      this.listener.panelsMoved(this.edges());
    });
    this.watch = window.setInterval(() => void this.findProblems(), 2000);
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
    this.reported.clear();
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
    const { layout, volume, cut, plane, slices, slices3d, regions, only, outline } = this.chosen;
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
      layers,
    };
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
    for (const panel of this.viewer.display.panels as unknown as Set<SectionPanel>) {
      if (panel.sliceView && panel.navigationState && panel.element.contains(place as Node | null)) return toQuaternion(panel.navigationState.pose.orientation.orientation);
    }
    return multiply(toQuaternion(this.viewer.crossSectionOrientation.orientation), panelRotation(this.chosen.layout));
  }

  /** The place under a point of the window, and how the section there is turned; null where there is no section. */
  placeAt(clientX: number, clientY: number): { place: Vector; rotation: Quaternion } | null {
    for (const { sliceView, navigationState, element } of this.viewer.display.panels as unknown as Set<SectionPanel>) {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      if (!sliceView || !navigationState || clientX < left || clientX > right || clientY < top || clientY > bottom) continue;
      const rotation = toQuaternion(navigationState.pose.orientation.orientation);
      const { pixel } = this.scale();
      const shift = rotate(rotation, [(clientX - (left + right) / 2) * pixel, (clientY - (top + bottom) / 2) * pixel, 0]);
      return { place: this.position().map((value, axis) => value + shift[axis]!) as Vector, rotation };
    }
    return null;
  }

  /** Shapes over the data that are the caller's own; `color` ("#RRGGBB") is that of what is added without one. */
  overlay(name: string, color: string): Overlay {
    const found = this.overlays.get(name);
    if (found) return found;
    const made = new Overlay(this.viewer, this, this.unit, name, color, () => this.overlays.delete(name));
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

  private axes(...names: string[]): number[] {
    return names.map((name) => this.viewer.coordinateSpace.value.names.indexOf(name));
  }

  private spatial(coordinates: ArrayLike<number>): [number, number, number] {
    return this.axes("x", "y", "z").map((at) => (coordinates[at] ?? 0) * this.unit) as [number, number, number];
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

  /** Zoom the sections and the 3D camera by `factor`; below 1 comes nearer. */
  zoom(factor: number): void {
    this.viewer.crossSectionScale.value *= factor;
    this.viewer.projectionScale.value *= factor;
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
  labelUnderMouse(index: number): string | null {
    const found = this.cursor().readings.find(({ layer }) => layer === index);
    return !found || String(found.value) === "0" ? null : String(found.value);
  }

  /** Micrometres a pixel where it is finest in the panels that are shown. */
  private finestPixel(): number {
    const { crossSectionScale, projectionScale, display } = this.viewer;
    const pixels = [...(display.panels as unknown as Set<SectionPanel>)].map(({ sliceView, element }) =>
      sliceView ? crossSectionScale.value : projectionScale.value / Math.max(1, element.clientHeight),
    );
    return Math.min(...pixels) * this.unit;
  }

  private cursor(): Cursor {
    const { mouseState, layerSelectedValues, layerManager } = this.viewer;
    if (!mouseState.active) return { position: null, readings: [] };
    const readings: Reading[] = [];
    layerManager.managedLayers.slice(0, this.scene.layers.length).forEach((managed, layer) => {
      if (!managed.visible || !managed.layer) return;
      const value = simple(layerSelectedValues.get(managed.layer)?.value);
      if (value !== null) readings.push({ layer, value: this.scene.layers[layer]!.kind === "neurons" ? exactOf(BigInt(value)) : value });
    });
    return { position: this.spatial(mouseState.position), readings };
  }

  /** What `layer` holds at the crossing point, from the chunks that are loaded; null while they aren't. */
  valueHere(layer: number): number | bigint | string | null {
    const managed = this.viewer.layerManager.managedLayers[layer];
    if (!managed?.layer) return null;
    return simple(managed.layer.getValueAt(this.viewer.position.value, { pickedRenderLayer: null } as never));
  }

  private edges(): PanelEdge[] {
    const frame = this.target.getBoundingClientRect();
    const found: PanelEdge[] = [];
    for (const panel of this.viewer.display.panels as unknown as Set<SectionPanel>) {
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
    return this.pictures.lit([...(this.viewer.display.panels as unknown as Set<SectionPanel>)].map(({ element }) => element));
  }

  /** Neuroglancer's own state, for whoever wants to take a view elsewhere. */
  rawState(): Json {
    return this.viewer.state.toJSON() as Json;
  }

  private async findProblems(): Promise<void> {
    this.viewer.layerManager.managedLayers.forEach((managed, layer) => {
      for (const source of managed.layer?.dataSources ?? []) {
        const error = source.loadState?.error as Error | undefined;
        if (error) void this.report(layer, error.message);
      }
    });
    if (await this.hasFailedChunks()) void this.report(null, "");
  }

  private async hasFailedChunks(): Promise<boolean> {
    const statistics = await this.viewer.chunkQueueManager.getStatistics();
    const failed = [0, 1, 2].map((tier) => getChunkStateStatisticIndex(ChunkState.FAILED, tier) * numChunkMemoryStatistics);
    return [...statistics.values()].some((counts) => failed.some((at) => (counts[at] ?? 0) > 0));
  }

  /** Tell of a problem once; what the server says to the source's own metadata tells "sign in" from "broken". */
  private async report(layer: number | null, message: string): Promise<void> {
    const key = `${layer} ${message}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    const source = this.scene.layers[layer ?? 0]?.source ?? "";
    this.listener.failed({ layer, status: await statusOf(source), message });
  }

  dispose(): void {
    window.clearInterval(this.watch);
    this.viewer.dispose();
    this.target.replaceChildren();
  }
}

async function statusOf(source: string): Promise<number | null> {
  const address = resolveSource(source, location.origin).replace(/^\w+:\/\//, "").replace(/\/?$/, "/");
  const document = source.startsWith("zarr3") ? "zarr.json" : "info";
  try {
    return (await fetch(address + document, { cache: "no-store" })).status;
  } catch {
    return null;
  }
}

function toQuaternion(values: ArrayLike<number>): Quaternion {
  return Array.from(values).slice(0, 4) as Quaternion;
}

/** A value as Neuroglancer gives it, made plain: arrays of one are their content, segments their identifier. */
function simple(value: unknown): number | bigint | string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "string") return value;
  if (Array.isArray(value)) return value.length === 1 ? simple(value[0]) : value.map((part) => String(simple(part))).join(", ");
  const entry = value as { key?: bigint };
  return typeof entry.key === "bigint" ? entry.key : String(value);
}
