"""The pages as a server makes them: their words, their links, and what they let a browser do."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from starlette.testclient import TestClient
from tests.web.conftest import add_dataset

from pulvinar.model.dataset import Asset, AssetKind, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.web import phrases, portal
from pulvinar.web.app import create_app
from pulvinar.web.language import LANGUAGES, preferred, translations

WEB = Path(portal.__file__).parent


@pytest.fixture(scope="module")
def client(platform):
    return TestClient(create_app(platform), headers={"accept": "text/html"})


def test_the_list_shows_what_is_there_and_finds_it(client, image, labels):
    assert "A brain with image" in client.get("/").text
    found = client.get("/", params={"q": "labels"}).text
    assert "A brain with labels" in found
    assert "A brain with image" not in found
    assert "No dataset that you may see matches" in client.get("/", params={"species": "human"}).text


def test_paging_goes_on_where_the_page_ended(client, image, labels, monkeypatch):
    monkeypatch.setattr(portal, "ON_FRONT", 1)
    monkeypatch.setattr(portal, "PAGE_SIZE", 1)
    first = client.get("/").text.partition('id="datasets"')[2]
    following = re.search(r'href="(/\?cursor=[^"]+)" rel="next"', first)
    second = client.get(following[1]).text
    titles = [re.search(r'card-title">([^<]+)<', text)[1] for text in (first, second)]
    assert len(set(titles)) == 2
    assert "Back to the newest" in second


def test_htmx_gets_the_results_alone_and_says_how_many(client, image):
    answer = client.get("/", params={"q": "brain"}, headers={"HX-Request": "true"})
    assert "<html" not in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert "HX-Request" in answer.headers["vary"]
    restored = client.get("/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in restored.text


def test_a_dataset_says_its_licence_its_digest_and_how_to_get_it(client, image):
    page = client.get(f"/datasets/{image.version.dataset_id}").text
    assert 'href="https://creativecommons.org/publicdomain/zero/1.0/"' in page
    assert f"sha256:{image.version.digest}" in page
    assert f"{image.data}/objects/image.ome.zarr/" in page
    assert f"{image.data}/chunks/" in page
    assert f"{image.api}/sections/z" in page
    cutout = re.search(r'href="([^"]+format=npy)"', page)[1].replace("&amp;", "&")
    assert client.get(cutout).content[:6] == b"\x93NUMPY"


def test_what_was_doubtful_is_said_of_neurons_too(client, platform):
    doubt = {"severity": "doubt", "message": "its radii are as large as the neuron", "flag": "--unit"}
    nothing = asset_digest(())
    neuron = Asset(new_id(), "A neuron", AssetKind.SKELETON, "x", 0, 0, nothing, {"count": 7, "findings": [doubt]})
    version = add_dataset(platform, "A doubtful neuron", [(neuron, ())])
    page = client.get(f"/datasets/{version.dataset_id}").text
    assert doubt["message"] in page
    assert "7 nodes" in page


def test_each_request_speaks_its_own_language(client, image):
    for _ in range(3):
        assert "Search datasets" in client.get("/", headers={"accept-language": "en"}).text
        assert "搜索数据集" in client.get("/", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}).text


def test_the_language_that_was_asked_for_is_kept(platform, image):
    client = TestClient(create_app(platform))
    assert "搜索数据集" in client.get("/?lang=zh").text
    assert "搜索数据集" in client.get("/", headers={"accept-language": "en"}).text
    assert "Search datasets" in client.get("/?lang=en").text


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("fr,zh;q=0.4,en;q=0.3", "zh"), ("zh;q=0,en;q=0.1", "en"), ("de", "en"), (";;q=x,zh-TW", "zh")],
)
def test_what_the_browser_prefers(header, language):
    assert preferred(header) == language


def test_every_message_is_translated_and_no_translation_is_left_over():
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    keywords = {"_": None, "mark": None, "ngettext": (1, 2)}
    used = set()
    for _, _, message, _, _ in extract_from_dir(WEB, methods, keywords=keywords):
        used.add(message if isinstance(message, str) else tuple(message))
    for language in set(LANGUAGES) - {"en"}:
        path = WEB / "locale" / language / "LC_MESSAGES" / "messages.po"
        catalogue = read_po(BytesIO(path.read_bytes()))
        said = {entry.id: entry.string for entry in catalogue if entry.id}
        assert set(said) == used
        assert all(all(text) if isinstance(text, tuple) else text for text in said.values())
        assert not [entry for entry in catalogue if entry.fuzzy]
        for message, text in said.items():
            one = message if isinstance(message, str) else message[1]
            translated = text if isinstance(text, str) else text[0]
            assert set(re.findall(r"%\(\w+\)\w", one)) == set(re.findall(r"%\(\w+\)\w", translated)), message


def test_a_language_without_a_catalogue_speaks_english():
    assert translations("en").gettext("Search") == "Search"
    assert translations("zh").gettext("Search") == "搜索"


def test_only_the_viewer_may_make_code_from_text(client, image):
    for path in ("/", f"/datasets/{image.version.dataset_id}", "/nothing"):
        policy = client.get(path).headers["content-security-policy"]
        assert "unsafe" not in policy, path
    policy = client.get(f"/datasets/{image.version.dataset_id}/view").headers["content-security-policy"]
    assert "'unsafe-eval'" in policy
    assert "'unsafe-inline'" not in policy


def test_pages_have_no_inline_script_or_style(client, image):
    for path in ("/", f"/datasets/{image.version.dataset_id}", f"/datasets/{image.version.dataset_id}/view"):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"\s(on\w+|style)=", page)


def test_what_people_write_is_shown_and_not_run(platform, client):
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.datasets import create_dataset
    from pulvinar.catalogue.drafts import open_draft
    from pulvinar.model.record import Record, Species

    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    with UnitOfWork(platform.database, platform.actor) as work:
        made = create_dataset(work, Record(hostile, Species.HUMAN, hostile, description=hostile), node="local")
        open_draft(work, made.id)
    for path in ("/", f"/datasets/{made.id}", f"/datasets/{made.id}/view", f"/?q={hostile}"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_a_page_says_terms_in_its_language_and_leads_to_what_is_related(platform, client):
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.datasets import create_dataset
    from pulvinar.catalogue.drafts import open_draft
    from pulvinar.model.record import Acquisition, Funding, Record, Related, Species, Subject

    record = Record(
        "Terms",
        Species.MOUSE,
        "CC BY 4.0",
        subject=Subject("m1", Species.MOUSE, "female"),
        acquisition=Acquisition("light-sheet", stains=("c-Fos", "my own dye"), date="2025-03-14"),
        doi="10.1234/abcd",
        related=(Related("PMID:17"), Related("javascript:alert(1)")),
        funding=(Funding("A Trust", "7"),),
        ethics="Committee 7",
    )
    with UnitOfWork(platform.database, platform.actor) as work:
        made = create_dataset(work, record, node="local")
        open_draft(work, made.id)
    english, chinese = (client.get(f"/datasets/{made.id}?lang={code}").text for code in ("en", "zh"))
    for text in ("Light-sheet microscopy", "c-Fos, my own dye", "Female", "2025-03-14", "A Trust (7)", "Committee 7"):
        assert text in english
    for text in ("光片显微成像", "c-Fos即早基因, my own dye", "雌（女）", "伦理审批", "相关成果"):
        assert text in chinese
    assert 'href="https://doi.org/10.1234/abcd"' in english
    assert 'href="https://pubmed.ncbi.nlm.nih.gov/17"' in english
    assert 'href="https://creativecommons.org/licenses/by/4.0/"' in english
    assert 'href="javascript' not in english
    assert "光片显微成像" in client.get("/?lang=zh&q=光片").text
    assert re.search(r">\d+ of \d+ rules met<", english)
    assert re.search(r">满足 \d+ 条规则中的 \d+ 条<", chinese)
    assert "There is something in it." in english
    assert "其中有数据。" in chinese
    links = re.findall(rf'href="(/api/v1/datasets/{made.id}/metadata[^"]+)" download', english)
    assert len(links) == 8
    for link in links:
        answer = client.get(link.replace("&amp;", "&"))
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith(f'attachment; filename="{made.id}-v1.')
        assert "Terms" in answer.text
    client.get("/?lang=en")


def test_what_is_missing_is_a_page_with_the_request_named(client):
    answer = client.get("/datasets/nothing-here")
    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]
    assert answer.headers["x-request-id"] in answer.text


def test_programs_still_get_the_envelope(client):
    answer = client.get("/datasets/nothing-here", headers={"accept": "application/json"})
    assert answer.json()["error"]["code"] == "not_found"


def test_a_scene_has_a_layer_a_channel_and_lies_where_the_affine_says(client, image, labels):
    scene = client.get(f"/api/v1/scenes/{image.version.dataset_id}").json()
    assert [layer["channel"] for layer in scene["layers"]] == [0, 1]
    assert scene["layers"][0]["source"] == f"zarr3://{image.data}/chunks/"
    assert scene["layers"][0]["window"] == [0, 60000]
    assert scene["oriented"]
    assert scene["bounds_um"] == [[99, 199.5, 299.5], [299, 329.5, 449.5]]
    assert scene["position_um"] == [199, 264.5, 374.5]
    other = client.get(f"/api/v1/scenes/{labels.version.dataset_id}", params={"version": 1}).json()
    assert other["layers"][0]["kind"] == "labels"
    assert client.get("/api/v1/scenes/nothing").status_code == 404


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (123_456_789, "123 MB"), (999_900_000_000, "1000 GB")],
)
def test_sizes(count, text):
    assert phrases.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1_482_840.4, "1,482,840"), (1200.0, "1,200"), (-35_999.6, "-36,000"), (0.0, "0"), (12.50, "12.5"), (None, "–")],
)
def test_numbers_keep_their_zeros_before_the_point(value, text):
    assert phrases.number(value) == text


def test_lengths_use_one_unit():
    assert phrases.lengths((50.0, 40.0, 40.0)) == "50 × 40 × 40 µm"
    assert phrases.lengths((1000.0, 1000.0, 1000.0)) == "1 mm"
    assert phrases.lengths((0.65, 0.65, 0.65)) == "0.65 µm"


def test_shares_that_are_tiny_are_not_written_out():
    assert phrases.share(0.0) == "0 %"
    assert phrases.share(1.2e-7) == "< 0.01 %"
    assert phrases.share(0.1234) == "12.34 %"


@pytest.mark.parametrize("sheet", ["src/pulvinar/web/static/portal.css", "viewer/src/style.css"])
def test_no_rule_of_a_style_sheet_swallows_those_behind_it(sheet):
    text = re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", (Path(__file__).parents[2] / sheet).read_text("utf-8"), flags=re.DOTALL)
    within = []
    for before, brace in re.findall(r"([^{}]*)([{}])", text):
        if brace == "}":
            assert within, f"a brace is closed twice behind {before.strip()[-60:]!r}"
            within.pop()
            continue
        opened = before.rpartition(";")[2].strip()
        assert all(one.startswith("@") for one in within), f"{opened!r} lies within {within[-1]!r}"
        within.append(opened)
    assert within == []
