"""What the commands about collections do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pulvinar.cli.show import dataset_row, dataset_to_json, print_json, print_table
from pulvinar.cli.verbs import opened

if TYPE_CHECKING:
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.collections import Collection


def show_collections(dataset: str, *, as_json: bool) -> None:
    """`pulvinar collection list`."""
    from pulvinar.catalogue.collections import list_collections

    with opened() as platform:
        found = list_collections(platform.database, platform.actor, dataset_id=dataset or None)
    if as_json:
        print_json([_told(one) for one in found])
        return
    rows = [(one.id, one.title, str(one.count), "everyone" if one.is_public else "") for one in found]
    print_table(rows, ("collection", "title", "datasets", "seen by"))


def show_collection(collection: str, *, as_json: bool) -> None:
    """`pulvinar collection show`."""
    from pulvinar.catalogue.collections import get_collection

    with opened() as platform:
        found, datasets = get_collection(platform.database, platform.actor, collection)
    if as_json:
        print_json({**_told(found), "datasets": [dataset_to_json(one) for one in datasets]})
        return
    print(f"{found.title}  ({'everyone sees it' if found.is_public else 'not public'})")
    if found.description:
        print(found.description)
    for one in datasets:
        print("  " + "  ".join(str(cell) for cell in dataset_row(one)))


def make_collection(title: str, description: str, datasets: Sequence[str]) -> None:
    """`pulvinar collection make`."""
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue import collections

    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        made = collections.make_collection(work, title, description, node=platform.settings.node)
        for one in datasets:
            collections.add_dataset(work, made, one)
    print(made)


def describe_collection(collection: str, title: str, description: str) -> None:
    """`pulvinar collection describe`."""
    from pulvinar.catalogue import collections

    _change(lambda work: collections.describe_collection(work, collection, title, description))


def change_datasets(collection: str, datasets: Sequence[str], *, take_out: bool) -> None:
    """`pulvinar collection add` and `pulvinar collection remove`."""
    from pulvinar.catalogue import collections

    change = collections.remove_dataset if take_out else collections.add_dataset

    def each(work: UnitOfWork) -> None:
        for one in datasets:
            change(work, collection, one)

    _change(each)


def set_audience(collection: str, *, private: bool) -> None:
    """`pulvinar collection share`."""
    from pulvinar.access.visibility import EVERYONE
    from pulvinar.catalogue import collections
    from pulvinar.model.access import Right

    if private:
        _change(lambda work: collections.unshare_collection(work, collection, EVERYONE))
    else:
        _change(lambda work: collections.share_collection(work, collection, EVERYONE, Right.READ))


def delete_collection(collection: str) -> None:
    """`pulvinar collection delete`."""
    from pulvinar.catalogue import collections

    _change(lambda work: collections.delete_collection(work, collection))


def _change(change: Callable[[UnitOfWork], None]) -> None:
    """Make one change, as a whole or not at all."""
    from pulvinar.access.work import UnitOfWork

    with opened() as platform, UnitOfWork(platform.database, platform.actor) as work:
        change(work)


def _told(one: Collection) -> dict[str, Any]:
    return {**vars(one), "changed": one.changed.isoformat(), "right": one.right.name.lower()}
