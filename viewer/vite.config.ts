import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { ThirdParty } from "./licences.ts";

const here = dirname(fileURLToPath(import.meta.url));
const output = resolve(here, "../src/pulvinar/web/viewer");
const thirdParty = new ThirdParty(output);

/** Vite overlooks `new Worker(<comment> new URL(...))` and drops the worker without a word: the comment goes. */
function keepWorkers(): Plugin {
  const files = /neuroglancer\/lib\/(data_management_context|async_computation\/request)\.js$/;
  return {
    name: "pulvinar:keep-workers",
    enforce: "pre",
    transform(code, id) {
      if (!files.test(id.split("?")[0]!)) return null;
      return { code: code.replace(/\/\*\s*webpackChunkName:[^*]*\*\//g, ""), map: null };
    },
  };
}

/** Change what a file of Neuroglancer says, or stop the build where it does not say it: `changes` are [from, to, how often]. */
function amend(name: string, file: string, changes: [from: string, to: string, times?: number][]): Plugin {
  return {
    name: `pulvinar:${name}`,
    enforce: "pre",
    transform(code, id) {
      if (!id.split("?")[0]!.endsWith(`neuroglancer/lib/${file}`)) return null;
      for (const [from, to, times = 1] of changes) {
        if (code.split(from).length !== times + 1) throw new Error(`${file} is not the one that "${name}" knows`);
        code = code.replaceAll(from, to);
      }
      return { code, map: null };
    },
  };
}

const layouts = amend("layouts", "data_panel_layout.js", [
  // The panels xz and yz stand turned by +90 degrees against xy. With that no choice of axes shows a brain upright in all three and its right
  // side on the right; with -90 degrees one does. See `sectionRotation` and `panelRotation` in geometry.ts.
  ["quat.create(), quat.create(), Math.PI / 2)", "quat.create(), quat.create(), -Math.PI / 2)", 2],
  // The layout "3d" draws the sections that its state lists whatever the switch for sections says; here it obeys it, as the four panels do.
  ["panel.sliceViews.set(sliceView, true)", "panel.sliceViews.set(sliceView, false)"],
  ["showSliceViews: new TrackableBoolean(false, false)", "showSliceViews: viewer.showPerspectiveSliceViews"],
]);

// Without perspective the camera is nowhere, so nothing can be behind it: what lies before the centre is drawn as deep as what lies behind.
// Where an element around the panels says so, what lies before the centre is cut away.
const nearSide = amend("near-side", "perspective_view/panel.js", [
  ["const nearBound = Math.max(0.1, 1 - relativeDepthRange);\n            const farBound = 1 + relativeDepthRange;\n            mat4.ortho(", "const nearBound = this.element.closest('[data-cut]') ? 1 : 1 - relativeDepthRange;\n            const farBound = 1 + relativeDepthRange;\n            mat4.ortho("],
]);

// A plane that an element around the panels names (n . p + d >= 0 stays, in Neuroglancer's coordinates) cuts 3D open. It takes the place of the
// near plane, or of the far one where it faces the camera: so it holds for all that is drawn, rays through volumes among it, and costs nothing.
const clippingPlane = amend("clipping-plane", "perspective_view/panel.js", [
  ["          updateProjectionParametersFromInverseViewAndProjection(out);", `          const said = this.element.closest("[data-plane]")?.dataset.plane;
          if (said && this.viewer.orthographicProjection.value) {
            const plane = said.split(",").map(Number);
            const [a, b, c, d] = [0, 1, 2, 3].map((column) => plane.reduce((sum, part, row) => sum + part * invViewMatrix[4 * column + row], 0));
            // seen from its very edge a plane orders nothing by depth: it is tilted by less than anybody sees
            const least = 2e-3 * Math.hypot(a, b, c);
            const along = Math.abs(c) < least ? (c < 0 ? -least : least) : c;
            const [near, far] = [1 - relativeDepthRange, 1 + relativeDepthRange];
            const most = Math.abs(a) * widthOverHeight + Math.abs(b) + Math.max(-along * near, -along * far) + d;
            const scale = 2 / Math.max(most, 1e-6);
            const sign = along < 0 ? 1 : -1;
            [a, b, along, d].forEach((part, row) => (projectionMat[4 * row + 2] = sign * scale * part - (row === 3 ? sign : 0)));
          }
          updateProjectionParametersFromInverseViewAndProjection(out);`],
]);

// A shader shared with the sections has to know by a macro whether there is a depth along a ray.
const rayDepth = amend("ray-depth", "volume_rendering/volume_render_layer.js", [["#define VOLUME_RENDERING true\n", "#define VOLUME_RENDERING true\n#define ALONG_RAY\n"]]);

// As many voxels as samples along a ray make coarse blocks of a picture that has many more pixels across: take voxels of a quarter of the spacing.
const fineVoxels = amend("fine-voxels", "volume_rendering/base.js", [["depthRange / volumeRenderingDepthSamples", "depthRange / (4 * volumeRenderingDepthSamples)"]]);

// Lines of one pixel need no round joints: thousands of neurons are drawn with half the work.
const thinLines = amend("thin-lines", "skeleton/frontend.js", [
  ["    const lineWidth = renderOptions.lineWidth.value;\n", "    const lineWidth = renderOptions.lineWidth.value;\n    const hasJoints = lineWidth > 1.5 || renderOptions.mode.value === 1;\n"],
  ["          nodeShader.bind();\n          renderHelper.setColor(gl, nodeShader, color);\n", "          if (hasJoints) {\n            nodeShader.bind();\n            renderHelper.setColor(gl, nodeShader, color);\n          }\n"],
  ["          nodeShader.bind();\n          renderHelper.setPickID(gl, nodeShader, pickIndex);\n", "          if (hasJoints) {\n            nodeShader.bind();\n            renderHelper.setPickID(gl, nodeShader, pickIndex);\n          }\n"],
  ["          nodeShader,\n          skeleton,\n", "          hasJoints ? nodeShader : null,\n          skeleton,\n"],
]);

/** Whoever lost the graphics gets a choice and keeps the work: see `reopen` in element.ts. */
const keepPage = amend("lost-context", "display_context.js", [["window.location.reload();", ""]]);

// Regions as outlines: a voxel is drawn where a neighbour a pixel away in the section has another label. An opacity of 1 for what is not
// selected, which nothing else asks for, is what tells the shader.
const outlines = amend("outlines", "sliceview/volume/segmentation_renderlayer.js", [
  ["  uint64_t baseValue = getUint64DataValue();\n", `  uint64_t baseValue = getUint64DataValue();
  highp vec3 across = dFdx(vChunkPosition);
  highp vec3 along = dFdy(vChunkPosition);
  if (uNotSelectedAlpha > 0.9) {
    bool inside = true;
    for (int side = 0; side < 4; ++side) {
      highp vec3 beside = vChunkPosition + (side < 2 ? across : along) * (side % 2 == 0 ? 1.25 : -1.25);
      highp ivec3 at = ivec3(max(vec3(0.0), min(floor(beside), uChunkDataSize - 1.0)));
      if (toUint64(getDataValueAt(at)).value != baseValue.value) inside = false;
    }
    if (inside) {
      emit(vec4(0.0));
      return;
    }
  }
`],
  // lines are thin: they are drawn clearer than areas
  ["  float alpha = uSelectedAlpha;\n", "  float alpha = uNotSelectedAlpha > 0.9 ? sqrt(uSelectedAlpha) : uSelectedAlpha;\n  float tone = 1.0;\n"],
  // over nothing the opacity of the lowest layer is not seen: a hint is darker, too
  ["    alpha = uNotSelectedAlpha;\n", "    alpha = uNotSelectedAlpha > 0.9 ? 0.0 : uNotSelectedAlpha;\n    tone = 0.25;\n"],
  ["vec3(rgba), saturation), alpha)", "vec3(rgba), saturation) * tone, alpha)"],
]);

/** Neuroglancer takes the focus whenever nothing has it: so Tab, at the end of the page, never came back to its beginning. */
const keepFocus = amend("focus", "util/automatic_focus.js", [["if (!isTopLevel) return;", "return;"]]);

/** The compresso decoder holds LGPL code and nothing here is stored in that codec: it stays out of the wheel. */
function dropCompresso(): Plugin {
  return {
    name: "pulvinar:drop-compresso",
    enforce: "pre",
    load(id) {
      if (!/neuroglancer\/lib\/sliceview\/compresso\/index\.js$/.test(id.split("?")[0]!)) return null;
      return 'export function decompressCompresso() { throw new Error("this build does not read compresso"); }';
    },
  };
}

/** The portal's one script from npm lies beside the viewer, so that nothing is fetched from elsewhere. */
function copyHtmx(): Plugin {
  return {
    name: "pulvinar:copy-htmx",
    apply: "build",
    closeBundle() {
      const source = createRequire(import.meta.url).resolve("htmx.org/dist/htmx.min.js");
      mkdirSync(output, { recursive: true });
      copyFileSync(source, resolve(output, "htmx.min.js"));
      thirdParty.add(source);
    },
  };
}

const conditions = [
  "neuroglancer/datasource:none_by_default",
  "neuroglancer/datasource/precomputed:enabled",
  "neuroglancer/datasource/zarr:enabled",
  "neuroglancer/kvstore:none_by_default",
  "neuroglancer/kvstore/http:enabled",
  "neuroglancer/kvstore/middleauth:enabled",
  "neuroglancer/kvstore/gzip:enabled",
  "neuroglancer/kvstore/byte_range:enabled",
  "neuroglancer/layer:none_by_default",
  "neuroglancer/layer/image:enabled",
  "neuroglancer/layer/segmentation:enabled",
  "neuroglancer/layer/annotation:enabled",
  "module",
  "browser",
  "production",
];

export default defineConfig({
  base: "./",
  plugins: [keepWorkers(), layouts, nearSide, clippingPlane, rayDepth, fineVoxels, outlines, thinLines, keepPage, keepFocus, dropCompresso(), copyHtmx(), thirdParty.note(), thirdParty.write()],
  worker: { format: "es", plugins: () => [keepWorkers(), fineVoxels, dropCompresso(), thirdParty.note()] },
  resolve: { conditions },
  optimizeDeps: { exclude: ["neuroglancer"] },
  build: {
    target: "es2022",
    outDir: output,
    emptyOutDir: true,
    chunkSizeWarningLimit: 4000,
    reportCompressedSize: false,
    // Pages name these files, so they carry no hash; everything that they load does.
    rollupOptions: {
      input: { viewer: resolve(here, "src/main.ts"), chart: resolve(here, "src/charts/main.ts"), surface: resolve(here, "src/surface/main.ts") },
      output: {
        entryFileNames: "pulvinar-[name].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: ({ names: [name = ""] }) => (/^(viewer|surface)\.css$/.test(name) ? "pulvinar-[name][extname]" : "assets/[name]-[hash][extname]"),
      },
    },
  },
});
