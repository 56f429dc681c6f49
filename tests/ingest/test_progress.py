import io
import time

from pulvinar.ingest.progress import TerminalProgress, duration, rate


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
    with TerminalProgress(stream).task("brain", 1000, "bytes") as task:
        task.update(900)
        clock[0] += 5
        task.update(950)
    assert "10 B/s" in stream.getvalue()


def test_numbers_are_readable():
    assert rate(2.5e8, "voxels") == "250 M voxels/s"
    assert rate(3.1e9, "bytes") == "3.1 GB/s"
    assert [duration(s) for s in (8.2, 200, 18120)] == ["8 s", "3 min 20 s", "5 h 02 min"]
