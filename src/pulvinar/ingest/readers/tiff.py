"""TIFF: single, multi-page and BigTIFF, OME-TIFF, ImageJ, LSM, and folders of planes.

tifffile tells what the pages are and decodes them; what is read, and when, is decided here, so that a stack of a
terabyte is never held. Sources: TIFF 6.0, the BigTIFF extension, and what tifffile knows of the microscopes' dialects.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import Invalid, PulvinarError, TooLarge, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    VolumeDescription,
)
from pulvinar.ingest.readers.frames import settle, size_of_sides, unknown_step
from pulvinar.ingest.readers.raw_volume import (
    RawLayout,
    RawVolume,
    check_room,
    check_shape,
    component_channels,
    meaning_dtype,
    name_findings,
)
from pulvinar.ingest.readers.tiff_metadata import Said, chain_doubts, check_ome_planes, ome_files, said_by
from pulvinar.ingest.readers.tiff_names import Member, Stack, group, stray
from pulvinar.ingest.readers.tiff_planes import TIFF_MAGIC, PageLayout, PlaneOrder, PlaneVolume, open_tiff
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Shape5, Triple

_LARGEST_SEGMENT_BYTES = 768 << 20
_RGB = ("FF0000", "00FF00", "0000FF", "FFFFFF")
_MIN_IS_WHITE, _PALETTE = 0, 3

# tifffile tells of oddities on a log that nobody reads here; what matters is a finding or an error
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True)
class _Image:
    """One image of one file: its own axes as letters of "tcz" with their sizes, and its pages' layout."""

    file: SourceFile
    number: int
    letters: str
    shape: tuple[int, ...]
    plane_letters: str
    layout: PageLayout
    said: Said
    raw: RawLayout | None
    others: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    is_series: bool = False

    @property
    def outer(self) -> tuple[int, int, int]:
        """Planes along (t, c, z)."""
        sizes = dict(zip(self.letters, self.shape, strict=True))
        return sizes.get("t", 1), sizes.get("c", 1), sizes.get("z", 1)


class TiffReader:
    """Reads images with up to five axes, a plane's strips or tiles at a time."""

    name: ClassVar[str] = "tiff"
    priority: ClassVar[int] = 200

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset an image; files that are planes of one volume are one asset."""
        images = _images(files, options)
        alone = [image for image in images if image.is_series or image.others]
        joinable = {image.file.name: image for image in images if not image.is_series and not image.others}
        stacks = group([_member(image) for image in joinable.values()], options.axes)
        _refuse_stray(stacks, [file for file in files if file.head[:4] not in TIFF_MAGIC])
        for stack in stacks:
            yield _asset(stack, [joinable[name] for name in stack.names], options)
        for image in alone:
            stem = image.file.name.rpartition("/")[2].rsplit(".", 1)[0].removesuffix(".ome")
            title = f"{stem} {image.said.title or image.number + 1}" if image.is_series else stem
            yield _asset(Stack(title, (1, 1, 1), (image.file.name,)), [image], options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily: pages are looked up as windows touch them."""
        assert asset.volume is not None
        files = [(root / name, name) for name in asset.files]
        first = _source(files[0][0], files[0][1])
        number = int(asset.key.rpartition("#")[2])
        image = _read_images(first, {name: root / name for name in asset.files}, options)[number]
        stack = _restacked(asset, image, options)
        if len(stack.names) == 1 and image.raw is not None:
            return RawVolume(files[0][0], image.raw, asset.volume.dtype, first.name)
        order = PlaneOrder(stack.shape, image.letters, image.shape, image.plane_letters)
        opened = [(root / name, name) for name in stack.names]
        return PlaneVolume(
            opened,
            order,
            image.layout,
            asset.volume.dtype,
            _pages_of(image, number),
            several=bool(image.others),
            sparse=options.sparse,
        )

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _refuse_stray(stacks: Sequence[Stack], others: Sequence[SourceFile]) -> None:
    """A plane that has lost its content is a lost plane: to pass it over would make its neighbours neighbours."""
    name = stray(stacks, [file.name for file in others])
    if name is not None:
        is_empty = next(not file.size_bytes for file in others if file.name == name)
        what = "is empty" if is_empty else "is no TIFF"
        raise UnreadableFile(
            f"{name} {what}, and by its name a plane of a series", hint="copy it again, or take it out of the folder"
        )


def _source(path: Path, name: str) -> SourceFile:
    with path.open("rb") as file:
        return SourceFile(path, name, path.stat().st_size, file.read(4096))


def _images(files: Sequence[SourceFile], options: Options) -> list[_Image]:
    tiffs = [file for file in files if file.head[:4] in TIFF_MAGIC]
    paths = {file.name: file.path for file in tiffs}
    found: list[_Image] = []
    claimed: set[str] = set()
    for file in tiffs:
        if file.name not in claimed:
            images = _read_images(file, paths, options)
            claimed.update(name for image in images for name in image.others)
            found += images
    return [image for image in found if image.others or image.file.name not in claimed]


def _read_images(file: SourceFile, paths: dict[str, Path], options: Options) -> list[_Image]:
    """The images of one file. The other files of an OME-TIFF are opened only where all lie beside it in `paths`."""
    tif = open_tiff(file.path, file.name)
    try:
        if len(tif.pages) == 0:
            raise UnreadableFile(f"{file.name} is a TIFF without a page", hint="copy the file again")
        if tif.is_ome:
            check_ome_planes(tif.ome_metadata or "", file.name)
        listed = _listed(tif, file)
        absent = [name for name in listed if name not in paths]
        others = () if absent else listed
        if others:
            tif.close()
            tif = open_tiff(file.path, file.name, several=True)
        count = len(tif.series)
        doubts = (*_absent(absent, len(listed)), *chain_doubts(tif))
        images = [replace(_image(tif, file, n, options), others=others, is_series=count > 1) for n in range(count)]
        return [replace(image, findings=(*image.findings, *doubts)) for image in images]
    except PulvinarError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"{file.name} is damaged: {type(error).__name__}: {error}", hint="copy it again"
        ) from error
    finally:
        tif.close()


def _listed(tif: Any, file: SourceFile) -> tuple[str, ...]:
    """All files of the set that an OME-TIFF belongs to, itself first; none where it stands alone."""
    if not tif.is_ome:
        return ()
    folder = file.name.rpartition("/")[0]
    listed = [f"{folder}/{name}".lstrip("/") for name in ome_files(tif.ome_metadata or "", file.name)]
    if len(listed) < 2 or file.name not in listed:
        return ()
    return (file.name, *(name for name in listed if name != file.name))


def _absent(names: Sequence[str], count: int) -> list[Finding]:
    if not names:
        return []
    text = f"it is one of a set of {count} files, of which {len(names)} are not here ({names[0]}): it is read alone"
    return [Finding(Severity.DOUBT, text)]


def _image(tif: Any, file: SourceFile, number: int, options: Options) -> _Image:
    series = tif.series[number]
    page = series.keyframe
    if page.dtype is None or page.dtype.kind not in "iufb":
        kind = f"sample format {page.sampleformat} with {page.bitspersample} bits"
        raise UnreadableFile(
            f"{file.name} holds {page.dtype or kind}, not numbers", hint="save it as integers or floats"
        )
    if page.imagedepth > 1:
        raise UnreadableFile(f"{file.name} has pages with a depth of {page.imagedepth}", hint="save one plane a page")
    check_shape(tuple(series.shape), file.name)
    layout = PageLayout.of(page)
    _check_segment(layout, file.name)
    names = [axis for axis in series.axes if axis not in "YXS"]
    shape = tuple(size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "YXS")
    letters, plane_letters, findings = _meaning(names, shape, layout, file.name, options)
    said = said_by(tif, series, number, file.name)
    if page.photometric == _MIN_IS_WHITE and layout.samples == 1:
        findings.append(Finding(Severity.NOTE, "its photometric tag says that 0 is white; values are kept as they are"))
    if page.photometric == _PALETTE:
        findings.append(Finding(Severity.NOTE, "its values point into a palette of colours, which is left out"))
    raw = _raw_layout(series, letters + plane_letters, shape, layout)
    if raw is not None:
        check_room(file.size_bytes, raw, "", file.name)
    return _Image(file, number, letters, shape, plane_letters, layout, said, raw, findings=tuple(findings))


def _check_segment(layout: PageLayout, name: str) -> None:
    size = prod(layout.segment) * layout.dtype.itemsize * (1 if layout.is_planar else layout.samples)
    if min(layout.segment) < 1:
        raise UnreadableFile(f"{name} has strips or tiles of {layout.segment} pixels", hint="copy the file again")
    if size > _LARGEST_SEGMENT_BYTES and not layout.is_raw:
        raise TooLarge(
            f"{name}: one packed strip or tile of it holds {size} bytes", hint="save it with strips of fewer rows"
        )


def _meaning(
    names: Sequence[str], shape: Sequence[int], layout: PageLayout, name: str, options: Options
) -> tuple[str, str, list[Finding]]:
    """Letters of "tcz" for the axes of pages, letters for rows and columns, and what was assumed."""
    count = len(names) + 2
    if options.axes and len(options.axes) == count:
        chosen = options.axes
        if len(set(chosen)) != count or not set(chosen) <= set("tczyx") or not set(chosen[-2:]) <= set("zyx"):
            raise Invalid(
                f"--axes {chosen} can't be for {name}",
                hint="each of t, c, z, y, x at most once; the last two, the rows and columns of a page, of z, y, x",
            )
        return chosen[:-2], chosen[-2:], []
    if options.axes and len(names) and len(options.axes) < count:
        raise Invalid(
            f"--axes {options.axes} names {len(options.axes)} axes, {name} has {count}: {tuple(shape)} planes of "
            f"{layout.rows} x {layout.columns}",
            hint="name them all, slowest first",
        )
    letters = [axis.lower() if axis in "TCZ" else "" for axis in names]
    free = [letter for letter in "ztc" if letter not in letters]
    unknown = [index for index, letter in enumerate(letters) if not letter]
    if len(unknown) > len(free):
        raise UnreadableFile(f"{name} has {len(unknown)} axes without a meaning", hint="give --axes, slowest first")
    for index, letter in zip(reversed(unknown), free, strict=False):
        letters[index] = letter
    findings = []
    if unknown:
        said = ", ".join(f"{shape[index]} along {letters[index]}" for index in unknown)
        certain = len(unknown) == 1 and letters[unknown[0]] == "z"
        severity = Severity.NOTE if certain else Severity.DOUBT
        findings.append(Finding(severity, f"it does not say what its pages are: taken as {said}", "--axes"))
    return "".join(letters), "yx", findings


def _raw_layout(series: Any, letters: str, shape: Sequence[int], layout: PageLayout) -> RawLayout | None:
    """How the voxels lie, where the whole image is one run of bytes."""
    if not layout.is_raw or (layout.samples > 1 and ("c" in letters or layout.is_planar)):
        return None
    if series.dataoffset is None:
        return None
    order = letters + ("c" if layout.samples > 1 else "")
    sizes = dict(zip(order, (*shape, layout.rows, layout.columns, layout.samples), strict=False))
    absent = "".join(letter for letter in "tczyx" if letter not in order)
    t, c, z, y, x = (sizes.get(letter, 1) for letter in "tczyx")
    return RawLayout((t, c, z, y, x), layout.dtype.str, series.dataoffset, absent + order)


def _member(image: _Image) -> Member:
    layout = image.layout
    kind = layout.dtype.newbyteorder("=").name
    says = f"{layout.rows} x {layout.columns} pixels of {kind}" + (f" x {layout.samples}" if layout.samples > 1 else "")
    alike = (layout.rows, layout.columns, layout.samples, kind, image.letters, image.shape)
    return Member(image.file.name, image.outer, alike, says)


def _restacked(asset: FoundAsset, image: _Image, options: Options) -> Stack:
    """The stack that `asset` is, from the names of its files alone."""
    if image.others or len(asset.files) == 1:
        return Stack(asset.name, (1, 1, 1), asset.files[:1])
    (stack,) = group([replace(_member(image), name=name) for name in asset.files], options.axes)
    return stack


def _pages_of(image: _Image, number: int) -> Callable[[Any], Any]:
    if prod(image.shape) == 1 and not image.is_series and not image.others:
        return lambda tif: tif.pages
    return lambda tif: tif.series[number]


def _asset(stack: Stack, images: Sequence[_Image], options: Options) -> FoundAsset:
    image = images[0]
    shape = _shape(stack, image)
    dtype = meaning_dtype(image.layout.dtype, options.kind)
    size_um, findings = _size(image, shape, options)
    size_um, affine_um = settle(size_um, None, shape[2:], options)
    for doubt in stack.doubts:
        findings.append(Finding(Severity.DOUBT, doubt, "--axes" if "no grid" in doubt else ""))
    if len(stack.names) > 1 and not options.axes and not any("no grid" in doubt for doubt in stack.doubts):
        along = ", ".join(
            f"{count} along {letter}" for letter, count in zip("tcz", stack.shape, strict=True) if count > 1
        )
        findings.append(Finding(Severity.NOTE, f"the names of its {len(stack.names)} files say {along}", "--axes"))
    step_s = options.time_step_s or image.said.time_step_s
    findings += unknown_step(shape[0], step_s)
    if not options.orientation:
        text = "no TIFF says where left and right are: give --orientation to have it shown upright"
        findings.append(Finding(Severity.NOTE, text, "--orientation"))
    header = {**image.said.header, "dialect": image.said.dialect, "stored_dtype": image.layout.dtype.str}
    return FoundAsset(
        TiffReader.name,
        key=f"{image.file.name}#{image.number}",
        name=stack.title,
        kind=AssetKind.VOLUME,
        files=image.others or stack.names,
        volume=VolumeDescription(
            shape,
            dtype,
            _block_shape(image, shape),
            size_um,
            affine_um,
            options.kind,
            channels=_channels(image, shape[1]),
            time_step_s=step_s,
        ),
        findings=(*image.said.findings, *image.findings, *findings, *name_findings(stack.title, options)),
        metadata={"header": header} | ({"title": image.said.title} if image.said.title else {}),
    )


def _shape(stack: Stack, image: _Image) -> Shape5:
    order = PlaneOrder(stack.shape, image.letters, image.shape, image.plane_letters)
    plane = dict(zip(image.plane_letters, (image.layout.rows, image.layout.columns), strict=True))
    t, c, z, y, x = (plane.get(letter, order.extent(letter)) for letter in "tczyx")
    return t, c * image.layout.samples, z, y, x


def _block_shape(image: _Image, shape: Shape5) -> Shape5:
    """A strip or tile, as far as it lies within the image; a single voxel where nothing is decoded, for then any window
    costs what it holds."""
    if image.layout.is_raw:
        return (1, 1, 1, 1, 1)
    sides = dict(zip(image.plane_letters, image.layout.segment, strict=True))
    z, y, x = (min(sides.get(letter, 1), size) for letter, size in zip("zyx", shape[2:], strict=True))
    return 1, 1 if image.layout.is_planar else image.layout.samples, z, y, x


def _size(image: _Image, shape: Shape5, options: Options) -> tuple[Triple | None, list[Finding]]:
    """The voxel size that the file says, and what is to be asked where it doesn't say all of it."""
    # a person may have said that the file's rows, say, run along z
    (deep,) = set("zyx") - set(image.plane_letters)
    meant = zip("zyx", deep + image.plane_letters, strict=True)
    sides = {letter: image.said.sides_um.get(axis) for axis, letter in meant}
    return size_of_sides({letter: sides[letter] for letter in "zyx"}, shape[2], options)


def _channels(image: _Image, count: int) -> tuple[Any, ...]:
    if len(image.said.channels) == count:
        return image.said.channels
    if image.layout.samples in (3, 4) and count == image.layout.samples:
        names = ("red", "green", "blue", "alpha")
        made = component_channels(count, image.file.name)
        return tuple(replace(one, name=n, color=c) for one, n, c in zip(made, names, _RGB, strict=False))
    return tuple(
        replace(one, name=f"channel {index}") for index, one in enumerate(component_channels(count, image.file.name))
    )
