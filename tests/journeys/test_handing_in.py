"""A person hands in a real brain: from picking its file to the draft in the viewer, and the published dataset."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.conftest import serving

from pulvinar.cli.verbs import means_of
from pulvinar.ingest.uploads.submissions import list_submissions
from pulvinar.ingest.uploads.work import do_waiting
from pulvinar.platform import Platform, landing_of, open_platform
from pulvinar.settings import load_settings

pytestmark = pytest.mark.browser
BRAIN = "macaque/yerkes19/MacaqueYerkes19_T1w_1.0mm_brain.nii.gz"


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[Platform]:
    """One of its own: what is published here would stand among what other journeys look for."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("handing-in"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def address(platform) -> Iterator[str]:
    """Where it is served."""
    with serving(platform) as found:
        yield found


@pytest.fixture(scope="module")
def working(platform) -> Iterator[None]:
    """What `pulvinar serve` does beside serving."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.2):
            do_waiting(landing_of(platform), means_of(platform))

    worker = threading.Thread(target=work)
    worker.start()
    yield
    over.set()
    worker.join(60)


def shot(page, name: str) -> None:
    folder = os.environ.get("PULVINAR_TEST_PICTURES")
    if not folder:
        return
    before = page.viewport_size
    for width in (1400, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    page.set_viewport_size(before)


def until(page, true: str) -> None:
    """Wait for a condition; the page's policy forbids Playwright's own way."""
    for _ in range(600):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {true}")


def described(page, title="恒河猴 T1 / a macaque T1") -> None:
    """Fill in what the file of the brain doesn't say."""
    page.fill("#f-title", title)
    page.select_option("#f-species", "macaque")
    page.fill("#f-licence", "CC-BY-4.0")
    page.fill("#f-contributors", "Ada Lovelace <author>\n张衡 <author>")
    page.fill("#f-modality", "T1w")


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_brain_from_a_file_to_a_published_dataset(address, platform, working, sample, visit, axe, locale):
    # what says the same of the same file has been brought in before
    title = f"恒河猴 T1 / a macaque T1, {locale}"
    visitor = visit(locale=locale)
    page = visitor.see(f"{address}/submissions")
    shot(page, f"pick-{locale}")
    assert axe(page) == []
    page.set_input_files("[data-pick]:not([webkitdirectory])", sample(BRAIN))
    page.wait_for_selector("form.run", timeout=120_000)
    submission = page.url.rpartition("/")[2]
    assert "MacaqueYerkes19" in page.inner_text(".found-assets")
    shot(page, f"found-{locale}")
    assert axe(page) == []
    # nothing is said yet: what must be is named with its remedy
    page.click("button[value=submit]")
    page.wait_for_selector("#checked .rules")
    shot(page, f"questions-{locale}")
    described(page, title)
    page.click("button[value=check]")
    page.wait_for_load_state()
    assert page.input_value("#f-title") == title
    shot(page, f"checked-{locale}")
    assert axe(page) == []
    page.click("button[value=submit]")
    page.wait_for_selector("[data-watch], button[value=publish]", timeout=30_000)
    shot(page, f"taking-{locale}")
    page.wait_for_selector("button[value=publish]", timeout=240_000)
    shot(page, f"draft-{locale}")
    assert axe(page) == []
    # the bytes lie in the store now, and nowhere else
    assert not landing_of(platform).files(submission).exists()
    page.click("a.button.primary")
    page.wait_for_load_state()
    assert page.locator(".badge").first.inner_text() in ("Draft", "草稿")
    dataset = page.url.partition("?")[0]
    viewer = visitor.see(f"{dataset}/view")
    viewer.wait_for_selector("canvas", timeout=60_000)
    shot(viewer, f"viewer-{locale}")
    page = visitor.see(f"{address}/submissions/{submission}")
    page.click("button[value=publish]")
    page.wait_for_url(f"{dataset}*")
    assert page.locator("h1").inner_text() == title
    assert visitor.complaints == []


def test_a_reload_in_the_middle_goes_on_with_the_same_files(address, platform, visit, tmp_path):
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(90_000_000))
    visitor = visit()
    page = visitor.see(f"{address}/submissions")
    line = visitor.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 15_000_000}
    line.send("Network.emulateNetworkConditions", slow)
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "PATCH" else None)
    page.set_input_files("[data-pick]:not([webkitdirectory])", large)
    until(page, "document.querySelector('.sending progress').value > 0.2")
    # at once: Playwright would wait until nothing moves any more
    page.evaluate("document.querySelector('[data-toggle]').click()")
    until(page, "document.querySelector('[data-said]').textContent === 'Paused'")
    shot(page, "paused")
    submission = page.url.rpartition("/")[2]
    (before,) = [one for one in list_submissions(platform.database, platform.actor) if one.id == submission]
    assert 0 < before.received_bytes < 90_000_000
    line.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    page.reload()
    assert "Pick the same files again" in page.inner_text("main")
    shot(page, "again")
    pieces = len(sent)
    page.set_input_files("[data-pick]:not([webkitdirectory])", large)
    page.wait_for_selector("[data-watch], form.run", timeout=120_000)
    # what was there was not sent once more: of 11 pieces at most those that were on their way
    assert len(sent) - pieces <= -(-(90_000_000 - before.received_bytes) // (8 << 20)) + 3
    staged = landing_of(platform).files(submission) / "large.bin"
    assert staged.read_bytes() == large.read_bytes()


def test_names_that_clash_are_told_on_the_page(address, visit, tmp_path):
    for name in ("Brain.tif", "brain.tif"):
        (tmp_path / name).write_bytes(b"x")
    page = visit().see(f"{address}/submissions")
    page.set_input_files("[data-pick]:not([webkitdirectory])", [tmp_path / "Brain.tif", tmp_path / "brain.tif"])
    page.wait_for_selector("[data-trouble]:not([hidden])")
    assert "upper and lower case" in page.inner_text("[data-trouble]")
    shot(page, "clash")
