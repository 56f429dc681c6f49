"""What the tutorials say of the portal is so: every word that they print bold stands on the screen along the way."""

import threading
from pathlib import Path

import pytest
from tests.atlases.pair import install_pair
from tests.journeys import walks
from tests.journeys.conftest import serving

from pulvinar.cli.verbs import means_of
from pulvinar.ingest.uploads.work import do_waiting
from pulvinar.platform import landing_of, open_platform
from pulvinar.settings import load_settings
from pulvinar.web import manual
from pulvinar.web.language import translations

pytestmark = pytest.mark.browser
BRAIN = "macaque/yerkes19/MacaqueYerkes19_T1w_1.0mm_brain.nii.gz"
LOCALES = {"en": "en-GB", "zh": "zh-CN"}


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A server with two atlases of two species, which brings in what is handed in."""
    over = threading.Event()
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("tutorials"))) as platform:
        install_pair(platform)

        def work() -> None:
            while not over.wait(0.2):
                do_waiting(landing_of(platform), means_of(platform))

        worker = threading.Thread(target=work)
        with serving(platform) as address:
            worker.start()
            yield address
            over.set()
            worker.join(60)


@pytest.fixture
def walk(busy, visit):
    def begin(language: str) -> walks.Walk:
        page = visit(locale=LOCALES[language]).page
        return walks.Walk(page, busy, language, translations(language).gettext)

    return begin


def missing(walk: walks.Walk, tutorial: str) -> list[str]:
    """What a tutorial prints bold and what was not seen on the way."""
    seen = "\n".join(walk.seen)
    return [word for word in walks.bold(tutorial, walk.language) if word not in seen]


@pytest.mark.parametrize("language", LOCALES)
def test_finding_neurons(walk, language):
    way = walk(language)
    walks.finding_neurons(way, "toy_mouse", "toy_macaque")
    assert missing(way, "finding-neurons") == []


@pytest.mark.parametrize("language", LOCALES)
def test_handing_in(walk, sample, language):
    way = walk(language)
    walks.handing_in(way, sample(BRAIN))
    assert missing(way, "handing-in") == []


@pytest.mark.parametrize("language", LOCALES)
def test_running_a_server(walk, language):
    way = walk(language)
    walks.running_a_server(way)
    assert missing(way, "running-a-server") == []


@pytest.mark.parametrize("language", LOCALES)
def test_every_picture_of_the_manual_is_there_and_is_loaded(walk, language):
    way = walk(language)
    shown = 0
    for name in manual.names():
        if "<img" not in manual.page(name, language).body:
            continue
        way.go(f"/manual/{name}?lang={language}")
        for picture in way.page.locator("article img").all():
            picture.scroll_into_view_if_needed()
            picture.evaluate("(one) => one.decode()")
            assert picture.evaluate("(one) => one.naturalWidth") > 600
            assert len(picture.get_attribute("alt")) > 10
            shown += 1
    assert shown >= 3


def test_what_is_not_on_the_screen_would_be_found(walk):
    way = walk("en")
    way.go("/administration")
    assert "Incidents" not in missing(way, "running-a-server")
    assert "Hand in" not in [one for one in missing(way, "handing-in") if one in way.seen]
    assert "Choose a folder" in missing(way, "handing-in")


def test_the_pictures_are_those_that_the_walks_take():
    used = {path for name in manual.names() for path in _pictures(manual.root() / f"{name}.md")}
    taken = {"side-by-side.webp", "handing-in.webp", "administration.webp"}
    assert used == taken
    for name in taken:
        for file in (name, name.replace(".webp", ".zh.webp")):
            assert (manual.root() / "images" / file).is_file(), f"make pictures would make {file}"


def _pictures(document: Path) -> set[str]:
    return {part.partition(")")[0].rpartition("/")[2] for part in document.read_text("utf-8").split("](../images/")[1:]}
