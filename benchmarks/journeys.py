"""Every way through the product in a real browser, and every page in both languages, three widths and two schemes.

The journeys are the tests of `tests/journeys`. The pages are looked at once more, each in every combination: axe finds
nothing wrong, nothing complains to the console, and nothing sticks out of the window. Goal: 0 of each.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tests import browser as finding
from tests.journeys.conftest import FLAGS, MESA, SWIFTSHADER, Maker, Site, make_site, serving
from tests.journeys.test_pages import PAGES, address_of

from benchmarks._report import machine, report
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

ROOT = Path(__file__).parents[1]
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
WIDTHS = (1400, 1024, 390)
SCHEMES = ("light", "dark")
EXPECTED = {"missing": "404"}


@dataclass
class Looks:
    """What was found on the pages."""

    count: int = 0
    violations: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    sticking: list[str] = field(default_factory=list)


def main() -> int:
    """Look at every page, walk every journey, print; 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--samples", type=Path, default=ROOT.parent / "shared" / "samples")
    parser.add_argument("--pages", nargs="*", default=list(PAGES), help="only these pages")
    parser.add_argument("--no-journeys", action="store_true", help="look at the pages alone")
    chosen = parser.parse_args()
    print(machine(), flush=True)
    looks = _looked(chosen.samples, chosen.pages)
    for text in [*looks.violations, *looks.complaints, *looks.sticking][:20]:
        print(f"  {text}", flush=True)
    passed, failed = (0, 0) if chosen.no_journeys else _walked()
    figure = (
        f"{passed} journeys, {failed} failed; {len(chosen.pages)} pages x {len(LOCALES)} languages x {len(WIDTHS)} "
    )
    figure += f"widths x {len(SCHEMES)} schemes, "
    figure += f"{looks.count} looks: {len(looks.violations)} axe violations, "
    figure += f"{len(looks.complaints)} console errors, {len(looks.sticking)} stick out"
    wrong = failed or looks.violations or looks.complaints or looks.sticking
    return report("journeys", figure, "0 violations, 0 console errors", passed=not wrong)


def _looked(samples: Path, pages: list[str]) -> Looks:
    looks = Looks()
    rules = (ROOT / "viewer" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
    with _site(samples) as site, _browser() as browser:
        for name, language, width, scheme in product(pages, LOCALES, WIDTHS, SCHEMES):
            _look(browser, site, name, (language, width, scheme), rules, looks)
    return looks


@contextmanager
def _site(samples: Path) -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory(prefix="pulvinar-journeys-") as folder,
        open_platform(load_settings(environment={}, home=Path(folder))) as platform,
    ):
        versions = make_site(Maker(platform), lambda name: samples / name)
        with serving(platform) as address:
            yield Site(address, *versions)


@contextmanager
def _browser() -> Iterator[Browser]:
    path = finding.find()
    if path is None:
        raise SystemExit(finding.ADVICE)
    with sync_playwright() as playwright:
        graphics = MESA if find_library("EGL") else SWIFTSHADER
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *graphics])
        yield browser
        browser.close()


def _look(browser: Browser, site: Site, name: str, how: tuple[str, int, str], rules: str, looks: Looks) -> None:
    """Look at one page in one combination."""
    language, width, scheme = how
    where = f"{name}, {language}, {width} px, {scheme}"
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        locale=LOCALES[language],
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page, said = context.new_page(), []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address_of(site, name))
    if "/view" in page.url:
        page.wait_for_selector("pulvinar-viewer[ready]", timeout=120_000)
    looks.count += 1
    if page.evaluate("document.documentElement.scrollWidth") > width:
        looks.sticking.append(f"{where}: sticks out")
    looks.violations += [f"{where}: {one}" for one in _axe(page, rules)]
    expected = EXPECTED.get(name, "\0")
    looks.complaints += [f"{where}: {text}" for text in said if expected not in text]
    context.close()


def _axe(page: Page, rules: str) -> list[str]:
    page.evaluate("for (const closed of document.querySelectorAll('details')) closed.open = true")
    page.evaluate(rules)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]


def _walked() -> tuple[int, int]:
    """How many journeys passed, and how many did not."""
    command = [sys.executable, "-m", "pytest", "tests/journeys", "-q", "-p", "no:cacheprovider"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    last = told.strip().splitlines()[-1] if told.strip() else ""
    counted = {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|error)", last)}
    failed = counted.get("failed", 0) + counted.get("error", 0)
    if failed or not counted:
        print(told[-3000:], flush=True)
    return counted.get("passed", 0), failed or int(not counted)


if __name__ == "__main__":
    raise SystemExit(main())
