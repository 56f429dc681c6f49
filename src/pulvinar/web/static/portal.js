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
