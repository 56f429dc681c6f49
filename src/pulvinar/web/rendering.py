"""How a page is made: the templates, the words of the language that a request asks for, a policy for its scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from pulvinar.catalogue.record_schema import field_name
from pulvinar.model.record import Species
from pulvinar.model.terms import Vocabulary, latin_name, named
from pulvinar.model.use_codes import USE_CODES
from pulvinar.web import findings, manual, phrases
from pulvinar.web.context import current_platform, who_is_signed_in
from pulvinar.web.dataset_page import plane_of
from pulvinar.web.language import LANGUAGES, html_tag, language_of, remember, translations
from pulvinar.web.static_files import address_of

HERE = Path(__file__).parent

_POLICY = (
    "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'{connect}; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
PAGE_POLICY = _POLICY.format(script="", connect="")
# Neuroglancer makes functions from text; only its page may.
VIEWER_POLICY = _POLICY.format(script=" 'unsafe-eval'", connect=" data: blob:")
# A worker obeys the policy of its own file: its decoders are WebAssembly, whose glue makes functions from text.
BUNDLE_POLICY = "default-src 'none'; script-src 'self' 'unsafe-eval'; worker-src 'self'; connect-src 'self' data: blob:"


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pulvinar.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # an installed template does not change: to look took a file system call for each part of a page
        auto_reload=False,
    )
    environment.filters |= {
        "size": phrases.size,
        "number": phrases.number,
        "share": phrases.share,
        "lengths": phrases.lengths,
        "said": findings.translated,
        "progress_line": findings.progress_line,
        "address": phrases.identifier_address,
        "lasting": phrases.lasting,
        "browser": phrases.browser,
        "words": getattr,
        "field_name": field_name,
    }
    return environment


def render(
    request: Request, template: str, values: Mapping[str, Any], *, status: int = 200, policy: str = PAGE_POLICY
) -> HTMLResponse:
    """The page that `template` makes of `values`, in the language of `request`."""
    language = language_of(request)
    words = translations(language)
    common = {
        # The words go with each page: were they set on the shared environment, two requests would mix languages.
        "_": words.gettext,
        "ngettext": words.ngettext,
        "language": language,
        "who": who_is_signed_in(request),
        "public": current_platform(request).settings.public,
        "this_address": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "this_path": request.url.path[:200],
        "file": _file_address,
        "release": _release(),
        "html_language": html_tag(language),
        "languages": [(code, name, _in_language(request, code)) for code, name in LANGUAGES.items()],
        "Species": Species,
        "species_names": phrases.SPECIES,
        "latin_name": latin_name,
        "term": lambda vocabulary, said: named(Vocabulary(vocabulary), said, language),
        "kind_names": phrases.KINDS,
        "kind_of": phrases.kind_of,
        "facet_names": phrases.FACETS,
        "why_said": partial(phrases.why_said, words.gettext, language),
        "facet_value": partial(phrases.facet_value, language),
        "planes": phrases.PLANES,
        "request_states": phrases.REQUEST_STATES,
        "verdicts": phrases.VERDICTS,
        "export_rules": phrases.EXPORT_RULES,
        "use_codes": USE_CODES,
        "stage_names": phrases.ALIGNMENT_STAGES,
        "sides": phrases.SIDES,
        "directions": phrases.DIRECTIONS,
        "plane_of": plane_of,
        "word_of": lambda key: manual.word(key, language),
    }
    response = HTMLResponse(_environment().get_template(template).render({**common, **values}), status)
    response.headers["content-security-policy"] = policy
    response.headers["content-language"] = html_tag(language)
    response.headers["cache-control"] = "private, no-cache"
    remember(response, request, language)
    return response


@lru_cache
def _release() -> str:
    """Looked up in the installed packages' files, which takes longer than many a page."""
    return metadata.version("pulvinar")


def _file_address(path: str) -> str:
    """Where a file of the portal's own is, under an address that changes with it."""
    built = path.startswith("viewer/")
    return address_of(HERE if built else HERE / "static", "/static", path)


def _in_language(request: Request, code: str) -> str:
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return f"{request.url.path}?{urlencode([*kept, ('lang', code)])}"
