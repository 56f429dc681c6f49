"""What an ingest does with people's data: identifiers are left out, and what may show a face is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulvinar.catalogue.quarantine import hold
from pulvinar.ingest.people.identifiers import Identifier, IdentifierKind
from pulvinar.ingest.people.in_sandbox import identifiers_of
from pulvinar.ingest.people.stored import refuse_originals, refuse_traces, safe_asset
from pulvinar.ingest.reader import FoundAsset
from pulvinar.ingest.request import Originals, Request
from pulvinar.ingest.sandbox import ReaderHost
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.quarantine import Basis, Face, Identifiers
from pulvinar.model.record import Record
from pulvinar.model.volume import VolumeKind, volume_from_json

if TYPE_CHECKING:
    from pulvinar.access.work import UnitOfWork

_HEAD_UM = 60_000.0
"""From this extent on along every side, a volume may show a face: a piece of tissue under a microscope doesn't."""


@dataclass(frozen=True)
class People:
    """What was `found`, as it may be stored, and what the files said of whom: `basis` is what the submitter stated."""

    found: tuple[FoundAsset, ...]
    identifiers: tuple[Identifier, ...]
    basis: Basis | None

    @property
    def names_somebody(self) -> bool:
        """Whether the files say who it is: words that may be a program's don't count."""
        return any(one.kind is not IdentifierKind.FREE for one in self.identifiers)

    def hold(self, work: UnitOfWork, assets: Sequence[Asset]) -> None:
        """Put the heads among `assets` into quarantine, or write down why they need none.

        Files that name a person speak against whoever says that they are anonymous: their heads are held all the same.
        """
        said = Identifiers.FOUND if self.names_somebody else Identifiers.NONE
        waived = self.basis is not None and not (self.names_somebody and self.basis is not Basis.CONSENT)
        for asset in filter(may_show_face, assets):
            hold(work, asset.id, said, Face.UNKNOWN, self.basis, held=not waived)


def without_identifiers(
    host: ReaderHost, names: Sequence[str], found: Sequence[FoundAsset], record: Record, request: Request
) -> People:
    """`found` as it may be stored; `names` are all files that were handed in.

    Raises `Invalid` where names or the record say who it is, and where files are to be kept that do.
    """
    safe = tuple(safe_asset(one, is_named=bool(request.name)) for one in found)
    identifiers = identifiers_of(host, names)
    refuse_traces(safe, record, request.path.name, identifiers)
    if request.originals is Originals.KEEP:
        refuse_originals(identifiers)
    return People(safe, identifiers, request.basis)


def may_show_face(asset: Asset) -> bool:
    """Whether an asset is an image as large as a head."""
    if asset.kind is not AssetKind.VOLUME:
        return False
    volume = volume_from_json(asset.details["volume"])
    if volume.kind is not VolumeKind.IMAGE:
        return False
    return all(n * um >= _HEAD_UM for n, um in zip(volume.shape[2:], volume.voxel_size_um, strict=True))
