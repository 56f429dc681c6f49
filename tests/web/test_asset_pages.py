"""Pages of matrices and signals, made by a real ingest."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from pulvinar.cli.verbs import means_of
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options, TableKind
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app
from pulvinar.web.heat_map import names_along

NAMES = ("V1", "V2", "MT", "脑岛")
WEIGHTS = np.array([[9.0, 5.0, 0.5, 0.0], [4.0, 9.0, np.nan, 0.25], [0.0, 0.0, 9.0, 0.0], [0.0, 0.0, 0.0, 9.0]])


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    opened = open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("pages")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(platform):
    return TestClient(create_app(platform), headers={"accept": "text/html", "accept-language": "en"})


def brought_in(platform: Platform, path: Path, kind: TableKind, axes: str = "") -> tuple[str, str]:
    """The dataset and the one asset that the file at `path` became."""
    answers = RecordAnswers(title=path.stem, species="macaque", licence="CC0-1.0")
    done = ingest(means_of(platform), Request(path, Options(table_kind=kind, axes=axes), answers, publish=True))
    (asset,) = done.version.assets
    return done.version.dataset_id, asset.id


@pytest.fixture(scope="module")
def matrix(platform, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("weights")
    np.save(path / "weights.npy", WEIGHTS)
    (path / "region_names.txt").write_text("\n".join(NAMES), "utf-8")
    dataset, asset = brought_in(platform, path, TableKind.CONNECTIVITY)
    return f"/datasets/{dataset}/assets/{asset}"


@pytest.fixture(scope="module")
def signals(platform, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("files") / "signals.npy"
    values = np.sin(np.arange(5000)[:, None] / 50 * (1 + np.arange(8)))
    values[2500, 0] = 40
    values[100:200, 1] = np.nan
    np.save(path, values)
    dataset, asset = brought_in(platform, path, TableKind.TIME_SERIES, "tc")
    return f"/datasets/{dataset}/assets/{asset}"


def test_a_matrix_shows_its_strongest_connections_without_scripts(client, matrix):
    page = client.get(f"{matrix}/matrix").text
    rows = page[page.index("<tbody>") :]
    assert rows.index('<th scope="row">V1</th><td>V2</td><td class="figure">5</td>') < rows.index("<td>V1</td>")
    assert "<td>MT</td>" in rows
    assert '<th scope="row">MT</th><td>MT</td>' not in rows


def test_names_stand_beside_the_rows_and_columns_of_a_heat_map(client, matrix):
    page = client.get(f"{matrix}/matrix").text
    for region in NAMES:
        assert len(re.findall(rf"<text [^>]*>{region}<title>", page)) == 2


def test_of_many_names_so_many_are_shown_that_they_can_be_read():
    few, many = names_along(["a", "b"], 500.0), names_along([f"region {at}" for at in range(100)], 1000.0)
    assert [where for where, *_ in few.shown] == [125.0, 375.0]
    assert (few.step, many.step, len(many.shown)) == (1, 5, 20)
    assert many.shown[1] == (55.0, "region 5", "region 5")
    ((_, short, whole),) = names_along(["Superior colliculus, sensory related"], 10.0).shown
    assert (len(short), short[-1], whole) == (20, "…", "Superior colliculus, sensory related")


def test_every_cell_of_a_heat_map_is_a_square_of_one_colour(client, matrix):
    picture = np.asarray(Image.open(BytesIO(client.get(f"{matrix}/matrix.webp").content)).convert("RGB"))
    side = picture.shape[0] // 4
    assert picture.shape == (4 * side, 4 * side, 3)
    cells = picture.reshape(4, side, 4, side, 3)
    assert (cells == cells[:, :1, :, :1]).all()
    assert cells[1, 0, 2, 0].tolist() == [96, 96, 96]
    assert cells[0, 0, 0, 0].sum() > cells[0, 0, 1, 0].sum() > cells[0, 0, 3, 0].sum()


def test_the_values_behind_a_heat_map_are_told_with_their_names(client, matrix):
    page = client.get(f"{matrix}/matrix").text
    address = page.split('data-matrix="')[1].split('"')[0]
    told = client.get(address).json()
    assert told["sources"] == list(NAMES)
    assert told["values"][0] == [9.0, 5.0, 0.5, 0.0]
    assert told["values"][1][2] is None


def test_signals_are_drawn_with_their_range_and_no_spike_is_lost(client, signals):
    page = client.get(f"{signals}/traces").text
    assert page.count('class="trace"') == 6
    assert "– 40" in page
    assert "100 values missing" in page
    first = page.split('<path d="')[1].split('"')[0]
    heights = [float(point.split()[1]) for point in first.replace("M", "L").split("L")[1:]]
    assert min(heights) == 4.0
    assert len(heights) <= 1800
    assert page.split('<path d="')[2].split('"')[0].count("M") == 2


def test_other_signals_are_chosen_and_found_by_name(client, signals):
    page = client.get(f"{signals}/traces", params={"series": [7, 0]}).text
    assert page.count('class="trace"') == 2
    assert page.count(" checked>") == 2
    assert client.get(f"{signals}/traces", params={"series": [8]}).status_code == 422


def test_the_datasets_page_leads_there(client, matrix, signals):
    for address, page in ((matrix, "matrix"), (signals, "traces")):
        dataset = address.split("/assets/")[0]
        assert f'href="{address}/{page}?version=1"' in client.get(dataset).text


def test_what_is_no_matrix_has_no_heat_map(client, matrix, signals):
    assert client.get(f"{signals}/matrix").status_code == 422
    assert client.get(f"{matrix}/traces").status_code == 422


@pytest.fixture(scope="module")
def recording(platform, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("large") / "lfp.npy"
    values = np.sin(np.arange(60_000)[:, None] / 3000 * (1 + np.arange(100))).astype("f4")
    values[33_333, 70] = 40
    values[10_000:12_000, 1], values[40_000, 70] = np.nan, np.nan
    np.save(path, values)
    dataset, asset = brought_in(platform, path, TableKind.TIME_SERIES, "tc")
    return f"/datasets/{dataset}/assets/{asset}"


@pytest.fixture(scope="module")
def connectome(platform, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("connectome") / "weights.npy"
    values = np.zeros((2500, 2500), "f4")
    values[17, 2400], values[:, :500] = 7, 0.5
    np.save(path, values)
    dataset, asset = brought_in(platform, path, TableKind.CONNECTIVITY)
    return f"/datasets/{dataset}/assets/{asset}"


def test_a_recording_that_no_table_holds_is_drawn_and_no_spike_is_lost(client, recording):
    page = client.get(f"{recording}/traces", params={"series": [70, 1]}).text
    assert page.count('class="trace"') == 2
    assert "– 40" in page
    first = page.split('<path d="')[1].split('"')[0]
    points = [tuple(map(float, point.split())) for point in first.replace("M", "L").split("L")[1:]]
    assert len(points) <= 1800
    assert min(points, key=lambda point: point[1])[0] == pytest.approx(33_333 / 60_000 * 900, abs=1)
    # the second has a gap; how many values are missing is not known of spans
    assert page.split('<path d="')[2].split('"')[0].count("M") == 2
    assert "missing" not in page
    assert client.get(f"{recording}/traces", params={"series": [100]}).status_code == 422


def test_a_connectome_that_no_page_can_show_is_averaged(client, connectome):
    page = client.get(f"{connectome}/matrix").text
    assert '<th scope="row">18</th><td>2401</td><td class="figure">7</td>' in page
    assert "mean of several cells" in page
    assert "data-matrix" not in page
    picture = np.asarray(Image.open(BytesIO(client.get(f"{connectome}/matrix.webp").content)).convert("RGB"))
    assert picture.shape == (960, 960, 3)
    assert picture[500, 100].sum() > picture[500, 500].sum()


def test_a_matrix_that_a_page_can_show_is_shown_cell_by_cell_though_it_is_an_array(client, platform, tmp_path):
    values = np.zeros((1100, 1100), "f4")
    values[17, 400] = 7
    np.save(tmp_path / "weights.npy", values)
    dataset, asset = brought_in(platform, tmp_path / "weights.npy", TableKind.CONNECTIVITY)
    address = f"/datasets/{dataset}/assets/{asset}"
    assert "mean of several cells" not in client.get(f"{address}/matrix").text
    picture = np.asarray(Image.open(BytesIO(client.get(f"{address}/matrix.webp").content)).convert("RGB"))
    assert picture.shape == (1100, 1100, 3)
    assert (picture != picture[0, 0]).any(axis=2).sum() == 1


def test_what_is_an_array_is_offered_as_one(client, recording, connectome):
    for address, table in ((recording, "series.parquet"), (connectome, "targets.parquet")):
        page = client.get(address.split("/assets/")[0]).text
        assert f"/objects/{table}" in page
        assert "/objects/values/" in page
        assert "values.parquet" not in page
        assert "matrix.parquet" not in page


def test_a_wide_table_as_it_was_stored_before_still_opens(client, platform, tmp_path, monkeypatch):
    monkeypatch.setattr("pulvinar.ingest.assets.is_large", lambda data: False)
    np.save(tmp_path / "rest.npy", np.arange(30 * 1200.0).reshape(30, 1200))
    dataset, asset = brought_in(platform, tmp_path / "rest.npy", TableKind.TIME_SERIES, "tc")
    page = client.get(f"/datasets/{dataset}/assets/{asset}/traces", params={"series": [1199]}).text
    assert page.count('class="trace"') == 1
    assert "1,199 – 35,999" in page
    assert "values.parquet" in client.get(f"/datasets/{dataset}").text
