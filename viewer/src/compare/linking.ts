/** How brains side by side follow each other. Pure but for the arithmetic of places. */

import type { Pose } from "../facade";

/** `space`: the same place, as near, from the same side; `turn`: from the same side only; `none`: each by itself. */
export type Link = "space" | "turn" | "none";

/** What a brain that moved to `pose` hands to those that are linked with it. */
export function shared(pose: Pose, link: Link): Partial<Pose> {
  if (link === "none") return {};
  const { rotation, rotation3d } = pose;
  return link === "space" ? pose : { rotation, rotation3d };
}

/** The part of `wanted` that is not so yet; empty where nothing has to move, so that two that follow each other come to rest. */
export function missing(wanted: Partial<Pose>, now: Pose): Partial<Pose> {
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => !alike(value, now[name as keyof Pose])));
}

function alike(one: number | readonly number[], other: number | readonly number[]): boolean {
  const [left, right] = [one, other].map((value) => (typeof value === "number" ? [value] : value)) as [readonly number[], readonly number[]];
  return left.every((value, index) => Math.abs(value - right[index]!) <= 1e-5 * Math.max(1, Math.abs(value)));
}

/** Whether all of several worlds are one: their spaces have one name, which is known. */
export function inOneSpace(spaces: readonly string[]): boolean {
  return spaces.every((space) => space !== "" && space === spaces[0]);
}

/** The fragments of panes in one fragment, and back: each is a value of its own. */
export function joinViews(views: readonly string[], rest: Record<string, string>): string {
  const joined = new URLSearchParams(rest);
  views.forEach((view, index) => joined.set(`v${index}`, view));
  return joined.toString();
}

export function splitViews(fragment: string, count: number): { views: string[]; rest: URLSearchParams } {
  const rest = new URLSearchParams(fragment.replace(/^#/, ""));
  return { views: Array.from({ length: count }, (_, index) => rest.get(`v${index}`) ?? ""), rest };
}
