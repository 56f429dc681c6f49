/** Two small helpers for making elements; the page's policy allows no inline markup with handlers. */

type Attributes = Record<string, string | number | boolean | undefined>;

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** An element of SVG. */
export function makeDrawing(tag: "svg" | "line" | "text" | "path", attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** Put off `work` until nothing has called for it during `wait_ms`. */
export function debounce(work: () => void, wait_ms: number): () => void {
  let timer = 0;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(work, wait_ms);
  };
}

/** A headed part of a panel. */
export function section(title: string, ...children: HTMLElement[]): HTMLElement {
  return make("section", {}, make("h2", {}, title), ...children);
}
