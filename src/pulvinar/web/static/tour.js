// A guided tour: a few words beside each part of a page, one part at a time. Its steps stand in the page, in the page's
// language; a step whose part isn't there, or isn't to be seen just now, is passed over. The dialog is the browser's own, so
// focus stays in it, Esc ends it, and what is behind it can't be reached meanwhile. That a tour was seen is remembered by this
// browser alone.
const GAP = 12;

class Tour {
  constructor(root) {
    this.name = `tour-${root.dataset.tour}`;
    this.dialog = root.querySelector("dialog");
    this.offer = root.querySelector("[data-tour-offer]");
    this.starts = document.querySelectorAll("[data-tour-start]");
    this.all = [...root.querySelector("template").content.children];
    this.part = (name) => this.dialog.querySelector(`[data-tour-${name}]`);
    for (const start of this.starts) {
      start.hidden = false;
      start.addEventListener("click", () => this.begin());
    }
    this.offer.querySelector("[data-tour-later]").addEventListener("click", () => this.remember());
    this.part("next").addEventListener("click", () => this.go(1));
    this.part("back").addEventListener("click", () => this.go(-1));
    this.part("end").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => this.travel(event));
    this.dialog.addEventListener("close", () => this.end());
    this.placing = () => this.place();
    // nobody is asked two things at once
    this.offer.hidden = this.seen() || document.querySelector("[data-survey]:not([hidden])") !== null;
  }

  seen() {
    try {
      return localStorage.getItem(this.name) !== null;
    } catch {
      return true; // a browser that remembers nothing would be asked on each page
    }
  }

  remember() {
    this.offer.hidden = true;
    try {
      localStorage.setItem(this.name, "seen");
    } catch {
      // then it is offered nowhere, see above
    }
  }

  begin() {
    this.remember();
    this.steps = this.all.map((step) => ({ step, at: step.dataset.at })).filter(({ at }) => !at || visible(at));
    this.index = 0;
    this.dialog.showModal();
    addEventListener("resize", this.placing);
    this.show();
  }

  // The offer from which it was begun is gone: focus goes to the button that begins it again.
  end() {
    removeEventListener("resize", this.placing);
    const again = [...this.starts].find((one) => one.getClientRects().length > 0);
    again?.focus({ preventScroll: true });
  }

  go(by) {
    if (this.index + by >= this.steps.length) return this.dialog.close();
    this.index = Math.max(0, this.index + by);
    this.show();
  }

  travel(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    if (by < 0 || this.index + by < this.steps.length) this.go(by);
  }

  show() {
    const { step, at } = this.steps[this.index];
    const last = this.index === this.steps.length - 1;
    this.part("title").textContent = step.querySelector("h2").textContent;
    this.part("text").textContent = step.querySelector("p").textContent;
    this.part("count").textContent = `${this.index + 1} / ${this.steps.length}`;
    this.part("back").hidden = this.index === 0;
    this.part("next").hidden = last;
    this.part("end").textContent = last ? this.part("end").dataset.done : this.part("end").dataset.stop;
    if (at) visible(at).scrollIntoView({ block: "center", behavior: "instant" });
    this.place();
    this.part("title").focus();
  }

  // beside its part where there is room: below, above, to the right, to the left; else over the middle of the page
  place() {
    const { at } = this.steps[this.index];
    const target = at ? visible(at) : null;
    const ring = this.part("ring");
    ring.hidden = !target;
    const { width, height } = this.dialog.getBoundingClientRect();
    let left = (innerWidth - width) / 2;
    let top = (innerHeight - height) / 2;
    if (target) {
      const box = target.getBoundingClientRect();
      Object.assign(ring.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px` });
      left = box.left;
      if (box.bottom + GAP + height <= innerHeight) top = box.bottom + GAP;
      else if (box.top - GAP - height >= 0) top = box.top - GAP - height;
      else if (box.right + GAP + width <= innerWidth) [left, top] = [box.right + GAP, box.top];
      else if (box.left - GAP - width >= 0) [left, top] = [box.left - GAP - width, box.top];
      else [left, top] = [innerWidth - width - GAP, innerHeight - height - GAP];
    }
    this.dialog.style.left = `${clamp(left, innerWidth - width)}px`;
    this.dialog.style.top = `${clamp(top, innerHeight - height)}px`;
  }
}

function clamp(value, most) {
  return Math.max(GAP, Math.min(value, most - GAP));
}

// The first element that `selector` finds and that takes up room.
function visible(selector) {
  return [...document.querySelectorAll(selector)].find((one) => one.getClientRects().length > 0 && one.offsetWidth > 0);
}

for (const root of document.querySelectorAll("[data-tour]")) new Tour(root);
