"""An index of words in which a few rows are many, so that a test goes the ways of a large one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from pulvinar.catalogue import postings, word_index, word_shares, words_in_sqlite
from pulvinar.catalogue.word_index import WordIndex

_SMALL = {
    postings: {"_WINDOW": 2, "_MOST_WINDOW": 3, "_PORTION": 2, "_MOST_READ": 4},
    words_in_sqlite: {"_PREFIX_LISTS": 1, "_MOST_BEGINNINGS": 2, "_MANY": 1},
    word_shares: {"_READING": 0.5},
}


@contextmanager
def index_sizes(*, small: bool) -> Iterator[None]:
    """As they are, or `small`."""
    with ExitStack() as ending:
        if small:
            ending.enter_context(patch.dict(word_index.BLOCK, dict.fromkeys(WordIndex, 3)))
            for module, sizes in _SMALL.items():
                ending.enter_context(patch.multiple(module, **sizes))
        yield
