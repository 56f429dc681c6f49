"""Files that pages and the API hand out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from fastapi import Response

from pulvinar.model.text import to_cell


def disposition(name: str) -> str:
    """A Content-Disposition that saves a file under `name`, whatever characters a person used in it."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def csv_file(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A table as the file `name`; what is None is an empty cell. Text that a spreadsheet would compute stays text."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerows([to_cell(one) if isinstance(one, str) else one for one in row] for row in (head, *rows))
    headers = {"content-disposition": disposition(name), "cache-control": "no-store"}
    # the mark of byte order makes spreadsheets read Chinese names as what they are
    return Response("\ufeff" + written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
