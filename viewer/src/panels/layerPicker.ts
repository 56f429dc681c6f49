/** Add what lies in the same space, found by a search, without leaving the picture. */

import { debounce, make } from "../dom";
import type { PanelContext } from "./panel";

interface Hit {
  title: string;
  asset: { id: string; name: string; kind: string; details: { space?: { name?: string } } };
}

/** A transform, as the server lists it. */
interface Listed {
  name: string;
  source: string;
  target: string;
  kind: string;
  invertible: boolean;
  asset_id: string;
}

/** So many deformations are drawn at once. */
const MOST_WARPS = 2;
const DRAWN = new Set(["volume", "skeleton", "mesh", "points"]);
const MOST_SHOWN = 8;

export function layerPicker(context: PanelContext): HTMLElement | null {
  const { say, scene } = context;
  if (!scene.space) return null;
  const input = make("input", { type: "search", id: "pv-layer-find", autocomplete: "off", spellcheck: "false", placeholder: say("layerFindHint") });
  const list = make("ul", { class: "pv-picker" });
  const said = make("p", { class: "pv-quiet", role: "status" });
  const add = async (hit: Hit, button: HTMLButtonElement) => {
    button.disabled = true;
    const changed = await context.ask("asset", [...context.asked("asset"), hit.asset.id]);
    context.tell(changed ? `${hit.asset.name}: ${say("layerAdded")}` : say("layerRefused"));
  };
  const search = debounce(() => {
    const text = input.value.trim();
    if (!text) return list.replaceChildren();
    void find(text).then((hits) => {
      if (text !== input.value.trim()) return;
      const mine = hits.filter(({ asset }) => asset.details.space?.name === scene.space && DRAWN.has(asset.kind) && !scene.layers.some(({ source }) => source.includes(asset.id)));
      list.replaceChildren(...mine.slice(0, MOST_SHOWN).map((hit) => row(hit, add, say("layerAdd"))));
      said.textContent = mine.length ? "" : say("layerFoundNone");
    });
  }, 250);
  input.addEventListener("input", search);
  const warps = make("div", {});
  const element = make("details", { class: "pv-marks-part" }, make("summary", {}, say("layerPick")), make("label", { for: input.id, class: "pv-find" }, say("layerFind"), input), said, list, warps);
  element.addEventListener("toggle", () => element.open && !warps.hasChildNodes() && void listWarps(context, warps), { once: true });
  return element;
}

/** The deformations that an atlas can be seen under, all of them: there are few. */
async function listWarps(context: PanelContext, into: HTMLElement): Promise<void> {
  const { say, scene } = context;
  if (!context.atlas) return;
  const answer = await fetch("/api/v1/transforms", { headers: { Accept: "application/json" } }).catch(() => null);
  const told = answer?.ok ? ((await answer.json()) as Listed[]) : [];
  const asked = context.asked("warp");
  const mine = told.filter(({ source, target, invertible, kind, asset_id }) => kind !== "affine" && (source === scene.space || (target === scene.space && invertible)) && !asked.includes(asset_id));
  if (!mine.length || asked.length >= MOST_WARPS) return;
  const rows = mine.map(({ name, source, target, asset_id }) =>
    row({ title: `${source} → ${target}`, asset: { name } }, async (_, button) => {
      button.disabled = true;
      context.tell((await context.ask("warp", [...asked, asset_id])) ? `${name}: ${say("layerAdded")}` : say("layerRefused"));
    }, say("layerAdd")),
  );
  into.replaceChildren(make("h3", {}, say("warpPick")), make("ul", { class: "pv-picker" }, ...rows));
}

function row<Found extends { title: string; asset: { name: string } }>(hit: Found, add: (hit: Found, button: HTMLButtonElement) => Promise<void>, word: string): HTMLElement {
  const button = make("button", { type: "button", class: "pv-small", "aria-label": `${word}: ${hit.asset.name}` }, word);
  button.addEventListener("click", () => void add(hit, button));
  return make("li", {}, make("span", {}, hit.asset.name, make("small", {}, hit.title)), button);
}

async function find(text: string): Promise<Hit[]> {
  const query = new URLSearchParams({ q: text, limit: "60" });
  const answer = await fetch(`/api/v1/search?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
  return answer?.ok ? ((await answer.json()) as { items: Hit[] }).items : [];
}
