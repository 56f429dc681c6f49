"""The commands that bring data in: `pulvinar inspect`, `ingest`, `upload`, `watch`, `receive` and `index`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import (
    Axes,
    BasisOption,
    Form,
    Json,
    Kind,
    Only,
    Orientation,
    OriginalsChoice,
    RadiusUnknown,
    RecordFile,
    Sparse,
    TableKind,
    TimeStep,
    Unit,
    VoxelSize,
    reading_options,
)

intake_app = typer.Typer()


@intake_app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A file, a folder, or a .tar(.gz, .xz) or .zip of them.")],
    only: Only = None,
    voxel_size: VoxelSize = "",
    orientation: Orientation = "",
    kind: Kind = None,
    axes: Axes = "",
    time_step: TimeStep = None,
    unit: Unit = "",
    table_kind: TableKind = None,
    sparse: Sparse = False,
    form: Form = None,
    radius_unknown: RadiusUnknown = False,
    json: Json = False,
) -> None:
    """Say what PATH is, and what is missing or doubtful, without bringing it in.

    A file that can't be read hides no other: it is named, and the exit code is 2.
    """
    from pulvinar.cli.verbs import show_inspection

    options = reading_options(
        voxel_size,
        orientation,
        kind,
        axes,
        time_step,
        unit,
        table_kind,
        sparse=sparse,
        form=form,
        radius_unknown=radius_unknown,
    )
    show_inspection(path, options, only or (), as_json=json)


@intake_app.command()
def ingest(
    path: Annotated[Path, typer.Argument(help="A file, a folder, or a .tar(.gz, .xz) or .zip of them.")],
    title: Annotated[str, typer.Option(help="Title of the dataset.")] = "",
    species: Annotated[
        str,
        typer.Option(help="zebrafish, mouse, macaque or human; also by another usual name, as 'Mus musculus' or 小鼠."),
    ] = "",
    licence: Annotated[str, typer.Option("--licence", "--license", help="Licence of the data, as CC-BY-4.0.")] = "",
    dataset: Annotated[str, typer.Option(help="Put it into a draft version of this dataset.")] = "",
    publish: Annotated[bool, typer.Option("--publish", help="Publish the version when it is whole.")] = False,
    name: Annotated[str, typer.Option(help="Name of the one asset.")] = "",
    only: Only = None,
    voxel_size: VoxelSize = "",
    orientation: Orientation = "",
    kind: Kind = None,
    axes: Axes = "",
    time_step: TimeStep = None,
    unit: Unit = "",
    table_kind: TableKind = None,
    sparse: Sparse = False,
    form: Form = None,
    radius_unknown: RadiusUnknown = False,
    color: Annotated[
        str, typer.Option(help="Colour of the channel, as RRGGBB; of several, one each: 64FF64,FF64FF.")
    ] = "",
    label_names: Annotated[Path | None, typer.Option(help="Table of the names of label ids.")] = None,
    space: Annotated[
        str, typer.Option(help="The space that its coordinates are in, as allen_ccfv3: that of an installed atlas.")
    ] = "",
    originals: Annotated[
        OriginalsChoice, typer.Option(help="Keep the files in the store, record where they are, or forget them.")
    ] = OriginalsChoice.REFERENCE,
    description: Annotated[str, typer.Option(help="What it is, in a few sentences.")] = "",
    lab: Annotated[str, typer.Option(help="The laboratory or institute.")] = "",
    subject: Annotated[str, typer.Option(help="The animal or person, by pseudonym.")] = "",
    sex: Annotated[str, typer.Option(help="Sex of the subject.")] = "",
    age: Annotated[str, typer.Option(help="Age of the subject.")] = "",
    strain: Annotated[str, typer.Option(help="Strain or line of the subject.")] = "",
    specimen: Annotated[str, typer.Option(help="What was taken from the subject.")] = "",
    preparation: Annotated[str, typer.Option(help="How the specimen was prepared.")] = "",
    modality: Annotated[str, typer.Option(help="How it was recorded, as 'light-sheet' or 'MRI T1'.")] = "",
    instrument: Annotated[str, typer.Option(help="With which instrument.")] = "",
    stain: Annotated[str, typer.Option(help="Stains and markers, with commas between.")] = "",
    date: Annotated[str, typer.Option(help="Day of recording, YYYY-MM-DD; of people the year alone.")] = "",
    contributor: Annotated[
        list[str] | None, typer.Option(help="'Name', 'Name <role>' or 'Name <role> ORCID'; repeatable.")
    ] = None,
    keyword: Annotated[list[str] | None, typer.Option(help="A word to be found by, in any language.")] = None,
    citation: Annotated[str, typer.Option(help="How to cite it.")] = "",
    source: Annotated[str, typer.Option(help="Where it comes from.")] = "",
    doi: Annotated[str, typer.Option(help="The dataset's own DOI.")] = "",
    related: Annotated[
        list[str] | None, typer.Option(help="'DOI', or 'DOI <IsSupplementTo>' with DataCite's relation; repeatable.")
    ] = None,
    funding: Annotated[list[str] | None, typer.Option(help="'Funder', or 'Funder <award>'; repeatable.")] = None,
    ethics: Annotated[str, typer.Option(help="Who approved the experiment, and under which number.")] = "",
    record: RecordFile = None,
    basis: BasisOption = None,
    again: Annotated[bool, typer.Option("--again", help="Bring in once more what was brought in before.")] = False,
    json: Json = False,
) -> None:
    """Bring PATH in. Interrupted, the same command goes on from what is finished.

    What flags say counts more than the record file, and that more than the files.
    """
    from pulvinar.cli.verbs import run_ingest
    from pulvinar.ingest.record import RecordAnswers
    from pulvinar.ingest.record_file import read_record_file
    from pulvinar.ingest.request import Originals, Request
    from pulvinar.model.quarantine import Basis

    answers = RecordAnswers(
        title=title,
        species=species,
        licence=licence,
        description=description,
        lab=lab,
        subject=subject,
        sex=sex,
        age=age,
        strain=strain,
        specimen=specimen,
        preparation=preparation,
        modality=modality,
        instrument=instrument,
        stain=stain,
        date=date,
        contributors=tuple(contributor or ()),
        keywords=tuple(keyword or ()),
        citation=citation,
        source=source,
        doi=doi,
        related=tuple(related or ()),
        funding=tuple(funding or ()),
        ethics=ethics,
        record=read_record_file(record)[1] if record else {},
    )
    request = Request(
        path=path,
        options=reading_options(
            voxel_size,
            orientation,
            kind,
            axes,
            time_step,
            unit,
            table_kind,
            sparse=sparse,
            form=form,
            radius_unknown=radius_unknown,
        ),
        answers=answers,
        dataset_id=dataset or None,
        originals=Originals(originals.value),
        only=tuple(only or ()),
        name=name,
        color=color,
        label_names=label_names,
        publish=publish,
        again=again,
        space=space,
        basis=Basis(basis.value) if basis else None,
    )
    run_ingest(request, as_json=json)


@intake_app.command()
def upload(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    to: Annotated[str, typer.Option(help="Address of the Pulvinar; without it, this machine's.")] = "",
    title: Annotated[str, typer.Option(help="What it is called while it is on its way.")] = "",
    parallel: Annotated[int, typer.Option(help="How many parts are sent beside each other.", min=1, max=16)] = 4,
    by_bucket: Annotated[
        bool,
        typer.Option("--by-bucket", help="Send files above 16 MiB by way of the server's S3 bucket."),
    ] = False,
    json: Json = False,
) -> None:
    """Hand PATHS in to a Pulvinar elsewhere, over any line. What breaks goes on by itself.

    Interrupted, the same command goes on from what is there. In the end it says where the data are described, and
    brought in.
    """
    from pulvinar.cli.uploads import run_upload

    run_upload(paths, to, title, parallel, by_bucket=by_bucket, as_json=json)


@intake_app.command()
def watch(
    folder: Annotated[Path, typer.Argument(help="The folder into which an instrument writes, a folder each.")],
    quiet: Annotated[
        float, typer.Option(help="Whole is what has not changed for so many seconds, and has no manifest.", min=0)
    ] = 300,
    species: Annotated[str, typer.Option(help="zebrafish, mouse, macaque or human; also by another usual name.")] = "",
    licence: Annotated[str, typer.Option("--licence", "--license", help="Licence of the data, as CC-BY-4.0.")] = "",
    title: Annotated[str, typer.Option(help="Title of the datasets.")] = "",
    modality: Annotated[str, typer.Option(help="How they are recorded, as 'light-sheet' or 'MRI T1'.")] = "",
    voxel_size: VoxelSize = "",
    orientation: Orientation = "",
    axes: Axes = "",
    originals: Annotated[
        OriginalsChoice, typer.Option(help="Keep the files in the store, record where they are, or forget them.")
    ] = OriginalsChoice.REFERENCE,
    record: RecordFile = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
) -> None:
    """Bring in by itself what lands in FOLDER: each folder in it, once it is whole.

    Whole is what its manifest.sha256 says (as sha256sum writes it), or what nobody has changed for a quiet time. A
    record.yaml in it says what the options don't. What came of it stands beside it, in NAME.done.txt or
    NAME.error.txt; nothing is brought in twice.
    """
    from pulvinar.cli.uploads import watch_folder
    from pulvinar.ingest.record import RecordAnswers
    from pulvinar.ingest.record_file import read_record_file
    from pulvinar.ingest.request import Originals, Request

    said = read_record_file(record)[1] if record else {}
    request = Request(
        path=folder,
        options=reading_options(voxel_size, orientation, None, axes, None, "", None),
        answers=RecordAnswers(title=title, species=species, licence=licence, modality=modality, record=said),
        originals=Originals(originals.value),
    )
    watch_folder(folder, request, quiet, once=once)


@intake_app.command(hidden=True)
def receive() -> None:
    """Look at what was handed in, and bring in what was submitted, until nothing waits. A server does it by itself."""
    from pulvinar.cli.uploads import receive as receive_all

    receive_all()


@intake_app.command()
def index(
    source: Annotated[
        str,
        typer.Argument(help="A folder, or file:///folder, s3://bucket/prefix or https://host/path: one Zarr image."),
    ],
    owner: Annotated[str, typer.Option(help="Who owns the bytes, which stay where they are.")] = "",
    title: Annotated[str, typer.Option(help="Title of the dataset.")] = "",
    species: Annotated[str, typer.Option(help="zebrafish, mouse, macaque or human; also by another usual name.")] = "",
    licence: Annotated[str, typer.Option("--licence", "--license", help="Licence of the data, as CC-BY-4.0.")] = "",
    dataset: Annotated[str, typer.Option(help="Put it into a draft version of this dataset.")] = "",
    publish: Annotated[bool, typer.Option("--publish", help="Publish the version.")] = False,
    name: Annotated[str, typer.Option(help="Name of the asset.")] = "",
    voxel_size: VoxelSize = "",
    orientation: Orientation = "",
    kind: Kind = None,
    axes: Axes = "",
    time_step: TimeStep = None,
    color: Annotated[str, typer.Option(help="Colour of the channel, as RRGGBB; of several, one each.")] = "",
    description: Annotated[str, typer.Option(help="What it is, in a few sentences.")] = "",
    lab: Annotated[str, typer.Option(help="The laboratory or institute.")] = "",
    subject: Annotated[str, typer.Option(help="The animal or person, by pseudonym.")] = "",
    modality: Annotated[str, typer.Option(help="How it was recorded, as 'light-sheet' or 'MRI T1'.")] = "",
    contributor: Annotated[
        list[str] | None, typer.Option(help="'Name', 'Name <role>' or 'Name <role> ORCID'; repeatable.")
    ] = None,
    keyword: Annotated[list[str] | None, typer.Option(help="A word to be found by, in any language.")] = None,
    citation: Annotated[str, typer.Option(help="How to cite it.")] = "",
    json: Json = False,
) -> None:
    """Make a dataset of a Zarr image (OME-Zarr 0.4 or 0.5, plain Zarr 3) that others own, without copying it.

    Its chunks are served from where they are. Only sources that the setting external_sources allows can be indexed.
    """
    from pulvinar.cli.verbs import run_index
    from pulvinar.ingest.indexing import IndexRequest
    from pulvinar.ingest.record import RecordAnswers

    answers = RecordAnswers(
        title=title,
        species=species,
        licence=licence,
        description=description,
        lab=lab,
        subject=subject,
        modality=modality,
        contributors=tuple(contributor or ()),
        keywords=tuple(keyword or ()),
        citation=citation,
    )
    request = IndexRequest(
        url=source if "://" in source else Path(source).absolute().as_uri(),
        owner=owner,
        options=reading_options(voxel_size, orientation, kind, axes, time_step, "", None),
        answers=answers,
        dataset_id=dataset or None,
        name=name,
        color=color,
        publish=publish,
    )
    run_index(request, as_json=json)
