"""Somebody measures what they look at: a line, a box, a figure for a paper; with the mouse, and with the keys alone."""

import csv
import io
import re
from xml.etree import ElementTree

import nibabel
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

SVG = "{http://www.w3.org/2000/svg}"


def open_tools(visitor, address):
    page = visitor.see(address)
    page.get_by_role("tab", name=re.compile("Analyse|分析")).click()
    return page


def lit(page) -> int:
    """How many pixels of the first chart are drawn."""
    return page.evaluate(
        """() => { const canvas = document.querySelector("pulvinar-chart canvas");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let count = 0; for (let at = 3; at < pixels.length; at += 4) if (pixels[at]) count += 1; return count; }"""
    )


def test_a_typed_line_has_a_length_a_profile_a_table_and_code(site, visit, axe, sample):
    visitor = visit(bypass_csp=True)
    page = open_tools(visitor, site.viewer(site.macaque))
    corners = page.get_by_label("Corners x, y, z")
    corners.fill("-25, -5, 10 mm\n0, -5, 10 mm\n0, 20, 10 mm")
    corners.blur()
    figures = page.locator(".pv-figures").inner_text()
    assert "50 mm" in figures
    assert "90.0°" in figures
    page.get_by_role("button", name="Profile").click()
    page.wait_for_selector("pulvinar-chart[drawn] canvas", timeout=20_000)
    page.wait_for_timeout(300)
    assert lit(page) > 1000
    page.get_by_text("Table", exact=True).click()
    rows = page.locator("pulvinar-chart + details tbody tr")
    assert rows.count() == 101
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as CSV").click()
    table = list(csv.reader(io.StringIO(download.value.path().read_text("utf-8-sig"))))[1:]
    image = nibabel.load(sample("macaque/inia19/inia19-t1-brain.nii.gz"))
    z, y, x = (float(part) / 1000 for part in table[30][1:4])
    at = np.linalg.inv(image.affine) @ [x, y, z, 1]
    assert np.allclose(at[:3], np.round(at[:3]), atol=1e-6)
    # the brain of these journeys was stored in whole numbers
    assert float(table[30][4]) == int(image.dataobj[tuple(np.round(at[:3]).astype(int))])
    page.get_by_text("How do I do this in code?").last.click()
    assert any(".profile(" in text for text in page.locator(".pv-code").all_inner_texts())
    assert axe(page) == []
    assert visitor.complaints == []


def test_a_box_is_drawn_with_the_keys_and_measured(site, visit):
    visitor = visit(locale="zh-CN")
    page = open_tools(visitor, site.viewer(site.macaque))
    page.get_by_role("button", name="画方框").click()
    page.keyboard.press(" ")
    for key in ("ArrowRight", "ArrowDown", "."):
        for _ in range(6):
            page.keyboard.press(key)
    page.keyboard.press(" ")
    page.get_by_role("button", name="统计").click()
    page.get_by_text("中位数").first.wait_for()
    assert page.locator(".pv-box").get_by_text("测量级别 0").is_visible()
    page.get_by_role("button", name="裁切").click()
    link = page.get_by_role("link", name="下载")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.endswith(".nii.gz")
    page.get_by_role("link", name="在此框内运行").click()
    page.get_by_role("link", name="查找细胞", exact=True).click()
    corners = [float(one) for one in page.locator("#parameter-box").input_value().split(",")]
    assert len(corners) == 6
    assert all(low < high for low, high in zip(corners[:3], corners[3:], strict=True))
    assert visitor.complaints == []


def test_a_figure_has_four_times_the_pixels_its_density_and_text_that_stays_text(site, visit):
    visitor = visit()
    page = open_tools(visitor, site.viewer(site.macaque))
    page.wait_for_timeout(700)
    before = page.url
    width, height = page.evaluate(
        "(() => { const it = document.querySelector('.pv-canvas'); return [it.clientWidth, it.clientHeight]; })()"
    )
    with page.expect_download(timeout=90_000) as download:
        page.get_by_role("button", name="Save PNG").click()
    with Image.open(download.value.path()) as picture:
        assert picture.size == (4 * width, 4 * height)
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        whole = np.asarray(picture.convert("L"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    with Image.open(download.value.path()) as picture:
        small = np.asarray(picture.convert("L"))
    # the same field of view: a quarter of the figure looks as the screen does
    assert np.corrcoef(whole[2::4, 2::4].ravel(), small.ravel())[0, 1] > 0.9
    with page.expect_download(timeout=90_000) as download:
        page.get_by_role("button", name="Save SVG").click()
    drawing = ElementTree.parse(download.value.path()).getroot()
    texts = [one.text for one in drawing.iter(f"{SVG}text")]
    assert {"L", "R", "S", "I", "A", "P"} <= set(texts)
    assert any(text.endswith(" mm") for text in texts)
    assert any(site.macaque.record.licence in text for text in texts)
    assert any("sha256:" in text for text in texts)
    page.wait_for_timeout(700)
    assert page.url == before
    assert visitor.complaints == []
