import sys
from importlib.metadata import EntryPoint

import pytest

from pulvinar import extensions
from pulvinar.errors import Conflict, NotFound, Unavailable
from pulvinar.extensions import Registry


def registry_of(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> Registry[object]:
    found = [EntryPoint(name, value, "pulvinar.reader") for name, value in entries]
    monkeypatch.setattr(extensions, "entry_points", lambda group: found if group == "pulvinar.reader" else [])
    return Registry("reader")


def test_names_are_listed_without_importing(monkeypatch: pytest.MonkeyPatch):
    registry = registry_of(monkeypatch, ("this", "antigravity:x"), ("other", "json:loads"))
    assert list(registry) == ["other", "this"]
    assert "antigravity" not in sys.modules
    assert registry["other"] is __import__("json").loads


def test_a_name_claimed_twice_is_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch):
    registry = registry_of(monkeypatch, ("tiff", "json:loads"), ("tiff", "json:dumps"))
    with pytest.raises(Conflict, match=r"json:loads and json:dumps"):
        list(registry)


def test_a_broken_plugin_is_reported_and_skipped(monkeypatch: pytest.MonkeyPatch):
    registry = registry_of(monkeypatch, ("good", "json:loads"), ("bad", "no_such_module:thing"))
    assert set(registry.working()) == {"good"}
    assert "no_such_module" in registry.broken["bad"]
    with pytest.raises(Unavailable, match="bad"):
        registry["bad"]


def test_an_unknown_name_says_what_is_known(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(NotFound) as caught:
        registry_of(monkeypatch, ("nifti", "json:loads"))["nifty"]
    assert "nifti" in caught.value.hint
