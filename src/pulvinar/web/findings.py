"""What was noticed of a file, said in the reader's language.

A reader says it in English, once, and so it is stored. Here are the sentences that ours say, with a name in the place
of each value: a stored sentence that fits one is said again in another language with its values. One that fits none, a
plugin's for example, stays as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pulvinar.web.language import translations
from pulvinar.web.phrases import Gettext, mark

SENTENCES = (
    mark("looking at what is in %(name)s"),
    mark("telling the files from others"),
    mark("computing checksums"),
    mark("removing identifiers"),
    mark("another way to lie fits almost as well (%(other)s against %(taken)s)"),
    mark("the brain lies %(letters)s, %(stated)s was stated"),
    mark("the brain alone does not tell left from right, and nobody stated it for this axis"),
    mark("the outlines overlap only to %(dice)s (Dice)"),
    mark("the images have no more in common than before"),
    mark("the deformation folds at %(share)s of the voxels"),
    mark("volume changes locally by factors of %(low)s to %(high)s"),
    mark("only %(share)s of the template's tissue could be compared"),
    mark("going forth and back ends %(um)s um away (95th percentile)"),
    mark("the header has no unit of length: mm is assumed"),
    mark("the header has %(said)s: mm is assumed"),
    mark("the header has no map to the world (no sform, no qform): left and right are not known"),
    mark("no map of the header to the world is taken: left and right are not known"),
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
    mark("a comment says %(said)s; it is not used, the columns are taken as x, y, z"),
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
    mark("%(missing)s of its %(count)s chunks are not stored: they read as fill (%(names)s)"),
    mark("it does not name its axes: %(shape)s are taken as %(axes)s"),
    mark("its voxel size comes from its attribute %(key)s"),
    mark("its chunks are compressed by JPEG: its values are not those that were recorded"),
    mark("its first voxel lies at %(place)s (z, y, x, in voxels) of its space"),
    mark("none of its shards are stored: all of it reads as fill"),
    mark("%(missing)s of its %(count)s shards are not stored: they read as fill (%(names)s)"),
    mark("whether all of its shards are stored can't be told: a missing one reads as fill"),
    mark("its annotations are given by their middle"),
    mark("it has no coarse level, so no pictures are made of it: too much would have to be read"),
    mark("the file does not say where left and right are: give --orientation to have it shown upright"),
    mark("its %(count)s values of the dimension %(what)s become channels"),
    mark("the file was being written when it was closed: tiles may be missing"),
    mark("%(lacking)s of its %(count)s planes are not stored, or not all of their tiles: they read as 0 there"),
    mark("%(missing)s of its %(count)s images are not in the file: they read as 0"),
    mark("%(missing)s of its %(count)s planes are in no file: they read as 0"),
    mark("no XML of BigDataViewer names this file: what its setups are is not known"),
    mark("its OME metadata lies in the file %(other)s, which is not here or does not describe it"),
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
    mark("%(much)s of it lies in no region of %(atlas)s: are its coordinates those of %(space)s?"),
    mark("another asset of the same files has this name too: only its id tells it apart"),
    mark("the neuron has %(roots)s roots: %(trees)s trees"),
    mark("its radii are as large as the neuron: they may be something else; they are kept as they are"),
    mark("%(unknown)s of %(count)s radii are not positive: they are taken as not known"),
    mark("%(count)s columns beyond SWC's seven are left out"),
    mark("the file has no unit: µm is taken, as SWC says"),
    mark("the file says that its unit is %(unit)s"),
    mark("%(format)s has no unit of length: µm is assumed, which makes the mesh %(extent)s µm"),
    mark("the materials that it names are not read"),
    mark("what it says of faces or other elements is left out: %(names)s"),
    mark("its coordinates are FreeSurfer's: the centre of its volume, %(centre)s mm, is not added to them"),
    mark("the file does not say where its volume lies: places are taken as they are, around the volume's centre"),
    mark("the file does not say in which space its coordinates lie: right, anterior and superior are taken, in mm"),
    mark("of its labels, %(count)s are not in its table of names: %(keys)s"),
    mark("of its values, %(count)s are not a finite number"),
    mark("its values of each point are left out: %(names)s"),
    mark("the header names no order of voxels: LPS is taken, as TrackVis does"),
    mark("the header has no map to the world: the corner of its volume is taken as the world's origin"),
    mark("its header declares %(said)s streamlines, and it holds %(count)s: those are taken"),
    mark("the outline of its cell body, %(count)s points, becomes one node of the radius %(radius)s"),
    mark("the outlines of its cell bodies lie up to %(apart)s apart: they are taken as one"),
    mark("what is no part of the neuron is left out: %(things)s"),
    mark("of its nodes, %(count)s are in no group that says soma, axon or dendrite: their type is not known"),
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
    mark(
        "its files name a person (%(elements)s): nothing of that is kept, but --originals keep would store the "
        "files themselves"
    ),
    mark(
        "its files have private elements, which may name a person: nothing of them is kept, but --originals keep "
        "would store the files themselves"
    ),
    mark(
        "its header carries elements of DICOM, which may name a person: nothing of that is kept, but --originals "
        "keep would store the file itself"
    ),
    mark("its images have writing in them, which may name a person"),
    mark("the header does not say where its images lie: they are stacked in the order of their numbers"),
    mark("%(copies)s of its files are copies of others: left out"),
    mark("its header declares %(said)s volumes, %(here)s are here"),
    mark("its header declares %(said)s images, %(here)s are here"),
    mark("of its images' numbers %(numbers)s are not here: slices may be missing"),
    mark("its slices are piled up at a slant of %(angle)s° (a tilted gantry): its map to the world has it"),
    mark("its slices don't lie on one line: some are %(far)s mm beside it"),
    mark("its volumes lie up to %(far)s mm apart: the place of the first is taken"),
    mark("its slices lie %(least)s to %(most)s mm apart: %(mean)s mm is taken for all"),
    mark("its slices lie %(mean)s mm apart, the header says %(said)s: slices may be missing"),
    mark("its repetition time is %(said)s s, by the clock its volumes are %(clock)s s apart: the first is taken"),
    mark("its series has images that can't make one volume: it becomes %(count)s assets"),
    mark("its header maps its values to others by %(slope)s and %(offset)s: they are kept as stored"),
    mark("Analyze does not say where left and right are: they are not known"),
    mark("Analyze has no unit of length: mm is assumed"),
    mark("the .mat beside it, in which SPM says where it lies, is not read"),
    mark("its header has a scale of %(scale)s where SPM keeps it: its values are multiplied by that"),
    mark("the header's voxel size is %(x)s x %(y)s x %(z)s: the signs are left out"),
    mark("participants.tsv names no species: human is assumed, as BIDS says"),
    mark("%(files)s in one folder speak of it: BIDS allows one; the last overrules the others"),
    mark("its sidecar says that its repetition time is %(said)s s, its header %(header)s s: the sidecar is taken"),
    mark("the BIDS validator is not installed (pip install 'pulvinar[bids]'): the tree was not validated"),
    mark("the BIDS validator gave no answer: %(reason)s"),
    mark("the BIDS validator finds %(kind)s: %(files)s"),
    mark("the BIDS validator finds %(count)s more kinds of errors"),
    mark("the BIDS validator has %(count)s recommendations"),
    mark("the BIDS validator finds no error"),
    mark("%(count)s recordings of one kind and length are one asset, with a series each"),
    mark("its times fall back or stand still: it is kept as a table with a row for each point"),
    mark("its values have no unit"),
    mark("its axes are taken as %(axes)s, as NWB says"),
    mark("its imaging plane says that a pixel is %(said)s µm: its unit may be another"),
    mark("its imaging plane does not say how large a pixel is: the regions' centres are kept in pixels"),
    mark("the electrodes' x, y and z are taken as rising to the back, downwards and to the right, as NWB says, in µm"),
    mark("the masks of its regions of interest are left out: their centres are kept"),
    mark("its subject may be a person: the subject's identifier and dates are left out"),
    mark("the images of %(path)s lie in other files, which are not opened: hand in %(files)s as well"),
    mark("%(path)s is left out: it has %(count)s values"),
    mark("%(path)s is left out: it has %(count)s values, %(most)s are read"),
    mark("%(path)s is left out: it has %(count)s values at each point in time, %(most)s are read"),
    mark("%(path)s is left out: it holds %(type)s of shape %(shape)s"),
    mark("%(path)s is left out: it is no matrix of numbers"),
    mark("its columns %(columns)s are left out: they hold more than a value a row"),
    mark("its %(count)s rows and columns have no names: taken as connectivity, numbered"),
    mark("its name says that it holds signals over time"),
    mark("its %(rows)s rows of %(columns)s numbers have no names: they are kept as a table"),
    mark("its %(rows)s rows of %(columns)s numbers have no names: are they time_series, connectivity or a table?"),
    mark("the file %(file)s names its %(count)s regions"),
    mark("its %(times)s rows are taken as time points of %(series)s series"),
    mark("its %(times)s columns are taken as time points of %(series)s series"),
    mark("its %(count)s columns are taken as %(axes)s"),
    mark("what else the file holds is left out: %(what)s"),
    mark("its rows are lists of whole numbers: they become a table of each number and the list that it is in"),
    mark("its %(rows)s x %(columns)s values are a table of those that are not 0: cell, gene, value"),
    mark("what the file keeps in uns is left out: %(names)s"),
    mark("%(path)s is left out: it has %(count)s points in time, %(most)s are read"),
    mark("its %(rows)s x %(columns)s values are a table of those that are not 0: source, target, value"),
    mark("its %(count)s rows and columns have the same names: taken as connectivity"),
    mark("the file does not say what its %(count)s axes are: taken as %(axes)s"),
    mark("it names %(count)s %(what)s and has %(width)s values at each point in time: they are not named"),
)


def in_chinese(message: str) -> str:
    """`message` in Chinese, as `translated` says it."""
    return translated(message, translations("zh").gettext)


def translated(message: str, words: Gettext) -> str:
    """`message` in the language of `words`; as it is where it fits no sentence."""
    for sentence, pattern in _patterns():
        fits = pattern.fullmatch(message)
        if fits:
            return words(sentence) % fits.groupdict()
    return message


def progress_line(line: str, words: Gettext) -> str:
    """What a submission's work says of itself, as "computing checksums: 40%", in the language of `words`."""
    said, share = re.fullmatch(r"(.*?)(: \d+%)?", line, re.DOTALL).groups("")  # type: ignore[union-attr]
    return translated(said, words) + share


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
