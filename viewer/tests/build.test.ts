/** What the build must hold, since a bundler can lose parts of Neuroglancer without a word. Needs `npm run build` before. */

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

const dist = fileURLToPath(new URL("../../src/pulvinar/web/viewer/", import.meta.url));
const root = fileURLToPath(new URL("../", import.meta.url));
const icons = readdirSync(`${root}vendor/ikonate/icons`);

describe("the bundle", () => {
  const assets = existsSync(`${dist}assets`) ? readdirSync(`${dist}assets`) : [];
  const text = (pattern: RegExp) => readFileSync(`${dist}assets/${assets.find((name) => pattern.test(name))}`, "utf8");

  test("has both of Neuroglancer's workers", () => {
    expect(assets.some((name) => /^chunk_worker\.bundle-.*\.js$/.test(name))).toBe(true);
    expect(assets.some((name) => /^async_computation\.bundle-.*\.js$/.test(name))).toBe(true);
  });

  test("names its workers where the viewer starts them", () => {
    const worker = assets.find((name) => name.startsWith("chunk_worker.bundle-"))!;
    expect(text(/^facade-.*\.js$/)).toContain(worker);
  });

  test("holds no compresso decoder", () => {
    expect(assets.filter((name) => name.includes("compresso"))).toEqual([]);
  });

  test("has the files that pages name", () => {
    for (const name of ["pulvinar-viewer.js", "pulvinar-viewer.css", "pulvinar-chart.js", "pulvinar-surface.js", "pulvinar-surface.css", "htmx.min.js"]) expect(existsSync(dist + name), name).toBe(true);
  });

  test("loads charts only where there is one", () => {
    const engine = assets.find((name) => /^engine-.*\.js$/.test(name))!;
    const [viewer, chart] = ["pulvinar-viewer.js", "pulvinar-chart.js"].map((name) => readFileSync(dist + name, "utf8"));
    const atOnce = (code: string) => [...code.matchAll(/(?:^|[;}])import[^;("]*"([^"]+)"/g)].map(([, name]) => name);
    expect(viewer!.includes("./pulvinar-chart.js") && !atOnce(viewer!).includes("./pulvinar-chart.js")).toBe(true);
    expect(chart!.includes(`./assets/${engine}`) && !atOnce(chart!).includes(`./assets/${engine}`)).toBe(true);
    expect(gzipSync(text(/^engine-.*\.js$/)).length).toBeLessThan(220_000);
  });

  test("loads NiiVue only where there is a surface", () => {
    const stage = assets.find((name) => /^stage-.*\.js$/.test(name))!;
    const [viewer, surface] = ["pulvinar-viewer.js", "pulvinar-surface.js"].map((name) => readFileSync(dist + name, "utf8"));
    expect(viewer!.includes(stage)).toBe(false);
    expect(surface!.includes(`./assets/${stage}`) && !new RegExp(`import[^;("]*"./assets/${stage}"`).test(surface!)).toBe(true);
    expect(gzipSync(text(/^stage-.*\.js$/)).length).toBeLessThan(360_000);
  });

  test("turns the panels as geometry.ts expects", () => {
    expect(text(/^facade-.*\.js$/)).toMatch(/"xz",\s*[\w$.]+\.rotateX\([^)]*\),\s*[^)]*\),\s*-Math\.PI\s*\/\s*2|"xz",[^;]{0,80}-Math\.PI\s*\/\s*2/);
  });

  test("knows in a shader whether it follows a ray", () => {
    expect(text(/^facade-.*\.js$/)).toMatch(/#define ALONG_RAY/);
  });
});

test("the lock names no host, and neuroglancer is pinned", () => {
  const lock = readFileSync(`${root}package-lock.json`, "utf8");
  expect(lock).not.toMatch(/https?:\/\//);
  expect(JSON.parse(readFileSync(`${root}package.json`, "utf8")).dependencies.neuroglancer).toBe("2.41.2");
});

test("every icon that neuroglancer imports is drawn", () => {
  expect(icons).toHaveLength(26);
  for (const name of icons) expect(readFileSync(`${root}vendor/ikonate/icons/${name}`, "utf8")).toMatch(/^<svg [^>]*viewBox="0 0 24 24"/);
});
