"""The manual of the running version: its Markdown files as pages, with their contents, and searched.

One source: the files of `docs/`, which the wheel carries. Raw HTML in them stays text, and an address can lead only to
a page, a file of the manual, or an http(s) site.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from pulvinar.errors import NotFound
from pulvinar.web.language import translations
from pulvinar.web.phrases import mark

FOLDERS = ("tutorials", "how-to", "reference")
WORDS = "reference/words"
FILES = "/static/manual"
"""Where pictures and other files of the manual are served."""
_LEVELS = ("h2", "h3")
_AROUND = 90
"""So many letters are shown before and after what a search found."""
MOST_FOUND = 30

CHAPTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (mark("To begin with"), ("tutorials/first-brain", "tutorials/finding-neurons")),
    (
        mark("For researchers"),
        ("tutorials/finding-neurons", "how-to/measuring", "tutorials/aligning-a-brain", "tutorials/counting-cells"),
    ),
    (mark("For those who hand data in"), ("tutorials/handing-in", "tutorials/describing-data")),
    (mark("For those who run a server"), ("tutorials/running-a-server", "how-to/backing-up")),
    (
        mark("To look things up"),
        (
            "reference/commands",
            "reference/settings",
            "reference/record",
            "reference/rules",
            "reference/terms",
            "reference/words",
        ),
    ),
)
MORE = mark("More")


@dataclass(frozen=True)
class Heading:
    """A heading below the title: its anchor, its words, 2 or 3."""

    anchor: str
    words: str
    level: int


@dataclass(frozen=True)
class Passage:
    """What stands below one heading, as plain words; the first of a page has the anchor ""."""

    anchor: str
    heading: str
    text: str


@dataclass(frozen=True)
class Page:
    """One document: `name` is its folder and file, `body` HTML, `language` what it is written in."""

    name: str
    language: str
    title: str
    summary: str
    body: str
    contents: tuple[Heading, ...]
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Find:
    """A passage that a search found; `around` is some of its text, in pieces: every second one was asked for."""

    page: Page
    passage: Passage
    around: tuple[str, ...]


@lru_cache
def root() -> Path:
    """The folder of the manual: in the installed package, or beside the sources."""
    packed = Path(__file__).parents[1] / "manual"
    return packed if packed.is_dir() else Path(__file__).parents[3] / "docs"


@lru_cache
def names() -> tuple[str, ...]:
    """The documents that there are, as `tutorials/first-brain`."""
    found = (path for folder in FOLDERS for path in sorted((root() / folder).glob("*.md")))
    return tuple(f"{path.parent.name}/{path.stem}" for path in found if path.suffixes == [".md"])


def chapters() -> list[tuple[str, list[str]]]:
    """The names of the documents by whom they are for; those that no chapter names come last."""
    known = names()
    listed = [(title, [one for one in pages if one in known]) for title, pages in CHAPTERS]
    told = {one for _, pages in listed for one in pages}
    rest = [one for one in known if one not in told]
    return [(title, pages) for title, pages in [*listed, (MORE, rest)] if pages]


@lru_cache
def page(name: str, language: str) -> Page:
    """A document in `language`, or in English where it has no other. Raises `NotFound`."""
    if name not in names():
        raise NotFound(f"the manual has no page {name}", hint="/manual lists all")
    twin = root() / f"{name}.{language}.md"
    spoken = language if twin.is_file() else "en"
    text = (twin if twin.is_file() else root() / f"{name}.md").read_text("utf-8")
    say = translations(language).gettext
    return _read(name, spoken, text, say("Copy code"), say("Copied"))


@dataclass(frozen=True)
class Word:
    """What a word of the portal means: `key` names it in every language, `anchor` in the document of this one."""

    key: str
    word: str
    text: str
    anchor: str


@lru_cache
def word(key: str, language: str) -> Word:
    """A word of `reference/words` by its English anchor: the documents of all languages have the same order."""
    at = [one.anchor for one in page(WORDS, "en").passages].index(key)
    found = page(WORDS, language).passages[at]
    return Word(key, found.heading, found.text, found.anchor)


def search(words: str, language: str) -> list[Find]:
    """The passages that have all of `words`, those first that have them in a heading or a title."""
    wanted = words.casefold().split()
    if not wanted:
        return []
    ranked = []
    for at, name in enumerate(names()):
        shown = page(name, language)
        for passage in shown.passages:
            weight = _weight(wanted, shown, passage)
            if weight:
                ranked.append((-weight, at, Find(shown, passage, _around(passage.text, wanted))))
    return [find for _, _, find in sorted(ranked, key=lambda one: one[:2])[:MOST_FOUND]]


def _weight(wanted: Sequence[str], shown: Page, passage: Passage) -> int:
    heading, text, title = passage.heading.casefold(), passage.text.casefold(), shown.title.casefold()
    if not all(word in heading or word in text or word in title for word in wanted):
        return 0
    # a title's word is found in its first passage, and not in all
    if not any(word in heading or word in text for word in wanted):
        return 0
    return sum(8 * (word in heading) + 3 * (word in title) + min(text.count(word), 4) for word in wanted)


def _around(text: str, wanted: Sequence[str]) -> tuple[str, ...]:
    places = [at for word in wanted if (at := text.casefold().find(word)) >= 0]
    first = max(min(places, default=0) - _AROUND, 0)
    # not from the middle of a word, where words have spaces between them
    first = text.find(" ", first, first + 20) + 1 or first if first else 0
    part = text[first : first + 2 * _AROUND + 40]
    part = ("… " if first else "") + part + (" …" if first + len(part) < len(text) else "")
    return tuple(re.split("(" + "|".join(map(re.escape, wanted)) + ")", part, flags=re.IGNORECASE))


def _read(name: str, language: str, text: str, copy: str, copied: str) -> Page:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    for kind in ("fence", "code_block"):
        markdown.add_render_rule(kind, _code)
    markdown.add_render_rule("table_open", _table_open)
    markdown.add_render_rule("table_close", _table_close)
    tokens = _without_twin(markdown.parse(text))
    headings = _name_headings(tokens)
    _lead_on(tokens, name)
    title = next((words for words, _, level in headings if level == "h1"), name)
    contents = tuple(Heading(anchor, words, int(level[1])) for words, anchor, level in headings if level in _LEVELS)
    passages = tuple(_passages(tokens))
    summary = next((words_of(one) for at, one in enumerate(tokens) if _is_prose(tokens, at)), "")
    body = markdown.renderer.render(tokens, markdown.options, {"copy": copy, "copied": copied})
    return Page(name, language, title, summary, body, contents, passages)


def _is_prose(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].type == "inline" and tokens[at - 1].type == "paragraph_open"


def _without_twin(tokens: list[Token]) -> list[Token]:
    """Without the line that leads to the same document in the other language: the page has a switch for it."""
    for at, token in enumerate(tokens):
        children = token.children or []
        if len(children) == 3 and children[0].type == "link_open" and children[1].content in ("中文", "English"):
            return [*tokens[: at - 1], *tokens[at + 2 :]]
    return tokens


def _name_headings(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Give each heading an anchor of its own; its words, its anchor and its tag."""
    named: list[tuple[str, str, str]] = []
    taken: set[str] = set()
    for at, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        words = words_of(tokens[at + 1])
        anchor = base = re.sub(r"[^\w-]+", "-", words.casefold()).strip("-") or "part"
        number = 1
        while anchor in taken:
            number += 1
            anchor = f"{base}-{number}"
        taken.add(anchor)
        token.attrSet("id", anchor)
        named.append((words, anchor, token.tag))
    return named


def words_of(token: Token) -> str:
    """The words of an inline token, without what marks them."""
    return "".join(" " if child.type == "softbreak" else child.content for child in token.children or ()).strip()


def _lead_on(tokens: Sequence[Token], name: str) -> None:
    """Have links between documents lead to pages, and pictures to files of the manual."""
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", _address(str(child.attrGet("href") or ""), name))
            elif child.type == "image":
                child.attrSet("src", _address(str(child.attrGet("src") or ""), name))
                child.attrSet("loading", "lazy")


def _address(target: str, name: str) -> str:
    """Where a link of the document `name` leads in the portal."""
    if re.match(r"[a-z]+:|#|/", target):
        return target
    path, _, anchor = target.partition("#")
    found = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    if not found.endswith(".md"):
        return f"{FILES}/{found}"
    page_name = found.removesuffix(".md").removesuffix(".zh")
    return f"/manual/{page_name}" + (f"#{anchor}" if anchor else "")


def _passages(tokens: Sequence[Token]) -> Iterator[Passage]:
    anchor, heading, texts = "", "", list[str]()
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            if heading or texts:
                yield Passage(anchor, heading, " ".join(texts))
            anchor = "" if token.tag == "h1" else str(token.attrGet("id"))
            heading, texts = words_of(tokens[at + 1]), []
        elif token.type == "inline" and tokens[at - 1].type != "heading_open":
            texts.append(words_of(token))
        elif token.type in ("fence", "code_block"):
            texts.append(token.content)
    yield Passage(anchor, heading, " ".join(texts))


def _code(_: RendererHTML, tokens: Sequence[Token], at: int, __: Any, words: dict[str, str]) -> str:
    """A block of code that scrolls by keyboard, with a button that copies it, said in `words`."""
    code = f'<pre class="code" tabindex="0"><code>{escape(tokens[at].content.rstrip())}</code></pre>'
    button = f'data-copy hidden data-copied="{escape(words["copied"])}">{escape(words["copy"])}'
    return f'<div class="copyable">{code}<button class="button small" type="button" {button}</button></div>\n'


def _table_open(*_: Any) -> str:
    return '<div class="scroll" tabindex="0">\n<table>\n'


def _table_close(*_: Any) -> str:
    return "</table>\n</div>\n"
