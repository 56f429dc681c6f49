// Copy buttons, and pictures that are missing. Without this script the pages only lose these two comforts.
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

function ready(root) {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  for (const picture of root.querySelectorAll(".card-picture img")) {
    const hide = () => picture.remove();
    if (picture.complete && picture.naturalWidth === 0) hide();
    else picture.addEventListener("error", hide, { once: true });
  }
}

ready(document);
document.addEventListener("htmx:load", (event) => ready(event.detail.elt));
