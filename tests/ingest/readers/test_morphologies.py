"""Neurolucida, HDF5 morphologies and NeuroML: what becomes a neuron, and what is refused."""

import gzip
import time
import xml.etree.ElementTree as ElementTree

import h5py
import morphio
import neuroml
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neuroml.writers import NeuroMLWriter
from tests.ingest.readers.reading import find_one, read_geometry, said
from tests.ingest.sources import same_morphology

from pulvinar.errors import PulvinarError, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.morphology_h5 import MorphologyH5Reader
from pulvinar.ingest.readers.neurolucida import NeurolucidaReader
from pulvinar.ingest.readers.neuroml import NeuromlReader

NEUROLUCIDA, H5, NEUROML = NeurolucidaReader(), MorphologyH5Reader(), NeuromlReader()
ASC = """; V3 text file written for MicroBrightField products.
(ImageCoords Filename "C:\\\\x.tif" Merge 65535 (0.5 0.5 1 0))
("Cell Body"
  (Color RGB (128, 0, 255)) (CellBody)
  (2 0 0 0.1) (0 2 0 0.1) (-2 0 0 0.1) (0 -2 0 0.1)
)  ; end of contour
("Pia" (Color White) (1 1 1 0) (2 2 2 0))
( (Color Red)
  (Dendrite)
  (0 3 0 1.5)  ; Root
  (0, 5, 0, 1, S1)
  <(Color White) (Generated 0) (0.5 5 0 1)>
  (Cross (Color Orange) (Name "Marker 1") (9 9 9 0.1))
  (
    (0 5 0 0.8) (1 7 0 0.8)
    ( (2 8 0 0.4) Normal | (2 6 0 0.4) (3 6 0 0.2) Incomplete )
    |
    (-1 7 .5e1 0.6)
    Normal
  )
)
((Color Blue) (Axon) (0 -3 0 1) (0 -9 1 0.5))
"""
# (x, y, z, radius, parent, type), in the file's order
ASC_NODES = [
    (0, 0, 0, 2, -1, 1),
    (0, 3, 0, 0.75, 0, 3),
    (0, 5, 0, 0.5, 1, 3),
    (1, 7, 0, 0.4, 2, 3),
    (2, 8, 0, 0.2, 3, 3),
    (2, 6, 0, 0.2, 3, 3),
    (3, 6, 0, 0.1, 5, 3),
    (-1, 7, 5, 0.3, 2, 3),
    (0, -3, 0, 0.5, 0, 2),
    (0, -9, 1, 0.25, 8, 2),
]
XML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<mbf version="4.0" xmlns="http://www.mbfbioscience.com/2007/neurolucida" xmlns:nl="http://www.mbfbioscience.com/2007">
<contour name="Cell Body" closed="true"><point x="2" y="0" z="0" d="0.1"/><point x="0" y="2" z="0" d="0.1"/>
<point x="-2" y="0" z="0" d="0.1"/><point x="0" y="-2" z="0" d="0.1"/></contour>
<contour name="Pia"><point x="1" y="1" z="1" d="0"/></contour>
<tree color="#FF0000" type="Dendrite" leaf="Normal"><point x="0" y="3" z="0" d="1.5"/><point x="0" y="5" z="0" d="1"/>
<spine><point x="0.5" y="5" z="0" d="1"/></spine><marker type="Cross"><point x="9" y="9" z="9" d="0.1"/></marker>
<branch><point x="0" y="5" z="0" d="0.8"/><point x="1" y="7" z="0" d="0.8"/>
<branch><point x="2" y="8" z="0" d="0.4"/></branch>
<branch><point x="2" y="6" z="0" d="0.4"/><point x="3" y="6" z="0" d="0.2"/></branch></branch>
<branch><point x="-1" y="7" z="5" d="0.6"/></branch></tree>
<tree type="Axon"><point x="0" y="-3" z="0" d="1"/><point x="0" y="-9" z="1" d="0.5"/></tree></mbf>
"""


def nodes_of(data):
    return [
        (*place[::-1], pytest.approx(radius), parent, kind)
        for place, radius, parent, kind in zip(
            data.zyx_um.tolist(), data.radius_um.tolist(), data.parent.tolist(), data.type_code.tolist(), strict=True
        )
    ]


def neuron(folder, text, ending="asc"):
    (folder / f"a.{ending}").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_geometry(NEUROLUCIDA, folder)


@pytest.mark.parametrize(
    "text",
    [
        ASC,
        XML,
        ASC.replace("\n", "\r\n"),
        ASC.replace("\n", "\r"),
        gzip.compress(ASC.encode()),
        ASC.replace("(0 3 0 1.5)", "(0 3 0 1.5) \x01 "),
    ],
)
def test_text_and_xml_give_one_neuron(tmp_path, text):
    assert nodes_of(neuron(tmp_path, text)) == ASC_NODES
    told = said(find_one(NEUROLUCIDA, tmp_path))
    assert "4 points, becomes one node of the radius 2" in told
    assert "contours (1)" in told
    assert "spines (1)" in told


def test_another_library_reads_the_same(tmp_path):
    plain = "\n".join(line for line in ASC.splitlines() if "ImageCoords" not in line and "Pia" not in line)
    data = neuron(tmp_path, plain.replace("(0, 5, 0, 1, S1)", "(0 5 0 1)").replace(".5e1", "5"))
    same_morphology(data, tmp_path / "a.asc")
    assert len(morphio.Morphology(tmp_path / "a.asc").root_sections) == 2


POINT = st.tuples(*[st.floats(-99, 99).map(lambda value: round(value, 3))] * 3, st.sampled_from([0.5, 1, 2.25]))
BRANCH = st.recursive(
    st.tuples(st.lists(POINT, min_size=1, max_size=5), st.just([])),
    lambda inner: st.tuples(st.lists(POINT, min_size=1, max_size=5), st.lists(inner, min_size=2, max_size=3)),
    max_leaves=8,
)


def drawn(branch, write):
    points, forks = branch
    inner = " | ".join(drawn(fork, write) for fork in forks)
    return "".join(map(write, points)) + (f"( {inner} )\n" if forks else "Normal ")


@settings(max_examples=60, deadline=None)
@given(
    branch=BRANCH,
    between=st.sampled_from([" ", "\n", "\t\n", " ; 1, 2 (3 4 5 6)\n", ' ; say "so\n', "<(0 0 0 1)>", " S1 "]),
)
def test_points_are_the_same_one_by_one_and_many_at_a_time(tmp_path_factory, branch, between):
    def neuron_of(write):
        return neuron(
            tmp_path_factory.mktemp("asc"), f'("Tree; (1 2 3 4)"\n(Dendrite))((Dendrite)\n{drawn(branch, write)})'
        )

    # a name within a point is read word by word
    named = neuron_of(lambda point: "({} {} {} {} S1)\n".format(*point))
    plain = neuron_of(lambda point: f"({' '.join(map(repr, point))}){between}")
    assert nodes_of(plain) == nodes_of(named)


def test_a_drawing_without_a_cell_body_has_roots(tmp_path):
    text = ASC[ASC.index("( (Color Red)") :]
    data = neuron(tmp_path, text)
    assert [node[4] for node in nodes_of(data)] == [parent - 1 if parent > 0 else -1 for *_, parent, _ in ASC_NODES[1:]]
    assert "2 roots" in said(find_one(NEUROLUCIDA, tmp_path))
    body = ASC[: ASC.index('("Pia"')]
    assert nodes_of(neuron(tmp_path, body)) == ASC_NODES[:1]


def test_cell_bodies_far_apart_are_doubted(tmp_path):
    other = '("Cell Body" (CellBody) (102 0 0 0) (100 2 0 0) (98 0 0 0) (100 -2 0 0))\n'
    neuron(tmp_path, ASC + other)
    assert "lie up to 100 apart: they are taken as one" in said(find_one(NEUROLUCIDA, tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("(0 3 0 1.5)", "(0 3 0)", "line 10: a point is not four finite numbers"),
        ("(0 3 0 1.5)", "(0 3 nan 1.5)", "line 10: a point is not four finite numbers"),
        ("(0 3 0 1.5)", "(0 3 0 1e999)", "is not finite"),
        ("(0 3 0 1.5)", "(0 3 0 1.5 2 2)", "line 10: a point is not four finite numbers"),
        ("(2 0 0 0.1)", "(2 0 0)", "line 5: a point is not four finite numbers"),
        ("Incomplete )", "Incomplete ", "line 8: a group that begins here has no end"),
        ("Incomplete )", "Incomplete ))))", "line 16: a group ends here that has not begun"),
        ("(0.5 5 0 1)>", "(0.5 5 0 1)", "has no end: the file is truncated"),
        ("((Color Blue)", "(1 2 3 4) ((Color Blue)", "line 22: a point lies in no group"),
    ],
)
def test_text_that_is_wrong_is_refused_with_its_line(tmp_path, old, new, reason):
    assert old in ASC
    assert nodes_of(neuron(tmp_path, ASC)) == ASC_NODES
    with pytest.raises(UnreadableFile, match=reason) as caught:
        neuron(tmp_path, ASC.replace(old, new, 1))
    assert caught.value.message.startswith("a.asc")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('x="0" y="3"', 'x="0"', "a point of it is not four numbers"),
        ('x="0" y="3"', 'x="zero" y="3"', "a point of it is not four numbers"),
        ('x="0" y="3"', 'x="nan" y="3"', "is not finite"),
        ("</mbf>", "", "it is no XML"),
        ("<mbf", '<!DOCTYPE mbf [<!ENTITY a "b">]><mbf', "declares the entity 'a'"),
    ],
)
def test_xml_that_is_wrong_is_refused(tmp_path, old, new, reason):
    assert nodes_of(neuron(tmp_path, XML, "xml")) == ASC_NODES
    with pytest.raises(UnreadableFile, match=reason):
        neuron(tmp_path, XML.replace(old, new, 1), "xml")


def test_many_branches_and_deep_ones_are_quick(tmp_path):
    wide = "((Dendrite) (0 0 0 1) (" + "|".join(f"({i} 1 0 1)" for i in range(100_000)) + "))"
    deep = "((Dendrite) (0 0 0 1)" + "".join(f"(({i} 1 0 1)" for i in range(100_000)) + ")" * 100_001
    for text in (wide, deep):
        began = time.process_time()
        assert len(neuron(tmp_path, text).parent) == 100_001
        assert time.process_time() - began < 30
    with pytest.raises(PulvinarError, match="has no end"):
        neuron(tmp_path, "((Dendrite)" + "(" * 300_000)
    for long in ("1" * 3_000_000, "1." + "1" * 3_000_000, " " * 3_000_000, "1 " * 1_000_000, "," * 3_000_000):
        with pytest.raises(UnreadableFile):
            neuron(tmp_path, f"((Dendrite) ({long} x)")
    nested = XML[: XML.index("<contour")] + '<tree type="Axon"><point x="0" y="0" z="0" d="1"/>' + "<branch>" * 200_000
    with pytest.raises(UnreadableFile, match="deep in each other"):
        neuron(tmp_path, nested)


def test_a_real_drawing_keeps_every_segment(sample):
    path = sample("tracing/snt_tests/neuron_Neurolucida_XML.xml")
    (asset,) = NEUROLUCIDA.find([file for file in source_files(path.parent) if file.path == path], Options())
    data = NEUROLUCIDA.read_geometry(asset, path.parent, Options())
    edges = {
        (tuple(child), tuple(parent))
        for child, parent in zip(data.zyx_um.tolist(), data.zyx_um[data.parent].tolist(), strict=True)
    }
    space = "{http://www.mbfbioscience.com/2007/neurolucida}"

    def walk(element, tip):
        for child in element:
            if child.tag == f"{space}point":
                place = tuple(float(child.get(axis)) for axis in "zyx")
                if tip is not None and place != tip:
                    yield place, tip
                tip = place
            elif child.tag == f"{space}branch":
                yield from walk(child, tip)

    trees = ElementTree.parse(path).getroot().findall(f"{space}tree")
    expected = {edge for tree in trees for edge in walk(tree, None)}
    assert len(expected) > 12_000
    assert expected <= edges


POINTS = np.array(
    [[2, 0, 0, 0], [0, 2, 0, 0], [-2, 0, 0, 0], [0, -2, 0, 0], [0, 3, 0, 1.5], [0, 5, 0, 1], [0, 5, 0, 0.8],
     [1, 7, 0, 0.8], [1, 7, 0, 0.4], [2, 8, 0, 0.4], [1, 7, 0, 0.8], [2, 6, 0, 0.4], [3, 6, 0, 0.2], [0, 5, 0, 1],
     [-1, 7, 5, 0.6], [0, -3, 0, 1], [0, -9, 1, 0.5]]
)  # fmt: skip
STRUCTURE = np.array([[0, 1, -1], [4, 3, 0], [6, 3, 1], [8, 3, 2], [10, 3, 2], [13, 3, 1], [15, 2, 0]])


def write_h5(path, points=POINTS, structure=STRUCTURE, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("points", data=points, **options)
        file.create_dataset("structure", data=structure, **options)


def test_sections_become_the_same_neuron(tmp_path):
    write_h5(tmp_path / "a.h5")
    data = read_geometry(H5, tmp_path)
    assert nodes_of(data) == ASC_NODES
    same_morphology(data, tmp_path / "a.h5")


def test_sections_that_do_not_repeat_the_fork_join_it(tmp_path):
    points = np.array([[0, 0, 0, 2], [0, 5, 0, 1], [0, 7, 0, 1], [1, 9, 0, 1]])
    write_h5(tmp_path / "a.h5", points, np.array([[0, 2, -1], [2, 2, 0], [3, 2, 0]]))
    assert read_geometry(H5, tmp_path).parent.tolist() == [-1, 0, 1, 1]


@pytest.mark.parametrize(
    ("points", "structure", "reason"),
    [
        ({(5, 1): np.nan}, {}, "point 5 is not finite"),
        ({(5, 3): np.inf}, {}, "point 5 is not finite"),
        ({}, {(3, 2): 99}, "section 3 has a parent that is not in the file"),
        ({}, {(3, 2): -7}, "section 3 has a parent that is not in the file"),
        ({}, {(3, 2): 3}, "section 3 is its own ancestor"),
        ({}, {(1, 2): 3}, "section 1 is its own ancestor"),
        ({}, {(1, 2): 6}, "section 1 comes before its parent"),
        ({}, {(3, 0): 99}, "section 3 has no points, or begins behind the end"),
        ({}, {(3, 0): 3}, "section 2 has no points"),
        ({}, {(0, 0): 1}, "its first section begins with point 1"),
        ({}, {(3, 1): 99999}, "section 3 has a type that is none of SWC"),
    ],
)
def test_sections_that_are_no_tree_are_refused(tmp_path, points, structure, reason):
    write_h5(tmp_path / "a.h5")
    assert nodes_of(read_geometry(H5, tmp_path)) == ASC_NODES
    places, sections = POINTS.copy(), STRUCTURE.copy()
    for at, value in points.items():
        places[at] = value
    for at, value in structure.items():
        sections[at] = value
    write_h5(tmp_path / "a.h5", places, sections)
    with pytest.raises(UnreadableFile, match=reason) as caught:
        find_one(H5, tmp_path)
    assert caught.value.message.startswith("a.h5")


def test_radii_of_nothing_are_not_known(tmp_path):
    places = POINTS.copy()
    places[5, 3] = 0
    places[14, 3] = -1
    write_h5(tmp_path / "a.h5", places)
    data = read_geometry(H5, tmp_path)
    assert np.isnan(data.radius_um).tolist() == [row in (2, 7) for row in range(10)]
    assert "2 of 10 radii are not positive: are they not known, or lost?" in said(find_one(H5, tmp_path))
    told = find_one(H5, tmp_path, Options(radius_unknown=True))
    assert "2 of 10 radii are not positive: they are taken as not known" in said(told)


def test_other_files_that_it_names_are_not_opened(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write_h5(tmp_path / "secret.h5")
    POINTS.tofile(tmp_path / "secret.raw")
    with h5py.File(folder / "a.h5", "w") as file:
        file["points"] = h5py.ExternalLink("../secret.h5", "points")
        file["structure"] = STRUCTURE
    with pytest.raises(UnreadableFile, match=r"secret\.h5"):
        find_one(H5, folder)
    with h5py.File(folder / "a.h5", "w") as file:
        raw = [(str(tmp_path / "secret.raw"), 0, POINTS.nbytes)]
        file.create_dataset("points", POINTS.shape, "f8", external=raw)
        file["structure"] = STRUCTURE
    with pytest.raises(UnreadableFile, match=r"secret\.raw"):
        find_one(H5, folder)


def test_a_bomb_is_not_unpacked(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("points", (1 << 40, 4), "f8", chunks=(1 << 16, 4), compression="gzip")
        file["structure"] = STRUCTURE
    with pytest.raises(PulvinarError, match=r"can't hold more|at most"):
        find_one(H5, tmp_path)
    packed = {"chunks": True, "compression": "gzip"}
    write_h5(tmp_path / "a.h5", np.concatenate([POINTS, np.repeat(POINTS[-1:], 100_000, axis=0)]), **packed)
    assert len(read_geometry(H5, tmp_path).parent) == 100_010


def test_parts_that_are_not_stored_are_not_read_as_zeros(tmp_path):
    for written, works in ((17, True), (8, False)):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            points = file.create_dataset("points", POINTS.shape, "f8", chunks=(4, 4))
            points[:written] = POINTS[:written]
            file["structure"] = STRUCTURE
        if works:
            assert nodes_of(read_geometry(H5, tmp_path)) == ASC_NODES
        else:
            with pytest.raises(UnreadableFile, match="3 of the 5 parts of its points are not stored"):
                find_one(H5, tmp_path)


def segment(number, parent=None, proximal=None, distal=(0, 0, 0, 1), fraction=1.0):
    return neuroml.Segment(
        id=number,
        name=f"s{number}",
        parent=None if parent is None else neuroml.SegmentParent(segments=parent, fraction_along=fraction),
        proximal=None if proximal is None else neuroml.Point3DWithDiam(*proximal),
        distal=neuroml.Point3DWithDiam(*distal),
    )


def group(name, *members, includes=(), term=None):
    return neuroml.SegmentGroup(
        id=name,
        neuro_lex_id=term,
        members=[neuroml.Member(segments=member) for member in members],
        includes=[neuroml.Include(segment_groups=other) for other in includes],
    )


SEGMENTS = [
    segment(0, None, (0, 0, 0, 10), (0, 0, 0, 10)),
    segment(3, 0, (0, 5, 0, 2), (0, 10, 0, 1)),
    segment(1, 3, None, (0, 20, 0, 0.5)),
    segment(2, 3, None, (5, 12, 0, 0.5), fraction=0.4),
    segment(7, 3, None, (-5, 0, 3, 0.5), fraction=0.0),
    segment(9, 1, (0, 20, 0, 0.25), (0, 30, 0, 0.25)),
]
GROUPS = [
    group("soma_group", 0),
    group("tuft", 9),
    group("axon_group", 1, includes=["tuft", "axon_group"]),
    group("some_dendrites", 3, 2, 7, term="GO:0030425"),
    group("apical_dend_group", 2),
]
NEUROML_NODES = [
    (0, 0, 0, 5, -1, 1),
    (0, 5, 0, 1, 0, 3),
    (0, 7, 0, 0.8, 1, 3),
    (0, 10, 0, 0.5, 2, 3),
    (0, 20, 0, 0.25, 3, 2),
    (5, 12, 0, 0.25, 2, 4),
    (-5, 0, 3, 0.25, 1, 3),
    (0, 30, 0, 0.125, 4, 2),
]


def write_neuroml(path, segments=SEGMENTS, groups=GROUPS, cells=1):
    document = neuroml.NeuroMLDocument(id="doc")
    document.includes.append(neuroml.IncludeType(href="../secret.nml"))
    for index in range(cells):
        morphology = neuroml.Morphology(id="m", segments=list(segments), segment_groups=list(groups))
        document.cells.append(neuroml.Cell(id=f"cell{index}", morphology=morphology))
    NeuroMLWriter.write(document, str(path))


def test_a_cell_of_another_librarys_file_is_a_neuron(tmp_path):
    write_neuroml(tmp_path / "a.nml")
    data = read_geometry(NEUROML, tmp_path)
    assert placed(data) == placed_nodes()
    assert not find_one(NEUROML, tmp_path).findings
    write_neuroml(tmp_path / "a.nml", cells=2)
    first, second = NEUROML.find(source_files(tmp_path), Options())
    assert (first.name, second.name) == ("cell0", "cell1")
    assert placed(NEUROML.read_geometry(second, tmp_path, Options())) == placed_nodes()
    write_neuroml(tmp_path / "a.nml", groups=[])
    assert "8 are in no group" in said(find_one(NEUROML, tmp_path))


def placed(data):
    """Each node with the place of its parent, in no order."""
    places = [tuple(round(value, 9) for value in place[::-1]) for place in data.zyx_um.tolist()]
    return {
        (
            places[row],
            round(float(data.radius_um[row]), 6),
            int(data.type_code[row]),
            places[above] if above >= 0 else None,
        )
        for row, above in enumerate(data.parent.tolist())
    }


def placed_nodes():
    return {
        ((x, y, z), radius, kind, NEUROML_NODES[above][:3] if above >= 0 else None)
        for x, y, z, radius, above, kind in NEUROML_NODES
    }


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('<parent segment="3"/>', '<parent segment="77"/>', "the parent 77 of segment 1 is not in the file"),
        ('<parent segment="0"/>', '<parent segment="9"/>', "is its own ancestor"),
        ('<parent segment="0"/>', '<parent segment="3"/>', "is its own ancestor"),
        ('fractionAlong="0.4"', 'fractionAlong="1.4"', "segment 2 begins at 1.4 of its parent"),
        ('fractionAlong="0.4"', 'fractionAlong="nan"', "which is not finite"),
        ('id="7"', 'id="9"', "two segments have the number 9"),
        ('id="7"', 'id="-7"', "has the id '-7', which is no number"),
        (
            '<segment id="0" name="s0">',
            '<segment id="0" name="s0"><x/></segment><segment id="0">',
            "segment 0 has not both",
        ),
        ('y="20', 'y="x20', "segment 1 has the number 'x20"),
        ("<neuroml", '<!DOCTYPE neuroml [<!ENTITY a SYSTEM "/etc/passwd">]><neuroml', "declares the entity 'a'"),
        ("</neuroml>", "", "it is no XML"),
    ],
)
def test_a_cell_that_is_no_tree_is_refused(tmp_path, old, new, reason):
    write_neuroml(tmp_path / "a.nml")
    text = (tmp_path / "a.nml").read_text()
    assert old in text
    (tmp_path / "a.nml").write_text(text.replace(old, new, 1))
    with pytest.raises(UnreadableFile, match=reason) as caught:
        find_one(NEUROML, tmp_path)
    assert caught.value.message.startswith("a.nml")


def test_many_segments_are_quick_and_channels_are_passed_over(tmp_path):
    lines = ['<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="d"><cell id="c"><morphology id="m">']
    lines.append(
        '<segment id="0"><proximal x="0" y="0" z="0" diameter="1"/><distal x="0" y="1" z="0" diameter="1"/></segment>'
    )
    for number in range(1, 100_000):
        parent = 0 if number % 2 else number - 1
        distal = f'<distal x="{number}" y="2" z="0" diameter="1"/>'
        lines.append(f'<segment id="{number}"><parent segment="{parent}"/>{distal}</segment>')
    (tmp_path / "a.nml").write_text("\n".join([*lines, "</morphology></cell></neuroml>"]))
    began = time.process_time()
    assert len(read_geometry(NEUROML, tmp_path).parent) == 100_001
    assert time.process_time() - began < 30
    (tmp_path / "a.nml").write_text('<neuroml id="d"><ionChannelHH id="na"/></neuroml>')
    assert list(NEUROML.find(source_files(tmp_path), Options())) == []
