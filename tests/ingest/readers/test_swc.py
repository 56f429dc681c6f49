import gzip
import tarfile
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import Invalid, MetadataMissing, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.swc import SwcReader

READER = SwcReader()


def neuron(folder, text, options=None):
    (folder / "a.swc").write_text(text)
    return read_geometry(READER, folder, options)


@settings(deadline=None)
@given(data=st.data(), count=st.integers(1, 40))
def test_any_forest_in_any_order_keeps_its_edges(tmp_path_factory, data, count):
    ids = data.draw(st.lists(st.integers(0, 10**6), min_size=count, max_size=count, unique=True))
    parents = [-1 if i == 0 else data.draw(st.sampled_from([-1, *ids[:i]])) for i in range(count)]
    order = data.draw(st.permutations(range(count)))
    lines = [f"{ids[i]} 3 {i} {2 * i} {3 * i} 1.5 {parents[i]}" for i in order]
    found = neuron(tmp_path_factory.mktemp("swc"), "\n".join(lines))
    assert (found.parent < np.arange(count)).all()
    edges = {
        (n, -1 if p < 0 else int(found.node_id[p])) for n, p in zip(found.node_id.tolist(), found.parent, strict=True)
    }
    assert edges == set(zip(ids, parents, strict=True))
    places = dict(zip(found.node_id.tolist(), found.zyx_um.tolist(), strict=True))
    assert places == {ids[i]: [3.0 * i, 2.0 * i, float(i)] for i in range(count)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 1 0 0 0 1 -1\n2 3 0 0 0 1 3\n3 3 0 0 0 1 2\n", "line 2: the node is its own ancestor"),
        ("1 1 0 0 0 1 1\n", "line 1: the node is its own ancestor"),
        ("1 1 0 0 0 1 -1\n2 3 0 0 0 1 7\n", "line 2: its parent is not in the file"),
        ("# c\n1 1 0 0 0 1 -1\n1 3 0 0 0 1 1\n", "line 3: its number was given to a node before"),
        ("1 1 0 0 nan 1 -1\n", "line 1: a number is not finite"),
        ("1 1 0 0 0 1 -1\n\n2 3 0 inf 0 1 1\n", "line 3: a number is not finite"),
        ("1 1 0 0 0 1 -1\n2 3 0 x 0 1 1\n", "line 2: 'x' is not a number"),
        ("1 1 0 0 0 1\n", "line 1: a node needs seven numbers"),
        ("1 1 0 0 0 1 -1\n2 3 0 0 0 1 1 9\n", "line 2: it has not 7 numbers"),
        ("1.5 1 0 0 0 1 -1\n", "line 1: number, type and parent must be whole"),
        ("1 99999 0 0 0 1 -1\n", "line 1: its type"),
        ("# nothing\n", "has no node"),
        ("1 " * 100 + "\n", "line 1: it has more than 64 numbers"),
    ],
)
def test_what_is_no_forest_is_refused_with_its_line(tmp_path, text, reason):
    (tmp_path / "a.swc").write_text(text)
    with pytest.raises(UnreadableFile, match=reason):
        find_one(READER, tmp_path)


def test_many_roots_and_radii_of_nothing_are_said(tmp_path):
    found = neuron(tmp_path, "1 1 0 0 0 1 -1\n2 1 5 5 5 0 -1\n3 3 5 5 6 -2 2\n")
    assert np.isnan(found.radius_um).tolist() == [False, True, True]
    asset = find_one(READER, tmp_path)
    assert "2 roots" in said(asset)
    assert "2 of 3 radii" in said(asset)


def test_units_axes_and_scale(tmp_path):
    text = "1 1 1 2 3 4 -1\n"
    assert neuron(tmp_path, text).zyx_um.tolist() == [[3, 2, 1]]
    assert neuron(tmp_path, text, Options(unit="mm")).zyx_um.tolist() == [[3000, 2000, 1000]]
    voxels = Options(unit="voxel", voxel_size_um=(25.0, 25.0, 25.0), axes="zyx")
    assert neuron(tmp_path, text, voxels).zyx_um.tolist() == [[25, 50, 75]]
    assert neuron(tmp_path, text, voxels).radius_um.tolist() == [100]
    assert neuron(tmp_path, "# SCALE 0.5 0.5 2\n" + text).zyx_um.tolist() == [[6, 1, 0.5]]
    assert neuron(tmp_path, "# All positions in mm\n" + text).zyx_um.tolist() == [[3000, 2000, 1000]]
    with pytest.raises(MetadataMissing, match="voxel"):
        neuron(tmp_path, text, Options(unit="voxel"))
    with pytest.raises(Invalid, match="--axes"):
        neuron(tmp_path, text, Options(axes="xxy"))
    (tmp_path / "a.swc").write_text("# positions in voxels\n" + text)
    assert ("question", "--unit") in flags(find_one(READER, tmp_path))


def test_a_comment_on_axes_is_doubted_and_not_believed(sample):
    folder = sample("mouse/mouselight_dendrites/demo-trees/AA0001.swc").parent
    (first, *_) = READER.find([f for f in source_files(folder) if f.name.endswith(".swc")], Options())
    assert ("doubt", "--axes") in flags(first)


def test_a_chinese_comment_is_kept_as_chinese(tmp_path):
    (tmp_path / "a.swc").write_bytes("# 小鼠 海马 神经元\n1 1 0 0 0 1 -1\n".encode("gbk"))
    assert find_one(READER, tmp_path).metadata["header"]["comments"] == ["小鼠 海马 神经元"]


def test_atlas_voxels_land_inside_the_atlas(sample):
    path = sample("mouse/fmost_neurons/20_mouse_neurons/CCFv3_25um/18458_00375_AM.swc.gz")
    options = Options(unit="voxel", voxel_size_um=(25.0, 25.0, 25.0), axes="zyx")
    (asset,) = READER.find([f for f in source_files(path.parent) if f.path == path], options)
    found = READER.read_geometry(asset, path.parent, options)
    assert (found.zyx_um >= 0).all()
    assert (found.zyx_um <= [13200, 8000, 11400]).all()
    assert np.count_nonzero(found.parent < 0) == 2


def in_voxels(folder):
    """The neurons of `folder` whose unit is doubted for lying in voxels, and the others."""
    files = [file for file in source_files(folder) if ".swc" in file.name and not file.path.name.startswith("._")]
    found = list(READER.find(files, Options()))
    doubted = {asset.name for asset in found if "--unit voxel --voxel-size" in said(asset)}
    assert all(("doubt", "--unit") in flags(asset) for asset in found if asset.name in doubted)
    return doubted, {asset.name for asset in found} - doubted


def test_neurons_in_voxels_are_doubted_and_those_in_micrometres_are_not(sample, tmp_path):
    doubted, others = in_voxels(sample("mouse/fmost_neurons/20_mouse_neurons/CCFv3_25um"))
    assert (len(doubted), others) == (14, set())
    with tarfile.open(sample("human/surgical_neurons/80_human_neurons_swc.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    doubted, others = in_voxels(tmp_path)
    assert (doubted, len(others)) == (set(), 80)
    assert in_voxels(sample("mouse/mouselight_dendrites/demo-trees"))[0] == set()
    # of an image without a calibration
    assert in_voxels(sample("tracing"))[0] == {"TreeV", "TreeVsimplified"}


NEUROMORPHO = """# Original file OP_1.txt edited by Duncan Donohue using StdSwc version 1.21 on 4/22/2009.
#
# Irregularities and fixes documented in OP_1.swc.std.  See StdSwc1.21.doc for more information.
#
# When using this morphology acknowledge its source according to usage policy at NeuroMorpho.org.
# CREATURE Drosophila
# SCALE 1.0  1.0  1.0
# SOMA_AREA 1256.64
 1 1 0.0 0.0 0.0 10.0 -1
 2 1 0.0 -10.0 0.0 10.0 1
 3 1 0.0 10.0 0.0 10.0 1
 4 3 1.5 12.25 -3.0 0.5 1
"""
ESWC = """#name vaa3d_traced
#comment
##n,type,x,y,z,radius,parent,seg_id,level,mode,timestamp,TFresindex,feature_value
1 1 10.5 20.25 3 2 -1 0 0 2 1700000000 4
2 3 11.5 20.25 3 1 1 0 1 2 1700000001 4 0.5 0.25
3 3 12.5 20.25 4 -1 2 1 1 2 1700000002 4 0.5
"""


def test_dialects_have_the_same_seven_columns(tmp_path):
    found = neuron(tmp_path, NEUROMORPHO)
    assert found.zyx_um.tolist() == [[0, 0, 0], [0, -10, 0], [0, 10, 0], [-3, 12.25, 1.5]]
    assert found.parent.tolist() == [-1, 0, 0, 0]
    (tmp_path / "a.swc").unlink()
    (tmp_path / "a.ano.eswc").write_text(ESWC)
    found = read_geometry(READER, tmp_path)
    assert found.zyx_um.tolist() == [[3, 20.25, 10.5], [3, 20.25, 11.5], [4, 20.25, 12.5]]
    assert np.array_equal(found.radius_um, [2, 1, np.nan], equal_nan=True)
    assert found.type_code.tolist() == [1, 3, 3]
    assert "7 columns beyond SWC's seven are left out" in said(find_one(READER, tmp_path))
    # the same rows under another name are doubtful
    (tmp_path / "a.ano.eswc").rename(tmp_path / "a.swc")
    with pytest.raises(UnreadableFile, match="line 5: it has not 12 numbers"):
        find_one(READER, tmp_path)


def test_whoever_says_the_unit_is_not_asked_again(sample):
    path = sample("mouse/fmost_neurons/20_mouse_neurons/CCFv3_25um/18458_00375_AM.swc.gz")
    files = [file for file in source_files(path.parent) if file.path == path]
    for options in (Options(unit="um"), Options(unit="voxel", voxel_size_um=(25.0, 25.0, 25.0))):
        (asset,) = READER.find(files, options)
        assert "--unit" not in {flag for _, flag in flags(asset)}


def test_a_neuron_of_many_branches_and_a_long_one_are_quick(tmp_path):
    count = 300_000
    star = "\n".join(["1 1 0 0 0 1 -1", *(f"{i} 3 {i} 0 0 1 1" for i in range(2, count))])
    chain = "\n".join(f"{i} 3 {i} 0 0 1 {i + 1 if i < count else -1}" for i in range(1, count + 1))
    for text, ending in ((star, ".swc"), (chain, ".swc.gz")):
        path = tmp_path / f"a{ending}"
        path.write_bytes(gzip.compress(text.encode(), 1) if ending.endswith("gz") else text.encode())
        began = time.process_time()
        found = read_geometry(READER, tmp_path)
        assert time.process_time() - began < 10
        assert len(found.parent) >= count - 1
        path.unlink()


def test_numbers_of_a_large_file_are_those_of_numpy_however_they_are_written(tmp_path):
    forms = ["1.5", "+2.25", "-.5", "1e3", "7", "-0", "0.1234567890123456789", "1.7976931348623157e308"]
    lines = [f"{n} 3 {forms[n % 8]} {forms[n % 7]} {forms[n % 5]} 1 {n - 1 or -1}" for n in range(1, 40_001)]
    (tmp_path / "a.swc").write_text("\n".join(lines))
    found = read_geometry(SwcReader(), tmp_path, Options(unit="um"))
    expected = np.loadtxt(tmp_path / "a.swc")
    assert np.array_equal(found.zyx_um[:, ::-1], expected[:, 2:5])
    (tmp_path / "a.swc").write_text("\n".join(lines).replace("30000 3 1.5", "30000 3 1.5x"))
    with pytest.raises(UnreadableFile, match=r"line 30000: '1\.5x' is not a number"):
        read_geometry(SwcReader(), tmp_path, Options(unit="um"))


MANY = 60_000


def many_lines(part=" ", end="\n"):
    """Lines of so many nodes that they are read at once."""
    places = np.random.default_rng(2).normal(0, 50, (MANY, 3)).round(4).tolist()
    rows = [(n + 1, 3, *place, 0.5, n or -1) for n, place in enumerate(places)]
    return [part.join(map(str, row)) + end for row in rows], np.array(places)


@pytest.mark.parametrize(
    ("part", "end"), [(" ", "\n"), ("\t", "\n"), (" ", "\r\n"), ("  ", "\n"), (" ", " \n"), (",", "\n")]
)
def test_a_large_neuron_is_the_same_however_its_columns_are_parted(tmp_path, part, end):
    lines, places = many_lines(part, end)
    (tmp_path / "a.swc").write_bytes("".join(lines).encode())
    found = read_geometry(READER, tmp_path)
    assert np.array_equal(found.zyx_um[:, ::-1], places)
    assert np.array_equal(found.parent, np.arange(-1, MANY - 1))


@pytest.mark.parametrize(
    ("at", "line", "reason"),
    [
        (50_000, "50001 3 1 x 1 0.5 50000", "line 50001: 'x' is not a number"),
        (50_000, "50001 3 1 1 1 0.5 50000 7", "line 50001: it has not 7 numbers"),
        (50_000, "50001 3 1 nan 1 0.5 50000", "line 50001: a number is not finite"),
        (50_000, "50001 3 1 1 1 0.5 70000", "line 50001: its parent is not in the file"),
        (50_000, "50001 3 1 1 1 0.5 50002", "line 50001: the node is its own ancestor"),
        (50_000, "50000 3 1 1 1 0.5 49999", "line 50001: its number was given to a node before"),
        (50_000, "50001.5 3 1 1 1 0.5 50000", "line 50001: number, type and parent must be whole"),
    ],
)
def test_in_a_large_neuron_the_line_that_is_wrong_is_named(tmp_path, at, line, reason):
    lines, _ = many_lines()
    lines[at] = f"{line}\n"
    (tmp_path / "a.swc").write_text("".join(lines))
    with pytest.raises(UnreadableFile, match=reason):
        find_one(READER, tmp_path)


def test_lines_without_a_node_within_a_large_neuron_are_counted(tmp_path):
    lines, places = many_lines()
    lines[100] = f"# said here\n\n{lines[100]}"
    (tmp_path / "a.swc").write_text("".join(lines))
    assert np.array_equal(read_geometry(READER, tmp_path).zyx_um[:, ::-1], places)
    lines[200] = "nothing 3 1 1 1 0.5 200\n"
    (tmp_path / "a.swc").write_text("".join(lines))
    with pytest.raises(UnreadableFile, match="line 203: 'nothing' is not a number"):
        find_one(READER, tmp_path)
