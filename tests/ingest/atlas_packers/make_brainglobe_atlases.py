"""Makes `mini_zfish.tar.xz` with BrainGlobe's own writers.

    python make_brainglobe_atlases.py FOLDER

Run twice into one folder: where brainglobe-atlasapi[atlasgen] 2.3 is installed, and where 3.0 is; then pack it:
tar -C FOLDER -cJf mini_zfish.tar.xz second third
"""

import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import meshio
import mini_zfish as fish
import numpy as np
from brainglobe_atlasapi.atlas_generation.wrapup import wrapup_atlas_from_data

FACES = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
FACES += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]


def write(folder, scratch):
    meshes = {}
    for structure in fish.STRUCTURES:
        low, high = (at * fish.SIZE_UM for at in fish.box(structure["id"]))
        corners = np.array([[z, y, x] for z in (low[0], high[0]) for y in (low[1], high[1]) for x in (low[2], high[2])])
        meshes[structure["id"]] = scratch / f"{structure['id']}.obj"
        meshio.Mesh(corners, [("triangle", np.array(FACES))]).write(meshes[structure["id"]])
    wrapup_atlas_from_data(
        atlas_name="mini_zfish",
        atlas_minor_version=0,
        citation="unpublished",
        atlas_link="http://fishatlas.neuro.mpg.de",
        species="Danio rerio",
        resolution=(fish.SIZE_UM,) * 3,
        orientation=fish.ORIENTATION,
        root_id=1,
        reference_stack=fish.reference(),
        annotation_stack=fish.annotation(),
        structures_list=fish.STRUCTURES,
        meshes_dict=meshes,
        working_dir=folder,
        additional_references={"GAD1B": fish.reference() // 2},
    )


if __name__ == "__main__":
    layout = "second" if version("brainglobe-atlasapi").startswith("2.") else "third"
    target = Path(sys.argv[1]) / layout
    target.mkdir(parents=True)
    with TemporaryDirectory() as name:
        write(target, Path(name))
