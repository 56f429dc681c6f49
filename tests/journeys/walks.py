"""The ways that the tutorials describe, walked in a browser.

Each walk does what its tutorial says in the language of its page, and remembers every word that stood on the screen or
names something there: what a tutorial prints bold must be among them. `picture` is called where the tutorial has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
NAMES = (
    "[...document.querySelectorAll('[aria-label], [placeholder], [title]')].flatMap((one) =>"
    " ['aria-label', 'placeholder', 'title'].map((name) => one.getAttribute(name) ?? ''))"
    ".concat([...document.querySelectorAll('option')].map((one) => one.textContent)).join('\\n')"
)
Picture = Callable[[Page, str], None]


def no_picture(page: Page, name: str) -> None:
    """Take none."""


@dataclass
class Walk:
    """One walk: `say` gives the word of the page's language for an English one."""

    page: Page
    address: str
    language: str
    say: Callable[[str], str]
    picture: Picture = no_picture
    seen: list[str] = field(default_factory=list)

    def look(self) -> None:
        """Remember what stands on the screen."""
        self.seen += [self.page.locator("body").inner_text(), self.page.evaluate(NAMES)]

    def go(self, path: str) -> None:
        """Open a page of the server."""
        self.page.goto(self.address + path)
        self.look()

    def ready(self, count: int) -> None:
        """Wait until `count` viewers have drawn."""
        self.page.wait_for_function(
            f"document.querySelectorAll('pulvinar-viewer[ready]').length === {count}", timeout=120_000
        )
        self.page.wait_for_timeout(800)
        self.look()


def bold(tutorial: str, language: str) -> list[str]:
    """The words that a tutorial prints bold: those of the screen, but for the first of all, which says so."""
    name = f"{tutorial}.zh.md" if language == "zh" else f"{tutorial}.md"
    text = re.sub(r"^```.*?^```", "", (TUTORIALS / name).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\*\*(.+?)\*\*", text)
    assert found[0] in ("bold", "粗体")
    return found[1:]


def finding_neurons(walk: Walk, atlas: str, other: str) -> None:
    """`finding-neurons`: from the atlas named `atlas` to the one named `other`; both have a hippocampal formation."""
    page, say = walk.page, walk.say
    walk.go("/")
    page.get_by_role("link", name=say("Atlases"), exact=True).first.click()
    page.locator(f"a[href='/atlases/{atlas}']").first.click()
    page.wait_for_url(f"**/atlases/{atlas}")
    walk.look()
    page.get_by_role("link", name=say("Compare with …")).click()
    page.locator(f"input[value='atlas:{other}']").check()
    walk.look()
    page.get_by_role("button", name=say("Show side by side")).click()
    walk.ready(2)
    finder = page.get_by_role("combobox", name={"en": "Region in all brains", "zh": "在各脑中查找脑区"}[walk.language])
    finder.press_sequentially("hippocampal f")
    page.get_by_role("option").first.wait_for()
    walk.look()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".pv-pane-said").first.get_by_role("link").wait_for()
    walk.ready(2)
    page.get_by_role("button", name={"en": "Neurons that end there", "zh": "终止于此的神经元"}[walk.language]).click()
    page.get_by_text(re.compile(r"(Neurons that end there|终止于此的神经元).*[0-9]")).first.wait_for()
    walk.ready(2)
    walk.picture(page, "side-by-side")
    page.get_by_role("button", name={"en": "Short link", "zh": "短链接"}[walk.language]).click()
    page.locator(".pv-link").wait_for()
    assert "/v/" in page.locator(".pv-link").input_value()
    walk.look()
    walk.go(f"/atlases/{atlas}")
    page.get_by_role("link", name=say("Neurons"), exact=True).click()
    page.get_by_label(say("Ends in")).fill("Hippocampal formation")
    walk.look()
    page.get_by_role("button", name=say("Show"), exact=True).click()
    page.locator("table.projections tbody a").first.click()
    page.wait_for_url("**/neuron")
    walk.look()


def handing_in(walk: Walk, file: Path) -> None:
    """`handing-in`: from a file to the published dataset, on a server that works."""
    page, say = walk.page, walk.say
    walk.go("/")
    page.get_by_role("link", name=say("Hand in"), exact=True).first.click()
    page.wait_for_url("**/submissions")
    walk.look()
    page.set_input_files("[data-pick]:not([webkitdirectory])", file)
    page.wait_for_selector("form.run", timeout=120_000)
    walk.look()
    walk.picture(page, "handing-in")
    page.fill("#f-title", f"A macaque brain, {walk.language}")
    page.select_option("#f-species", "macaque")
    page.fill("#f-licence", "CC-BY-4.0")
    page.click("button[value=check]")
    page.wait_for_load_state()
    walk.look()
    page.click("button[value=submit]")
    page.wait_for_selector("button[value=publish]", timeout=240_000)
    walk.look()
    page.get_by_role("link", name=say("Look at it")).click()
    page.wait_for_load_state()
    walk.look()


def running_a_server(walk: Walk) -> None:
    """`running-a-server`: what an owner sees in the portal."""
    walk.go("/administration")
    walk.picture(walk.page, "administration")
    for path in ("incidents", "storage", "use"):
        walk.go(f"/administration/{path}")
    walk.go("/audit")
