"""The language of one request: asked for by `?lang=`, remembered in a cookie, else what the browser prefers."""

from __future__ import annotations

import io
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from fastapi import Request, Response

LANGUAGES = {"en": "English", "zh": "中文"}
COOKIE = "pulvinar_language"
_YEAR_S = 365 * 24 * 3600
_TAGS = {"en": "en", "zh": "zh-Hans"}


def language_of(request: Request) -> str:
    """The language that `request` is answered in: a key of `LANGUAGES`."""
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return str(wish)
    return preferred(request.headers.get("accept-language", ""))


def preferred(accept_language: str) -> str:
    """The language among ours that an Accept-Language header ranks first; English when it names none."""
    ranked = sorted(map(_ranked, accept_language.split(",")), key=lambda item: -item[1])
    return next((code for code, weight in ranked if code in LANGUAGES and weight > 0), "en")


def _ranked(part: str) -> tuple[str, float]:
    tag, *parameters = (word.strip().lower() for word in part.split(";"))
    weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
    try:
        return tag.split("-")[0], float(weight)
    except ValueError:
        return "", 0.0


def remember(response: Response, request: Request, language: str) -> None:
    """Keep `language` for the next pages when this request asked for it."""
    if request.query_params.get("lang") == language:
        response.set_cookie(COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True)


def html_tag(language: str) -> str:
    """`language` as the `lang` attribute of a page says it."""
    return _TAGS[language]


@lru_cache
def translations(language: str) -> NullTranslations:
    """The messages of `language`, read from its .po file: what is committed is what runs, without a compiled copy."""
    source = files("pulvinar.web") / "locale" / language / "LC_MESSAGES" / "messages.po"
    if not source.is_file():
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes()), locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)
