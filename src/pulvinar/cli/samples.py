"""Public data sets by name: a short list with address, SHA-256 and licence, fetched through pooch."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from pulvinar.cli.show import print_json, print_table, size
from pulvinar.errors import Corrupt, NotFound, Unavailable


def known_samples() -> dict[str, dict[str, Any]]:
    """The list of public data sets, by name."""
    text = (files("pulvinar") / "demo" / "samples.toml").read_text("utf-8")
    return tomllib.loads(text)


def show_samples(*, as_json: bool) -> None:
    """Print the list."""
    samples = known_samples()
    if as_json:
        print_json(samples)
        return
    rows = [[name, size(item["size_bytes"]), item["licence"], item["title"]] for name, item in samples.items()]
    print_table(rows, ["name", "size", "licence", "what"])


def fetch_sample(name: str, to: Path | None) -> str:
    """Fetch `name` into folder `to` (default: `samples` in the platform's home) and say how to bring it in.

    Raises `NotFound` for a name that is not listed, `Unavailable` when its address does not answer, `Corrupt` when what
    came is not what was published.
    """
    samples = known_samples()
    if name not in samples:
        raise NotFound(f"no public data set is named {name!r}", hint=f"known: {', '.join(samples)}")
    item = samples[name]
    path = _retrieve(item, to or _home() / "samples")
    return f"{path}\n  licence {item['licence']}\n  next: pulvinar ingest {path} {item['ingest']}"


def _retrieve(item: dict[str, Any], folder: Path) -> Path:
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    try:
        got = pooch.retrieve(item["url"], known_hash=f"sha256:{item['sha256']}", fname=item["file"], path=folder)
    except ValueError as error:  # pooch says so of a wrong hash
        raise Corrupt(f"{item['url']} does not have the published SHA-256", hint="try again, or report it") from error
    except (requests.RequestException, OSError) as error:
        raise Unavailable(
            f"{item['url']} can't be reached: {type(error).__name__}", hint="is this machine connected to the internet?"
        ) from error
    return Path(got)


def _home() -> Path:
    from pulvinar.settings import load_settings

    return load_settings().home
