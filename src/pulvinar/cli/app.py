"""The commands. Each parses, calls one verb of a room below, and prints."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulvinar.cli.access_app import access_app, organisations_app
from pulvinar.cli.account_app import accounts_app, sign_in_app
from pulvinar.cli.agreement_app import agreement_app, request_app
from pulvinar.cli.atlas_app import atlas_app
from pulvinar.cli.audit_app import audit_app
from pulvinar.cli.backup_app import backup_app
from pulvinar.cli.collection_app import collection_app
from pulvinar.cli.errors import exit_code, tell
from pulvinar.cli.job_app import job_app, rule_app
from pulvinar.cli.mark_app import mark_app
from pulvinar.cli.measure_app import measure_app
from pulvinar.cli.metadata_app import metadata_app
from pulvinar.cli.movie_app import movie_app
from pulvinar.cli.options import (
    Axes,
    BasisOption,
    Form,
    FormatChoice,
    Json,
    Kind,
    ManifestChoice,
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
from pulvinar.cli.people_app import people_app
from pulvinar.cli.transform_app import transform_app
from pulvinar.errors import PulvinarError

if TYPE_CHECKING:
    from pulvinar.platform import Platform

app = typer.Typer(
    name="pulvinar",
    help="A data platform for brain atlases: raw data in, verified chunked volumes, a catalogue and a viewer out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
samples_app = typer.Typer(help="Public data sets that can be fetched by name.", no_args_is_help=True)
app.add_typer(samples_app, name="samples")
app.add_typer(metadata_app)
app.add_typer(people_app)
app.add_typer(atlas_app, name="atlas")
app.add_typer(transform_app, name="transform")
app.add_typer(job_app, name="job")
app.add_typer(rule_app, name="rule")
app.add_typer(sign_in_app)
app.add_typer(accounts_app, name="accounts")
app.add_typer(access_app, name="access")
app.add_typer(request_app, name="request")
app.add_typer(agreement_app, name="agreement")
app.add_typer(organisations_app, name="organisations")
app.add_typer(audit_app, name="audit")
app.add_typer(mark_app, name="marks")
app.add_typer(collection_app, name="collection")
app.add_typer(measure_app, name="measure")
app.add_typer(movie_app)
app.add_typer(backup_app)


def run() -> None:
    """Run the command line: errors become one message, a hint and an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # who started this process may have it ignore them
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        app(standalone_mode=True)
    except PulvinarError as error:
        tell(error)
        sys.exit(exit_code(error))
    except _Interrupted as interrupted:
        print("pulvinar: interrupted; the same command goes on from what is finished", file=sys.stderr)
        sys.exit(128 + interrupted.number)


class _Interrupted(BaseException):
    """A signal asks the process to end, and it cleans up first. No `KeyboardInterrupt`, of which typer says nothing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _interrupt(number: int, frame: object) -> None:
    raise _Interrupted(number)


@app.command()
def card(
    solution: Annotated[str, typer.Argument(help="Name of a solution; without it, the cards of all are listed.")] = "",
    samples: Annotated[Path | None, typer.Option(help="Folder of the samples to measure on.")] = None,
    json: Json = False,
) -> None:
    """Show the accuracy cards of solutions, or measure one again and compare it with its card."""
    from pulvinar.cli.cards import check_card, list_cards

    if solution:
        check_card(solution, samples, as_json=json)
    else:
        list_cards(as_json=json)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command(hidden=True)
def receive() -> None:
    """Look at what was handed in, and bring in what was submitted, until nothing waits. A server does it by itself."""
    from pulvinar.cli.uploads import receive as receive_all

    receive_all()


@app.command()
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


@app.command("list")
def list_command(
    query: Annotated[str, typer.Argument(help="Words to look for, English or Chinese.")] = "",
    species: Annotated[str, typer.Option(help="Only this species.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    json: Json = False,
) -> None:
    """List datasets, newest first."""
    from pulvinar.cli.verbs import show_list

    show_list(query, species, limit, as_json=json)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help='A question, as: neuron species:mouse region:"CA1" resolution:<2um')],
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=200)] = 50,
    manifest: Annotated[
        ManifestChoice | None,
        typer.Option(help="List every file of what is found, for wget, aria2 or another program."),
    ] = None,
    json: Json = False,
) -> None:
    """Find volumes, neurons, tables: by words, fields, regions and places, in Chinese or English.

    Fields: species modality stain licence lab kind has region soma end atlas homologues resolution date, and
    within:300um of:(x,y,z)@space, within:300um of:"region", box:(x,y,z)..(x,y,z)@space. Quotes hold a phrase, - takes
    away, OR stands between two of which one is enough. A region means itself and all below it, in every atlas that has
    it by this or a common name.
    """
    from pulvinar.catalogue.result_manifest import ManifestFormat
    from pulvinar.cli.search import show_search

    show_search(query, limit, manifest=ManifestFormat(manifest.value) if manifest else None, as_json=json)


@app.command()
def reindex(json: Json = False) -> None:
    """Make the search anew from what the catalogue says: after an upgrade, or when something isn't found."""
    from pulvinar.cli.search import run_reindex

    run_reindex(as_json=json)


@app.command()
def show(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")],
    version: Annotated[int | None, typer.Option(help="Number of a version; without it, the newest.")] = None,
    manifest: Annotated[bool, typer.Option("--manifest", help="Print the manifest as JSON.")] = False,
    as_format: Annotated[
        FormatChoice | None, typer.Option("--as", help="Print its metadata in the words of another standard.")
    ] = None,
    json: Json = False,
) -> None:
    """Show a dataset: its record, its assets, their findings."""
    from pulvinar.cli.metadata import show_metadata
    from pulvinar.cli.verbs import show_dataset

    if as_format is not None:
        show_metadata(dataset, version, as_format.value)
        return
    show_dataset(dataset, version, manifest=manifest, as_json=json)


@app.command()
def remove(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")],
    asset: Annotated[str, typer.Argument(help="Name or identifier of one of its assets.")],
    json: Json = False,
) -> None:
    """Take an asset out of the draft version of a dataset, which is opened where there is none.

    What is published keeps it; the bytes of what no version has are removed by a sweep.
    """
    from pulvinar.cli.verbs import remove_from_draft

    remove_from_draft(dataset, asset, as_json=json)


@app.command()
def publish(dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")], json: Json = False) -> None:
    """Publish the draft version of a dataset: it never changes from then on."""
    from pulvinar.cli.verbs import publish_draft

    publish_draft(dataset, as_json=json)


@app.command()
def compare(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")],
    before: Annotated[int, typer.Argument(help="Number of the one version.", min=1)],
    after: Annotated[int, typer.Argument(help="Number of the other.", min=1)],
    json: Json = False,
) -> None:
    """Say what differs between two versions: in the record, by asset, and by file."""
    from pulvinar.cli.versions import show_comparison

    show_comparison(dataset, before, after, as_json=json)


@app.command()
def withdraw(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")],
    number: Annotated[int, typer.Argument(help="Number of the version.", min=1)],
    reason: Annotated[str, typer.Option(help="Why: everybody reads it who may see the dataset.")],
    replaced_by: Annotated[
        str, typer.Option(help="Number of another version, identifier of a dataset, a DOI or an https:// address.")
    ] = "",
) -> None:
    """Give the data of a published version out no more; a page that tells why stands in its place. For good."""
    from pulvinar.cli.versions import withdraw_version

    withdraw_version(dataset, number, reason, replaced_by)


@app.command()
def register(
    earlier: Annotated[
        bool, typer.Option("--earlier", help="Also of versions that were published before there was an account.")
    ] = False,
    json: Json = False,
) -> None:
    """Register the DOIs of published versions at DataCite now, and hide those of withdrawn ones; servers do so, too."""
    from pulvinar.cli.versions import register_dois

    register_dois(earlier=earlier, as_json=json)


@app.command()
def verify(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every dataset, one after the other.")] = False,
    json: Json = False,
) -> None:
    """Re-read every stored object of a dataset and name each one that is damaged or missing."""
    from pulvinar.cli.verbs import run_verify

    if bool(dataset) == everything:
        raise typer.BadParameter("name one dataset, or give --all")
    run_verify(dataset, as_json=json)


@app.command()
def sweep(
    grace_hours: Annotated[float, typer.Option(help="Leave alone what is younger.", min=0)] = 24,
    abandon_days: Annotated[
        float, typer.Option(help="Give up unfinished ingests that nobody has worked on for so long.", min=0)
    ] = 30,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove stored objects that no asset and no unfinished ingest owns."""
    from pulvinar.cli.verbs import run_sweep

    run_sweep(grace_hours, abandon_days, dry=dry, as_json=json)


@app.command()
def anchor(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset; without it, every one.")] = "",
    atlas: Annotated[str, typer.Option(help="Only in this atlas.")] = "",
    stale: Annotated[
        bool, typer.Option("--stale", help="Only datasets with an anchor older than what is installed of its atlas.")
    ] = False,
    json: Json = False,
) -> None:
    """Compute anew where assets lie in the installed atlases: after one was installed, or came in another version."""
    from pulvinar.cli.verbs import run_anchor

    run_anchor(dataset, atlas, stale=stale, as_json=json)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    work: Annotated[bool, typer.Option("--work", help="Run what is queued, too, as pulvinar work does.")] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes that answer; 0: one a processor core, at most four.", min=0)
    ] = None,
) -> None:
    """Serve the portal, the API and the chunks."""
    from contextlib import nullcontext

    from pulvinar.cli.jobs import working
    from pulvinar.cli.uploads import receiving
    from pulvinar.cli.verbs import serve_platform

    platform = _platform(host, port, workers)
    with working() if work else nullcontext(), receiving(platform):
        serve_platform(platform, platform.settings.resolved_workers())


@app.command()
def work(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End when nothing is left to do.")] = False,
) -> None:
    """Run what is queued, on the engine that the settings name. Any number may run, on any machine."""
    from pulvinar.cli.jobs import work as work_on

    work_on(until_idle=until_idle)


@app.command()
def rerun(
    asset: Annotated[str, typer.Argument(help="Identifier of an asset that a job made.")], json: Json = False
) -> None:
    """Make an asset once more, from the same inputs with the same parameters, beside the first."""
    from pulvinar.cli.jobs import make_again

    make_again(asset, as_json=json)


@app.command()
def demo(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Bring the brains in and stop.")] = False,
) -> None:
    """Bring in real brains from installed packages (and the samples folder, where there is one), and serve them."""
    from pulvinar.cli.demo import bring_in_brains
    from pulvinar.cli.jobs import working
    from pulvinar.cli.uploads import receiving
    from pulvinar.cli.verbs import serve_platform

    platform = _platform(host, port)
    all_shown = bring_in_brains(platform)
    if not no_serve:
        with working(), receiving(platform):
            serve_platform(platform)
    if not all_shown:
        raise typer.Exit(1)


@app.command()
def settings(json: Json = False) -> None:
    """List every setting: its value, its environment variable, what it does."""
    from pulvinar.cli.verbs import show_settings

    show_settings(as_json=json)


@samples_app.command("list")
def samples_list(json: Json = False) -> None:
    """List the public data sets that can be fetched."""
    from pulvinar.cli.samples import show_samples

    show_samples(as_json=json)


@samples_app.command("fetch")
def samples_fetch(
    name: Annotated[str, typer.Argument(help="A name of the list.")],
    to: Annotated[Path | None, typer.Option(help="Folder to put it into; without it, the platform's home.")] = None,
) -> None:
    """Fetch a public data set by its address and check its SHA-256."""
    from pulvinar.cli.samples import fetch_sample

    print(fetch_sample(name, to))


def _platform(host: str | None, port: int | None, workers: int | None = None) -> Platform:
    from pulvinar.platform import open_platform
    from pulvinar.settings import load_settings

    return open_platform(load_settings(host=host, port=port, workers=workers))
