"""Archives that nobody trusts: what is refused leaves a clear error and nothing on disk, what is good comes whole."""

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest
from tests.ingest.hostile_files.case import every_twin

from pulvinar.errors import PulvinarError, TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.submission import open_submission
from pulvinar.ingest.unpacking import holds, peek, unpack

LIMITS = Limits(memory_bytes=1 << 30, cpu_s=60, budget_bytes=64 << 20)
CONTENT = {
    "brain.nii": b"voxels" * 1000,
    "sub-01/anat/T1w.nii": os.urandom(70_000),
    "notes.txt": b"",
    "Gehirn/Größe (µm).csv": b"x,y\n1,2\n",
    "脑/小鼠.swc": b"1 1 0 0 0 1 -1\n",
}
TARS = {"brain.tar": "w", "brain.tar.gz": "w:gz", "brain.tar.bz2": "w:bz2", "brain.tar.xz": "w:xz", "brain.tgz": "w:gz"}


def a_tar(path, *members, mode="w"):
    """A tar of `(name, content)` and of whole `TarInfo`s."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member, io.BytesIO(bytes(member.size)))
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def a_zip(path, *members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def info_of(kind, name="brain.nii", target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refused(tmp_path):
    """The error of an archive, unpacked in a process of its own; nothing of it may be left."""
    scratch = tmp_path / "scratch"

    def refuse(archive, limits=LIMITS):
        outside = files_below(archive.parent)
        with pytest.raises(PulvinarError) as caught, open_submission(archive, scratch, limits):
            pass
        assert archive.name in str(caught.value), "the archive is named"
        assert caught.value.hint, "and what to do is said"
        assert list(scratch.iterdir()) == [], "nothing is left"
        assert files_below(archive.parent) == outside
        return caught.value

    return refuse


@pytest.fixture
def target(tmp_path):
    return tmp_path / "unpacked"


def refused_here(archive, target, budget_bytes=64 << 20):
    """The error of an archive, unpacked in this process, which is quicker."""
    with pytest.raises(PulvinarError) as caught:
        unpack(archive, target, budget_bytes)
    assert archive.name in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", TARS)
def test_a_good_tar_gives_the_same_files(tmp_path, name):
    archive = a_tar(tmp_path / name, *CONTENT.items(), mode=TARS[name])
    with open_submission(archive, tmp_path / "scratch", LIMITS) as submission:
        assert files_below(submission.root) == CONTENT
        assert {file.name for file in submission.files} == set(CONTENT)
        first = submission.fingerprint
    assert list((tmp_path / "scratch").iterdir()) == []
    with open_submission(archive, tmp_path / "scratch", LIMITS) as submission:
        assert submission.fingerprint == first


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_good_zip_gives_the_same_files(tmp_path, target, compression):
    archive = a_zip(tmp_path / "brain.zip", *CONTENT.items(), compression=compression)
    unpack(archive, target, 1 << 30)
    assert files_below(target) == CONTENT


def test_a_zip_is_told_from_its_content_and_not_its_name(tmp_path):
    archive = a_zip(tmp_path / "brain.nii", *CONTENT.items())
    with open_submission(archive, tmp_path / "scratch", LIMITS) as submission:
        assert files_below(submission.root) == CONTENT


def test_folders_in_an_archive_are_no_files(tmp_path, target):
    a_tar(tmp_path / "a.tar", info_of(tarfile.DIRTYPE, "folder"), ("folder/brain.nii", b"1"))
    unpack(tmp_path / "a.tar", target, 1 << 30)
    assert files_below(target) == {"folder/brain.nii": b"1"}


@pytest.mark.parametrize("make", [a_tar, a_zip])
def test_a_name_is_looked_for_without_unpacking(tmp_path, make):
    archive = make(tmp_path / f"a.{make.__name__}", ("study/description.json", b"{}"), ("study/a.nii", b"1"))
    (tmp_path / "scratch").mkdir()
    assert holds(archive, "description.json", tmp_path / "scratch", 1 << 30)
    assert not holds(archive, "study", tmp_path / "scratch", 1 << 30)
    assert not holds(archive, "other.json", tmp_path / "scratch", 1 << 30)
    assert list((tmp_path / "scratch").iterdir()) == []
    with pytest.raises(TooLarge, match="more than the limit"):
        holds(archive, "other.json", tmp_path / "scratch", 5000)


@pytest.mark.parametrize(
    "name",
    [
        "../outside", "folder/../../outside", "/outside", "//outside", "..", "C:/outside",
        "folder\\..\\outside", "\\\\server\\outside",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_name_that_leads_out_is_refused(tmp_path, target, kind, name):
    archive = (a_tar if kind == "tar" else a_zip)(tmp_path / f"a.{kind}", ("good", b"1"), (name, b"2"))
    assert "leads out of the archive" in str(refused_here(archive, target))
    assert set(files_below(tmp_path)) <= {f"a.{kind}", "unpacked/good"}


@pytest.mark.parametrize("name", ["./brain.nii", "folder/./brain.nii", "folder//brain.nii", "..brain/..nii"])
def test_a_name_that_only_looks_odd_is_taken(tmp_path, target, name):
    unpack(a_tar(tmp_path / "a.tar", (name, b"1")), target, 1 << 30)
    assert len(files_below(target)) == 1


def test_zip_slip_is_refused_in_the_process_too(tmp_path, refused):
    refused(a_zip(tmp_path / "a.zip", ("good", b"1"), ("../../../outside", b"2")))


@pytest.mark.parametrize(
    "member",
    [
        info_of(tarfile.SYMTYPE, target="/etc/passwd"),
        info_of(tarfile.SYMTYPE, target="good"),
        info_of(tarfile.LNKTYPE, target="good"),
        info_of(tarfile.LNKTYPE, target="../../etc/passwd"),
        info_of(tarfile.CHRTYPE),
        info_of(tarfile.BLKTYPE),
        info_of(tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member.type.decode()}-{member.linkname}",
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, target, member):
    archive = a_tar(tmp_path / "a.tar", ("good", b"1"), member)
    assert "is a link or a device" in str(refused_here(archive, target))
    assert not (target / "brain.nii").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, target, kind):
    info = zipfile.ZipInfo("brain.nii")
    info.external_attr = (kind | 0o777) << 16
    assert "is a link or a device" in str(refused_here(a_zip(tmp_path / "a.zip", (info, "/etc/passwd")), target))


def test_a_link_then_a_file_below_it_writes_nowhere(tmp_path, refused):
    below = ("folder/outside", b"2")
    assert "link" in str(refused(a_tar(tmp_path / "a.tar", info_of(tarfile.SYMTYPE, "folder", str(tmp_path)), below)))


@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("a", "./a"), ("Brain.nii", "brain.nii"), ("Gro\u0308sse", "Gr\u00f6sse"), ("stra\u00dfe", "STRASSE")],
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(tmp_path, target, kind, names):
    archive = (a_tar if kind == "tar" else a_zip)(tmp_path / f"a.{kind}", *((name, b"1") for name in names))
    assert "stands twice" in str(refused_here(archive, target))


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_a_file_that_is_a_folder_too_is_refused_as_damage(tmp_path, target, names):
    archive = a_tar(tmp_path / "a.tar", *((name, b"1") for name in names))
    error = refused_here(archive, target)
    assert isinstance(error, UnreadableFile)
    assert "space" not in error.hint, "the disk is not to blame"


@pytest.mark.parametrize("name", ["x" * 256, "x/" * 65, "x/" * 3000, "脑" * 90, ("y" * 200 + "/") * 11])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_name_too_long_or_too_deep_is_refused(tmp_path, target, kind, name):
    archive = (a_tar if kind == "tar" else a_zip)(tmp_path / f"a.{kind}", (f"{name}x", b"1"))
    error = refused_here(archive, target)
    assert "too long, or too deep" in str(error)
    assert len(str(error)) < 300


def test_a_name_that_is_no_text_is_refused(tmp_path, target):
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo(b"Gr\xf6\xdfe.nii".decode("utf-8", "surrogateescape"))
        archive.addfile(info)
    error = refused_here(tmp_path / "a.tar", target)
    assert "is no UTF-8 text" in str(error)
    assert str(error).isprintable()


def test_a_name_with_a_line_break_can_not_fake_a_line_of_ours(tmp_path, target):
    error = refused_here(a_tar(tmp_path / "a.tar", ("../\npulvinar: all is well\x1b[2J", b"1")), target)
    assert str(error).isprintable()


def test_an_encrypted_zip_is_refused(tmp_path, target):
    whole = bytearray(a_zip(tmp_path / "a.zip", ("brain.nii", b"12345")).read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(signature) + at] |= 1
    (tmp_path / "a.zip").write_bytes(whole)
    assert "is encrypted" in str(refused_here(tmp_path / "a.zip", target))


@pytest.mark.parametrize("name", [*TARS, "brain.zip"])
def test_a_truncated_archive_is_refused_wherever_it_is_cut(tmp_path, target, name):
    whole = tmp_path / name
    if name.endswith("zip"):
        a_zip(whole, *CONTENT.items())
    else:
        a_tar(whole, *CONTENT.items(), mode=TARS[name])
    content = whole.read_bytes()
    # a plain tar is padded with zeros: without some of them it is still whole
    last = len(content.rstrip(b"\0")) if name == "brain.tar" else len(content) - 1
    member_ends = [at for at in range(512, last, 512) if content[at + 257 : at + 262] == b"ustar"]
    for cut in {*random.Random(1).sample(range(600, last), 12), last, *(member_ends if name == "brain.tar" else [])}:
        (tmp_path / "cut").mkdir(exist_ok=True)
        archive = tmp_path / "cut" / name
        archive.write_bytes(content[:cut])
        into = target / str(cut)
        error = refused_here(archive, into)
        assert isinstance(error, UnreadableFile), f"cut at {cut} of {len(content)}"
        assert "damaged" in str(error), error


@pytest.mark.parametrize("name", ["brain.tar.gz", "brain.tar.bz2", "brain.tar.xz", "brain.zip"])
def test_a_flipped_bit_never_gives_other_bytes(tmp_path, target, name):
    whole = tmp_path / name
    if name.endswith("zip"):
        a_zip(whole, *CONTENT.items())
    else:
        a_tar(whole, *CONTENT.items(), mode=TARS[name])
    content, choice = whole.read_bytes(), random.Random(2)
    refusals = 0
    for attempt in range(40):
        damaged = bytearray(content)
        damaged[choice.randrange(10, len(content))] ^= 1 << choice.randrange(8)
        (tmp_path / "damaged").mkdir(exist_ok=True)
        archive = tmp_path / "damaged" / name
        archive.write_bytes(damaged)
        into = target / str(attempt)
        try:
            unpack(archive, into, 64 << 20)
        except (UnreadableFile, TooLarge):
            refusals += 1
        else:
            assert sorted(files_below(into).values()) == sorted(CONTENT.values())
    assert refusals > 30


def test_damage_in_a_plain_tars_headers_loses_no_member_in_silence(tmp_path, target):
    whole = a_tar(tmp_path / "a.tar", *((f"plane_{number:03}", b"1") for number in range(20))).read_bytes()
    for number in range(20):
        damaged = bytearray(whole)
        damaged[number * 1024 + 100] ^= 0xFF
        (tmp_path / "a.tar").write_bytes(damaged)
        error = refused_here(tmp_path / "a.tar", target / str(number))
        assert "damaged" in str(error)


def test_a_second_archive_behind_the_first_is_not_lost_in_silence(tmp_path, target):
    first = a_tar(tmp_path / "a.tar", ("a", b"1")).read_bytes()
    second = a_tar(tmp_path / "b.tar", ("b", b"2")).read_bytes()
    (tmp_path / "a.tar").write_bytes(first + second)
    assert "something follows" in str(refused_here(tmp_path / "a.tar", target))


def test_an_archive_that_declares_too_much_is_refused_before_anything_is_written(tmp_path, refused):
    info = tarfile.TarInfo("brain.nii")
    info.size = 100 << 30
    archive = tmp_path / "a.tar"
    archive.write_bytes(info.tobuf() + bytes(1024))
    error = refused(archive)
    assert isinstance(error, TooLarge)
    assert "107,374,186,496 bytes" in str(error)
    assert "reader_budget_gb" in error.hint


def test_a_zip_bomb_is_refused_by_what_it_declares(tmp_path, refused):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for number in range(3):
            with opened.open(f"zeros_{number}", "w") as stream:
                for _ in range(30):
                    stream.write(bytes(1 << 20))
    assert archive.stat().st_size < 1 << 20
    error = refused(archive)
    assert isinstance(error, TooLarge)
    assert "more than the limit" in str(error)


def test_a_zip_bomb_that_declares_little_gives_no_more_than_that(tmp_path, refused):
    whole = bytearray(a_zip(tmp_path / "a.zip", ("zeros", bytes(40 << 20))).read_bytes())
    struct.pack_into("<I", whole, whole.index(b"PK\x01\x02") + 24, 1000)
    struct.pack_into("<I", whole, whole.index(b"PK\x03\x04") + 22, 1000)
    (tmp_path / "a.zip").write_bytes(whole)
    assert "damaged" in str(refused(tmp_path / "a.zip"))


def test_a_zip_whose_members_overlap_is_refused(tmp_path, target):
    # as 42.zip's successors do: one body, many entries that point at it
    whole = a_zip(tmp_path / "a.zip", ("a", bytes(10 << 20))).read_bytes()
    start = whole.index(b"PK\x01\x02")
    entry, end = whole[start : start + 46 + 1], bytearray(whole[start + 46 + 1 :])
    entries = b"".join(entry[:-1] + bytes([97 + number % 26]) for number in range(5))
    struct.pack_into("<HHI", end, 8, 5, 5, len(entries))
    (tmp_path / "a.zip").write_bytes(whole[:start] + entries + end)
    assert "overlap" in str(refused_here(tmp_path / "a.zip", target, 1 << 40))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_that_grows_past_the_budget_stops_there(tmp_path, target, mode):
    archive = a_tar(tmp_path / "a.tar", *((f"zeros_{number}", bytes(8 << 20)) for number in range(4)), mode=mode)
    assert archive.stat().st_size < 1 << 20
    error = refused_here(archive, target, 20 << 20)
    assert isinstance(error, TooLarge)
    assert sum(path.stat().st_size for path in target.rglob("*")) <= 20 << 20


def test_a_compressed_image_that_grows_past_the_budget_stops_there(tmp_path, refused):
    archive = tmp_path / "brain.tif.gz"
    archive.write_bytes(gzip.compress(b"II*\0" + bytes(80 << 20)))
    assert isinstance(refused(archive), TooLarge)


def test_only_a_bomb_grows_so_much(tmp_path, target):
    info = tarfile.TarInfo("zeros")
    info.size = 2 << 30
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(2 << 20)))
    error = refused_here(tmp_path / "a.tar.gz", target, 1 << 40)
    assert isinstance(error, TooLarge)
    assert "grows more than 250-fold" in str(error)
    assert list(target.iterdir()) == []


def test_many_empty_files_count_by_what_they_take_on_disk(tmp_path, target):
    archive = a_tar(tmp_path / "a.tar.gz", *((f"{number}", b"") for number in range(3000)), mode="w:gz")
    error = refused_here(archive, target, 4 << 20)
    assert isinstance(error, TooLarge)
    assert len(list(target.iterdir())) <= 1024


def test_folders_without_end_are_counted_too(tmp_path, target):
    folders = (info_of(tarfile.DIRTYPE, f"{number}") for number in range(3000))
    error = refused_here(a_tar(tmp_path / "a.tar.gz", *folders, mode="w:gz"), target, 4 << 20)
    assert isinstance(error, TooLarge)


def test_a_zip_of_many_files_is_refused_before_the_first(tmp_path, target):
    archive = a_zip(tmp_path / "a.zip", *((f"{number}", b"") for number in range(3000)))
    assert isinstance(refused_here(archive, target, 4 << 20), TooLarge)
    assert list(target.iterdir()) == []


def sparse_tar(path, real_size, blocks, content=b"x" * 512):
    """A GNU sparse member that says it is `real_size` long, with data at `blocks` of (offset, length)."""
    info = tarfile.TarInfo("brain.nii")
    info.size, info.type = len(content), tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))

    def number(value):
        return (b"%011o\0" % value) if 0 <= value < 8**11 else b"\x80" + value.to_bytes(11, "big", signed=True)

    for index, block in enumerate(blocks):
        header[386 + 24 * index : 386 + 24 * index + 24] = b"".join(map(number, block))
    header[483:495] = number(real_size)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + content + bytes(1024))
    return path


def test_a_sparse_tar_fills_its_holes_with_zeros(tmp_path, target):
    unpack(sparse_tar(tmp_path / "a.tar", 2000, [(1000, 512)]), target, 1 << 30)
    assert files_below(target) == {"brain.nii": bytes(1000) + b"x" * 512 + bytes(488)}


@pytest.mark.parametrize(
    ("real_size", "blocks"),
    [
        (1 << 50, [(0, 512)]),
        (-5, [(0, 512)]),
        (100 << 20, [(99 << 20, 512)]),
        (2000, [(1000, 1 << 40)]),
        (2000, [(1 << 40, 512)]),
        (2000, [(-100, 512)]),
        (2000, [(1000, -512)]),
        (2000, [(1000, 200), (0, 200)]),
        (0, [(0, 512)]),
        (2000, [(0, 512), (0, 512), (0, 512), (0, 512)]),
    ],
)
def test_a_sparse_tar_that_lies_is_refused_or_bounded(tmp_path, target, real_size, blocks):
    archive = sparse_tar(tmp_path / "a.tar", real_size, blocks)
    try:
        unpack(archive, target, 64 << 20)
    except (UnreadableFile, TooLarge) as error:
        assert "a.tar" in str(error)  # noqa: PT017
    assert sum(path.stat().st_size for path in target.rglob("*")) <= 64 << 20


def test_a_header_that_wants_all_memory_is_refused(tmp_path, refused):
    # a pax header of 700 MB, which tarfile would read at once
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 700 << 20
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as stream:
        stream.write(info.tobuf())
        for _ in range(22):
            stream.write(bytes(32 << 20))
    assert isinstance(refused(tmp_path / "a.tar.gz", Limits(memory_bytes=600 << 20)), TooLarge)


def test_names_of_names_of_names_end(tmp_path, refused):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2
    block = info.tobuf(tarfile.GNU_FORMAT) + b"x\0".ljust(512, b"\0")
    (tmp_path / "a.tar").write_bytes(block * 20_000 + bytes(1024))
    assert "damaged" in str(refused(tmp_path / "a.tar"))


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"PK\x03\x04" + os.urandom(5000)])
def test_what_only_begins_as_a_zip_is_refused_as_damaged(tmp_path, target, content):
    (tmp_path / "a.zip").write_bytes(content)
    assert "damaged" in str(refused_here(tmp_path / "a.zip", target))


def test_a_zip_method_that_nobody_knows_is_refused(tmp_path, target):
    whole = bytearray(a_zip(tmp_path / "a.zip", ("a", b"12345")).read_bytes())
    whole[whole.index(b"PK\x03\x04") + 8] = whole[whole.index(b"PK\x01\x02") + 10] = 9
    (tmp_path / "a.zip").write_bytes(whole)
    assert isinstance(refused_here(tmp_path / "a.zip", target), UnreadableFile)


def test_what_is_no_archive_is_refused(tmp_path, target):
    (tmp_path / "notes.txt").write_text("notes")
    assert "is no archive" in str(refused_here(tmp_path / "notes.txt", target))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_image_is_unpacked_under_its_name(tmp_path, pack):
    image = b"II*\0" + os.urandom(100_000)
    (tmp_path / "brain.tif.packed").write_bytes(pack(image))
    with open_submission(tmp_path / "brain.tif.packed", tmp_path / "scratch", LIMITS) as submission:
        assert files_below(submission.root) == {"brain.tif": image}


def test_a_look_inside_costs_little_whatever_there_is(tmp_path):
    import resource
    import time

    zeros = bytes(64 << 20)
    nameless = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (64 << 20)
    greedy = lzma.compress(b"x" * 1000, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    cases = {
        "bomb.gz": gzip.compress(zeros, 1),
        "bomb.bz2": bz2.compress(zeros, 1),
        "name.gz": nameless,
        "g.xz": greedy,
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        began = time.process_time()
        assert len(peek(tmp_path / name, content[:4096])) in (0, 512)
        assert time.process_time() - began < 0.2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"\x1f\x8b" + os.urandom(99), zlib.compress(b"1")]
)
def test_a_look_inside_what_is_damaged_sees_nothing(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert peek(tmp_path / "a", content) in (b"", content)


def test_samples_in_archives_come_byte_for_byte(sample, tmp_path, target):
    listed = sample("human/surgical_neurons/80_human_neurons_swc.tar.gz")
    unpack(listed, target, 1 << 30)
    with tarfile.open(listed) as archive:
        expected = {m.name.removeprefix("./"): archive.extractfile(m).read() for m in archive if m.isfile()}
    assert files_below(target) == expected
    again = a_zip(tmp_path / "again.zip", *expected.items())
    unpack(again, tmp_path / "second", 1 << 30)
    assert files_below(tmp_path / "second") == expected


INNER = {"a.swc": b"1 1 0 0 0 1 -1\n", "deep/b.csv": b"x,y\n1,2\n"}
IMAGE = b"II*\0" + bytes(range(256)) * 40


def packed_in(folder):
    """A zip in a tar, a compressed image in both, and what is left as it is."""
    inner = a_zip(folder / "inner.zip", *INNER.items(), ("t.tif.gz", gzip.compress(IMAGE))).read_bytes()
    (folder / "inner.zip").unlink()
    return {
        "inner.zip": inner,
        "stack/z1.tif.xz": lzma.compress(IMAGE),
        "head.nii.gz": gzip.compress(b"a header of NIfTI"),
        "table.csv.gz": gzip.compress(b"x,y\n"),
        "weights.npz": a_zip(folder / "w.npz", ("w.npy", b"\x93NUMPY")).read_bytes(),
        "damaged.tif.gz": gzip.compress(IMAGE)[:-9],
    }


def unpacked_from(packed):
    left = {name: packed[name] for name in ("head.nii.gz", "table.csv.gz", "weights.npz", "damaged.tif.gz")}
    inner = {f"inner.zip/{name}": content for name, content in INNER.items()}
    return {**left, **inner, "inner.zip/t.tif": IMAGE, "stack/z1.tif": IMAGE}


def test_archives_in_archives_are_unpacked_where_they_lie(tmp_path, target):
    packed = packed_in(tmp_path)
    unpack(a_tar(tmp_path / "all.tar.gz", *packed.items(), mode="w:gz"), target, 1 << 30)
    assert files_below(target) == unpacked_from(packed)
    assert not list(target.rglob(".packed-*"))


def test_archives_in_a_folder_are_unpacked_in_a_copy_of_it(tmp_path):
    (tmp_path / "source").mkdir()
    packed = packed_in(tmp_path / "source")
    given = tmp_path / "given"
    for name, content in {**packed, "plain.txt": b"as it is"}.items():
        (given / name).parent.mkdir(parents=True, exist_ok=True)
        (given / name).write_bytes(content)
    (given / "elsewhere").symlink_to("/etc/passwd")
    os.mkfifo(given / "pipe")
    before = {path: path.lstat().st_mtime_ns for path in given.rglob("*")}
    with open_submission(given, tmp_path / "scratch", LIMITS) as submission:
        found = {file.name: file.path.read_bytes() for file in submission.files}
        skipped = submission.skipped
    assert found == {**unpacked_from(packed), "plain.txt": b"as it is"}
    assert skipped == tuple(f"{name}: a link or a device, which is never followed" for name in ("elsewhere", "pipe"))
    assert {path: path.lstat().st_mtime_ns for path in given.rglob("*")} == before
    assert list((tmp_path / "scratch").iterdir()) == []


def test_who_unpacks_can_write_no_file_of_the_folder(tmp_path, monkeypatch):
    given, reached = tmp_path / "given", []
    given.mkdir()
    for name, content in packed_in(given).items():
        (given / name).parent.mkdir(exist_ok=True)
        (given / name).write_bytes(content)

    class Watched(ReaderHost):
        def unpack(self, archive, into):
            reached.extend(path for path in self._scratch.rglob("*") if path.is_file() and path.stat().st_nlink > 1)
            super().unpack(archive, into)

    monkeypatch.setattr("pulvinar.ingest.submission.ReaderHost", Watched)
    with open_submission(given, tmp_path / "scratch", LIMITS) as submission:
        linked = [file.name for file in submission.files if file.path.stat().st_nlink > 1]
    assert "table.csv.gz" in linked, "what is not packed is a link"
    assert reached == [], "and lies where the process can't write"


def test_two_images_of_one_name_are_both_kept(tmp_path, target):
    other = b"MM\0*" + bytes(10)
    unpack(a_zip(tmp_path / "a.zip", ("b.tif", other), ("b.tif.gz", gzip.compress(IMAGE))), target, 1 << 30)
    assert files_below(target) == {"b.tif": other, "b.tif.gz/b.tif": IMAGE}


def test_a_bomb_in_an_archive_counts_for_the_whole(tmp_path, target):
    bomb = gzip.compress(b"II*\0" + bytes(40 << 20))
    archive = a_zip(tmp_path / "a.zip", *((f"{number}.tif.gz", bomb) for number in range(2)))
    assert isinstance(refused_here(archive, target, 64 << 20), TooLarge)
    nested = bomb
    for _ in range(6):
        a_zip(tmp_path / "b.zip", ("b.zip", nested))
        nested = (tmp_path / "b.zip").read_bytes()
    unpack(tmp_path / "b.zip", target / "deep", 1 << 30)
    (left,) = files_below(target / "deep")
    assert left == "b.zip/b.zip/b.zip/b.zip", "so deep, and no deeper"


def test_a_name_in_an_inner_archive_leads_nowhere_else(tmp_path, target):
    inner = a_zip(tmp_path / "inner.zip", ("../../evil.swc", b"1 1 0 0 0 1 -1\n")).read_bytes()
    unpack(a_zip(tmp_path / "a.zip", ("in/inner.zip", inner)), target, 1 << 30)
    assert files_below(target) == {"in/inner.zip": inner}
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("twin", [twin for twin in every_twin() if "," not in twin.name], ids=lambda twin: twin.name)
def test_a_compressed_file_is_recognised_as_what_it_is(twin, tmp_path):
    def recognised(path, scratch):
        with (
            open_submission(path, scratch, LIMITS) as submission,
            ReaderHost(
                submission.root,
                scratch=scratch,
                limits=LIMITS,
                readable=submission.readable,
                options=Options(unit="um"),
            ) as host,
        ):
            return [(asset.reader, asset.kind) for asset in host.find(submission.files)]

    for name in ("plain", "packed", "scratch"):
        (tmp_path / name).mkdir()
    plain = twin.make(tmp_path / "plain")
    if plain.is_dir() or plain.name.endswith((".gz", ".tar.xz", ".zip", ".npz")):
        pytest.skip("a folder, or packed already")
    (tmp_path / "packed" / f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    as_it_is = recognised(plain, tmp_path / "scratch")
    assert recognised(tmp_path / "packed" / f"{plain.name}.gz", tmp_path / "scratch") == as_it_is
    assert recognised(tmp_path / "packed", tmp_path / "scratch") == as_it_is
