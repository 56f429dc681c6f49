import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Plugin } from "vite";

/** What npm packages carry compiled, without the texts of its licences: package, library, licence, home. */
const COMPILED_IN: [inside: string, library: string, licence: string, home: string][] = [
  ["neuroglancer", "Draco", "Apache-2.0", "https://github.com/google/draco"],
  ["neuroglancer", "libpng", "libpng-2.0", "http://www.libpng.org/pub/png/src/libpng-LICENSE.txt"],
  ["neuroglancer", "jxl-oxide", "MIT OR Apache-2.0", "https://github.com/tirr-c/jxl-oxide"],
  ["numcodecs", "c-blosc", "BSD-3-Clause", "https://github.com/Blosc/c-blosc/blob/main/LICENSE.txt"],
  ["numcodecs", "Zstandard", "BSD-3-Clause", "https://github.com/facebook/zstd/blob/dev/LICENSE"],
  ["numcodecs", "LZ4", "BSD-2-Clause", "https://github.com/lz4/lz4/blob/dev/lib/LICENSE"],
];

/** Writes which packages the bundle is made of, with the text of each one's licence, beside the bundle. */
export class ThirdParty {
  private readonly folders = new Set<string>();

  constructor(private readonly output: string) {}

  /** For the page's build and for that of its workers: notes each package of which a line is left in the bundle. */
  note(): Plugin {
    return {
      name: "pulvinar:note-packages",
      apply: "build",
      generateBundle: (_, bundle) => {
        for (const part of Object.values(bundle)) {
          if (part.type !== "chunk") continue;
          for (const id of Object.keys(part.modules)) this.add(id);
        }
      },
    };
  }

  /** Also names a package that is copied as it is. */
  add(id: string): void {
    const folder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replace(/^\0/, ""))?.[0];
    if (folder) this.folders.add(folder);
  }

  write(): Plugin {
    return {
      name: "pulvinar:write-licences",
      apply: "build",
      closeBundle: () => {
        const packages = [...this.folders].sort().map(describe);
        const names = new Set(packages.map(({ name }) => name));
        const compiled = COMPILED_IN.filter(([inside]) => names.has(inside));
        const text = [
          "The built viewer contains these packages, each under its own licence.",
          ...packages.map(({ name, version, licence, text }) => `${name} ${version}\nLicence: ${licence}\n\n${text}`),
          "Compiled into them, under their own licences:",
          compiled.map(([inside, library, licence, home]) => `${library} (in ${inside}): ${licence}, ${home}`).join("\n"),
        ].join(`\n\n${"-".repeat(80)}\n\n`);
        mkdirSync(this.output, { recursive: true });
        writeFileSync(resolve(this.output, "THIRD-PARTY-LICENSES.txt"), `${text}\n`);
      },
    };
  }
}

function describe(folder: string): { name: string; version: string; licence: string; text: string } {
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)(\.|$|-)/i.test(name));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8").trim() : "(the package holds no text of it)";
  return { name: about.name, version: about.version, licence: about.license ?? "see its text", text };
}
