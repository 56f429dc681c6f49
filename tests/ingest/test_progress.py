import io
import threading
import time

from pulvinar.ingest.progress import Silent, TerminalProgress, bytes_below, duration, rate, watched


def test_short_work_says_nothing():
    stream = io.StringIO()
    with TerminalProgress(stream).task("a", 10, "voxels") as task:
        task.update(5)
    assert stream.getvalue() == ""


def test_long_work_shows_rate_and_time_left(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    with TerminalProgress(stream).task("brain", 1000, "voxels") as task:
        task.update(0)
        clock[0] += 4
        task.update(400)
        clock[0] += 6
    said = stream.getvalue()
    assert "brain" in said
    assert "100 voxels/s" in said
    assert "6 s left" in said
    assert "40%" in said


def test_what_was_done_before_a_restart_does_not_flatter_the_rate(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    with TerminalProgress(stream).task("brain", 1000, "bytes", 900) as task:
        task.update(900)
        clock[0] += 5
        task.update(950)
    assert "10 B/s" in stream.getvalue()


def test_numbers_are_readable():
    assert rate(2.5e8, "voxels") == "250 M voxels/s"
    assert rate(3.1e9, "bytes") == "3.1 GB/s"
    assert [duration(s) for s in (8.2, 200, 18120)] == ["8 s", "3 min 20 s", "5 h 02 min"]


def test_a_piece_that_reports_once_at_its_end_has_a_rate(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    with TerminalProgress(stream).task("brain", 1000, "voxels") as task:
        clock[0] += 4
        task.update(1000)
    assert stream.getvalue() == f"brain {'█' * 20} 100%, 250 voxels/s, 0 s left\nbrain: 4 s, 250 voxels/s\n"


def test_without_a_total_what_is_done_and_the_time_are_said(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    progress = TerminalProgress(stream)
    for unit in ("bytes", "files", ""):
        with progress.task("a", 0, unit) as task:
            clock[0] += 4
            task.update(2_000_000 if unit else 0)
    shown = stream.getvalue().splitlines()
    assert shown[::2] == ["a, 2 MB, 500 kB/s, 4 s", "a, 2,000,000 files, 500 k files/s, 4 s", "a, 4 s"]
    assert shown[1::2] == ["a: 4 s, 500 kB/s", "a: 4 s, 500 k files/s", "a: 4 s"]


def test_work_that_can_not_report_is_watched(tmp_path):
    seen = []

    class Seeing(Silent):
        def task(self, title, total, unit, done=0):
            task = super().task(title, total, unit, done)
            task.update = seen.append
            return task

    with watched(Seeing(), "unpacking", lambda: bytes_below(tmp_path), unit="bytes"):
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "a").write_bytes(bytes(1000))
        (tmp_path / "b").write_bytes(bytes(24))
        while len(seen) < 2:
            time.sleep(0.01)
    assert seen[-1] == 1024
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]
