/** Shapes over the data, in a layer of Neuroglancer's local annotations; with `facade.ts` the only one that knows Neuroglancer. */

import { makeLayer } from "neuroglancer/unstable/layer/index.js";
import type { Viewer } from "neuroglancer/unstable/viewer.js";
import { drawOn } from "./drawing";
import type { Explorer } from "./facade";
import { annotationOf, shapeOf, type Annotation, type Shape, type ShapeKind } from "./shapes";

/** Shapes with a knob at each end that one can take; without, lines that are only looked at. */
const shader = (knobs: boolean) => `void main() {
  setColor(prop_color());
  setPointMarkerSize(9.0);
  setPointMarkerBorderColor(vec4(0.0, 0.0, 0.0, 0.9));
  setLineWidth(2.0);
  setEndpointMarkerSize(${knobs ? "6.0" : "0.0"});
  setEndpointMarkerBorderWidth(${knobs ? "1.0" : "0.0"});
}
`;

interface Drawn {
  shape: Shape;
  color: string;
}

interface Source {
  get(id: string): Annotation | undefined;
  add(annotation: Annotation): void;
  update(reference: unknown, annotation: Annotation): void;
  delete(reference: unknown): void;
  clear(): void;
  getReference(id: string): { dispose(): void };
  childUpdated: { add(listener: (annotation: Annotation) => void): () => void };
}

/** Shapes that one panel draws; several panels have an overlay each. Made by `explorer.overlay(name, color)`. */
export class Overlay {
  private readonly drawn = new Map<string, Drawn>();
  private readonly listeners = new Set<(id: string, shape: Shape) => void>();
  /** What has not reached the picture yet; Neuroglancer makes a layer's source a little after the layer. */
  private readonly stale = new Set<string>();
  private source: Source | null = null;
  private waiting = 0;
  private serial = 0;
  private own = false;
  private visible = true;
  private stopDrawing: (() => void) | null = null;

  constructor(
    private readonly viewer: Viewer,
    private readonly explorer: Explorer,
    /** Micrometres that Neuroglancer's coordinates are counted in. */
    private readonly unit: number,
    readonly name: string,
    /** "#RRGGBB", of what is added without one. */
    readonly color: string,
    /** Whether lines have a knob at each end. */
    private readonly knobs: boolean,
    private readonly forget: () => void,
  ) {}

  /** Add a shape; the answer is its identifier. */
  add(shape: Shape, color = this.color): string {
    const id = `${this.name}-${(this.serial += 1)}`;
    this.set(id, shape, color);
    return id;
  }

  /** Draw `shape` under an identifier of the caller's: what was there under it is replaced. */
  set(id: string, shape: Shape, color = this.drawn.get(id)?.color ?? this.color): void {
    this.drawn.set(id, { shape, color });
    this.touch(id);
  }

  remove(id: string): void {
    if (this.drawn.delete(id)) this.touch(id);
  }

  clear(): void {
    for (const id of [...this.drawn.keys()]) this.remove(id);
  }

  get(id: string): Shape | undefined {
    return this.drawn.get(id)?.shape;
  }

  shapes(): [id: string, shape: Shape][] {
    return [...this.drawn].map(([id, { shape }]) => [id, shape]);
  }

  /** The shape under the mouse. */
  hovered(): string | null {
    const { mouseState } = this.viewer;
    const id = mouseState.active ? mouseState.pickedAnnotationId : undefined;
    return id !== undefined && this.drawn.has(id) ? id : null;
  }

  /** Call `listener` when somebody moved a shape in the picture (Alt and the right button); the answer ends that. */
  onChange(listener: (id: string, shape: Shape) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  show(visible: boolean): void {
    this.visible = visible;
    this.viewer.layerManager.getLayerByName(this.name)?.setVisible(visible);
  }

  /**
   * Let the mouse (or Space at the cross-hair, from the keyboard) draw one shape, which is added when it is finished.
   * `done` gets its identifier, or null when it was given up with Escape. The answer gives it up.
   */
  draw(kind: ShapeKind, done: (id: string | null) => void): () => void {
    this.stopDrawing?.();
    const preview = `${this.name}-preview`;
    this.stopDrawing = drawOn(this.explorer, kind, {
      preview: (shape) => (shape ? this.set(preview, shape) : this.remove(preview)),
      done: (shape) => {
        this.remove(preview);
        this.stopDrawing = null;
        done(shape ? this.add(shape) : null);
      },
    });
    return () => this.stopDrawing?.();
  }

  /** Put the layer into the picture, once there is something to draw, and after Neuroglancer's state was replaced: an empty one costs every first look. */
  attach(): void {
    const { layerSpecification, layerManager } = this.viewer;
    const before = layerManager.getLayerByName(this.name);
    if (before) layerManager.removeManagedLayer(before);
    this.source = null;
    if (!this.drawn.size) return;
    const length: [number, string] = [this.unit / 1e6, "m"];
    const state = {
      type: "annotation",
      source: { url: "local://annotations", transform: { outputDimensions: { x: length, y: length, z: length } } },
      annotationProperties: [{ id: "color", type: "rgb", default: this.color }],
      shader: shader(this.knobs),
      annotationColor: this.color,
    };
    const layer = makeLayer(layerSpecification, this.name, state);
    layerSpecification.add(layer);
    if (!this.visible) layer.setVisible(false);
    for (const id of this.drawn.keys()) this.stale.add(id);
    this.flushSoon();
  }

  dispose(): void {
    this.stopDrawing?.();
    cancelAnimationFrame(this.waiting);
    const layer = this.viewer.layerManager.getLayerByName(this.name);
    if (layer) this.viewer.layerManager.removeManagedLayer(layer);
    this.forget();
  }

  private touch(id: string): void {
    this.stale.add(id);
    if (this.drawn.size && !this.viewer.layerManager.getLayerByName(this.name)) this.attach();
    this.flushSoon();
  }

  private flushSoon(): void {
    cancelAnimationFrame(this.waiting);
    if (this.stale.size) this.waiting = requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    const source = this.findSource();
    if (!source) return this.drawn.size ? this.flushSoon() : this.stale.clear();
    this.own = true;
    for (const id of this.stale) this.bring(source, id);
    this.own = false;
    this.stale.clear();
  }

  private bring(source: Source, id: string): void {
    const drawn = this.drawn.get(id);
    const before = source.get(id);
    const annotation = drawn && annotationOf(id, drawn.shape, drawn.color, this.unit);
    if (!before) {
      if (annotation) source.add(annotation);
      return;
    }
    const reference = source.getReference(id);
    // an annotation of another type has another place in Neuroglancer's buffers
    if (annotation && annotation.type === before.type) source.update(reference, annotation);
    else {
      source.delete(reference);
      if (annotation) source.add(annotation);
    }
    reference.dispose();
  }

  private findSource(): Source | null {
    if (this.source) return this.source;
    const layer = this.viewer.layerManager.getLayerByName(this.name)?.layer as { localAnnotations?: Source } | null | undefined;
    this.source = layer?.localAnnotations ?? null;
    this.source?.childUpdated.add((annotation) => {
      const drawn = this.drawn.get(annotation.id);
      if (this.own || !drawn) return;
      drawn.shape = shapeOf(annotation, this.unit);
      for (const listener of [...this.listeners]) listener(annotation.id, drawn.shape);
    });
    return this.source;
  }
}
