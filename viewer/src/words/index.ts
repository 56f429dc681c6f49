/** The viewer's words in both languages: one file a panel, each with its own two tables. */

import * as analyse from "./analyse";
import * as base from "./base";
import * as compare from "./compare";
import * as layers from "./layers";
import * as marks from "./marks";
import * as regions from "./regions";
import * as surface from "./surface";
import * as view from "./view";

const en = { ...base.en, ...layers.en, ...regions.en, ...analyse.en, ...marks.en, ...view.en, ...compare.en, ...surface.en } as const;

export type Word = keyof typeof en;
export type Language = "en" | "zh";

const zh: Record<Word, string> = { ...base.zh, ...layers.zh, ...regions.zh, ...analyse.zh, ...marks.zh, ...view.zh, ...compare.zh, ...surface.zh };

export type Say = (word: Word) => string;

/** "zh..." is Chinese, everything else English. */
export function languageOf(tag: string): Language {
  return tag.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export function speaker(language: string): Say {
  const words: Record<Word, string> = languageOf(language) === "zh" ? zh : en;
  return (word) => words[word];
}

export const TABLES = { en, zh };
/** The tables one by one, to see that no word is said twice. */
export const PARTS = { base, layers, regions, analyse, marks, view, compare, surface };
