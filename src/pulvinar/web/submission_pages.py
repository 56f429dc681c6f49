"""Pages of handing in: pick files, see what they are, say the rest, have them brought in, publish the draft."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.presence import check_presence
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.record_schema import record_fields
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Conflict, Forbidden, NotFound, PulvinarError
from pulvinar.ingest.conformance import Conformance, Level, check
from pulvinar.ingest.inspection import Inspection
from pulvinar.ingest.reader import FoundAsset
from pulvinar.ingest.record import orientation_of, questions
from pulvinar.ingest.uploads import submissions, work
from pulvinar.ingest.uploads.form import FIELDS, READING, answers_of, checked_said, prefilled
from pulvinar.ingest.uploads.look import last_look
from pulvinar.ingest.uploads.submissions import SubmissionState, UploadedSubmission
from pulvinar.model.access import Actor
from pulvinar.model.dataset import VersionState
from pulvinar.model.terms import Vocabulary, terms
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import Platform, landing_of
from pulvinar.web import findings, phrases
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.errors import status_of
from pulvinar.web.job_pages import Fields
from pulvinar.web.language import language_of, translations
from pulvinar.web.recipes import of_upload
from pulvinar.web.rendering import render

router = APIRouter(prefix="/submissions", include_in_schema=False, dependencies=[Depends(refuse_other_sites)])

_SHOWN = 100
"""So many assets and files are named on a page."""
_S = SubmissionState


@router.get("")
def submission_list(request: Request, platform: CurrentPlatform, actor: CurrentActor) -> Response:
    """Your submissions, and the way to a new one."""
    found = submissions.list_submissions(platform.database, actor)
    base = str(request.base_url).rstrip("/")
    values = {"submissions": found, "state_names": phrases.SUBMISSION_STATES, "base": base}
    return render(request, "submissions.html", {**values, "recipe": of_upload(base)})


@router.get("/{submission_id}")
def submission(request: Request, platform: CurrentPlatform, actor: CurrentActor, submission_id: str) -> Response:
    """One submission, as far as it is."""
    found = submissions.get_submission(platform.database, actor, submission_id)
    return _page(request, platform, actor, found)


@router.post("/{submission_id}")
def answer(
    request: Request, platform: CurrentPlatform, actor: CurrentActor, submission_id: str, fields: Fields
) -> Response:
    """Note what the form says, and bring the submission in where that was asked for and nothing is left to say."""
    landing = landing_of(platform)
    found = submissions.get_submission(platform.database, actor, submission_id)
    try:
        found = work.describe(landing, actor, submission_id, fields)
        if fields.get("do") == "submit" and found.state is _S.LOOKED and not _unanswered(platform, found):
            work.submit(landing, actor, submission_id)
    except (Conflict, Forbidden, NotFound):
        raise
    except PulvinarError as error:
        return _page(request, platform, actor, found, fields=fields, trouble=error)
    return RedirectResponse(f"/submissions/{submission_id}#checked", 303)


@router.post("/{submission_id}/remove")
def remove(platform: CurrentPlatform, actor: CurrentActor, submission_id: str) -> Response:
    """Remove a submission with its files."""
    submissions.remove_submission(landing_of(platform), actor, submission_id)
    return RedirectResponse("/submissions", 303)


@router.post("/{submission_id}/publish")
def publish_draft(platform: CurrentPlatform, actor: CurrentActor, submission_id: str) -> Response:
    """Publish the draft that was made of a submission, once all of it is there."""
    found = submissions.get_submission(platform.database, actor, submission_id)
    version = get_version(platform.database, actor, found.dataset_id, found.version)
    if version.state is not VersionState.PUBLISHED:
        check_presence(platform.database, actor, platform.store, version)
        with UnitOfWork(platform.database, actor) as unit:
            publish(unit, version.id)
    return RedirectResponse(f"/datasets/{found.dataset_id}", 303)


def _unanswered(platform: Platform, found: UploadedSubmission) -> Sequence[Any]:
    look = last_look(landing_of(platform), found.id)
    return questions(look.assets, answers_of(found.said), into_existing=False)


def _page(
    request: Request,
    platform: Platform,
    actor: Actor,
    found: UploadedSubmission,
    *,
    fields: Mapping[str, str] | None = None,
    trouble: PulvinarError | None = None,
) -> Response:
    told = (trouble.message, trouble.hint) if trouble else (found.trouble, found.hint)
    values: dict[str, Any] = {
        "submission": found,
        "state": found.state.value,
        "state_names": phrases.SUBMISSION_STATES,
        "trouble": told,
        "steps": phrases.SUBMISSION_STEPS,
        "step": _STEPS[found.state],
    }
    if found.state in (_S.LOOKED, _S.FAILED):
        values |= _form(platform, found, fields)
        values["in_form"] = partial(_in_form, language_of(request))
    if found.state is _S.DONE:
        values |= _made(platform, actor, found)
    return render(request, "submission.html", values, status=status_of(trouble) if trouble else 200)


_STEPS = {_S.OPEN: 0, _S.LOOKING: 1, _S.FAILED: 1, _S.LOOKED: 2, _S.TAKING: 3, _S.DONE: 4}


def _form(platform: Platform, found: UploadedSubmission, fields: Mapping[str, str] | None) -> dict[str, Any]:
    """What the page of a submission shows that somebody is to describe."""
    try:
        look = last_look(landing_of(platform), found.id)
    except NotFound:
        look = Inspection((), (), (), (), ())
    said = dict(fields) if fields is not None else dict(found.said)
    return {
        "look": look,
        "shown": [(asset, _facts(asset)) for asset in look.assets[:_SHOWN]],
        "more": max(len(look.assets) - _SHOWN, 0),
        "left_over": [*look.skipped, *look.unrecognised][:_SHOWN],
        "form": prefilled(look.assets, said),
        "groups": FIELDS,
        "reading": READING,
        "labels": record_fields(),
        "group_names": phrases.FORM_GROUPS,
        "reading_names": phrases.READING,
        "volume_kinds": list(VolumeKind),
        "offered": {name: terms(vocabulary) for name, vocabulary in _OFFERED.items()},
        "checked": _checked(platform, found) if look.assets else None,
        "must": Level.MUST,
    }


_OFFERED = {
    "licence": Vocabulary.LICENCE,
    "modality": Vocabulary.MODALITY,
    "stain": Vocabulary.STAIN,
    "sex": Vocabulary.SEX,
}


def _checked(platform: Platform, found: UploadedSubmission) -> Conformance | None:
    try:
        checked_said(found.said)
        known = work.checked_submission(landing_of(platform), found)
    except PulvinarError:
        # the form says what is wrong with it
        return None
    return check(replace(known, in_chinese=findings.in_chinese))


_FLAG = re.compile(r"--([a-z][a-z-]*)")


def _in_form(language: str, text: str) -> str:
    """A remedy that names a flag of the command line, with the field of the form in its place."""
    words = translations(language).gettext

    def label(flag: re.Match[str]) -> str:
        name = {"contributor": "contributors", "keyword": "keywords"}.get(flag[1], flag[1].replace("-", "_"))
        path = next((one.path for group in FIELDS.values() for one in group if one.name == name), None)
        if path is not None:
            said = str(record_fields()[path]["zh" if language == "zh" else "en"])
        elif name in phrases.READING:
            said = words(phrases.READING[name][0])
        else:
            return flag[0]
        return f"「{said}」" if language == "zh" else f"“{said}”"

    said = _FLAG.sub(label, text)
    return re.sub(" ?(「[^」]+」) ?", r"\1", said)


def _facts(asset: FoundAsset) -> str:
    """The measures of what was found, in one line."""
    volume = asset.volume
    if volume is None:
        return ""
    shape = " × ".join(str(size) for size in volume.shape[2:])
    parts = [f"{shape} (z, y, x)", volume.dtype]
    if volume.shape[0] > 1:
        parts.append(f"t {volume.shape[0]}")
    if volume.shape[1] > 1:
        parts.append(f"c {volume.shape[1]}")
    if volume.voxel_size_um:
        parts.append(" × ".join(f"{size:g}" for size in volume.voxel_size_um) + " µm")
    orientation = orientation_of(volume.affine_um)
    return ", ".join([*parts, *([orientation] if orientation else [])])


def _made(platform: Platform, actor: Actor, found: UploadedSubmission) -> dict[str, Any]:
    try:
        return {"version": get_version(platform.database, actor, found.dataset_id, found.version)}
    except NotFound:
        return {"version": None}
