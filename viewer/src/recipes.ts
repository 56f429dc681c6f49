/** How the same is done in code: what is asked of the server, as lines of Python and of the command line. */

import type { Box } from "./box";
import type { Vector } from "./geometry";
import { wire, type ProfileWish, type Target } from "./measure";

export interface Recipe {
  python: string;
  cli: string;
}

const BEGIN = (origin: string) => `import pulvinar\n\nbrains = pulvinar.connect(${JSON.stringify(origin)})\n`;
const tuple = (place: Vector) => `(${wire(place).replace(/,/g, ", ")})`;
const typed = (place: Vector) => wire(place).split(",").reverse().join(",");
const asset = ({ digest, asset: id }: Target) => `brains.asset(${JSON.stringify(digest)}, ${JSON.stringify(id)})`;
const levelled = (level: number | null, python: boolean) => (level === null ? "" : python ? `, level=${level}` : ` --level ${level}`);

export function profileRecipe(origin: string, target: Target, { corners, width_um, level }: ProfileWish): Recipe {
  const width = width_um ? `, width_um=${width_um}` : "";
  return {
    python: `${BEGIN(origin)}profile = ${asset(target)}.profile(\n    [${corners.map(tuple).join(", ")}]${width}${levelled(level, true)}\n)  # (z, y, x) in micrometres\nprofile.to_pandas().T.plot()`,
    cli: `pulvinar measure line ${target.asset} ${corners.map(typed).join(" ")}${width_um ? ` --width ${width_um}` : ""}${levelled(level, false)}`,
  };
}

export function boxRecipe(origin: string, target: Target, box: Box, level: number | null): Recipe {
  return {
    python: `${BEGIN(origin)}figures = ${asset(target)}.statistics(\n    ${tuple(box.low)}, ${tuple(box.high)}${levelled(level, true)}\n)  # (z, y, x) in micrometres`,
    cli: `pulvinar measure box ${target.asset} ${typed(box.low)} ${typed(box.high)}${levelled(level, false)}`,
  };
}

export interface RegionWish {
  atlas: string;
  regions: readonly string[];
  children: boolean;
  image: string;
  cells: string;
}

export function regionRecipe(origin: string, { atlas, regions, children, image, cells }: RegionWish): Recipe {
  const named = [children ? "" : "children=False", image && `image=${JSON.stringify(image)}`, cells && `cells=${JSON.stringify(cells)}`].filter(Boolean);
  const options = [children ? "" : "--alone", image && `--image ${image}`, cells && `--cells ${cells}`].filter(Boolean);
  return {
    python: `${BEGIN(origin)}rows = brains.atlas(${JSON.stringify(atlas)}).statistics(${[JSON.stringify(regions), ...named].join(", ")})`,
    cli: ["pulvinar measure regions", atlas, ...regions.map((one) => (/^[\w.-]+$/.test(one) ? one : `'${one.replace(/'/g, `'\\''`)}'`)), ...options].join(" "),
  };
}

/** Lengths and angles of a line need no server. */
export function distanceRecipe(corners: readonly Vector[]): Recipe {
  const places = corners.map((corner) => `    ${tuple(corner)},`).join("\n");
  const python = `import numpy as np\n\ncorners = np.array([  # (z, y, x) in micrometres\n${places}\n])\nsides = np.diff(corners, axis=0)\nlengths = np.linalg.norm(sides, axis=1)\nangles = np.degrees(np.arccos((-sides[:-1] * sides[1:]).sum(1) / lengths[:-1] / lengths[1:]))`;
  return { python, cli: "" };
}
