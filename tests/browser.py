"""Find the Chromium that the journeys drive; install Debian's where that is allowed, else say what to install.

`python tests/browser.py` is run by `make test` before pytest. `find()` is what the tests use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-noto-cjk", "libgl1", "libgl1-mesa-dri", "libegl1")
ADVICE = (
    "The browser tests need Chromium. Install it (Debian: apt-get install " + " ".join(PACKAGES) + ") or set "
    "PULVINAR_TEST_CHROMIUM to its path."
)


def find() -> str | None:
    """The path of a Chromium on this machine, or None."""
    named = os.environ.get("PULVINAR_TEST_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def _may_install() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install() -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    with Path(os.devnull).open("w") as quiet:
        subprocess.run([*apt, "update"], check=True, env=environment, stdout=quiet)
        subprocess.run(
            [*apt, "install", "-y", "--no-install-recommends", *PACKAGES], check=True, env=environment, stdout=quiet
        )


def main() -> int:
    """Exit 0 once there is a Chromium, 1 with advice otherwise."""
    if find() is None and _may_install():
        print("installing Chromium for the browser tests")
        _install()
    if find() is None:
        print(ADVICE, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
