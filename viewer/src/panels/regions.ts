/** The panel of regions: a tree, from which regions are chosen as by a click in a section, and what can be done with one. */

import { debounce, make } from "../dom";
import type { Panel, PanelContext } from "./panel";
import { regionCard } from "./regionCard";
import { TreeView } from "./treeView";

/** Pixels that the mouse may move between press and release of a click. */
const STILL = 4;

export function regionsPanel(context: PanelContext): Panel | null {
  const { display, explorer, say, select } = context;
  if (display.layer < 0) return null;
  const find = make("input", { type: "search", id: "pv-region-find", autocomplete: "off", spellcheck: "false" });
  const only = make("input", { type: "checkbox", id: "pv-region-only" });
  const outline = make("input", { type: "checkbox", id: "pv-region-outline" });
  const opacity = make("input", { type: "range", id: "pv-region-opacity", min: 0, max: 1, step: 0.01 });
  const none = make("button", { type: "button", class: "pv-small" }, say("regionClear"));
  const said = make("p", { class: "pv-quiet", role: "status" }, say("regionHint"));
  const card = regionCard(context);
  const tree = new TreeView(say("regions"), {
    toggled: (id) => select.set(display.tree.toggled(id, select.ids)),
    reached: (id) => card.show(id),
  });

  const search = () => {
    if (!find.value.trim()) {
      tree.filter(null);
      said.textContent = say("regionHint");
      return;
    }
    const found = display.tree.search(find.value);
    filter(found);
    // an atlas knows common names and synonyms, which its tree doesn't show
    if (context.atlas) askAtlas();
  };
  const filter = (found: string[]) => {
    const { kept, open } = display.tree.around(found);
    tree.filter(kept, open);
    if (found[0]) tree.reveal(found[0]);
    said.textContent = found.length ? `${found.length} ${say("regionFound")}` : say("regionNone");
  };
  const ask = async () => {
    const text = find.value;
    const address = `/api/v1/atlases/${encodeURIComponent(context.atlas!.name)}/regions?${new URLSearchParams({ q: text })}`;
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    const listed = answer?.ok ? ((await answer.json()) as { id: number }[]) : [];
    const found = display.tree.search(text);
    const more = listed.map(({ id }) => String(id)).filter((id) => display.tree.regions.has(id) && !found.includes(id));
    if (text === find.value && more.length) filter([...more, ...found]);
  };
  const askAtlas = debounce(() => void ask(), 180);
  const apply = () => {
    display.apply({ only: only.checked, outline: outline.checked });
    context.applied();
  };
  const refresh = () => {
    const view = context.view();
    only.checked = view.only;
    outline.checked = view.outline;
    opacity.value = String(view.layers[display.layer]!.opacity);
    none.disabled = select.ids.length === 0;
    tree.mark(select.ids);
  };

  find.addEventListener("input", search);
  find.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") tree.element.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    else if (event.key !== "Enter") return;
    event.preventDefault();
  });
  only.addEventListener("change", apply);
  outline.addEventListener("change", apply);
  none.addEventListener("click", () => select.set([]));
  opacity.addEventListener("input", () => {
    const layer = context.view().layers[display.layer]!;
    layer.opacity = Number(opacity.value);
    explorer.setLayer(display.layer, layer);
    context.applied();
  });
  const forget = select.onChange(() => {
    refresh();
    context.applied();
  });
  const ignore = onClick(context.stage, () => {
    const id = explorer.labelUnderMouse(display.layer);
    if (!id) return;
    select.set(display.tree.toggled(id, select.ids));
    tree.reveal(id);
  });
  void context.learned.then(() => {
    tree.show(display.tree);
    refresh();
    const [first] = select.ids;
    if (first) tree.reveal(first);
  });
  return {
    name: "regions",
    title: say("regions"),
    element: make(
      "div",
      { class: "pv-regions-panel" },
      make("label", { for: find.id, class: "pv-find" }, say("regionFind"), find),
      make("div", { class: "pv-region-switches" }, make("label", { class: "pv-check" }, only, say("regionOnly")), make("label", { class: "pv-check" }, outline, say("regionOutline"))),
      make("div", { class: "pv-row pv-row-short" }, make("label", { for: opacity.id }, say("opacity")), opacity, none),
      said,
      tree.element,
      card.element,
    ),
    refresh,
    dispose() {
      forget();
      ignore();
    },
  };
}

/** Call `clicked` for clicks of the first button in the pictures that were no drags and no drawing. */
function onClick(stage: HTMLElement, clicked: () => void): () => void {
  const ended = new AbortController();
  let down: PointerEvent | null = null;
  const isPicture = (event: Event) => !(event.target as Element).closest(".pv-sheet, .pv-alerts");
  stage.addEventListener("pointerdown", (event) => (down = event.button === 0 && isPicture(event) ? event : null), { signal: ended.signal, capture: true });
  stage.addEventListener(
    "pointerup",
    (event) => {
      if (down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < STILL) clicked();
      down = null;
    },
    { signal: ended.signal, capture: true },
  );
  return () => ended.abort();
}
