"""The commands about collections: which there are, make one, put datasets into it, share it."""

from __future__ import annotations

from typing import Annotated

import typer

from pulvinar.cli.options import Json

collection_app = typer.Typer(no_args_is_help=True, help="Collections of datasets: list, make, add, share.")

CollectionId = Annotated[str, typer.Argument(help="Identifier of a collection.")]
DatasetIds = Annotated[list[str], typer.Argument(help="Identifiers of datasets.")]
Title = Annotated[str, typer.Argument(help="Its title.")]
Description = Annotated[str, typer.Option(help="What it is about.")]


@collection_app.command("list")
def list_them(
    dataset: Annotated[str, typer.Option(help="Only those that hold this dataset.")] = "", json: Json = False
) -> None:
    """List collections, changed last first."""
    from pulvinar.cli.collections import show_collections

    show_collections(dataset, as_json=json)


@collection_app.command()
def show(collection: CollectionId, json: Json = False) -> None:
    """Show a collection and its datasets, in its order."""
    from pulvinar.cli.collections import show_collection

    show_collection(collection, as_json=json)


@collection_app.command()
def make(
    title: Title,
    description: Description = "",
    add: Annotated[list[str] | None, typer.Option(help="A dataset to put into it; repeatable.")] = None,
) -> None:
    """Make a collection, which only you see until you share it, and print its identifier."""
    from pulvinar.cli.collections import make_collection

    make_collection(title, description, add or [])


@collection_app.command()
def describe(collection: CollectionId, title: Title, description: Description = "") -> None:
    """Give a collection another title and description."""
    from pulvinar.cli.collections import describe_collection

    describe_collection(collection, title, description)


@collection_app.command()
def add(collection: CollectionId, datasets: DatasetIds) -> None:
    """Put datasets at the end of a collection."""
    from pulvinar.cli.collections import change_datasets

    change_datasets(collection, datasets, take_out=False)


@collection_app.command()
def remove(collection: CollectionId, datasets: DatasetIds) -> None:
    """Take datasets out of a collection."""
    from pulvinar.cli.collections import change_datasets

    change_datasets(collection, datasets, take_out=True)


@collection_app.command()
def share(
    collection: CollectionId,
    private: Annotated[bool, typer.Option("--private", help="Show it to everyone no longer.")] = False,
) -> None:
    """Show a collection to everyone; of its datasets each sees those that they may see anyway."""
    from pulvinar.cli.collections import set_audience

    set_audience(collection, private=private)


@collection_app.command()
def delete(collection: CollectionId) -> None:
    """Have a collection be no more; its datasets stay."""
    from pulvinar.cli.collections import delete_collection

    delete_collection(collection)
