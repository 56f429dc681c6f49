"""Takes the pictures of the manual and of the README from a running demonstration, in both languages: `make pictures`.

python -m tests.journeys.pictures SAMPLES: serves the home of the environment, where `pulvinar demo` has been.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from tests import browser as finding
from tests.journeys import walks
from tests.journeys.conftest import FLAGS, MESA

from pulvinar.web.language import translations

IMAGES = walks.ROOT / "docs" / "images"
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
WIDTH, HEIGHT = 1280, 800
BRAIN = "macaque/yerkes19/MacaqueYerkes19_T1w_1.0mm_brain.nii.gz"


def keep(page: Page, name: str, language: str) -> None:
    """Write what the window shows as WebP."""
    file = IMAGES / (f"{name}.zh.webp" if language == "zh" else f"{name}.webp")
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(file, "WEBP", quality=80, method=6)
    print(f"{file.relative_to(walks.ROOT)}: {file.stat().st_size:,} bytes")


def front(walk: walks.Walk) -> None:
    """The README's picture: the human brain with its regions, and what can be done with it beside it."""
    page = walk.page
    page.goto(f"{walk.address}/atlases/aal2_human_2mm/view")
    walk.ready(1)
    page.locator("#pv-tab-regions").click()
    page.wait_for_timeout(800)
    walk.picture(page, "viewer")


def take(browser: Browser, address: str, samples: Path, language: str) -> None:
    """All pictures in one language."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale=LOCALES[language])
    # no picture has the offer of a tour in it, nor the survey
    context.add_init_script(
        "for (const one of ['home', 'explorer']) localStorage.setItem(`tour-${one}`, 'seen');"
        "localStorage.setItem('survey-asked', String(Date.now()))"
    )
    page = context.new_page()
    walk = walks.Walk(
        page, address, language, translations(language).gettext, lambda at, name: keep(at, name, language)
    )
    front(walk)
    walks.running_a_server(walk)
    walks.finding_neurons(walk, "allen_mouse_25um", "aal2_human_2mm")
    walks.handing_in(walk, samples / BRAIN)
    context.close()


@contextmanager
def served() -> Iterator[str]:
    """The address of a server that works."""
    command = [str(Path(sys.executable).parent / "pulvinar"), "serve", "--port", "0", "--work"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split(" at ")[1].split("/  ")[0]
        finally:
            server.terminate()


def main(samples: str) -> None:
    """Take them all."""
    path = finding.find()
    if path is None:
        raise SystemExit(finding.ADVICE)
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *MESA])
        for language in LOCALES:
            take(browser, address, Path(samples), language)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
