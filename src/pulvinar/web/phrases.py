"""How the pages say sizes, lengths and kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, log10

from pulvinar.catalogue.asset_search import FacetValue
from pulvinar.catalogue.comparison import Change
from pulvinar.catalogue.hits import Why
from pulvinar.catalogue.metadata_formats.parts import as_address, identifier_of
from pulvinar.catalogue.query_fields import KIND_NAMES
from pulvinar.ingest.uploads.submissions import SubmissionState
from pulvinar.model.access import OrganisationKind, Right, Tier
from pulvinar.model.access_request import RequestState
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.export_rule import RuleKind
from pulvinar.model.job import FailureKind, JobState
from pulvinar.model.record import Species
from pulvinar.model.terms import Vocabulary, folded, known_as, named
from pulvinar.model.text import short
from pulvinar.model.use_matching import Verdict
from pulvinar.model.volume import VolumeKind

Gettext = Callable[[str], str]


def mark(message: str) -> str:
    """Name `message` for translation without translating it: the page does, in the language of its request."""
    return message


SPECIES = {
    Species.MOUSE: mark("Mouse"),
    Species.MACAQUE: mark("Macaque"),
    Species.HUMAN: mark("Human"),
    Species.ZEBRAFISH: mark("Zebrafish"),
}
RIGHTS = {
    Right.SEE: mark("see what there is"),
    Right.VIEW: mark("look at pictures, as coarse as a screen"),
    Right.READ: mark("read and download"),
    Right.WRITE: mark("bring in and change data"),
    Right.SHARE: mark("share with others"),
    Right.ADMINISTER: mark("everything that I may"),
}
"""What an access token may do at most."""
ACCESS = {
    Right.SEE: mark("See the record"),
    Right.VIEW: mark("Look at it on the screen"),
    Right.READ: mark("Read and download"),
    Right.WRITE: mark("Change drafts"),
    Right.SHARE: mark("Publish and share"),
    Right.ADMINISTER: mark("Administer"),
}
"""What somebody may do with a dataset."""
ROLES = {
    Right.SEE: mark("guest"),
    Right.VIEW: mark("viewer"),
    Right.READ: mark("reader"),
    Right.WRITE: mark("contributor"),
    Right.SHARE: mark("curator"),
    Right.ADMINISTER: mark("administrator"),
}
"""What a member of an organisation is."""
TIERS = {
    Tier.PUBLIC: (mark("Public"), mark("Everyone reads what is published.")),
    Tier.REGISTERED: (mark("Registered"), mark("Everyone sees the record; whoever has signed in reads.")),
    Tier.CONTROLLED: (mark("Controlled"), mark("Everyone sees the record; reading is asked for and granted.")),
    Tier.EMBARGOED: (mark("Embargoed"), mark("Nobody but those who are named, until a day; then it is public.")),
    Tier.PRIVATE: (mark("Private"), mark("Nobody but those who are named.")),
}
ORGANISATIONS = {
    OrganisationKind.LAB: mark("Lab"),
    OrganisationKind.PROJECT: mark("Project"),
    OrganisationKind.TEAM: mark("Team"),
}
CHANGES = {
    Change.ADDED: mark("added"),
    Change.REMOVED: mark("removed"),
    Change.CHANGED: mark("changed"),
}
EXPORT_RULES = {
    RuleKind.SITE: mark("Bytes stay at this site: people look at them here"),
    RuleKind.AGGREGATES: mark("Only aggregates leave: tables, points and matrices that were computed here"),
    RuleKind.PERSONS: mark("The data of no more than so many persons leave in a month"),
}
REQUEST_STATES = {
    RequestState.OPEN: mark("waiting"),
    RequestState.GRANTED: mark("granted"),
    RequestState.REFUSED: mark("refused"),
    RequestState.WITHDRAWN: mark("withdrawn"),
}
VERDICTS = {
    Verdict.MET: mark("met"),
    Verdict.NOT_MET: mark("not met"),
    Verdict.JUDGE: mark("a person must judge"),
}
KINDS = {
    "image": mark("Image volume"),
    "labels": mark("Label volume"),
    AssetKind.SKELETON: mark("Neuron"),
    AssetKind.POINTS: mark("Points"),
    AssetKind.MESH: mark("Mesh"),
    AssetKind.TABLE: mark("Table"),
    AssetKind.TIME_SERIES: mark("Time series"),
    AssetKind.CONNECTIVITY: mark("Connectivity matrix"),
    AssetKind.TRACTS: mark("Streamlines"),
    AssetKind.TRANSFORM: mark("Transform"),
    AssetKind.MODEL: mark("Model"),
}
FACETS = {
    "species": mark("Species"),
    "modality": mark("Modality"),
    "kind": mark("Kind"),
    "region": mark("Region"),
    "lab": mark("Lab"),
    "licence": mark("Licence"),
    "year": mark("Year"),
}
_LIKE = mark("like %(asked)s")
_IN = mark("in %(asked)s")
WHERE = {
    "name": mark("Name"),
    "title": mark("Title"),
    "text": mark("Description"),
    "region": mark("Region"),
    "soma": mark("Soma"),
    "end": mark("Ending"),
    "place": mark("Place"),
    "species": mark("Species"),
    "modality": mark("Modality"),
    "kind": mark("Kind"),
    "lab": mark("Lab"),
    "licence": mark("Licence"),
}
ALIGNMENT_STAGES = {
    "rough": mark("Turning and shifting"),
    "affine": mark("Affine map"),
    "field": mark("Deformation"),
}
JOB_STATES = {
    JobState.QUEUED: mark("Waiting"),
    JobState.RUNNING: mark("Running"),
    JobState.PAUSED: mark("Paused"),
    JobState.CANCELLING: mark("Being cancelled"),
    JobState.CANCELLED: mark("Cancelled"),
    JobState.DONE: mark("Done"),
    JobState.DONE_EXCEPT: mark("Done, but for some blocks"),
    JobState.FAILED: mark("Failed"),
}
SUBMISSION_STATES = {
    SubmissionState.OPEN: mark("Files are coming"),
    SubmissionState.LOOKING: mark("Being looked at"),
    SubmissionState.LOOKED: mark("Waits for your description"),
    SubmissionState.TAKING: mark("Being brought in"),
    SubmissionState.DONE: mark("Brought in"),
    SubmissionState.FAILED: mark("Could not be read"),
}
SUBMISSION_STEPS = (mark("Files"), mark("What they are"), mark("Description"), mark("Bringing in"), mark("Draft"))
FORM_GROUPS = {
    "dataset": mark("The dataset"),
    "subject": mark("The animal or person"),
    "acquisition": mark("How it was recorded"),
}
READING = {
    "voxel_size": (mark("Voxel size (z, y, x)"), mark("As 5,2,2 or 0.5mm: micrometres where no unit is said.")),
    "orientation": (mark("Orientation"), mark("Where rising z, y, x go, as SPR: three of R L, A P, S I.")),
    "kind": (mark("Kind of volume"), mark("Labels are never averaged.")),
    "axes": (mark("Axes of the files"), mark("Slowest first, of the letters t, c, z, y, x.")),
    "time_step": (mark("Time step (s)"), mark("Seconds between time points.")),
    "unit": (mark("Unit of lengths"), mark("um, mm, nm or voxel, for neurons, tables and meshes that don't say it.")),
}
FAILURES = {
    FailureKind.ERROR: mark("Error"),
    FailureKind.MEMORY: mark("Too little memory"),
    FailureKind.TIMEOUT: mark("Took too long"),
    FailureKind.LOST: mark("Its worker died"),
    FailureKind.STOPPED: mark("Stopped"),
}
PLANES = {
    "axial": (mark("Axial"), "L", "R"),
    "coronal": (mark("Coronal"), "L", "R"),
    "sagittal": (mark("Sagittal"), "P", "A"),
}
"""Each plane's name, and what is at the left and the right of its mid-section."""
SIDES = {"left": mark("left"), "right": mark("right")}
DIRECTIONS = {
    "L": SIDES["left"],
    "R": SIDES["right"],
    "P": mark("posterior"),
    "A": mark("anterior"),
    "I": mark("inferior"),
    "S": mark("superior"),
}


def why_said(translate: Gettext, language: str, why: Why) -> str:
    """Why something was found, in a few words: "Region: Field CA1 (below hippocampus)"."""
    found = why.found_zh if language == "zh" and why.found_zh else why.found
    if why.where in ("species", "modality", "licence"):
        found = named(Vocabulary(why.where), found, language)
    elif why.where == "kind":
        found = _kind(language, found)
    told = f"{translate(WHERE[why.where])}: {short(found, 120)}"
    if why.homologue:
        return f"{told} ({translate(_LIKE) % {'asked': why.asked}})"
    if why.where in ("region", "soma", "end") and folded(why.asked) not in (folded(why.found), folded(why.found_zh)):
        return f"{told} ({translate(_IN) % {'asked': why.asked}})"
    return told


def _kind(language: str, kind: str) -> str:
    return KIND_NAMES[AssetKind(kind)][language == "zh"].replace("_", " ")


def facet_value(language: str, facet: str, one: FacetValue) -> str:
    """What to call one value of a facet."""
    if facet in ("species", "modality", "licence"):
        return named(Vocabulary(facet), one.value, language)
    if facet == "kind":
        return _kind(language, one.value)
    label = one.label_zh if language == "zh" else one.label_en
    return label or one.value


def licence_address(licence: str) -> str | None:
    """Where the text of `licence` is, when it is a known one, by any of its names."""
    return known_as(Vocabulary.LICENCE, licence, "url") or None


def identifier_address(identifier: str) -> str | None:
    """Where a DOI, a PMID or an address leads; None for what is none."""
    return as_address(identifier) if identifier_of(identifier)[0] in ("DOI", "PMID", "URL") else None


def size(count: int) -> str:
    """`count` bytes in the largest decimal unit that leaves at least one: "3.2 GB"."""
    for unit, worth in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= worth:
            return f"{count / worth:.3g} {unit}" if count < 999.5 * worth else f"{count / worth:.0f} {unit}"
    return f"{count} B"


def number(value: float | None) -> str:
    """A measured value with as many digits as help, thousands apart; a dash where there is none."""
    if value is None or not isfinite(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    digits = 2 if value == 0 else max(0, 3 - int(log10(abs(value)))) if abs(value) >= 1e-3 else 6
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def share(part: float) -> str:
    """A part of one as a percentage; what is there but tiny is said to be that, not written out."""
    if 0 < part < 1e-4:
        return "< 0.01 %"
    return f"{number(round(part * 100, 2))} %"


def lengths(triple: Sequence[float]) -> str:
    """Three lengths (z, y, x) with one unit: "50 × 40 × 40 µm"; one when all are the same."""
    worth, unit = (1000.0, "mm") if min(triple) >= 1000 else (1.0, "µm")
    parts = [number(round(value / worth, 4)) for value in triple]
    return f"{parts[0]} {unit}" if len(set(parts)) == 1 else f"{' × '.join(parts)} {unit}"


def lasting(seconds: float) -> str:
    """A span of time as people say it: "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


# each names those before it, too: Edge says that it is Chrome, and Chrome that it is Safari
_BROWSERS = {"Edg/": "Edge", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari", "python": "Python"}
_SYSTEMS = {
    "Windows": "Windows",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def browser(agent: str) -> str:
    """A browser as people call it, by what it says of itself: "Firefox, Linux"; its first words where it is unknown."""
    known = (next((name for sign, name in names.items() if sign in agent), "") for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(filter(None, known)) or agent[:40]


def kind_of(asset: Asset) -> str:
    """The key of `asset` in `KINDS`."""
    if asset.kind is AssetKind.VOLUME:
        return str(VolumeKind(asset.details["volume"]["kind"]))
    return str(asset.kind)
