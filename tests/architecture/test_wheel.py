"""Who installs the wheel gets the whole product, the built viewer and both languages included, and needs no node."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
WANTED = (
    "pulvinar/web/viewer/pulvinar-viewer.js",
    "pulvinar/web/viewer/pulvinar-viewer.css",
    "pulvinar/web/viewer/htmx.min.js",
    "pulvinar/web/viewer/THIRD-PARTY-LICENSES.txt",
    "pulvinar/web/locale/zh/LC_MESSAGES/messages.mo",
    "pulvinar/web/templates/base.html",
    "pulvinar/web/static/portal.css",
    "pulvinar/migrations/script.py.mako",
    "pulvinar/demo/brains.toml",
    "pulvinar/manual/how-to/backing-up.zh.md",
    "pulvinar/manual/images/side-by-side.webp",
    "pulvinar/manual/reference/words.md",
    "pulvinar/manual/tutorials/finding-neurons.zh.md",
    "pulvinar/py.typed",
    "pulvinar/solutions/cells/card.toml",
    "pulvinar/solutions/cells/card_data/judged_mouse.tsv",
    "pulvinar/solutions/cells/models/section.onnx",
    "pulvinar/solutions/cells/models/volume.npz",
    "pulvinar/solutions/cells/models/volume.onnx",
)


def test_a_wheel_holds_everything_that_runs(tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        str(ROOT),
        "--no-deps",
        "--no-build-isolation",
        "-w",
        tmp_path,
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("pulvinar-*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        licences = opened.read("pulvinar/web/viewer/THIRD-PARTY-LICENSES.txt").decode()
    assert set(WANTED) <= names
    bundle = [name.rpartition("/")[2] for name in names if name.startswith("pulvinar/web/viewer/assets/")]
    assert any(name.startswith("chunk_worker.bundle-") for name in bundle)
    assert not any("node_modules" in name or name.startswith(("tests/", "viewer/")) for name in names)
    for package in ("neuroglancer", "htmx.org", "numcodecs", "Draco", "c-blosc", "Zstandard"):
        assert f"\n{package} " in licences
