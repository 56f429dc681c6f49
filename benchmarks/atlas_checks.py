"""Every atlas whose files are here, installed and checked: what it has, its names, its terms, time and memory.

Files come from the samples folder and from installed packages; what is in neither is left out and named. The time of an
atlas holds reading, pyramids, surfaces and the commit, in a process of its own; the memory is that of its whole tree.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks._processes import watched_run
from benchmarks._report import machine, report
from pulvinar.errors import PulvinarError
from pulvinar.ingest.atlas_packers import packer, packers

WORK = Path(".bench") / "atlas_checks"
FOLDERS = {
    # its template is among the files of the DSURQE set
    "allen_mouse_25um": "mouse",
    "dsurqe_mouse_200um": "mouse/dsurqe_mri_200um",
    "inia19_macaque": "macaque/inia19",
    "yerkes19_macaque": "macaque/yerkes19",
    "mebrains_macaque": "macaque/mebrains",
    "zbrain_zebrafish": "zebrafish/zbrain_lightsheet",
}


def main() -> int:
    """Install and check; 0 when every check of every atlas passes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the atlases' names")
    chosen = parser.parse_args()
    print(machine(), flush=True)
    print(f"{'atlas':26} regions labels surfaces  en zh %   checks  install check  peak GB  licence")
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    found = {name: _installed(name) for name in packers() if chosen.only in name}
    here = [one for one in found.values() if one]
    missing = [name for name, one in found.items() if not one]
    if missing:
        print(f"not here: {', '.join(missing)}")
    failed = sum(len(one["failed"]) for one in here)
    passed = sum(one["passed"] for one in here)
    figure = f"{len(here)} atlases, {passed} checks passed, {failed} failed"
    return report("atlas_checks", figure, "none failed", passed=bool(here) and not failed)


def _installed(name: str) -> dict[str, Any] | None:
    """What one atlas has, printed; None where its files aren't here."""
    folder = _folder(name)
    if folder is None:
        return None
    log = WORK / f"{name}.log"
    try:
        command: list[str | Path] = [sys.executable, "-m", "benchmarks._one_atlas", name, folder, WORK / "home"]
        code, cost = watched_run(command, log, timeout_s=1800)
        if code:
            raise RuntimeError(f"{name} ended with {code}: {log.read_text()[-500:]}")
        told: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
    finally:
        shutil.rmtree(WORK / "home", ignore_errors=True)
    english, chinese = (100 * told[which] / max(1, told["regions"]) for which in ("english", "chinese"))
    checks = f"{told['passed']:2} of {told['passed'] + len(told['failed']):2}"
    print(
        f"{name:26} {told['regions']:7} {told['labels']:6} {told['surfaces']:8} {english:3.0f} {chinese:3.0f}  {checks}"
        f"  {told['install_s']:5.0f} s {told['check_s']:3.0f} s  {cost.peak_bytes / 1e9:6.2f}  {told['licence']}",
        flush=True,
    )
    for one in told["failed"]:
        print(f"    failed: {one}", flush=True)
    return told


def _folder(name: str) -> Path | None:
    """Where the files of an atlas are, out of its packages where it has some."""
    fetch = getattr(packer(name), "fetch", None)
    if fetch is None:
        samples = Path(os.environ.get("PULVINAR_SAMPLES", Path(__file__).parents[2] / "shared" / "samples"))
        folder = samples / FOLDERS.get(name, name)
        return folder if folder.is_dir() else None
    folder = WORK / name
    folder.mkdir(parents=True)
    try:
        fetch(folder)
    except PulvinarError:
        return None
    return folder


if __name__ == "__main__":
    sys.exit(main())
