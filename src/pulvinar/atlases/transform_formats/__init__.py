"""Files of transforms that other programs write: ITK and ANTs, NiftyReg, FSL.

A transform that is read maps points of `Ends.source` to points of `Ends.target`. Which of a program's two images is
which is said by each reader; for all but FSL, points go from the fixed (reference) image to the moving (floating) one.
"""

from pulvinar.atlases.transform_formats.files import read_chain, read_transform
from pulvinar.atlases.transform_formats.nifti_fields import read_image_grid
from pulvinar.atlases.transform_formats.steps import Ends
from pulvinar.atlases.transform_formats.text_matrices import ImageGrid, read_flirt, read_niftyreg_affine

__all__ = ["Ends", "ImageGrid", "read_chain", "read_flirt", "read_image_grid", "read_niftyreg_affine", "read_transform"]
