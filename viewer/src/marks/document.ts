/** A document of marks as this page has it: what the server holds, what is on its way there, and what others do meanwhile. */

export type Place = [number, number, number];
export interface Mark {
  kind: "point" | "line" | "polyline" | "box" | "note" | "correction" | "verdict";
  /** (z, y, x) in micrometres, as everywhere on the wire. */
  places_um: Place[];
  text?: string;
  color?: string;
  region?: string;
  verdict?: string;
}

export interface DocumentInfo {
  id: string;
  title: string;
  number: number;
  right: string;
  by: string;
}

interface Change {
  id: string;
  mark: Mark | null;
}
interface Waiting {
  key: string;
  changes: Change[];
}
interface Operation {
  number: number;
  by: string;
  mine: boolean;
  at: string;
  changes: { id: string; after: Mark | null }[];
}

export type SaveState = "none" | "saved" | "saving" | "offline" | "refused";

/** What the server said no to: no use to ask again. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Ask the API. Throws `Refusal` for an answer that is no success, TypeError where none came. */
export async function ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined && typeof body !== "string") headers["Content-Type"] = "application/json";
  const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetch(`/api/v1${path}`, { method, headers, ...(sent === undefined ? {} : { body: sent }) });
  if (!answer.ok) {
    const told = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
    throw new Refusal(answer.status, told?.error?.message ?? `${answer.status}`);
  }
  return (answer.status === 204 ? null : await answer.json()) as Answer;
}

/** An identifier that nobody else makes (RFC 9562, version 4); `crypto.randomUUID` is there on secure pages only. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Worth another try: no answer, or a server that can't answer now. */
function passes(error: unknown): boolean {
  return !(error instanceof Refusal) || error.status >= 500 || error.status === 429;
}

/** What signing in, or a right that somebody gives, can mend: what was written waits for that. */
function waitsForRights(error: unknown): boolean {
  return error instanceof Refusal && (error.status === 401 || error.status === 403);
}

const LOOK_MS = 3000;
const PRESENT_MS = 300_000;

export class MarksDocument {
  /** The marks as they will be once everything is saved. */
  readonly marks = new Map<string, Mark>();
  state: SaveState = "none";
  /** Why the last change was taken back, in the server's words; "" when all is well. */
  trouble = "";
  info: DocumentInfo | null = null;
  /** When each other person wrote last, by login name. */
  private readonly others = new Map<string, number>();
  private waiting: Waiting[] = [];
  private busy: Promise<void> = Promise.resolve();
  private readonly timer: number;

  constructor(
    /** What marks lie on: {dataset: id} or {atlas: name}; `asset` are the cells of the dataset that verdicts are about. */
    private readonly place: { dataset?: string; atlas?: string; asset?: string },
    private readonly newTitle: string,
    private readonly changed: () => void,
    private readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> = localStorage,
  ) {
    this.waiting = this.kept();
    this.timer = window.setInterval(() => this.sync(), LOOK_MS);
  }

  get mayWrite(): boolean {
    return !this.info || ["write", "share", "administer"].includes(this.info.right);
  }

  /** Who else wrote within the last minutes. */
  present(): string[] {
    return [...this.others].filter(([, at]) => Date.now() - at < PRESENT_MS).map(([name]) => name);
  }

  list(): Promise<DocumentInfo[]> {
    return ask<{ items: DocumentInfo[] }>("GET", `/documents?${new URLSearchParams(this.place.dataset ? { dataset: this.place.dataset } : { atlas: this.place.atlas! })}`).then(({ items }) => items);
  }

  /** Open a document; null begins a new one with the first mark. */
  open(info: DocumentInfo | null): Promise<void> {
    return this.then(async () => {
      this.info = info;
      this.waiting = this.kept();
      this.marks.clear();
      this.others.clear();
      if (info) await this.read(info);
      this.state = info ? "saved" : "none";
      this.replay();
      this.changed();
    });
  }

  dispose(): void {
    window.clearInterval(this.timer);
  }

  /** Change marks: shown at once, kept on this machine until the server has them. */
  change(changes: Record<string, Mark | null>): void {
    this.trouble = "";
    const listed = Object.entries(changes).map(([id, mark]) => ({ id, mark }));
    this.waiting.push({ key: newId(), changes: listed });
    this.keep();
    this.replay();
    this.changed();
    this.sync();
  }

  undo(): Promise<void> {
    return this.reverse("undo");
  }

  redo(): Promise<void> {
    return this.reverse("redo");
  }

  /** Send what waits, then hear of what others did. */
  sync(): void {
    void this.then(async () => {
      await this.send();
      await this.hear();
    });
  }

  /** Once all that was changed up to now has been sent, as far as the server can be reached. */
  saved(): Promise<void> {
    return this.then(() => this.send());
  }

  private reverse(what: "undo" | "redo"): Promise<void> {
    return this.then(async () => {
      await this.send();
      if (!this.info) return;
      try {
        await ask("POST", `/documents/${this.info.id}/${what}`);
      } catch (error) {
        // there is nothing left to take back
        if (!(error instanceof Refusal) || error.status !== 409) throw error;
      }
      await this.hear();
    });
  }

  /** One thing after another, so that answers can't overtake each other. */
  private then(work: () => Promise<void>): Promise<void> {
    this.busy = this.busy.then(work).catch((error: unknown) => this.become(passes(error) ? "offline" : "refused"));
    return this.busy;
  }

  private async read(info: DocumentInfo): Promise<void> {
    let after: string | null = "";
    let first: number | null = null;
    while (after !== null) {
      const page: { number: number; marks: { id: string; mark: Mark }[]; next_after: string | null } = await ask("GET", `/documents/${info.id}/marks?after=${after}`);
      first ??= page.number;
      for (const { id, mark } of page.marks) this.marks.set(id, mark);
      after = page.next_after;
    }
    info.number = first ?? info.number;
  }

  private async send(): Promise<void> {
    while (this.waiting.length) {
      this.become("saving");
      if (!this.info) {
        const made = await ask<DocumentInfo>("POST", "/documents", { title: this.newTitle, ...this.place });
        this.storage.removeItem(this.drawer);
        this.info = made;
        this.keep();
      }
      const [next] = this.waiting;
      try {
        await ask("POST", `/documents/${this.info.id}/operations`, next);
      } catch (error) {
        if (passes(error) || waitsForRights(error)) throw error;
        await this.takeBack(error as Refusal);
        continue;
      }
      this.waiting.shift();
      this.keep();
    }
    if (this.info) this.become("saved");
  }

  /** A change that can't be made is let go of, so that those behind it are saved; the picture says what the server has. */
  private async takeBack(refusal: Refusal): Promise<void> {
    this.waiting.shift();
    this.keep();
    this.trouble = refusal.message;
    this.marks.clear();
    await this.read(this.info!);
    this.replay();
    this.changed();
  }

  private async hear(): Promise<void> {
    if (!this.info) return;
    let heard = false;
    for (;;) {
      const found = await ask<Operation[]>("GET", `/documents/${this.info.id}/operations?after=${this.info.number}`);
      for (const operation of found) {
        for (const { id, after } of operation.changes) this.put(id, after);
        if (!operation.mine && operation.by) this.others.set(operation.by, Date.parse(operation.at));
        this.info.number = operation.number;
        heard = true;
      }
      if (!found.length) break;
    }
    if (heard) {
      this.replay();
      this.changed();
    }
    this.become("saved");
  }

  /** What waits is done once more over what others did. */
  private replay(): void {
    for (const { changes } of this.waiting) for (const { id, mark } of changes) this.put(id, mark);
  }

  private put(id: string, mark: Mark | null): void {
    if (mark) this.marks.set(id, mark);
    else this.marks.delete(id);
  }

  private become(state: SaveState): void {
    if (this.state === state) return;
    this.state = state;
    this.changed();
  }

  /** Each document has its own, so that nothing is ever sent to another one than it was written into. */
  private get drawer(): string {
    return `pulvinar-marks:${this.place.dataset ?? this.place.atlas}:${this.info?.id ?? "new"}`;
  }

  private kept(): Waiting[] {
    try {
      return JSON.parse(this.storage.getItem(this.drawer) ?? "[]") as Waiting[];
    } catch {
      return [];
    }
  }

  private keep(): void {
    try {
      if (this.waiting.length) this.storage.setItem(this.drawer, JSON.stringify(this.waiting));
      else this.storage.removeItem(this.drawer);
    } catch {
      // a full or forbidden store: they stay in this page
    }
  }
}
