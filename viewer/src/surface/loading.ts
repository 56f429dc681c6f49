/** Fetches surfaces and the maps on them, each once. */

import { readGeometry, readValues, type Geometry, type MapValues, type Surface, type SurfaceMap, type SurfaceSet } from "./data";

/** Who may look and not read gets no values. */
export class Denied extends Error {}

export class Loader {
  private readonly geometries = new Map<string, Promise<Geometry>>();
  private readonly values = new Map<string, Promise<MapValues | null>>();

  constructor(private readonly address: string) {}

  async set(): Promise<SurfaceSet> {
    return (await asked(this.address)).json();
  }

  /** A surface of one's own: places may be changed. */
  async geometry({ source }: Surface): Promise<Geometry> {
    const { places, triangles } = await once(this.geometries, source, async () => readGeometry(await (await asked(source)).arrayBuffer()));
    return { places: places.slice(), triangles };
  }

  /** What a map says of a surface; null where it says nothing of that side. */
  map(map: SurfaceMap | null, surface: Surface): Promise<MapValues | null> {
    const part = map?.parts.find(({ side }) => side === surface.side);
    if (!part) return Promise.resolve(null);
    const address = new URL(this.address, location.origin);
    address.pathname += `/assets/${part.asset}`;
    address.searchParams.set("column", part.column);
    address.searchParams.set("surface", surface.asset);
    return once(this.values, address.href, async () => readValues(await (await asked(address.href)).json()));
  }
}

async function asked(address: string): Promise<Response> {
  const answer = await fetch(address);
  if (answer.status === 401 || answer.status === 403) throw new Denied(address);
  if (!answer.ok) throw new Error(`${answer.status} ${address}`);
  return answer;
}

/** What `make` gives for `key`, made once; what failed may be tried again. */
function once<Value>(kept: Map<string, Promise<Value>>, key: string, make: () => Promise<Value>): Promise<Value> {
  const known = kept.get(key);
  if (known) return known;
  const made = make();
  kept.set(key, made);
  made.catch(() => kept.delete(key));
  return made;
}
