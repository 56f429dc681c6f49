"""A movie of a view that turns once: a headless Chromium opens the viewer's page, and ffmpeg joins its pictures.

Neither is needed for anything else, so they are looked for when somebody asks, and named where they are missing.
"""

from __future__ import annotations

import base64
import fcntl
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from pulvinar.errors import Invalid, Unavailable

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)
_OPENS_MS = 90_000
_FRAME_MS = 90_000
_JOINS_S = 300
MOST_FRAMES = 600


@dataclass(frozen=True)
class Turntable:
    """One full turn in `seconds`, at `fps` frames a second, of `width` x `height` pixels, which are even."""

    seconds: float = 6.0
    fps: int = 20
    width: int = 960
    height: int = 720

    def __post_init__(self) -> None:
        if not 1 <= self.frames <= MOST_FRAMES:
            raise Invalid(
                f"a movie of {self.frames} frames", hint=f"1 to {MOST_FRAMES}: fewer seconds, or fewer a second"
            )
        if not all(64 <= side <= 1920 and side % 2 == 0 for side in (self.width, self.height)):
            raise Invalid(f"a movie of {self.width} x {self.height} pixels", hint="even numbers from 64 to 1920")

    @property
    def frames(self) -> int:
        """How many pictures it is made of."""
        return round(self.seconds * self.fps)


def make_turntable(
    address: str,
    movie: Turntable,
    *,
    cookies: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> bytes:
    """The page of the viewer at `address` as an MP4, seen by who has `cookies`: the 3D view turns once.

    `progress` is told the frames that are drawn, and all of them. Raises `Unavailable` where Chromium, Playwright or
    ffmpeg are missing, saying how to get them, and while another movie is being made; `Invalid` for a page that shows
    nothing.
    """
    browser, joiner, playwright = _browser(), _joiner(), _playwright()
    with _alone(), TemporaryDirectory(prefix="pulvinar-movie-") as folder:
        with playwright() as driver:
            started = driver.chromium.launch(executable_path=browser, args=list(_FLAGS))
            try:
                _draw(started, address, movie, cookies or {}, Path(folder), progress)
            finally:
                started.close()
        return _join(joiner, movie, Path(folder))


@contextmanager
def _alone() -> Iterator[None]:
    """A browser that draws takes a processor core and much memory: one at a time, whichever process of a server."""
    with Path(__file__).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("another movie is being made here", hint="try again in a minute") from None
        yield


def _browser() -> str:
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise Unavailable(
            "a movie needs Chromium, which is not on this server", hint="Debian: apt-get install chromium"
        )
    return found


def _joiner() -> str:
    if found := shutil.which("ffmpeg"):
        return found
    with suppress(ImportError, RuntimeError):
        path: str = import_module("imageio_ffmpeg").get_ffmpeg_exe()
        return path
    raise Unavailable(
        "a movie needs ffmpeg, which is not on this server",
        hint="Debian: apt-get install ffmpeg; or pip install 'pulvinar[movie]'",
    )


def _playwright() -> Any:
    try:
        return import_module("playwright.sync_api").sync_playwright
    except ImportError as error:
        raise Unavailable(
            "a movie needs Playwright, which is not on this server", hint="pip install 'pulvinar[movie]'"
        ) from error


def _draw(
    browser: Any,
    address: str,
    movie: Turntable,
    cookies: Mapping[str, str],
    folder: Path,
    progress: Callable[[int, int], None],
) -> None:
    context = browser.new_context(viewport={"width": movie.width, "height": movie.height}, bypass_csp=True)
    context.add_cookies(
        [{"name": name, "value": value, "url": _origin_of(name, address)} for name, value in cookies.items()]
    )
    page = context.new_page()
    page.set_default_timeout(_FRAME_MS)
    failed = import_module("playwright.sync_api").Error
    try:
        page.goto(address, timeout=_OPENS_MS)
        page.wait_for_selector("pulvinar-viewer[ready]", timeout=_OPENS_MS)
    except failed as error:
        raise Invalid(f"{address} shows nothing to turn", hint="the address of a view that you may open") from error
    for number in range(movie.frames):
        told = page.evaluate("part => document.querySelector('pulvinar-viewer').frame(part)", number / movie.frames)
        (folder / f"{number:04}.png").write_bytes(base64.b64decode(told.partition(",")[2]))
        progress(number + 1, movie.frames)


def _origin_of(cookie: str, address: str) -> str:
    """Where a cookie is from, which is the whole site; one that is bound to https is taken along to this machine's own
    http, too."""
    found = urlsplit(address)
    return f"{'https' if cookie.startswith('__Host-') else found.scheme}://{found.netloc}/"


def _join(joiner: str, movie: Turntable, folder: Path) -> bytes:
    made = folder / "movie.mp4"
    words: Sequence[str] = (
        *(joiner, "-nostdin", "-y", "-loglevel", "error", "-framerate", str(movie.fps), "-i", str(folder / "%04d.png")),
        *("-pix_fmt", "yuv420p", "-movflags", "+faststart", str(made)),
    )
    try:
        subprocess.run(words, check=True, capture_output=True, timeout=_JOINS_S)
    except subprocess.TimeoutExpired as error:
        raise Unavailable("ffmpeg did not end", hint="a shorter or smaller movie") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()[-300:]
        raise Unavailable(f"ffmpeg could not join the pictures: {said}", hint="is it whole?") from error
    return made.read_bytes()
