// Copy buttons, bounds of a box, pictures that are missing, the view that a change of language keeps: without this script the
// pages only lose these comforts.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.parentElement.querySelector("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    return;
  }
  const label = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => (button.textContent = label), 1800);
});

// The box of another resolution has other bounds.
document.addEventListener("change", (event) => {
  if (!event.target.matches("select[data-bounds]")) return;
  const form = event.target.form;
  form.elements.start.value = "0,0,0";
  form.elements.stop.value = event.target.selectedOptions[0].dataset.stop;
});

// The viewer keeps its view in the fragment, which no server sees: the same page in the other language shall open the same view.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".languages a");
  if (link) link.hash = location.hash;
});

function ready(root) {
  // a policy forbids colours in the markup itself
  for (const swatch of root.querySelectorAll("[data-color]")) swatch.style.background = `#${swatch.dataset.color}`;
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  for (const picture of root.querySelectorAll(".card-picture img")) {
    const hide = () => picture.remove();
    if (picture.complete && picture.naturalWidth === 0) hide();
    else picture.addEventListener("error", hide, { once: true });
  }
}

ready(document);
document.addEventListener("htmx:load", (event) => ready(event.detail.elt));

// A heat map says which cell somebody points at, or goes to with the arrow keys.
async function readable(figure) {
  const field = figure.querySelector(".heat-field");
  const told = figure.querySelector("figcaption");
  const frame = figure.querySelector(".heat-cell");
  const answer = await fetch(figure.dataset.matrix);
  if (!answer.ok) return;
  const { sources, targets, values } = await answer.json();
  let at = null;
  const show = (row, column) => {
    if (row < 0 || column < 0 || row >= sources.length || column >= targets.length) return;
    at = [row, column];
    const value = values[row][column];
    told.textContent = `${sources[row]} → ${targets[column]}: ${value === null ? "–" : Number(value.toPrecision(4))}`;
    frame.hidden = false;
    frame.style.left = `${(100 * column) / targets.length}%`;
    frame.style.top = `${(100 * row) / sources.length}%`;
    frame.style.width = `${100 / targets.length}%`;
    frame.style.height = `${100 / sources.length}%`;
  };
  told.textContent = told.dataset.waiting;
  field.addEventListener("pointermove", (event) => {
    const box = field.getBoundingClientRect();
    show(
      Math.floor(((event.clientY - box.top) / box.height) * sources.length),
      Math.floor(((event.clientX - box.left) / box.width) * targets.length),
    );
  });
  field.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    if (at) show(at[0] + step[0], at[1] + step[1]);
    else show(0, 0);
  });
}

for (const figure of document.querySelectorAll("[data-matrix]")) readable(figure);

// A job tells how far it is; its log grows at the end, and stays where somebody reads in it.
function follow(section) {
  const log = document.getElementById(section.dataset.log);
  let last = Number(log.dataset.last);
  let asked = false;
  const refresh = async () => {
    if (asked) return;
    asked = true;
    // changes that come close together are shown together
    await new Promise((resolve) => setTimeout(resolve, 200));
    asked = false;
    const answer = await fetch(section.dataset.part);
    if (!answer.ok) return;
    const focused = section.contains(document.activeElement) ? document.activeElement.getAttribute("formaction") : null;
    section.innerHTML = await answer.text();
    if (focused) section.querySelector(`[formaction="${focused}"]`)?.focus();
  };
  const events = new EventSource(section.dataset.events);
  events.addEventListener("job", (event) => {
    refresh();
    const { ended } = JSON.parse(event.data);
    if (ended) events.close();
  });
  events.addEventListener("log", (event) => {
    const { number, at, text } = JSON.parse(event.data);
    if (number <= last) return;
    last = number;
    const below = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const time = document.createElement("time");
    time.textContent = at.slice(11, 19);
    log.append(time, ` ${text}\n`);
    if (below) log.scrollTop = log.scrollHeight;
  });
}

for (const section of document.querySelectorAll("[data-events]")) follow(section);

// How satisfied somebody is, is asked seldom: of who looks at a tenth page, and not again for half a year. What this browser
// remembers of it stays in it.
const survey = document.querySelector("[data-survey]");
if (survey) {
  const SELDOM_MS = 180 * 86_400_000;
  const PAGES = 10;
  try {
    const seen = Number(localStorage.getItem("survey-pages") ?? 0) + 1;
    const asked = Number(localStorage.getItem("survey-asked") ?? 0);
    localStorage.setItem("survey-pages", String(seen));
    survey.hidden = seen < PAGES || Date.now() - asked < SELDOM_MS;
    const enough = () => {
      localStorage.setItem("survey-asked", String(Date.now()));
      survey.hidden = true;
    };
    survey.querySelector("button").addEventListener("click", enough);
    survey.querySelector("a").addEventListener("click", enough);
  } catch {
    // a browser that remembers nothing is asked nothing
  }
}
