import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const output = resolve(here, "../src/pulvinar/web/viewer");

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

/**
 * Neuroglancer turns its panels xz and yz by +90 degrees against xy. With that no choice of axes shows a brain upright in all three and its right
 * side on the right; with -90 degrees one does. See `sectionRotation` and `panelRotation` in geometry.ts.
 */
function turnPanels(): Plugin {
  const quarter = /quat\.rotate([XY])\(quat\.create\(\), quat\.create\(\), Math\.PI \/ 2\)/g;
  return {
    name: "pulvinar:turn-panels",
    enforce: "pre",
    transform(code, id) {
      if (!/neuroglancer\/lib\/data_panel_layout\.js$/.test(id.split("?")[0]!)) return null;
      if (code.match(quarter)?.length !== 2) throw new Error("data_panel_layout.js is not the one that turnPanels knows");
      return { code: code.replace(quarter, "quat.rotate$1(quat.create(), quat.create(), -Math.PI / 2)"), map: null };
    },
  };
}

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
    closeBundle() {
      const source = createRequire(import.meta.url).resolve("htmx.org/dist/htmx.min.js");
      mkdirSync(output, { recursive: true });
      copyFileSync(source, resolve(output, "htmx.min.js"));
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
  plugins: [keepWorkers(), turnPanels(), dropCompresso(), copyHtmx()],
  worker: { format: "es", plugins: () => [keepWorkers(), dropCompresso()] },
  resolve: { conditions },
  optimizeDeps: { exclude: ["neuroglancer"] },
  build: {
    target: "es2022",
    outDir: output,
    emptyOutDir: true,
    chunkSizeWarningLimit: 4000,
    reportCompressedSize: false,
    // The page names these two files, so they carry no hash; everything that they load does.
    rollupOptions: {
      input: resolve(here, "src/main.ts"),
      output: {
        entryFileNames: "pulvinar-viewer.js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: (asset) => (asset.names.includes("main.css") ? "pulvinar-viewer.css" : "assets/[name]-[hash][extname]"),
      },
    },
  },
});
