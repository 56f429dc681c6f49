"""The commands on datasets that are there: `pulvinar list`, `search`, `show`, `publish` and their kin."""

from __future__ import annotations

from typing import Annotated

import typer

from pulvinar.cli.options import FormatChoice, Json, ManifestChoice

catalogue_app = typer.Typer()


@catalogue_app.command("list")
def list_command(
    query: Annotated[str, typer.Argument(help="Words to look for, English or Chinese.")] = "",
    species: Annotated[str, typer.Option(help="Only this species.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    json: Json = False,
) -> None:
    """List datasets, newest first."""
    from pulvinar.cli.verbs import show_list

    show_list(query, species, limit, as_json=json)


@catalogue_app.command()
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


@catalogue_app.command()
def reindex(json: Json = False) -> None:
    """Make the search anew from what the catalogue says: after an upgrade, or when something isn't found."""
    from pulvinar.cli.search import run_reindex

    run_reindex(as_json=json)


@catalogue_app.command()
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


@catalogue_app.command()
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


@catalogue_app.command()
def publish(dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")], json: Json = False) -> None:
    """Publish the draft version of a dataset: it never changes from then on."""
    from pulvinar.cli.verbs import publish_draft

    publish_draft(dataset, as_json=json)


@catalogue_app.command()
def compare(
    dataset: Annotated[str, typer.Argument(help="Identifier of a dataset.")],
    before: Annotated[int, typer.Argument(help="Number of the one version.", min=1)],
    after: Annotated[int, typer.Argument(help="Number of the other.", min=1)],
    json: Json = False,
) -> None:
    """Say what differs between two versions: in the record, by asset, and by file."""
    from pulvinar.cli.versions import show_comparison

    show_comparison(dataset, before, after, as_json=json)


@catalogue_app.command()
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


@catalogue_app.command()
def register(
    earlier: Annotated[
        bool, typer.Option("--earlier", help="Also of versions that were published before there was an account.")
    ] = False,
    json: Json = False,
) -> None:
    """Register the DOIs of published versions at DataCite now, and hide those of withdrawn ones; servers do so, too."""
    from pulvinar.cli.versions import register_dois

    register_dois(earlier=earlier, as_json=json)


@catalogue_app.command()
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
