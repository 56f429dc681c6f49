"""One engine on one pair of `benchmarks.align`, in a process of its own: what it makes of the template's labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Voxels = npt.NDArray[np.generic]
EYE = np.eye(4)


def main() -> None:
    """Align `pair.npz` in the folder by the engine, and write the labels on the brain's voxels."""
    engine, folder = sys.argv[1], Path(sys.argv[2])
    pair = np.load(folder / "pair.npz")
    told = json.loads((folder / "pair.json").read_text())
    seen = ENGINES[engine](pair["template"], pair["brain"], pair["labels"], folder, told)
    np.save(folder / f"{engine}.npy", np.asarray(seen, np.int32))


def _ours(template: Voxels, brain: Voxels, labels: Voxels, folder: Path, told: dict[str, str]) -> Voxels:
    from pulvinar.model.space import Space
    from pulvinar.solutions.align import BrainImage, align
    from pulvinar.solutions.align.brain_image import rows_of
    from pulvinar.solutions.align.measure import labels_on

    rows = rows_of(EYE)
    fixed = BrainImage(Space("template", told["species"], told["orientation"]), template, rows)
    moving = BrainImage(Space("brain", told["species"], told["orientation"]), brain, rows)
    return labels_on(moving, labels, fixed, align(fixed, moving, voxel_um=1.0))


def _greedy(template: Voxels, brain: Voxels, labels: Voxels, folder: Path, told: dict[str, str]) -> Voxels:
    import nibabel
    from picsl_greedy import Greedy3D

    for name, voxels in (("template", template), ("brain", brain), ("labels", labels)):
        nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), EYE), folder / f"{name}.nii")
    run = f"-d 3 -threads 2 -V 0 -i {folder}/brain.nii {folder}/template.nii "
    Greedy3D().execute(f"{run} -a -dof 12 -ia-image-centers -n 100x50x20 -m NMI -o {folder}/affine.mat")
    Greedy3D().execute(
        f"{run} -m NCC 2x2x2 -n 100x60x20 -s 2vox 0.5vox -it {folder}/affine.mat -o {folder}/warp.nii -wp 0"
    )
    Greedy3D().execute(
        f"-d 3 -threads 2 -rf {folder}/brain.nii -ri NN -rm {folder}/labels.nii {folder}/seen.nii "
        f"-r {folder}/warp.nii {folder}/affine.mat"
    )
    return np.rint(np.asarray(nibabel.load(folder / "seen.nii").dataobj))


def _ants(template: Voxels, brain: Voxels, labels: Voxels, folder: Path, told: dict[str, str]) -> Voxels:
    import ants

    fixed, moving, regions = (ants.from_numpy(one.astype(np.float32)) for one in (brain, template, labels))
    found = ants.registration(fixed, moving, type_of_transform="SyN", random_seed=1)
    return np.rint(ants.apply_transforms(fixed, regions, found["fwdtransforms"], "nearestNeighbor").numpy())


def _elastix(template: Voxels, brain: Voxels, labels: Voxels, folder: Path, told: dict[str, str]) -> Voxels:
    import itk

    fixed, moving, regions = (itk.image_from_array(one.astype(np.float32)) for one in (brain, template, labels))
    steps = itk.ParameterObject.New()
    for name in ("affine", "bspline"):
        steps.AddParameterMap(itk.ParameterObject.GetDefaultParameterMap(name, 3))
    _, found = itk.elastix_registration_method(fixed, moving, parameter_object=steps, number_of_threads=2)
    for index in range(found.GetNumberOfParameterMaps()):
        found.SetParameter(index, "FinalBSplineInterpolationOrder", "0")
    return np.rint(itk.array_from_image(itk.transformix_filter(regions, found)))


def _ffd(template: Voxels, brain: Voxels, labels: Voxels, folder: Path, told: dict[str, str]) -> Voxels:
    """Cubic B-splines a node every 5 voxels, normalized mutual information's kin of Mattes, three levels."""
    import SimpleITK as sitk  # noqa: N813 (its own name)

    fixed, moving, regions = (sitk.GetImageFromArray(one.astype(np.float32)) for one in (brain, template, labels))
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    affine = _method(sitk, start, (4, 2, 1), 0.1)
    affine.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 60)
    affine.SetOptimizerScalesFromPhysicalShift()
    first = affine.Execute(fixed, moving)
    nodes = [max(4, size // 20) for size in fixed.GetSize()]
    splines = _method(sitk, sitk.BSplineTransformInitializer(fixed, nodes, 3), (4, 2, 1), 0.1, scale=[1, 2, 4])
    splines.SetMovingInitialTransform(first)
    splines.SetOptimizerAsLBFGS2(numberOfIterations=15)
    second = splines.Execute(fixed, moving)
    whole = sitk.CompositeTransform([first, second])
    return np.rint(sitk.GetArrayFromImage(sitk.Resample(regions, fixed, whole, sitk.sitkNearestNeighbor, 0.0)))


def _method(sitk, start, shrink, share, scale=None):  # noqa: ANN001, ANN202 (SimpleITK has no types)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(share, 1)
    method.SetShrinkFactorsPerLevel(shrink)
    method.SetSmoothingSigmasPerLevel([size / 2 if size > 1 else 0 for size in shrink])
    method.SetInterpolator(sitk.sitkLinear)
    if scale:
        method.SetInitialTransformAsBSpline(start, inPlace=True, scaleFactors=scale)
    else:
        method.SetInitialTransform(start, inPlace=True)
    return method


ENGINES: dict[str, Callable[..., Voxels]] = {
    "ours": _ours,
    "greedy": _greedy,
    "ants": _ants,
    "elastix": _elastix,
    "ffd": _ffd,
}

if __name__ == "__main__":
    main()
