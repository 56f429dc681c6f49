"""What was seen of a source when it was indexed, as one small text, and what has changed since.

A line an object: size, tag, SHA-256 of what was read whole (its metadata), "-" else, and path, with tabs between. The
text is an object of the asset itself, so that the asset's digest, and the version's, covers it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pulvinar.errors import Corrupt, NotFound, TooLarge
from pulvinar.storage.external import ExternalSource, Seen

STATE_PATH = "source/objects.tsv"
MOST_LISTED = 2_000_000
_COMPLETE, _SAMPLED = "all objects", "some objects"
DOCUMENT_BYTES = 16 << 20


@dataclass(frozen=True)
class SourceState:
    """Objects by path, those of `documents` (path to SHA-256) read whole; `complete`: there were no others."""

    objects: Mapping[str, Seen]
    documents: Mapping[str, str]
    complete: bool

    @property
    def size_bytes(self) -> int:
        """Of all objects that were seen."""
        return sum(item.size_bytes for item in self.objects.values())

    def to_text(self) -> bytes:
        """The state as it is stored."""
        lines = [f"# {_COMPLETE if self.complete else _SAMPLED}"]
        for path, item in sorted(self.objects.items()):
            tag = item.tag.replace("\t", " ").replace("\n", " ")
            lines.append(f"{item.size_bytes}\t{tag}\t{self.documents.get(path, '-')}\t{path}")
        return ("\n".join(lines) + "\n").encode()


def state_from_text(text: bytes) -> SourceState:
    """The state that `to_text` wrote; raises `Corrupt` for anything else."""
    first, *lines = text.decode("utf-8", "replace").rstrip("\n").split("\n")
    objects, documents = {}, {}
    try:
        for line in lines:
            size, tag, digest, path = line.split("\t", 3)
            objects[path] = Seen(path, int(size), tag)
            if digest != "-":
                documents[path] = digest
    except ValueError as error:
        raise Corrupt(f"what is stored of the state of a source is damaged: {error}") from error
    return SourceState(objects, documents, first == f"# {_COMPLETE}")


def see(source: ExternalSource, documents: Mapping[str, bytes], some: Iterable[str]) -> SourceState:
    """The state of a source now: every object where it can be listed, else `documents` and `some` others that are
    there. Raises `TooLarge` for more objects than are listed."""
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in documents.items()}
    listed = source.list()
    if listed is None:
        return SourceState({path: source.look(path) for path in digests} | _look(source, some), digests, complete=False)
    objects: dict[str, Seen] = {}
    for item in listed:
        # a tab or a line's end in a name would be read back as something else
        if item.path.isprintable():
            objects[item.path] = item
        if len(objects) > MOST_LISTED:
            raise TooLarge(
                f"{source.url} has more than {MOST_LISTED:,} objects", hint="have it written in shards, or ingest it"
            )
    return SourceState(objects, digests, complete=True)


def _look(source: ExternalSource, paths: Iterable[str]) -> dict[str, Seen]:
    found = {}
    for path in paths:
        try:
            found[path] = source.look(path)
        except NotFound:
            continue
    return found


def changes(source: ExternalSource, before: SourceState) -> Iterator[tuple[str, str]]:
    """Paths of what is not as it was seen, each with how. Raises `Unavailable` when the source does not answer.

    Metadata is read whole and compared by its SHA-256; of other objects, size and tag are.
    """
    for path, digest in before.documents.items():
        try:
            found = hashlib.sha256(source.read(path, most=DOCUMENT_BYTES).data).hexdigest()
        except (NotFound, TooLarge) as error:
            yield path, "is gone" if isinstance(error, NotFound) else "has changed"
            continue
        if found != digest:
            yield path, "has changed: it does not have the SHA-256 that was seen"
    others = [path for path in before.objects if path not in before.documents]
    listed = source.list() if before.complete else None
    now = _look(source, others) if listed is None else {item.path: item for item in listed if item.path.isprintable()}
    for path in others:
        yield from ((path, how) for how in _difference(before.objects[path], now.get(path)))
    if before.complete:
        yield from ((path, "is new") for path in now if path not in before.objects)


def _difference(before: Seen, now: Seen | None) -> Iterator[str]:
    if now is None:
        yield "is gone"
    elif now.size_bytes != before.size_bytes:
        yield f"has {now.size_bytes} bytes, {before.size_bytes} were seen"
    elif now.tag != before.tag:
        yield f"has changed since it was seen ({before.tag}, now {now.tag})"
