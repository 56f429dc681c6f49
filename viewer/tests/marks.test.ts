import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MarksDocument, newId, type Mark } from "../src/marks/document";
import { middleOf, placesOf, shapeOfMark } from "../src/marks/shapes";

const POINT: Mark = { kind: "point", places_um: [[1, 2, 3]] };
const INFO = { id: "local-1", title: "Marks", number: 0, right: "administer", by: "ada" };

class Drawer {
  readonly kept = new Map<string, string>();
  getItem = (name: string) => this.kept.get(name) ?? null;
  setItem = (name: string, value: string) => void this.kept.set(name, value);
  removeItem = (name: string) => void this.kept.delete(name);
}

/** A server that may be cut off; it answers as ours does. */
class Server {
  reachable = true;
  mayWrite = true;
  readonly stored = new Map<string, Mark>();
  readonly keys: string[] = [];
  readonly log: unknown[] = [];

  answer = async (path: string, { method, body }: { method: string; body?: string }): Promise<Response> => {
    if (!this.reachable) throw new TypeError("cut off");
    if (method === "POST" && path.endsWith("/documents")) return Response.json(INFO, { status: 201 });
    if (method === "POST" && body!.includes("impossible")) return Response.json({ error: { message: "that can't be" } }, { status: 422 });
    if (method === "POST" && !this.mayWrite) return Response.json({ error: { message: "sign in" } }, { status: 401 });
    if (path.includes("/marks?")) return Response.json({ number: this.log.length, marks: [...this.stored].map(([id, mark]) => ({ id, mark })), next_after: null });
    if (method === "POST") {
      const { key, changes } = JSON.parse(body!) as { key: string; changes: { id: string; mark: Mark | null }[] };
      this.keys.push(key);
      for (const { id, mark } of changes) if (mark) this.stored.set(id, mark);
      const told = { number: this.log.length + 1, by: "ada", mine: true, at: new Date().toISOString(), changes: changes.map(({ id, mark }) => ({ id, after: mark })) };
      this.log.push(told);
      return Response.json(told, { status: 201 });
    }
    return Response.json(this.log.slice(Number(path.split("after=")[1])));
  };
}

describe("a document of marks", () => {
  const server = { now: new Server() };
  const made: MarksDocument[] = [];
  const document = (drawer: Drawer) => {
    const one = new MarksDocument({ dataset: "d" }, "Marks", () => undefined, drawer);
    made.push(one);
    return one;
  };

  beforeEach(() => {
    server.now = new Server();
    vi.stubGlobal("window", globalThis);
    vi.stubGlobal("fetch", (path: string, init: { method: string; body?: string }) => server.now.answer(path, init));
  });
  afterEach(() => {
    for (const one of made.splice(0)) one.dispose();
    vi.unstubAllGlobals();
  });

  it("keeps what the server did not get, and sends it once", async () => {
    const drawer = new Drawer();
    const one = document(drawer);
    server.now.reachable = false;
    one.change({ a: POINT });
    await vi.waitFor(() => expect(one.state).toBe("offline"));
    expect(one.marks.get("a")).toEqual(POINT);
    expect(drawer.kept.size).toBe(1);

    const next = document(drawer);
    server.now.reachable = true;
    next.sync();
    await vi.waitFor(() => expect(next.state).toBe("saved"));
    expect(next.marks.get("a")).toEqual(POINT);
    expect(server.now.keys).toHaveLength(1);
    expect(drawer.kept.size).toBe(0);
  });

  it("takes back what can't be, says why, and saves what was written behind it", async () => {
    const one = document(new Drawer());
    one.change({ a: POINT });
    await vi.waitFor(() => expect(one.state).toBe("saved"));
    server.now.reachable = false;
    one.change({ impossible: POINT });
    one.change({ b: POINT });
    const told = () => one.trouble;
    server.now.reachable = true;
    one.sync();
    await vi.waitFor(() => expect(told()).toBe("that can't be"));
    await vi.waitFor(() => expect(server.now.keys).toHaveLength(2));
    expect([...one.marks.keys()]).toEqual(["a", "b"]);
    one.change({ c: POINT });
    expect(told()).toBe("");
  });

  it("keeps what waits for somebody to sign in", async () => {
    const one = document(new Drawer());
    one.change({ a: POINT });
    await vi.waitFor(() => expect(one.state).toBe("saved"));
    server.now.mayWrite = false;
    one.change({ b: POINT });
    await vi.waitFor(() => expect(one.state).toBe("refused"));
    server.now.mayWrite = true;
    one.sync();
    await vi.waitFor(() => expect(one.state).toBe("saved"));
    expect(server.now.keys).toHaveLength(2);
  });

  it("names marks by identifiers of the usual form on pages that are not secure, too", () => {
    expect(newId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(newId()).not.toBe(newId());
  });

  it("hears of what others do, and who they are", async () => {
    const one = document(new Drawer());
    one.change({ a: POINT });
    await vi.waitFor(() => expect(one.state).toBe("saved"));
    server.now.log.push({ number: 2, by: "bo", mine: false, at: new Date().toISOString(), changes: [{ id: "a", after: null }, { id: "b", after: POINT }] });
    one.sync();
    await vi.waitFor(() => expect([...one.marks.keys()]).toEqual(["b"]));
    expect(one.present()).toEqual(["bo"]);
  });
});

describe("a mark in the picture", () => {
  it.each([
    POINT,
    { kind: "line", places_um: [[1, 2, 3], [4, 5, 6]] },
    { kind: "polyline", places_um: [[1, 2, 3], [4, 5, 6], [7, 8, 9]] },
    { kind: "box", places_um: [[1, 2, 3], [4, 5, 6]] },
  ] as Mark[])("comes back as it was: $kind", (mark) => {
    expect(placesOf(shapeOfMark(mark))).toEqual(mark.places_um);
  });

  it("is looked at in its middle", () => {
    expect(middleOf({ kind: "line", places_um: [[0, 0, 0], [2, 4, 6]] })).toEqual([3, 2, 1]);
  });
});
