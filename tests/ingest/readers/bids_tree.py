"""BIDS trees for tests, written with nibabel and the standard library; from real runs where the samples are there."""

import csv
import json
import shutil

import nibabel as nib
import numpy as np

DESCRIPTION = {
    "Name": "Faces and objects",
    "BIDSVersion": "1.10.0",
    "License": "CC0",
    "Authors": ["Haxby, J. V.", "Gobbini, M. I."],
    "HowToAcknowledge": "Science 293, 2425 (2001)",
    "DatasetDOI": "doi:10.18112/openneuro.ds000105",
}


def write_json(path, said):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said))


def write_table(path, header, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([header, *rows])


def write_image(path, shape, step_s=2.5, seed=1):
    """An image of random numbers; gives them (t, z, y, x)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).integers(0, 1000, shape).astype("i2")
    image = nib.Nifti1Image(data, np.diag([2.0, 3, 4, 1]))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((2, 3, 4, step_s)[: len(shape)])
    nib.save(image, path)
    return data.reshape(*shape, *[1] * (4 - len(shape))).transpose(3, 2, 1, 0)


def small_tree(root):
    """One person, one anatomy, two runs with events; gives the voxels by the names of the images."""
    write_json(root / "dataset_description.json", DESCRIPTION)
    (root / "README").write_text("People looked at pictures of faces and of objects.\n")
    write_table(root / "participants.tsv", ["participant_id", "age", "sex"], ["sub-01", "27", "F"])
    write_json(root / "task-objects_bold.json", {"RepetitionTime": 2.5, "TaskName": "objects", "EchoTime": 0.03})
    write_json(root / "sub-01" / "sub-01_task-objects_bold.json", {"EchoTime": 0.04, "SliceTiming": [0, 1.25]})
    voxels = {"sub-01_T1w": write_image(root / "sub-01" / "anat" / "sub-01_T1w.nii.gz", (5, 6, 7))}
    for run in (1, 2):
        name = f"sub-01_task-objects_run-{run}"
        voxels[f"{name}_bold"] = write_image(root / "sub-01" / "func" / f"{name}_bold.nii.gz", (5, 6, 7, 4), seed=run)
        rows = [[15.0, 22.5, "shoe", "1.5"], [52.5, 22.5, "house", "n/a"]]
        header = ["onset", "duration", "trial_type", "response_time"]
        write_table(root / "sub-01" / "func" / f"{name}_events.tsv", header, *rows)
    return voxels


def haxby_tree(samples, root):
    """The runs of the sample haxby2001 as a tree of BIDS; gives the source of each image and table by its name."""
    source = samples / "human" / "haxby2001" / "haxby2001" / "sub001"
    write_json(root / "dataset_description.json", DESCRIPTION)
    write_json(root / "task-objectviewing_bold.json", {"RepetitionTime": 2.5, "TaskName": "object viewing"})
    write_table(root / "participants.tsv", ["participant_id", "species"], ["sub-01", "homo sapiens"])
    made = {}
    for run in range(1, 13):
        stem = f"sub-01_task-objectviewing_run-{run:02}"
        folder = source / "BOLD" / f"task001_run{run:03}"
        pairs = {"bold.nii.gz": "bold_25mm.nii.gz", "events.tsv": "bold_events.tsv"}
        for ending, original in pairs.items():
            target = root / "sub-01" / "func" / f"{stem}_{ending}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / original, target)
            made[f"{stem}_{ending.split('.')[0]}"] = folder / original
    return made
