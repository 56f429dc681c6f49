"""What the commands about documents of marks do."""

from __future__ import annotations

import sys
from pathlib import Path

from pulvinar.cli.show import print_json, print_table
from pulvinar.cli.verbs import opened
from pulvinar.errors import UnreadableFile


def make_document(title: str, dataset: str, atlas: str, cells: str) -> None:
    """`pulvinar marks new`."""
    from pulvinar.documents.documents import create_document

    with opened() as platform:
        place = {"dataset_id": dataset, "atlas": atlas, "asset_id": cells}
        made = create_document(platform.database, platform.actor, title, **place, node=platform.settings.node)
    print(made.id)


def show_documents(dataset: str, atlas: str, *, as_json: bool) -> None:
    """`pulvinar marks list`."""
    from pulvinar.documents.documents import list_documents

    with opened() as platform:
        found = list_documents(platform.database, platform.actor, dataset_id=dataset, atlas=atlas, limit=200).items
    if as_json:
        print_json([{**vars(one), "made": one.made.isoformat(), "changed": one.changed.isoformat()} for one in found])
        return
    rows = [(one.id, one.title, one.atlas or one.dataset_id, f"{one.changed:%Y-%m-%d %H:%M}") for one in found]
    print_table(rows, ("document", "title", "on", "changed"))


def export_marks(document: str, form: str) -> None:
    """`pulvinar marks export`."""
    from pulvinar.documents.documents import get_document
    from pulvinar.documents.exchange import all_marks
    from pulvinar.documents.formats import MarkFormat, write_marks

    with opened() as platform:
        title = get_document(platform.database, platform.actor, document).title
        marks = all_marks(platform.database, platform.actor, document)
    sys.stdout.write(write_marks(marks, MarkFormat(form), title).text)


def import_marks(document: str, file: Path, form: str) -> None:
    """`pulvinar marks import`."""
    from pulvinar.documents.exchange import bring_in
    from pulvinar.documents.formats import MarkFormat, read_marks_file

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{file} can't be read: {error}") from error
    marks = read_marks_file(text, MarkFormat(form))
    with opened() as platform:
        bring_in(platform.database, platform.actor, document, marks)
    print(f"{len(marks)} marks brought in")
