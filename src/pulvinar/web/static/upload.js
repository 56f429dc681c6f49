// Files on their way to the server, by tus 1.0: in pieces, several at a time, each with its SHA-256. What has arrived the server
// knows: after a reload the same files, picked again, go on from there.
const PIECE = 8 << 20;
const BESIDE = 3;
const LARGE = 64 << 20;
const API = "/api/v1";

class Paused extends Error {}

async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => null);
  const error = new Error(told ? [told.error.message, told.error.hint].filter(Boolean).join(" — ") : `${answer.status}`);
  // these may be over in a moment: busy, locked, torn on the way
  error.status = answer.status;
  error.passing = [408, 423, 429, 460, 500, 502, 503, 504].includes(answer.status);
  throw error;
}

const json = async (path, body) =>
  (await ask(path, body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).json();

const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
// without a safe address (https, or this very machine) a browser has no digests; the server then keeps what comes
const digest = async (buffer) => (crypto.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", buffer)) : null);
const tus = (headers) => ({ "tus-resumable": "1.0.0", ...headers });

// A folder that everything lies in is the submission itself, and no part of the names.
function named(picked) {
  const paths = picked.map(({ path }) => path.split("/"));
  const common = paths.every((parts) => parts.length > 1 && parts[0] === paths[0][0]);
  return {
    title: common ? paths[0][0] : picked[0].file.name,
    files: picked.map(({ file }, index) => ({ file, path: (common ? paths[index].slice(1) : paths[index]).join("/") })),
  };
}

async function dropped(items) {
  const found = [];
  const walk = async (entry, above) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ file, path: above + entry.name });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const one of some) await walk(one, `${above}${entry.name}/`);
    }
  };
  // the list is emptied as soon as this function waits
  for (const entry of [...items].map((item) => item.webkitGetAsEntry()).filter(Boolean)) await walk(entry, "");
  return found;
}

class Upload {
  constructor(section) {
    this.section = section;
    this.id = section.dataset.upload;
    this.running = false;
    this.received = 0;
    section.addEventListener("change", (event) => {
      if (!event.target.matches("[data-pick]")) return;
      this.begin([...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    });
    const drop = section.querySelector("[data-drop]");
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.begin(await dropped(event.dataTransfer.items));
    });
    this.toggle = section.querySelector("[data-toggle]");
    this.toggle.addEventListener("click", () => (this.running ? this.pause() : this.run()));
    addEventListener("beforeunload", (event) => {
      if (this.running) event.preventDefault();
    });
  }

  begin(picked) {
    if (picked.length === 0 || this.running) return;
    const { title, files } = named(picked);
    this.title = title;
    this.files = files;
    this.section.querySelector("[data-drop]").hidden = true;
    this.section.querySelector(".sending").hidden = false;
    this.run();
  }

  say(text) {
    this.section.querySelector("[data-said]").textContent = text;
  }

  pause() {
    this.running = false;
    this.stop.abort(new Paused());
    this.say(this.section.dataset.paused);
    this.toggle.textContent = this.section.dataset.resume;
  }

  async run() {
    this.running = true;
    this.stop = new AbortController();
    this.toggle.textContent = this.section.dataset.pause;
    this.section.querySelector("[data-trouble]").hidden = true;
    try {
      await this.patiently(() => this.announce());
      const missing = await this.send();
      if (missing) throw new Error(this.section.dataset.left.replace("%(n)s", missing));
      this.say(this.section.dataset.finishing);
      await this.patiently(() => json(`${API}/submissions/${this.id}/finish`, {}));
      this.running = false;
      location.assign(`/submissions/${this.id}`);
    } catch (error) {
      this.running = false;
      if (this.stop.signal.reason instanceof Paused) return;
      this.stop.abort();
      this.toggle.textContent = this.section.dataset.resume;
      this.say("");
      // other files may be picked instead
      this.section.querySelector("[data-drop]").hidden = false;
      const trouble = this.section.querySelector("[data-trouble]");
      trouble.textContent = error.message;
      trouble.hidden = false;
    }
  }

  // again and again, while only the line or a busy server is in the way
  async patiently(attempt) {
    for (let tries = 0; ; tries += 1) {
      this.stop.signal.throwIfAborted();
      try {
        const found = await attempt(tries);
        this.say(this.section.dataset.sending);
        return found;
      } catch (error) {
        this.stop.signal.throwIfAborted();
        if (!(error.passing || error instanceof TypeError)) throw error;
        this.say(this.section.dataset.broken);
        await new Promise((resolve) => setTimeout(resolve, Math.min(200 * 2 ** tries, 5000)));
      }
    }
  }

  // The submission, with every file that the server doesn't know of yet.
  async announce() {
    if (!this.id) {
      this.id = (await json(`${API}/submissions`, { title: this.title })).id;
      history.replaceState(null, "", `/submissions/${this.id}`);
    }
    this.there = await this.known();
    const fresh = this.files.filter(({ path }) => !this.there.has(path));
    for (let at = 0; at < fresh.length; at += 1000) {
      const some = fresh.slice(at, at + 1000).map(({ path, file }) => ({ path, size_bytes: file.size }));
      await json(`${API}/submissions/${this.id}/files`, some);
    }
    if (fresh.length) this.there = await this.known();
    this.total = [...this.there.values()].reduce((sum, one) => sum + one.size_bytes, 0);
    this.received = [...this.there.values()].reduce((sum, one) => sum + (one.whole ? one.size_bytes : one.parts.reduce((all, part) => all + part.received, 0)), 0);
    this.show();
  }

  async known() {
    const found = new Map();
    for (let after = ""; ; ) {
      const page = await json(`${API}/submissions/${this.id}/files?after=${after}`);
      for (const one of page) found.set(one.path, one);
      if (page.length === 0) return found;
      after = page.at(-1).id;
    }
  }

  show() {
    const megabytes = (bytes) => (bytes / 1e6).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
    this.section.querySelector("progress").value = this.total ? this.received / this.total : 1;
    this.section.querySelector("[data-amount]").textContent = `${megabytes(this.received)} / ${megabytes(this.total)} MB`;
  }

  // All that is missing; how many files are, of which none was picked.
  async send() {
    const work = this.files.flatMap((one) => this.ranges(one, this.there.get(one.path)));
    const waiting = [...work];
    const worker = async () => {
      for (let range = waiting.shift(); range; range = waiting.shift()) await this.sendRange(range);
    };
    await Promise.all(Array.from({ length: BESIDE }, worker));
    for (const path of new Set(work.filter((range) => range.partial).map((range) => range.path))) {
      const ids = work.filter((range) => range.path === path).sort((a, b) => a.first - b.first).map((range) => `${API}/uploads/${range.id}`);
      await this.patiently(() => ask(`${API}/uploads`, { method: "POST", headers: tus({ "upload-concat": `final;${ids.join(" ")}` }) }));
    }
    const picked = new Set(this.files.map(({ path }) => path));
    return [...this.there.values()].filter((one) => !one.whole && !picked.has(one.path)).length;
  }

  ranges({ path, file }, there) {
    if (there.whole) return [];
    if (there.size_bytes !== file.size) throw new Error(`${path}: ${there.size_bytes} ≠ ${file.size}`);
    const parts = there.parts.toSorted((a, b) => a.first - b.first);
    if (parts.some((part) => !part.partial) || (parts.length === 0 && file.size <= LARGE))
      return [{ path, file, first: 0, size: file.size, partial: false }];
    const step = Math.ceil(file.size / PIECE / BESIDE) * PIECE;
    const found = [];
    let at = 0;
    for (const { first, size_bytes: size } of [...parts, { first: file.size, size_bytes: 0 }]) {
      for (; at < first; at = Math.min(at + step, first)) found.push({ path, file, first: at, size: Math.min(step, first - at), partial: true });
      if (size) found.push({ path, file, first, size, partial: true });
      at = first + size;
    }
    return found;
  }

  async sendRange(range) {
    const words = { submission: this.id, path: range.path, ...(range.partial ? { start: String(range.first) } : {}) };
    const metadata = Object.entries(words).map(([key, value]) => `${key} ${base64(new TextEncoder().encode(value))}`).join(",");
    const headers = tus({ "upload-length": String(range.size), "upload-metadata": metadata, ...(range.partial ? { "upload-concat": "partial" } : {}) });
    const begun = await this.patiently(() => ask(`${API}/uploads`, { method: "POST", headers, signal: this.stop.signal }));
    const address = begun.headers.get("location");
    range.id = address.split("/").at(-1);
    let offset = Number(begun.headers.get("upload-offset"));
    while (offset < range.size) {
      const at = offset;
      const piece = await range.file.slice(range.first + at, range.first + Math.min(at + PIECE, range.size)).arrayBuffer();
      const sum = await digest(piece);
      offset = await this.patiently((tries) => this.sendPiece(address, at, piece, sum, tries));
      this.received += offset - at;
      this.show();
    }
  }

  async sendPiece(address, at, piece, sum, tries) {
    // after a break, what the server has decides
    const standing = async () => Number((await ask(address, { method: "HEAD", headers: tus({}) })).headers.get("upload-offset"));
    const before = tries ? await standing() : at;
    if (before !== at) return before;
    const headers = tus({
      "upload-offset": String(at),
      "content-type": "application/offset+octet-stream",
      ...(sum ? { "upload-checksum": `sha256 ${base64(sum)}` } : {}),
    });
    try {
      const answer = await ask(address, { method: "PATCH", headers, body: piece, signal: this.stop.signal });
      return Number(answer.headers.get("upload-offset"));
    } catch (error) {
      // the request that broke was still being written when the offset was asked for
      const now = error.status === 409 ? await standing() : at;
      if (now === at) throw error;
      return now;
    }
  }
}

for (const section of document.querySelectorAll("[data-upload]")) new Upload(section);

// What the platform does for a submission: how far it is, and the next page when it has ended.
for (const section of document.querySelectorAll("[data-watch]")) {
  const events = new EventSource(section.dataset.watch);
  events.addEventListener("submission", (event) => {
    const { progress, ended } = JSON.parse(event.data);
    section.querySelector("[data-progress]").textContent = progress;
    const share = /(\d+)%$/.exec(progress);
    if (share) section.querySelector("progress").value = Number(share[1]) / 100;
    if (!ended) return;
    events.close();
    location.reload();
  });
}
