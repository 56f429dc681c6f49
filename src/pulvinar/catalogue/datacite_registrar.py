"""DOIs of DataCite, through its own client of the REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pulvinar.errors import Invalid, PulvinarError, Unavailable

_TIMEOUT_S = 30


class DataCite:
    """An account at DataCite. `url` is its REST API; DataCite's test system is https://api.test.datacite.org."""

    def __init__(self, url: str, user: str, password: str, prefix: str) -> None:
        from datacite import DataCiteRESTClient

        self.prefix = prefix
        self._client = DataCiteRESTClient(user, password, prefix, url=url, timeout=_TIMEOUT_S)

    def register(self, doi: str, metadata: Mapping[str, Any], url: str) -> None:
        """Register a DOI, findable; where it is there already, say the same of it again."""
        attributes = {**metadata, "doi": doi, "prefix": self.prefix, "url": url, "event": "publish"}
        try:
            _asked(doi, lambda: self._client.public_doi(dict(attributes), url, doi))
        except _Taken:
            _asked(doi, lambda: self._client.put_doi(doi, {"attributes": attributes, "type": "dois"}))

    def hide(self, doi: str) -> None:
        """Take a DOI out of DataCite's index."""
        _asked(doi, lambda: self._client.hide_doi(doi))


class _Taken(Invalid):
    """DataCite has the DOI already."""


def _asked(doi: str, ask: Callable[[], object]) -> None:
    from datacite.errors import DataCiteError, DataCiteRequestError, HttpError

    try:
        ask()
    except HttpError as error:
        raise Unavailable(f"DataCite does not answer: {error}") from error
    except DataCiteError as error:
        raise _refusal(doi, error, isinstance(error, DataCiteRequestError)) from error


def _refusal(doi: str, error: Exception, ours: bool) -> PulvinarError:
    text = " ".join(str(error).split())[:300]
    if "already been taken" in text:
        return _Taken(f"DataCite has {doi} already")
    if not ours:
        return Unavailable(f"DataCite can't take {doi} now: {text}")
    return Invalid(f"DataCite refuses {doi}: {text}", hint="are account and prefix right? see pulvinar settings")
