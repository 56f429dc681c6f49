/** The parts of the panel of marks that share: a document with people and files, a view by a short link. */

import { make, section } from "../dom";
import type { PanelContext } from "../panels/panel";
import type { Word } from "../words";
import { ask, type DocumentInfo } from "./document";

type Opened = () => DocumentInfo | null;

/** Run `work`, and say what came of it. */
async function saying(context: PanelContext, work: () => Promise<string>): Promise<void> {
  try {
    context.tell(await work());
  } catch (error) {
    context.tell(error instanceof TypeError ? context.say("markOffline") : (error as Error).message);
  }
}

function folded(title: string, ...children: HTMLElement[]): HTMLElement {
  return make("details", { class: "pv-marks-part" }, make("summary", {}, title), ...children);
}

function action(context: PanelContext, word: Word, work: () => Promise<string>): HTMLButtonElement {
  const button = make("button", { type: "button", class: "pv-small", "data-action": word }, context.say(word));
  button.addEventListener("click", () => void saying(context, work));
  return button;
}

/** With whom a document is shared. */
export function sharing(context: PanelContext, opened: Opened): HTMLElement {
  const { say } = context;
  const login = make("input", { type: "text", id: "pv-marks-login", autocomplete: "off", spellcheck: "false" });
  const write = make("input", { type: "checkbox", id: "pv-marks-write" });
  const give = async (wanted: object): Promise<string> => {
    const info = opened();
    if (!info) return say("markNone");
    await ask("POST", `/documents/${info.id}/grants`, wanted);
    return say("markShared");
  };
  return folded(
    say("markShare"),
    make("div", { class: "pv-row" }, make("label", { for: login.id }, say("markShareLogin")), login),
    make("label", { class: "pv-check" }, write, say("markShareWrite")),
    action(context, "markShare", () => give({ login: login.value.trim(), right: write.checked ? "write" : "read" })),
    action(context, "markPublic", () => give({ all: "everyone" })),
  );
}

/** Where its makers serve Neuroglancer itself. */
const NEUROGLANCER = "https://neuroglancer-demo.appspot.com/";
const FORMS = ["json", "csv", "neuroglancer"] as const;

/** A document as files, and files into it. */
export function filing(context: PanelContext, opened: Opened, imported: () => void): HTMLElement {
  const { say } = context;
  const judges = context.scene.layers.some(({ kind }) => kind === "points");
  const called: Record<string, string> = { neuroglancer: "Neuroglancer", corrections: say("markCorrections") };
  const links = [...FORMS, ...(judges ? ["corrections"] : [])].map((form) => {
    const link = make("button", { type: "button", class: "pv-small" }, called[form] ?? form.toUpperCase());
    link.addEventListener("click", () => {
      const info = opened();
      if (info) make("a", { href: `/api/v1/documents/${info.id}/export?format=${form}`, download: "" }).click();
      else context.tell(say("markNone"));
    });
    return link;
  });
  const file = make("input", { type: "file", id: "pv-marks-file", accept: ".json,.csv" });
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    if (chosen) void saying(context, () => bringIn(context, chosen, opened, imported));
    file.value = "";
  });
  return folded(say("markFiles"), make("div", { class: "pv-marks-tools" }, ...links), make("label", { for: file.id }, say("markImport")), file);
}

/** The way from verdicts on cells to a classifier that is taught by them: they are frozen, and the form that does it opens. */
export function teaching(context: PanelContext, opened: Opened, saved: () => Promise<void>): HTMLElement {
  const { say } = context;
  return action(context, "markTeach", async () => {
    await saved();
    const info = opened();
    if (!info) return say("markNone");
    const form = make("form", { method: "post", action: `/marks/${info.id}/teach` });
    document.body.append(form);
    form.submit();
    return say("markTeach");
  });
}

async function bringIn(context: PanelContext, file: File, opened: Opened, imported: () => void): Promise<string> {
  const info = opened();
  if (!info) return context.say("markNone");
  const text = await file.text();
  const form = file.name.toLowerCase().endsWith(".csv") ? "csv" : text.includes('"pulvinar-marks"') ? "json" : "neuroglancer";
  await ask("POST", `/documents/${info.id}/import?format=${form}`, text);
  imported();
  return context.say("markSaved");
}

/** A short link to what is seen now. */
export function viewSharing(context: PanelContext, opened: Opened): HTMLElement {
  const { say, scene } = context;
  const title = make("input", { type: "text", id: "pv-view-title", maxlength: 200, value: scene.title });
  const link = make("input", { type: "text", id: "pv-view-link", readonly: true });
  const embed = make("textarea", { id: "pv-view-embed", readonly: true, rows: 3 });
  const made = make("div", { hidden: true }, make("label", { for: link.id }, say("viewLink")), link, make("label", { for: embed.id }, say("viewEmbed")), embed);
  const save = action(context, "viewSave", async () => {
    context.applied();
    // the address follows the view a moment later
    await new Promise((settled) => window.setTimeout(settled, 400));
    const path = location.pathname + location.search;
    const body = { title: title.value, path, state: location.hash, document: opened()?.id ?? "" };
    const view = await ask<{ address: string; embed: string }>("POST", "/views", body);
    link.value = view.address;
    const frame = make("iframe", { src: view.embed, width: 800, height: 500, title: title.value });
    embed.value = frame.outerHTML;
    made.hidden = false;
    return `${say("viewLink")}: ${view.address}`;
  });
  const row = make("div", { class: "pv-row" }, make("label", { for: title.id }, say("viewTitle")), title);
  const plain = make("input", { type: "text", id: "pv-view-neuroglancer", readonly: true, "aria-label": say("viewNeuroglancer"), hidden: true });
  const open = action(context, "viewNeuroglancer", async () => {
    plain.value = `${NEUROGLANCER}#!${encodeURIComponent(JSON.stringify(context.explorer.rawState()))}`;
    plain.hidden = false;
    plain.select();
    return say("viewNeuroglancerHint");
  });
  return section(say("viewShare"), row, make("div", { class: "pv-marks-tools" }, save, open), made, plain);
}
