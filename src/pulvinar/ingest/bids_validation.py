"""What the official BIDS validator says of the trees among what was handed in.

It is a program of its own (`bids-validator-deno`, an optional package), which no reader process may start. So it runs
beside it, behind the same kind of walls: it can read the tree and itself, write a scratch folder, and reach no network.
Run as `python -m pulvinar.ingest.bids_validation SCRATCH TREE` it gives up its rights and becomes the validator.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from pulvinar.ingest import landlock
from pulvinar.ingest.progress import Progress, Silent, watched
from pulvinar.ingest.reader import Finding, FoundAsset, Severity
from pulvinar.ingest.readers.bids_names import DESCRIPTION
from pulvinar.model.text import plain, short

_BIDS = "bids"
_LONGEST_S, _MEMORY_BYTES, _LARGEST_ANSWER = 600, 8 << 30, 64 << 20
_MOST_KINDS, _NAMED = 20, 3
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/dev/urandom", "/proc", "/sys/devices")


def with_validation(
    found: Sequence[FoundAsset], root: Path, scratch: Path, progress: Progress | None = None
) -> list[FoundAsset]:
    """`found`, where the first asset of each BIDS dataset below `root` has what the validator says of the dataset."""
    said: dict[str, tuple[Finding, ...]] = {}
    checked = []
    for asset in found:
        tree = _tree(asset)
        if tree is not None and not any(tree == known or f"{tree}/".startswith(f"{known}/") for known in said):
            with watched(progress or Silent(), "validating as BIDS"):
                said[tree] = tuple(validate(root / tree, scratch))
            asset = replace(asset, findings=(*asset.findings, *said[tree]))
        checked.append(asset)
    return checked


def _tree(asset: FoundAsset) -> str | None:
    """The dataset's folder, relative to what was handed in; None for an asset of another reader."""
    if asset.reader != _BIDS:
        return None
    return next((name[: -len(DESCRIPTION)].rstrip("/") for name in asset.files if name.endswith(DESCRIPTION)), None)


def validate(tree: Path, scratch: Path) -> Iterator[Finding]:
    """What the validator says of `tree`: a doubt for each kind of error, one note for all that it recommends."""
    if _validator() is None:
        text = "the BIDS validator is not installed (pip install 'pulvinar[bids]'): the tree was not validated"
        yield Finding(Severity.NOTE, text)
        return
    answer, reason = _asked(tree, scratch)
    if reason:
        yield Finding(Severity.DOUBT, f"the BIDS validator gave no answer: {reason}")
        return
    yield from _findings(answer)


def _asked(tree: Path, scratch: Path) -> tuple[dict[str, Any], str]:
    """The validator's answer, or why there is none."""
    command = [sys.executable, "-P", "-m", "pulvinar.ingest.bids_validation"]
    with tempfile.TemporaryDirectory(dir=scratch) as own, tempfile.TemporaryFile(dir=scratch) as out:
        bare = {"PATH": "/usr/bin:/bin", "HOME": own, "DENO_DIR": own, "NO_COLOR": "1", "TMPDIR": own}
        try:
            ended = subprocess.run(
                [*command, own, str(tree.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env=bare,
                cwd=own,
                timeout=_LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {}, f"it took more than {_LONGEST_S} seconds"
        out.seek(0)
        try:
            answer = json.loads(out.read(_LARGEST_ANSWER))
            assert isinstance(answer["issues"]["issues"], list)
        except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
            words = ended.stderr[-2000:].decode("utf-8", "replace").strip().splitlines()
            return {}, short(plain(words[0]), 200) if words else f"it ended with code {ended.returncode}"
    return answer, ""


def _findings(answer: dict[str, Any]) -> Iterator[Finding]:
    """One finding a kind of error, with the files; recommendations are counted only, for there are always many."""
    errors: dict[str, list[str]] = {}
    hints: set[str] = set()
    for issue in answer["issues"]["issues"]:
        if not isinstance(issue, dict):
            continue
        kind = " ".join(plain(issue[key]) for key in ("code", "subCode") if issue.get(key))
        if issue.get("severity") == "error":
            errors.setdefault(kind, []).append(plain(issue.get("location", "")).lstrip("/"))
        else:
            hints.add(kind)
    for kind, files in list(errors.items())[:_MOST_KINDS]:
        more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        yield Finding(Severity.DOUBT, f"the BIDS validator finds {kind}: {', '.join(files[:_NAMED])}{more}")
    if len(errors) > _MOST_KINDS:
        text = f"the BIDS validator finds {len(errors) - _MOST_KINDS} more kinds of errors"
        yield Finding(Severity.DOUBT, text)
    if hints:
        yield Finding(Severity.NOTE, f"the BIDS validator has {len(hints)} recommendations")
    if not errors:
        yield Finding(Severity.NOTE, "the BIDS validator finds no error")


def _validator() -> tuple[Path, Path] | None:
    """The program that runs it and the script that it is; None where they are not installed."""
    paths = []
    for package, name in (("deno", "deno"), ("bids-validator-deno", "bids-validator.js")):
        try:
            listed = metadata.distribution(package).files or []
        except metadata.PackageNotFoundError:
            return None
        paths += [Path(str(file.locate())).resolve() for file in listed if file.name == name]
    return (paths[0], paths[1]) if len(paths) == 2 and all(path.is_file() for path in paths) else None


def _become_validator(scratch: Path, tree: Path) -> None:
    """Give up every right that validating needs not, and go on as the validator."""
    found = _validator()
    assert found is not None
    program, script = found
    landlock.die_with_parent()
    landlock.cut_network()
    landlock.restrict_files([program, script, tree, *map(Path, _LIBRARIES)], [scratch, Path("/dev/null")])
    landlock.drop_capabilities()
    landlock.limit_resources(_MEMORY_BYTES, _LONGEST_S, _LARGEST_ANSWER)
    # and by the program's own rules: what it may read is the tree; its own variables are all there are
    rules = ["--no-prompt", "--no-remote", "--allow-env", f"--allow-read={tree}", "--deny-net", "--deny-run"]
    os.execv(program, [str(program), "run", *rules, str(script), "--format", "json", str(tree)])


if __name__ == "__main__":
    _become_validator(Path(sys.argv[1]), Path(sys.argv[2]))
