/** The picture as files: as it stands, enlarged, turned; and whether there is anything in it. Knows Neuroglancer. */

import { ScreenshotMode } from "neuroglancer/unstable/util/trackable_screenshot_mode.js";
import type { Viewer } from "neuroglancer/unstable/viewer.js";
import type { Quaternion } from "./view";

export interface Enlarged {
  blob: Blob;
  /** Pixels of the picture. */
  width: number;
  height: number;
  /** Its pixels a pixel of the screen. */
  factor: number;
}

/** So long a picture waits for what is still loading. */
const PATIENCE_MS = 60_000;
/** So many looks in a row, a tenth of a second apart, must find nothing missing: what a frame calls for is asked for after it. */
const QUIET = 3;

export class Pictures {
  constructor(
    private readonly viewer: Viewer,
    private readonly target: HTMLElement,
  ) {}

  /** The picture as it stands, as PNG. */
  whole(): Promise<Blob | null> {
    const { display } = this.viewer;
    display.draw();
    return new Promise((resolve) => display.canvas.toBlob(resolve, "image/png"));
  }

  /** The picture with up to `factor` times as many pixels a side, all loaded as fine as that. */
  async enlarged(factor: number): Promise<Enlarged> {
    const { viewer, target } = this;
    const { display, crossSectionScale, showScaleBar } = viewer;
    const { canvas, gl } = display;
    const { clientWidth: width, clientHeight: height } = target;
    const most = Math.min(gl.getParameter(gl.MAX_RENDERBUFFER_SIZE), gl.getParameter(gl.MAX_TEXTURE_SIZE), ...gl.getParameter(gl.MAX_VIEWPORT_DIMS));
    let times = Math.min(factor, most / Math.max(width, height));
    const bar = showScaleBar.value;
    const scale = crossSectionScale.value;
    try {
      display.screenshotMode.value = ScreenshotMode.PREVIEW;
      showScaleBar.value = false;
      canvas.width = Math.round(width * times);
      canvas.height = Math.round(height * times);
      // a browser short of memory makes a smaller buffer without a word, and stretches what is drawn in it
      if (gl.drawingBufferWidth < canvas.width || gl.drawingBufferHeight < canvas.height) {
        times *= Math.min(gl.drawingBufferWidth / canvas.width, gl.drawingBufferHeight / canvas.height);
        canvas.width = Math.floor(width * times);
        canvas.height = Math.floor(height * times);
      }
      display.resizeGeneration += 1;
      // a section shows micrometres a pixel, so that more pixels would show more of it
      crossSectionScale.value = scale / times;
      await this.loaded();
      const blob = await this.whole();
      if (!blob) throw new Error("the browser made no picture");
      return { blob, width: canvas.width, height: canvas.height, factor: times };
    } finally {
      display.screenshotMode.value = ScreenshotMode.OFF;
      crossSectionScale.value = scale;
      showScaleBar.value = bar;
      display.resizeGeneration += 1;
      display.scheduleRedraw();
    }
  }

  /** The picture after the 3D camera was turned, as a data address; the `first` of many waits longer for what it shows. */
  async turned(rotation: Quaternion, first: boolean): Promise<string> {
    const { projectionOrientation, display } = this.viewer;
    projectionOrientation.orientation.set(rotation);
    projectionOrientation.changed.dispatch();
    await this.loaded(first ? QUIET : 1);
    display.draw();
    return display.canvas.toDataURL("image/png");
  }

  /** Share of pixels that aren't background in the centre half of each of these elements. */
  lit(elements: readonly HTMLElement[]): number[] {
    const { display } = this.viewer;
    display.draw();
    const { gl, canvas } = display;
    const frame = canvas.getBoundingClientRect();
    const density = canvas.width / frame.width;
    return elements.map((element) => {
      const box = element.getBoundingClientRect();
      const width = Math.floor((box.width * density) / 2);
      const height = Math.floor((box.height * density) / 2);
      const pixels = new Uint8Array(width * height * 4);
      const left = (box.left - frame.left) * density + width / 2;
      const bottom = (frame.bottom - box.bottom) * density + height / 2;
      gl.readPixels(Math.floor(left), Math.floor(bottom), width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
      let lit = 0;
      for (let at = 0; at < pixels.length; at += 4) if (pixels[at]! + pixels[at + 1]! + pixels[at + 2]! > 96) lit += 1;
      return lit / (width * height);
    });
  }

  /** Wait until all that is in sight has come, but not for ever: what is missing is told of elsewhere. */
  private async loaded(times = QUIET): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    let quiet = 0;
    while (performance.now() < until && quiet < times) {
      this.viewer.display.scheduleRedraw();
      await new Promise((resolve) => window.setTimeout(resolve, 100));
      quiet = this.viewer.isReady() ? quiet + 1 : 0;
    }
  }
}
