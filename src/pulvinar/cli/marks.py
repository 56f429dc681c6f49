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


def export_marks(document_id: str, form: str) -> None:
    """`pulvinar marks export`."""
    from pulvinar.documents.documents import get_document
    from pulvinar.documents.exchange import all_marks, judged_cells
    from pulvinar.documents.formats import MarkFormat, corrections_csv, write_marks

    with opened() as platform:
        document = get_document(platform.database, platform.actor, document_id)
        marks = all_marks(platform.database, platform.actor, document_id)
        if form == "corrections":
            written = corrections_csv(marks, judged_cells(platform.database, platform.actor, document).to_world_um)
        else:
            written = write_marks(marks, MarkFormat(form), document.title)
    sys.stdout.write(written.text)


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


def freeze_verdicts(document_id: str, *, as_json: bool) -> None:
    """`pulvinar marks freeze`."""
    from pulvinar.platform import solution_means
    from pulvinar.solutions.cells.freezing import freeze_corrections

    with opened() as platform:
        frozen = freeze_corrections(solution_means(platform), document_id)
    if as_json:
        said = {"dataset": frozen.dataset_id, "asset": frozen.asset.id, "count": frozen.asset.details["count"]}
        print_json({**said, "image": frozen.image_id, "parameters": frozen.parameters})
        return
    print(frozen.asset.id)
    image = frozen.image_id or "ASSET"
    print(
        f"pulvinar job submit teach_cells --input image={image} --input corrections.1={frozen.asset.id}",
        file=sys.stderr,
    )
