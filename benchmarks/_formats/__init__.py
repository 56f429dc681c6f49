"""The formats whose reading is timed and compared, by family: how a large file of each is made, and the plain way to
read it.

A new format is one more entry of its family. What writes a file is another program than the reader under test, and so
is what reads it beside.
"""

from benchmarks._formats.chunked import CHUNKED
from benchmarks._formats.entry import Format
from benchmarks._formats.images import IMAGES
from benchmarks._formats.meshes import MESHES
from benchmarks._formats.neurons import NEURONS
from benchmarks._formats.tables import TABLES

FORMATS = [*IMAGES, *CHUNKED, *MESHES, *NEURONS, *TABLES]

__all__ = ["FORMATS", "Format"]
