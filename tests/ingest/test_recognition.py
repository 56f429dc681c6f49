"""One damaged file hides no other, whatever the reader that it stops was doing."""

from pathlib import Path

import pytest

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import FoundAsset, Options, SourceFile
from pulvinar.ingest.recognition import _MOST, recognise
from pulvinar.model.dataset import AssetKind


def files(*names):
    return [SourceFile(Path("/in") / name, name, 1, b"") for name in names]


class Claims:
    """Claims files by their ending; those with "bad" in their name stop it, in its own words or in a library's."""

    def __init__(self, ending, priority=1, error=None):
        self.ending, self.name, self.priority, self.error = ending, ending, priority, error

    def find(self, given, options):
        for file in given:
            if not file.name.endswith(self.ending):
                continue
            if "bad" in file.name:
                raise self.error or UnreadableFile(f"{file.name} is cut off")
            yield FoundAsset(self.name, file.name, file.name, AssetKind.TABLE, (file.name,))


def asked(readers, *names):
    found, unreadable = recognise(readers, files(*names), Options())
    return [asset.name for asset in found], [name for name, _ in unreadable]


def test_what_comes_behind_a_damaged_file_is_found():
    assert asked([Claims("a"), Claims("b", 2)], "1.a", "bad.a", "2.a", "verybad.a", "1.b") == (
        ["1.a", "2.a", "1.b"],
        ["bad.a", "verybad.a"],
    )


def test_a_damaged_file_is_left_to_no_other_reader():
    assert asked([Claims("a"), Claims("bad.a", 2, ValueError("never"))], "bad.a") == ([], ["bad.a"])


def test_the_longest_name_in_a_message_is_meant():
    assert asked([Claims("a")], "d.a", "bad.a") == (["d.a"], ["bad.a"])


def test_the_file_behind_an_error_that_names_none_is_found():
    assert asked([Claims("a", error=ValueError("no"))], "1.a", "bad.a", "2.a") == (["1.a", "2.a"], ["bad.a"])


def test_what_no_file_can_be_blamed_for_is_raised():
    with pytest.raises(UnreadableFile, match="nameless"):
        asked([Claims("a", error=UnreadableFile("nameless"))], "bad.a")


def test_of_very_many_damaged_files_not_each_is_looked_for():
    with pytest.raises(UnreadableFile):
        asked([Claims("a")], *(f"bad{number}.a" for number in range(_MOST + 1)))
