"""How what a server has shows itself in a notebook: tables with thumbnails, and the viewer in a frame.

Whatever stands in a record was written by somebody: it is escaped, and no address but the server's own is led to.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

from pulvinar.errors import PulvinarError

if TYPE_CHECKING:
    from pulvinar.client import Client, Found, RemoteAsset, RemoteDataset
    from pulvinar.client.atlas import RemoteAtlas

MOST_SHOWN = 12
"""So many rows a table in a notebook has."""
_LONGEST_PICTURE = 200_000


class Explorer:
    """The viewer of a dataset or an atlas in a frame of a notebook, and a link for a browser that allows no frame."""

    def __init__(self, address: str, page: str, title: str, height: int) -> None:
        self.address, self.page, self.title, self.height = address, page, title, int(height)

    def __repr__(self) -> str:
        return f"Explorer({self.page!r})"

    def _repr_html_(self) -> str:
        frame = (
            f'<iframe src="{escape(self.address)}" title="{escape(self.title)}" width="100%" height="{self.height}" '
            'style="border:0" allowfullscreen></iframe>'
        )
        return f'{frame}<p><a href="{escape(self.page)}" target="_blank" rel="noopener">{escape(self.page)}</a></p>'


def dataset_html(client: Client, dataset: RemoteDataset) -> str:
    """A dataset: what it is, and its assets with their pictures."""
    record = dataset.record
    facts = {
        "species": record["species"],
        "modality": record["acquisition"]["modality"],
        "lab": record["lab"],
        "licence": record["licence"],
        "identifier": dataset.id,
    }
    assets = _assets_of(dataset)
    rows = [_asset_row(client, asset) for asset in assets[:MOST_SHOWN]]
    more = len(assets) - len(rows)
    return (
        _heading(dataset.title, dataset.page)
        + (f"<p>{escape(_short(record['description'], 400))}</p>" if record["description"] else "")
        + _facts(facts)
        + _table(("", "name", "kind", "size", "stored"), rows)
        + (f"<p>and {more} more</p>" if more > 0 else "")
    )


def asset_html(client: Client, asset: RemoteAsset) -> str:
    """An asset: its picture and what is known of it."""
    return _heading(asset.name) + _table(("", "name", "kind", "size", "stored"), [_asset_row(client, asset)])


def found_html(client: Client, found: Found) -> str:
    """The first of what a search finds."""
    rows = []
    for asset in islice(iter(found), MOST_SHOWN):
        page = client.url + f"/datasets/{asset.dataset_id}"
        rows.append([*_asset_row(client, asset), _link(asset.title, page)])
    headings = ("", "name", "kind", "size", "stored", "dataset")
    return _heading(found.query, "") + (_table(headings, rows) if rows else "<p>Nothing is found.</p>")


def atlas_html(client: Client, atlas: RemoteAtlas) -> str:
    """An atlas: what it is of."""
    about = atlas.about
    facts = {name: about[name] for name in ("species", "version", "licence") if about.get(name)}
    return _heading(about.get("title") or atlas.name, f"{client.url}/atlases/{atlas.name}") + _facts(facts)


def cards(client: Client, datasets: Iterable[RemoteDataset], title: str) -> str:
    """Datasets as a table: of each, the picture of its first asset that has one."""
    rows = []
    for dataset in islice(datasets, MOST_SHOWN):
        pictured = next((one for one in _assets_of(dataset) if one.links.get("thumbnail")), None)
        picture = _picture(client, pictured) if pictured else ""
        record = dataset.record
        about = (record["species"], record["licence"])
        rows.append([picture, _link(dataset.title, dataset.page), *map(escape, about), escape(dataset.id)])
    headings = ("", "title", "species", "licence", "identifier")
    return _heading(title) + (_table(headings, rows) if rows else "<p>Nothing that you may see.</p>")


def client_html(client: Client) -> str:
    """A server: its newest datasets."""
    return cards(client, client.datasets(), client.url)


def _assets_of(dataset: RemoteDataset) -> list[RemoteAsset]:
    """What is in it; nothing where only its record is shown."""
    try:
        return dataset.assets()
    except PulvinarError:
        return []


def _asset_row(client: Client, asset: RemoteAsset) -> list[str]:
    return [
        _picture(client, asset),
        escape(asset.name),
        escape(asset.kind),
        escape(_extent(asset)),
        f"{asset.size_bytes / 1e6:,.1f} MB",
    ]


def _extent(asset: RemoteAsset) -> str:
    """How large it is, in its own words: voxels and their size, or how many there are."""
    if asset.kind == "volume":
        level = asset.details["volume"]["levels"][0]
        voxels = " × ".join(str(size) for size in level["shape"][2:])
        return f"{voxels} (z, y, x), {' × '.join(f'{size:g}' for size in level['voxel_size_um'])} µm"
    count = asset.details.get("count")
    return f"{count:,}" if isinstance(count, int) else ""


def _picture(client: Client, asset: RemoteAsset) -> str:
    """Its thumbnail within the page itself: a notebook that is sent on keeps it, and needs no sign-in for it."""
    address = asset.links.get("thumbnail")
    if not address:
        return ""
    try:
        data = client.read(address)
    except PulvinarError:
        return ""
    if len(data) > _LONGEST_PICTURE or data[:4] != b"RIFF":
        return ""
    source = f"data:image/webp;base64,{base64.b64encode(data).decode()}"
    return f'<img src="{source}" alt="" style="max-width:96px;max-height:96px;background:#000">'


def _heading(text: str, page: str = "") -> str:
    said = _link(text, page) if page else escape(text)
    return f'<p style="font-weight:600;margin:0.5em 0">{said}</p>'


def _link(text: str, address: str) -> str:
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(text)}</a>'


def _facts(facts: Mapping[str, Any]) -> str:
    return "<p>" + " · ".join(f"{name}: {escape(str(value))}" for name, value in facts.items() if value) + "</p>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f'<th style="text-align:left">{escape(one)}</th>' for one in headings)
    cell = '<td style="text-align:left">'
    body = "".join("<tr>" + "".join(f"{cell}{one}</td>" for one in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
