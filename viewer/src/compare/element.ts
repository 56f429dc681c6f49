/** The custom element <pulvinar-compare>: two to four panes of the viewer, which the server has written, and the controls that they share. */

import { asking } from "../asking";
import { debounce, make } from "../dom";
import type { PulvinarViewer } from "../element";
import { ask } from "../marks/document";
import { LAYOUTS, type Layout } from "../view";
import { languageOf, speaker, type Say, type Word } from "../words";
import { choice, radios } from "./controls";
import { inOneSpace, joinViews, missing, shared, splitViews, type Link } from "./linking";
import { Mixer, MIXES, type Mix } from "./mixing";
import { Pane } from "./pane";
import { RegionFinder } from "./finder";

const LINKS: readonly Link[] = ["space", "turn", "none"];
const LINK_WORDS: Record<Link, Word> = { space: "linkSpace", turn: "linkTurn", none: "linkNone" };

/** A region of one of the brains, for which the others show what stands for it. */
export interface ChosenRegion {
  atlas: string;
  id: string;
  name: string;
}

export class PulvinarCompare extends HTMLElement {
  private say: Say = speaker("en");
  private panes: Pane[] = [];
  private link: Link = "none";
  private rest = new URLSearchParams();
  private mixer: Mixer | null = null;
  private region: ChosenRegion | null = null;
  private ends = false;
  private readonly status = make("p", { class: "pv-status", role: "status" });
  private readonly bar = make("div", { class: "pv-bar pv-compare-bar", role: "toolbar" });
  private readonly endsButton = make("button", { type: "button", "data-action": "compareEnds", "aria-pressed": "false" });

  connectedCallback(): void {
    this.say = speaker(this.getAttribute("lang") ?? document.documentElement.lang);
    const sections = [...this.querySelectorAll<HTMLElement>(".pv-pane")];
    const { views, rest } = splitViews(location.hash, sections.length);
    this.rest = rest;
    this.panes = sections.map((section, index) => new Pane(section, views[index]!, this.say, languageOf(document.documentElement.lang)));
    this.style.setProperty("--panes", String(this.panes.length));
    // the bar has its place from the beginning: it decides how large the pictures are
    this.bar.setAttribute("aria-label", this.say("compareBar"));
    this.prepend(this.bar);
    this.bar.after(this.status);
    const [atlas, id, name] = ["atlas", "region", "region-name"].map((one) => this.getAttribute(one));
    if (atlas && id) this.region = { atlas, id, name: name ?? id };
    this.ends = new URLSearchParams(location.search).get("ends") === "1";
    for (const pane of this.panes) {
      pane.viewer.addEventListener("pv-open", () => this.opened());
      pane.viewer.addEventListener("pv-move", () => this.follow(pane));
      pane.viewer.addEventListener("pv-remember", this.remember);
    }
    window.addEventListener("hashchange", reload);
  }

  disconnectedCallback(): void {
    window.removeEventListener("hashchange", reload);
    this.mixer?.stop();
  }

  private get viewers(): PulvinarViewer[] {
    return this.panes.map(({ viewer }) => viewer);
  }

  /** The controls come once every brain is there, or has said why not. */
  private opened(): void {
    const open = this.viewers.filter((viewer) => viewer.explorer);
    if (open.length < this.panes.length || this.bar.childElementCount > 0) return;
    const scenes = open.map((viewer) => viewer.explorer!.scene);
    const together = inOneSpace(scenes.map((scene) => scene.space));
    const allowed = LINKS.filter((link) => link === "none" || (link === "space" ? together : scenes.every(({ oriented }) => oriented)));
    const wanted = this.rest.get("link") as Link;
    this.link = allowed.includes(wanted) ? wanted : allowed[0]!;
    this.fill(allowed, together && this.panes.length === 2);
    void this.settle();
  }

  private async settle(): Promise<void> {
    await Promise.all(this.panes.map((pane) => pane.settle(this.region)));
    this.showEnds();
    if (this.link === "space") this.follow(this.panes[0]!);
  }

  private fill(links: readonly Link[], canMix: boolean): void {
    const { bar, say } = this;
    const first = this.viewers[0]!;
    const oriented = first.explorer!.scene.oriented;
    const planes: Partial<Record<Layout, Word>> = oriented ? { xy: "coronal", xz: "axial", yz: "sagittal" } : {};
    const layouts = LAYOUTS.map((layout) => [layout, layout === "4panel" || layout === "3d" ? say(layout) : planes[layout] ? say(planes[layout]) : layout.toUpperCase()] as const);
    const layout = radios("pv-layout", say("layout"), layouts, first.layout, (next) => this.viewers.forEach((viewer) => (viewer.layout = next)));
    const link = choice(say("compareLink"), links.map((one) => [one, say(LINK_WORDS[one])] as const), this.link, (next) => {
      this.link = next;
      this.follow(this.panes[0]!);
      this.remember();
    });
    bar.append(layout);
    const finder = new RegionFinder(new Map(this.panes.flatMap(({ atlas, species }) => (atlas ? [[atlas, species]] : []))), say, languageOf(document.documentElement.lang), (region) => void this.choose(region));
    if (finder.possible) bar.append(finder.element);
    finder.show(this.region);
    this.endsButton.textContent = say("compareEnds");
    this.endsButton.addEventListener("click", () => void this.toggleEnds());
    bar.append(this.endsButton, link);
    if (canMix) {
      this.mixer = new Mixer(this, this.panes.map(({ section }) => section) as [HTMLElement, HTMLElement], say, this.remember);
      const wanted = this.rest.get("mix") as Mix;
      bar.append(this.mixer.element);
      this.mixer.choose(MIXES.includes(wanted) ? wanted : "beside");
    }
    bar.append(this.actions());
    this.showEnds();
  }

  private actions(): HTMLElement {
    const copy = make("button", { type: "button", "data-action": "copyLink" }, this.say("copyLink"));
    copy.addEventListener("click", () => void this.handOver(this.address()));
    const keep = make("button", { type: "button", "data-action": "compareKeep" }, this.say("compareKeep"));
    keep.addEventListener("click", () => void this.keep());
    return make("div", { class: "pv-actions" }, copy, keep);
  }

  /** Have every brain show its own counterpart of `region`. */
  private async choose(region: ChosenRegion): Promise<void> {
    this.region = region;
    const before = this.link;
    // each goes to its own place: in one space that is the same, else following would lead astray
    this.link = before === "space" ? "none" : before;
    history.replaceState(history.state, "", asking(location.href, "region", [`${region.atlas}:${region.id}`]));
    await Promise.all(this.panes.map((pane) => pane.choose(region)));
    if (this.ends) await this.askEnds();
    this.link = before;
    this.showEnds();
    this.remember();
  }

  private async toggleEnds(): Promise<void> {
    this.ends = !this.ends;
    history.replaceState(history.state, "", asking(location.href, "ends", this.ends ? ["1"] : []));
    this.endsButton.disabled = true;
    await this.askEnds();
    this.showEnds();
    this.remember();
  }

  private askEnds(): Promise<unknown> {
    return Promise.all(this.panes.map((pane) => pane.showEnds(this.ends)));
  }

  private showEnds(): void {
    this.endsButton.disabled = this.region === null;
    this.endsButton.setAttribute("aria-pressed", String(this.ends));
    for (const pane of this.panes) pane.sayEnds(this.ends);
  }

  /** Bring the others to where `pane` is, as they are linked. */
  private follow(pane: Pane): void {
    const from = pane.viewer.explorer;
    if (!from || this.link === "none") return;
    const wanted = shared(from.pose(), this.link);
    for (const { viewer } of this.panes) {
      if (viewer === pane.viewer || !viewer.explorer) continue;
      const rest = missing(wanted, viewer.explorer.pose());
      if (Object.keys(rest).length) viewer.explorer.setPose(rest);
    }
  }

  /** Keep the address in step with what is seen. */
  private readonly remember = debounce(() => history.replaceState(history.state, "", this.address()), 250);

  private address(): string {
    const rest: Record<string, string> = { link: this.link };
    if (this.mixer && this.mixer.mix !== "beside") rest.mix = this.mixer.mix;
    const here = new URL(location.href);
    here.hash = joinViews(this.viewers.map((viewer) => viewer.fragment), rest);
    return here.href;
  }

  private async keep(): Promise<void> {
    const here = new URL(this.address());
    const title = this.panes.map((pane) => pane.title).join(" · ").slice(0, 200);
    try {
      const kept = await ask<{ address: string }>("POST", "/views", { title, path: here.pathname + here.search, state: here.hash, document: "" });
      await this.handOver(kept.address);
    } catch (error) {
      this.status.textContent = (error as Error).message;
    }
  }

  /** Copy a link, and show it for whoever copies by hand. */
  private async handOver(link: string): Promise<void> {
    const shown = make("input", { type: "text", readonly: true, value: link, class: "pv-link", "aria-label": this.say("copyLink") });
    const said = await navigator.clipboard.writeText(link).then(() => this.say("linkCopied"), () => this.say("linkManual"));
    this.status.replaceChildren(said, " ", shown);
  }
}

/** Another address of the same page came in: as if it were opened. */
function reload(): void {
  location.reload();
}
