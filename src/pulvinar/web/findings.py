"""What was noticed of a file, said in the reader's language.

A reader says it in English, once, and so it is stored. Here are the sentences that ours say, with a name in the place
of each value: a stored sentence that fits one is said again in another language with its values. One that fits none, a
plugin's for example, stays as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pulvinar.web.phrases import Gettext, mark

SENTENCES = (
    mark("the header has no unit of length: mm is assumed"),
    mark("the header has %(said)s: mm is assumed"),
    mark("the header has no map to the world (no sform, no qform): left and right are not known"),
    mark("the header has no map to the world: left and right are not known"),
    mark("the header's space is %(space)s: left and right are not known"),
    mark("no TIFF says where left and right are: give --orientation to have it shown upright"),
    mark("sform says %(sform)s, qform says %(qform)s: the sform is taken"),
    mark("sform says %(sform)s, qform says %(qform)s (left and right differ): the sform is taken"),
    mark("sform and qform turn or scale the volume differently: the sform is taken"),
    mark("sform and qform lie %(far)s µm apart: the sform is taken"),
    mark("pixdim says %(said)s µm (z, y, x), the map says %(mapped)s: the map is taken"),
    mark("the time step %(step)s has no unit: s is assumed"),
    mark("the header's time step is %(step)s: it is not known"),
    mark("the header's time step is %(step)s s: perhaps milliseconds were meant"),
    mark("its %(count)s time points have no step that is known"),
    mark("its time points have no step that is known"),
    mark("its %(count)s frames have no time step: they are taken as time points"),
    mark("its %(count)s values a voxel become %(channels)s channels"),
    mark("it has fewer than three axes of space: the missing one is 1 voxel"),
    mark("its resolution tag says %(length)s µm a pixel; it is not believed, as most programs invent it"),
    mark("it does not say what its pages are: taken as %(axes)s"),
    mark("the names of its %(count)s files say %(axes)s"),
    mark("its photometric tag says that 0 is white; values are kept as they are"),
    mark("its values point into a palette of colours, which is left out"),
    mark("the header says that its numbers are labels: they are not averaged; --kind image overrules it"),
    mark("%(missing)s of its %(count)s chunks are not stored: they read as fill"),
    mark("its description promises %(promised)s images, %(count)s are there"),
    mark("the chain of its pages breaks off behind page %(count)s: what follows may be lost"),
    mark("planes without an image between planes with one, perhaps lost while recording: %(planes)s"),
    mark("planes without an image between planes with one of %(channel)s, perhaps lost while recording: %(planes)s"),
    mark("%(share)s of the voxels are as bright as the detector can tell: differences are lost"),
    mark("%(share)s of the voxels of %(channel)s are as bright as the detector can tell: differences are lost"),
    mark("of the voxels, %(count)s are not a number: the figures leave them out"),
    mark("of the voxels of %(channel)s, %(count)s are not a number: the figures leave them out"),
    mark("of the voxels, %(count)s are infinite: the figures leave them out"),
    mark("of the voxels of %(channel)s, %(count)s are infinite: the figures leave them out"),
    mark(
        "its compressed stream says that it holds %(said)s bytes, its header declares %(count)s: it may be cut off, "
        "which shows when it is read"
    ),
    mark("another asset of the same files has this name too: only its id tells it apart"),
    mark("the neuron has %(roots)s roots: %(trees)s trees"),
    mark("its radii are as large as the neuron: they may be something else; they are kept as they are"),
    mark("%(unknown)s of %(count)s radii are not positive: they are taken as not known"),
    mark("%(count)s columns beyond SWC's seven are left out"),
    mark("the file has no unit: µm is taken, as SWC says"),
    mark("the file says that its unit is %(unit)s"),
    mark("OBJ has no unit of length: µm is assumed, which makes the mesh %(extent)s µm"),
    mark("the materials that it names are not read"),
    mark("the table has no header"),
    mark("the table has no header: its %(count)s columns are taken as %(names)s"),
    mark("its second row names the types of columns and is left out"),
    mark("its numbers have decimal commas"),
    mark("the columns %(columns)s are taken as %(axes)s"),
    mark("its places are flat: z is 0"),
    mark("its places lie in the images that the column %(column)s names: a table; --axes takes them as one space"),
    mark("its columns have no unit of length: µm is assumed"),
    mark("ML, AP and DV are taken as rising to the right, to the front and upwards"),
    mark("%(what)s is not UTF-8: %(encoding)s is assumed"),
    mark(
        "its voxels lie in pieces of one value each (%(count)s values in what was looked at): taken as labels; "
        "if they are intensities, give --kind image"
    ),
    mark(
        "its voxels lie in pieces of one value each (%(count)s values in what was looked at): taken as labels, "
        "stored as %(dtype)s; if they are intensities, give --kind image"
    ),
    mark("these may be labels: then give --kind labels"),
    mark("%(without)s of its %(total)s rows have no place: they are kept in the table, and are not among its points"),
    mark(
        "its nodes would lie %(step)s µm apart, closer than light shows, and it would reach %(extent)s µm: its "
        "coordinates may be voxels: then give --unit voxel --voxel-size z,y,x"
    ),
    mark(
        "its nodes lie on whole numbers only: its coordinates may be voxels: then give --unit voxel --voxel-size z,y,x"
    ),
    mark(
        "what is in the volume is %(long)s mm long, more than any head of the species %(species)s (%(most)s mm): "
        "the header's voxel size is doubtful"
    ),
)


def translated(message: str, words: Gettext) -> str:
    """`message` in the language of `words`; as it is where it fits no sentence."""
    for sentence, pattern in _patterns():
        fits = pattern.fullmatch(message)
        if fits:
            return words(sentence) % fits.groupdict()
    return message


@lru_cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each sentence with a pattern of what it can have become; those that say more in words come first."""
    fixed = sorted(SENTENCES, key=lambda sentence: -len(re.sub(r"%\(\w+\)s", "", sentence)))
    return tuple((sentence, _pattern(sentence)) for sentence in fixed)


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", sentence)
    # every second part is the name of a value
    written = "".join(
        f"(?P<{part}>.+?)" if index % 2 else re.escape(part.replace("%%", "%")) for index, part in enumerate(parts)
    )
    return re.compile(written, re.DOTALL)
