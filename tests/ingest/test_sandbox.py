"""Readers that turn on their machine: real plugins in real processes, each refused or ended, and the parent goes on."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.ingest.hostile import hostile_file, hostile_python
from tests.ingest.processes import children, fork_servers, readers

from pulvinar.errors import Invalid, PulvinarError, TooLarge, Unavailable, UnreadableFile
from pulvinar.ingest import forked_reader
from pulvinar.ingest.matrices import window_of
from pulvinar.ingest.protection import missing_protection
from pulvinar.ingest.reader import MeshData, Options, SkeletonData, TimeSeriesData
from pulvinar.ingest.sandbox import Limits, ReaderHost, describe_protection
from pulvinar.ingest.source_files import source_file
from pulvinar.model.space import Window

LIMITS = Limits(memory_bytes=1 << 30, cpu_s=60, answer_s=60, budget_bytes=1 << 30)
GOOD = "asset = reader.asset(file, name='a good brain')"
WHOLE = Window((0, 0, 0, 0, 0), (1, 1, 4, 4, 4))


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return hostile_python(tmp_path_factory.mktemp("hostile") / "environment")


@pytest.fixture(scope="module", autouse=True)
def _hostile_reader_is_installed(python):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", python)
        yield


@pytest.fixture(scope="module")
def submission(tmp_path_factory):
    return tmp_path_factory.mktemp("submission")


@pytest.fixture(scope="module")
def host(submission, tmp_path_factory):
    """One host for all that is asked; a reader that dies is started again by the next question."""
    before = children()
    with ReaderHost(submission, scratch=tmp_path_factory.mktemp("scratch"), limits=LIMITS) as running:
        yield running
    assert children() == before, "no process is left behind"


@pytest.fixture
def host_of(submission, tmp_path):
    """Starts hosts with limits of their own; at the end no process may be left."""
    before = children()
    hosts = []

    def start(limits=LIMITS, **more):
        scratch = tmp_path / f"scratch-{len(hosts)}"
        scratch.mkdir()
        hosts.append(ReaderHost(submission, scratch=scratch, limits=limits, **more))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()
    assert children() <= before, "no process is left behind"


@pytest.fixture
def refused(host, submission):
    """The error that a file brings whose reader does `does`: it names the file, and says what to do."""

    def refuse(does, host=host):
        with pytest.raises(PulvinarError) as caught:
            host.find([hostile_file(submission, does)])
        assert "brain.bad" in str(caught.value), "the file is named"
        assert caught.value.hint, "and what to do is said"
        return caught.value

    return refuse


def goes_on(host, submission):
    (asset,) = host.find([hostile_file(submission, GOOD, "good.bad")])
    return asset.name == "a good brain"


@pytest.fixture
def results_of(host, submission):
    """What expressions give in the reader process, or their errors."""

    def evaluate(*expressions, setup="", host=host):
        does = f"{setup}\nresults = []\n"
        for expression in expressions:
            does += f"try: results.append(repr({expression}))\n"
            does += "except BaseException as error: results.append(repr(error))\n"
        does += "asset = reader.asset(file, metadata={'results': results})"
        (asset,) = host.find([hostile_file(submission, does)])
        return asset.metadata["results"]

    return evaluate


def all_refused(results):
    return all("PermissionError" in result for result in results)


def test_a_plugin_reads_what_it_was_given(results_of, submission):
    (submission / "beside.txt").write_text("of the same submission")
    assert results_of("(file.path.parent / 'beside.txt').read_text()") == ["'of the same submission'"]


def test_a_reader_reads_nothing_of_the_machine(results_of):
    files = ["/etc/passwd", "/etc/hostname", "/proc/1/environ", "/proc/1/mem", "/dev/mem", "/dev/tty"]
    folders = ["/", "/etc", "/home", "/var/log", "/tmp"]
    results = results_of(
        *(f"open({name!r}, 'rb')" for name in files if Path(name).exists()),
        *(f"os.listdir({name!r})" for name in folders),
        setup="import os",
    )
    assert len(results) > 8
    assert all_refused(results), results


def test_a_reader_reads_nothing_beside_the_submission(results_of, submission):
    secret = submission.parent / "secret"
    secret.write_text("secret")
    for name in ("link", "folder/link"):
        (submission / name).parent.mkdir(exist_ok=True)
        (submission / name).symlink_to(secret)
    results = results_of(
        f"open({str(secret)!r})",
        "open(file.path.parent / 'link')",
        "open(file.path.parent / 'folder' / 'link')",
        "open(file.path.parent / '../secret')",
        # through its own process, whose folder it may read
        f"open('/proc/self/root{secret}')",
        "open('/proc/self/cwd/../secret')",
    )
    assert all_refused(results), results


def test_of_a_single_file_the_neighbours_are_not_readable(results_of, host_of, submission):
    (submission / "neighbour").write_text("another person's")
    (submission / "brain.bad").touch()
    host = host_of(readable=(submission / "brain.bad",))
    assert all_refused(results_of("open(file.path.parent / 'neighbour')", host=host))


def test_a_reader_changes_nothing_but_its_scratch(results_of, submission):
    results = results_of(
        "open(file.path, 'r+b')",
        "open(file.path, 'ab')",
        "os.truncate(file.path, 0)",
        "open(file.path.parent / 'new', 'w')",
        "os.mkdir(file.path.parent / 'new')",
        "os.unlink(file.path)",
        "os.rename(file.path, file.path.parent / 'moved')",
        "os.symlink('/etc/passwd', 'link')",
        "os.mkfifo('pipe')",
        "os.mknod('device', 0o600 | 0o020000, os.makedev(1, 1))",
        "open('/tmp/pulvinar-was-here', 'w')",
        "open('/dev/shm/pulvinar-was-here', 'w')",
        "open('/dev/zero', 'r+b')",
        "open('/proc/self/oom_score_adj', 'w')",
        "os.chmod(file.path, 0)",
        "os.chmod(file.path.parent.parent, 0)",
        "os.chown(file.path, 12345, 12345)",
        "os.utime(file.path, (0, 0))",
        "os.setxattr(file.path, 'user.mark', b'1')",
        setup="import os",
    )
    assert all_refused(results), results
    linked, moved = results_of("os.link(file.path, 'linked')", "os.rename(file.path, 'taken')", setup="import os")
    assert "cross-device" in linked or "PermissionError" in linked, linked
    assert "cross-device" in moved or "PermissionError" in moved, moved
    assert (submission / "brain.bad").stat().st_size > 0


def test_a_reader_writes_its_scratch(results_of, host_of, tmp_path):
    wrote = ("open('block', 'wb').write(b'0123')", "os.mkdir('a')", "os.rename('block', 'a/b')")
    assert results_of(*wrote, setup="import os", host=host_of()) == ["4", "None", "None"]
    assert (tmp_path / "scratch-0" / "a" / "b").read_bytes() == b"0123"


def test_a_host_takes_relative_folders(submission, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    relative = Path(os.path.relpath(submission))
    with ReaderHost(relative, scratch=Path("scratch"), limits=LIMITS) as host:
        assert goes_on(host, submission)


def test_a_reader_opens_no_socket(results_of):
    families = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK")
    assert all_refused(results_of(*(f"socket.socket(socket.{name})" for name in families), setup="import socket"))


def test_a_reader_reaches_no_listening_service(results_of, tmp_path):
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "service"))
        setup = "import socket\ndef connect(family, address):\n s = socket.socket(family); s.connect(address)"
        for listening, address in ((tcp, tcp.getsockname()), (unix, str(tmp_path / "service"))):
            listening.listen()
            listening.settimeout(0.05)
            assert all_refused(results_of(f"connect({int(listening.family)}, {address!r})", setup=setup))
            with pytest.raises(TimeoutError):
                listening.accept()


def test_a_reader_starts_no_program_and_no_process(results_of):
    *refusals, system = results_of(
        "subprocess.run(['true'])",
        "subprocess.run([sys.executable, '-c', ''])",
        "os.execv('/bin/sh', ['sh'])",
        "os.execv(sys.executable, ['python'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.fork()",
        "os.forkpty()",
        "multiprocessing.get_context('fork').Process(target=print).start()",
        "os.system('true')",
        setup="import os, sys, subprocess, multiprocessing",
    )
    assert all_refused(refusals), refusals
    assert os.waitstatus_to_exitcode(int(system)) == 127, "the C library's way to say that it could start nothing"


def test_a_fork_bomb_does_not_go_off(refused):
    assert "PermissionError" in str(refused("import os\nwhile True: os.fork()"))


def test_threads_are_allowed(results_of):
    assert results_of(
        "list(ThreadPoolExecutor(4).map(abs, range(-4, 0)))", setup="from concurrent.futures import *"
    ) == ["[4, 3, 2, 1]"]


@pytest.mark.parametrize("whom", ["platform", "fork server", "another reader"])
def test_a_reader_can_do_nothing_to_any_process(results_of, host_of, whom):
    with host_of() as other:
        other.find([])
        ours = {reader.pid for reader in readers()}
        (own,) = ours - {results_pid(results_of)} if whom == "another reader" else [None]
        pid = {"platform": os.getpid(), "fork server": "os.getppid()", "another reader": own}[whom]
        results = results_of(
            "os.kill(pid, 9)",
            "os.kill(pid, 0)",
            "os.kill(-1, 9)",
            "os.killpg(0, 9)",
            "resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0))",
            "os.setpriority(os.PRIO_PROCESS, pid, 19)",
            "os.sched_setaffinity(pid, {0})",
            "open(f'/proc/{pid}/mem', 'rb')",
            "open(f'/proc/{pid}/environ', 'rb')",
            "os.pidfd_open(pid)",
            setup=f"import os, resource\npid = {pid}",
        )
        assert all_refused(results), results


def results_pid(results_of):
    (pid,) = results_of("os.getpid()", setup="import os")
    return int(pid)


def test_no_secret_of_the_parent_reaches_a_reader(results_of, host_of, monkeypatch):
    monkeypatch.setenv("PULVINAR_DATABASE", "postgresql://somebody:password@somewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "password")
    secret, other = os.pipe()
    os.set_inheritable(secret, True)
    links = "[os.readlink(name) for name in glob.glob('/proc/self/fd/*') if os.path.lexists(name)]"
    environment, descriptors = results_of("dict(os.environ)", links, setup="import glob, os", host=host_of())
    os.close(secret)
    os.close(other)
    assert "password" not in environment
    assert "pipe" not in descriptors
    assert descriptors.count("socket") == 1, "its channel"


@pytest.mark.parametrize(
    "attempt",
    [
        "bytearray(10 << 30)",
        "np.ones(10 << 30, 'u1')",
        "mmap.mmap(-1, 10 << 30)",
        "mmap.mmap(-1, 10 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
        "[bytearray(100 << 20) for _ in range(100)]",
    ],
)
def test_memory_without_end_is_refused_and_told(refused, attempt):
    error = refused(f"import mmap\n{attempt}")
    # what is mapped has no error of its own in Python
    assert isinstance(error, TooLarge) or "Cannot allocate memory" in str(error)


def test_memory_that_no_limit_counts_can_not_be_had(results_of):
    hidden = ("os.memfd_create('hidden')", "ctypes.CDLL(None, use_errno=True).shmget(0, 1 << 20, 0o1600)")
    memory, shared = results_of(*hidden, setup="import os, ctypes")
    assert "PermissionError" in memory
    assert shared == "-1"


def test_a_reader_that_spins_is_ended_when_its_processor_time_is_up(refused, host_of, submission):
    host = host_of(Limits(memory_bytes=1 << 30, cpu_s=1))
    error = refused("while True: pass", host)
    assert isinstance(error, UnreadableFile)
    assert "more than 1 seconds of processor time" in str(error)
    assert "reader_cpu_s" in error.hint
    assert goes_on(host, submission)


def test_a_reader_that_will_not_hear_that_its_time_is_up_is_killed(refused, host_of):
    ignore = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert "killed" in str(refused(ignore, host_of(Limits(memory_bytes=1 << 30, cpu_s=1))))


def test_a_reader_that_sleeps_is_ended_when_the_clock_says_so(refused, host_of, submission):
    host = host_of(Limits(memory_bytes=1 << 30, answer_s=2))
    assert "gave no answer for 2 seconds" in str(refused("import time\ntime.sleep(1000)", host))
    assert goes_on(host, submission)


def test_files_over_which_the_process_dies_hide_no_other(host, submission):
    good = [hostile_file(submission, GOOD, f"good{n}.bad") for n in range(7)]
    deadly = [hostile_file(submission, "import ctypes; ctypes.string_at(0)", f"deadly{n}.bad") for n in range(2)]
    files = [*good[:2], deadly[0], *good[2:6], deadly[1], good[6]]
    found, unreadable = host.survey(files)
    assert {asset.files[0] for asset in found} == {file.name for file in good}
    assert [item.name for item in unreadable] == ["deadly0.bad", "deadly1.bad"]
    assert all("SIGSEGV" in item.error.message and item.name in item.error.message for item in unreadable)
    assert goes_on(host, submission)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.abort()", "SIGABRT"),
        ("import os; os.kill(os.getpid(), 7)", "SIGBUS"),
        ("import os; os._exit(3)", "ended with code 3"),
        ("import os; os._exit(0)", "ended with code 0"),
        ("raise SystemExit('it is all over')", "it is all over"),
    ],
)
def test_a_crash_becomes_an_error_that_says_how(refused, host, submission, does, said):
    error = refused(does)
    assert isinstance(error, UnreadableFile)
    assert said in str(error)
    assert goes_on(host, submission)


def test_an_unforeseen_error_names_file_and_reason(refused):
    error = refused("raise ZeroDivisionError('a slope of 0')")
    assert isinstance(error, UnreadableFile)
    assert str(error) == "brain.bad: it can't be read: ZeroDivisionError: a slope of 0"
    assert "RecursionError" in str(refused("def f(): f()\nf()"))


def test_an_error_of_the_reader_arrives_as_it_was_raised(host, submission):
    with pytest.raises(TooLarge) as caught:
        host.find([hostile_file(submission, "raise TooLarge('brain.bad declares too much', hint='cut it')")])
    assert (caught.value.message, caught.value.hint) == ("brain.bad declares too much", "cut it")


def test_what_a_reader_says_can_not_steer_the_terminal(refused):
    error = refused("raise ValueError('\\x1b]0;owned\\x07 \\x1b[2J \\u202e')")
    assert str(error).isprintable()
    assert r"\x1b[2J" in str(error)


def test_what_a_reader_prints_goes_nowhere(results_of, host_of, capfd):
    loud = ("os.write(1, b'LOUD')", "os.write(2, b'LOUD')", "print('LOUD', flush=True)")
    assert results_of(*loud, setup="import os", host=host_of()) == ["4", "4", "None"]
    assert capfd.readouterr() == ("", "")


SAY = """
import gc, json, os, socket, struct, time
def channel():
    return next(o for o in gc.get_objects() if type(o) is socket.socket and o.fileno() >= 0)
def say(body, length=None):
    channel().sendall(struct.pack('<Q', len(body) if length is None else length) + body)
"""


@pytest.mark.parametrize(
    "message",
    [
        "say(b'no json')",
        "say(b'[1, 2]')",
        "say(b'')",
        "say(b'\\xff\\xfe{}')",
        "say(b'[' * 1_000_000)",
        "say(b'{\"a\":' * 100_000)",
        "say(b'1' * 100_000)",
        "say(b'', 2 ** 64 - 1)",
        "say(b'', 1 << 30)",
        "channel().sendall(b'short'); channel().shutdown(socket.SHUT_RDWR); time.sleep(100)",
    ],
)
def test_a_message_that_is_none_ends_the_reader_and_not_the_parent(refused, message):
    before = psutil.Process().memory_info().rss
    assert isinstance(refused(SAY + message), UnreadableFile)
    assert psutil.Process().memory_info().rss - before < 200 << 20, "nor does it take the parent's memory"


def test_a_message_that_comes_drop_by_drop_is_not_waited_for(refused, host_of):
    drops = "channel().sendall(struct.pack('<Q', 1000))\nwhile True: channel().sendall(b' '); time.sleep(0.3)"
    assert "no answer for 2 seconds" in str(refused(SAY + drops, host_of(Limits(memory_bytes=1 << 30, answer_s=2))))


FORGE = """
import gc, sys
process = next(o for o in gc.get_objects() if type(o).__name__ == 'ReaderProcess')
"""


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"assets": None},
        {"assets": [{}]},
        {"assets": "x" * 1000},
        {"error": 5},
        {"error": {}},
        {"error": {"kind": "SystemExit", "message": "m", "hint": 7}},
        {"error": {"kind": "getattr", "message": ["m"], "hint": None}},
        {"error": {"kind": ["x"], "message": {}, "hint": "h"}},
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(host, submission, answer):
    forge = f"{FORGE}find = process._verbs['find']\n"
    forge += f"def forged(*_): process._verbs['find'] = find; return {answer!r}, ()\n"
    host.find([hostile_file(submission, f"{forge}process._verbs['find'] = forged")])
    with pytest.raises(UnreadableFile, match=r"brain\.bad"):
        host.find([hostile_file(submission, GOOD)])
    assert goes_on(host, submission)


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("files=('../../etc/passwd',)", "not given"),
        ("files=('/etc/passwd',)", "not given"),
        ("files=()", "has no files"),
        ("files=(file.name, file.name)", "has no files, or some"),
        ("kind=AssetKind.MESH", "the kind mesh"),
        ("volume=None", "no volume"),
        ("volume=v((1, 1, 0, 4, 4))", "the shape"),
        ("volume=v((1, 1, -4, -4, 4))", "the shape"),
        ("volume=v((1, 1, 4))", "can't be"),
        ("volume=v(block_shape=(1, 1, 9, 9, 9))", "in blocks of"),
        ("volume=v(block_shape=(0, 0, 0, 0, 0))", "in blocks of"),
        ("volume=v(dtype='O')", "voxels of the type"),
        ("volume=v(dtype='object')", "voxels of the type"),
        ("volume=v(dtype='>u2')", "voxels of the type"),
        ("volume=v(dtype='u1,O')", "voxels of the type"),
        ("volume=v(dtype='S9')", "voxels of the type"),
        ("volume=v(dtype='__import__')", "voxels of the type"),
        ("volume=v(voxel_size_um=(1.0, 0.0, 1.0))", "the voxel size"),
        ("volume=v(voxel_size_um=(1.0, float('nan'), 1.0))", "the voxel size"),
        ("volume=v(voxel_size_um=(1.0, float('inf'), 1.0))", "the voxel size"),
        ("volume=v(affine_um=((0.0,) * 4,) * 4)", "a map to the world"),
        ("volume=v(affine_um=((1.0,) * 4,) * 3)", "a map to the world"),
        ("volume=v(channels=(Channel('a'), Channel('b')))", "2 names for 1 channels"),
        ("volume=v(channels=(Channel('a', 'red;}'),))", "no colour"),
        ("volume=v(time_step_s=-1.0)", "time step"),
        ("metadata={'a': b'bytes'}", "not JSON serializable"),
        ("metadata={'a': object()}", "not JSON serializable"),
    ],
)
def test_a_description_that_can_not_be_is_refused(refused, lie, said):
    make = "def v(shape=(1, 1, 4, 4, 4), dtype='uint8', block_shape=None, **more):\n"
    make += "    return VolumeDescription(shape, dtype, block_shape or shape, **more)\n"
    error = refused(f"{make}asset = reader.asset(file, {lie})")
    assert isinstance(error, UnreadableFile)
    assert said in str(error)


def test_a_volume_that_declares_more_than_the_budget_is_refused_before_it_is_read(refused):
    error = refused("s = (1, 1, 40_000, 40_000, 40_000)\n"
                    "asset = reader.asset(file, volume=VolumeDescription(s, 'uint16', s))")  # fmt: skip
    assert isinstance(error, TooLarge)
    assert "128,000 GB" in str(error)


def test_what_headers_hold_is_made_fit_to_be_stored(host, submission):
    odd = "{'a': 'x\\0\\udcff\\ud800', 'b': [float('nan'), float('-inf'), 1.5], 'c\\udc80': {'d': '\\U0001f9e0'}}"
    (asset,) = host.find([hostile_file(submission, f"asset = reader.asset(file, name='a\\0b\\udcff', metadata={odd})")])
    assert asset.name == "ab?"
    assert asset.metadata == {"a": "x??", "b": [None, None, 1.5], "c?": {"d": "\U0001f9e0"}}


OPENED = """
class V:
    def read_into(self, window, out):
        {}
    def close(self): pass
def open_volume(): return V()
"""


def test_a_volume_reads_through_shared_memory(host, submission):
    (asset,) = host.find([hostile_file(submission, OPENED.format("out[:] = 7"))])
    with host.open_volume(asset) as source:
        voxels = source.read(WHOLE)
        assert (voxels == 7).all()
        source.release(voxels)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("import os; os._exit(5)", "ended with code 5"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("1 / 0", "ZeroDivisionError"),
        ("out.resize(1 << 30)", "ValueError"),
    ],
)
def test_a_reader_that_dies_over_voxels_leaves_an_error_and_no_half_volume(host, submission, does, said):
    (asset,) = host.find([hostile_file(submission, OPENED.format(does))])
    with pytest.raises(UnreadableFile, match=said) as caught, host.open_volume(asset) as source:
        source.read(WHOLE)
    assert "brain.bad" in str(caught.value)
    with pytest.raises(PulvinarError), host.open_volume(asset) as source:
        source.read(WHOLE)


def test_shared_memory_can_not_be_pulled_from_under_the_parent(host_of, submission):
    shrink = """
        import os
        for n in os.listdir('/proc/self/fd'):
            try: os.ftruncate(int(n), 0)
            except OSError: pass
        out[:] = 3"""
    host = host_of()
    (asset,) = host.find([hostile_file(submission, OPENED.format(shrink))])
    with host.open_volume(asset) as source:
        voxels = source.read(WHOLE)
        assert int(voxels.sum()) == 3 * 64
        source.release(voxels)


def test_reading_outside_a_volume_is_refused_on_this_side(host, submission):
    (asset,) = host.find([hostile_file(submission, OPENED.format("pass"))])
    with host.open_volume(asset) as source, pytest.raises(Invalid, match="leaves the volume"):
        source.read(Window((0, 0, 0, 0, 0), (1, 1, 4, 4, 5)))


MESH = "asset = reader.asset(file, kind=AssetKind.MESH, volume=None) if 'file' in globals() else None\n"


def test_a_mesh_comes_whole(host, submission):
    does = MESH + "def read_geometry(): return MeshData(np.arange(9.0).reshape(3, 3), np.array([[0, 1, 2]], 'u4'))"
    (asset,) = host.find([hostile_file(submission, does)])
    data = host.read_geometry(asset)
    assert isinstance(data, MeshData)
    assert np.array_equal(data.zyx_um, np.arange(9.0).reshape(3, 3))


@pytest.mark.parametrize(
    "geometry",
    [
        "MeshData(np.zeros((3, 3)), np.array([[0, 1, 99]], 'u4'))",
        "MeshData(np.zeros((3, 2)), np.array([[0, 1, 2]], 'u4'))",
        "MeshData(np.zeros((0, 3)), np.array([[0, 0, 0]], 'u4'))",
        "MeshData(np.zeros((3, 3), 'c16'), np.array([[0, 1, 2]], 'u4'))",
        "SkeletonData(np.zeros((2, 3)), np.ones(2, 'f4'), np.array([1, 0]), np.zeros(2, 'i2'), np.arange(2))",
        "SkeletonData(np.zeros((2, 3)), np.ones(2, 'f4'), np.array([-1]), np.zeros(2, 'i2'), np.arange(2))",
        "TableData({'a': np.arange(3), 'b': np.arange(2)})",
        "TableData({'a': np.array([{}, []], object).reshape(1, 2)})",
        "PointsData(np.zeros((2, 3)), {'a': np.arange(3)})",
        "'no geometry'",
        "None",
    ],
)
def test_a_geometry_that_can_not_be_is_refused(host, submission, geometry):
    (asset,) = host.find([hostile_file(submission, f"{MESH}def read_geometry(): return {geometry}")])
    with pytest.raises(UnreadableFile, match=r"brain\.bad") as caught:
        host.read_geometry(asset)
    assert caught.value.hint


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"kind": "os.system", "arrays": {}},
        {"kind": "MeshData", "arrays": []},
        {"kind": "MeshData", "arrays": {"zyx_um": {"type": "O", "shape": [1], "sizes": [8]}}},
        {"kind": "MeshData", "arrays": {"zyx_um": {"type": "float64", "shape": [-1], "sizes": [1 << 50]}}},
        {"kind": "MeshData", "arrays": {"zyx_um": {"type": "float64", "shape": [-1], "sizes": [-8]}}},
        {"kind": "MeshData", "arrays": {"zyx_um": {"type": "float64", "shape": [1 << 62, 8], "sizes": [8]}}},
        {"kind": "MeshData", "arrays": {"zyx_um": {"type": "float64", "shape": [], "sizes": [8]}}},
        {"kind": "MeshData", "arrays": {n: {"type": "uint32", "shape": [], "sizes": [4]} for n in ("zyx_um", "faces")}},
        {"kind": "TableData", "arrays": {}, "columns": [["a", {"type": "json", "shape": [1], "sizes": [8]}]]},
        {"kind": "TableData", "arrays": {}, "columns": [["a", {"type": "json", "shape": [1], "sizes": [100_000]}]]},
        {"kind": "TableData", "arrays": {}, "columns": [["a", {"type": "utf8", "shape": [1], "sizes": [8]}]]},
        {"kind": "TableData", "arrays": {}, "columns": [["a", {"type": "utf8", "shape": [0], "sizes": [0, 0]}]]},
        {"kind": "TableData", "arrays": {}, "columns": [["a", {"type": "utf8", "shape": [1], "sizes": [16, 8]}]]},
        {"kind": "TableData", "arrays": {}, "columns": 3},
        {"kind": "TableData", "arrays": {}, "texts": {}, "matrix": {"type": "float32", "shape": [2, 2]}},
        {"kind": "ConnectivityData", "arrays": {}, "texts": {}, "matrix": {"type": "float32", "shape": [0, 2]}},
        {"kind": "ConnectivityData", "arrays": {}, "texts": {}, "matrix": {"type": "object", "shape": [2, 2]}},
        {"kind": "ConnectivityData", "arrays": {}, "texts": {}, "matrix": {"type": "float32", "shape": [2, 2, 2]}},
        {"kind": "ConnectivityData", "arrays": {}, "texts": {}, "matrix": {"type": "float32", "shape": [-2, -2]}},
    ],
)
@pytest.mark.parametrize("body", ["b'[' * 100_000", "b'0' * 8", "b''"])
def test_a_description_of_data_that_lies_is_refused(host, submission, described, body):
    main = "sys.modules['pulvinar.ingest.reader_process']"
    lie = f"{FORGE}honest = getattr({main}, 'honest', {main}.geometry_to_wire)\n{main}.honest = honest\n"
    lie += f"def read_geometry():\n    def forged(data):\n        {main}.geometry_to_wire = honest\n"
    lie += f"        return {described!r}, [memoryview({body})]\n    {main}.geometry_to_wire = forged\n"
    (asset,) = host.find([hostile_file(submission, MESH + lie)])
    with pytest.raises(UnreadableFile, match=r"brain\.bad"):
        host.read_geometry(asset)


SIGNALS = (
    MESH.replace("MESH", "TIME_SERIES")
    + """
class Recording:
    shape, dtype = ({rows}, 3), np.dtype('f4')
    def read_into(self, rows, columns, out):
        {does}
    def close(self):
        pass
def read_geometry():
    names = np.array(['a', 'b', 'c'], object)
    return TimeSeriesData(Recording(), np.empty(0), np.empty((0, 3)), {{'name': names}}, 'mV')
"""
)


def test_a_recording_comes_by_window(host, submission):
    does = "out[...] = np.arange(rows.start, rows.stop)[:, None] * 10 + np.arange(columns.start, columns.stop)"
    (asset,) = host.find([hostile_file(submission, SIGNALS.format(rows=1 << 26, does=does))])
    data = host.read_geometry(asset)
    assert isinstance(data, TimeSeriesData)
    assert data.values.shape == (1 << 26, 3)
    start = 1 << 20
    assert window_of(data.values, slice(start, start + 2), slice(1, 3)).tolist() == [
        [start * 10 + 1, start * 10 + 2], [start * 10 + 11, start * 10 + 12],
    ]  # fmt: skip
    data.values.close()


def test_a_recording_that_ends_or_dies_on_the_way_is_an_error_that_names_the_file(host, submission):
    ends = {
        "raise ValueError('no more')": "no more",
        "out[...] = np.zeros((7, 7))": "broadcast",
        "os._exit(3)": "code 3",
    }
    for does, reason in ends.items():
        (asset,) = host.find([hostile_file(submission, "import os\n" + SIGNALS.format(rows=100, does=does))])
        data = host.read_geometry(asset)
        with pytest.raises(UnreadableFile, match=r"brain\.bad") as caught, closing(data.values):
            window_of(data.values, slice(0, 50), slice(0, 2))
        # closing it asks nothing of a process that is gone, whose answer would hide why
        assert reason in caught.value.message


def test_a_recording_that_declares_more_than_its_budget_is_refused(host_of, submission):
    host = host_of(Limits(budget_bytes=10**9))
    (asset,) = host.find([hostile_file(submission, SIGNALS.format(rows=1 << 36, does="pass"))])
    with pytest.raises(TooLarge, match=r"brain\.bad declares 825 GB of values, more than the limit of 1 GB"):
        host.read_geometry(asset)


def test_more_geometry_than_a_reader_may_hold_is_refused_unread(host_of, submission):
    host = host_of(Limits(memory_bytes=600 << 20))
    lie = "def read_geometry():\n    sys.modules['pulvinar.ingest.reader_process'].wire_bytes = lambda parts: 1 << 40\n"
    lie += "    return MeshData(np.zeros((1, 3)), np.zeros((0, 3), 'u4'))\n"
    (asset,) = host.find([hostile_file(submission, f"{MESH}import sys\n{lie}")])
    with pytest.raises(TooLarge, match=r"brain\.bad"):
        host.read_geometry(asset)


@pytest.mark.parametrize(
    "told", ["{}", "{'size': -1, 'described': {}}", "{'size': '9', 'described': {}}", "{'size': 9, 'described': []}"]
)
def test_geometry_without_a_size_or_a_description_is_refused(host, submission, told):
    forge = f"{FORGE}geometry = process._geometry\n"
    forge += f"def forged(*_): process._verbs['geometry'] = geometry; return {told}, ()\n"
    forge += "process._verbs['geometry'] = forged\n"
    (asset,) = host.find([hostile_file(submission, f"{MESH}{forge}")])
    with pytest.raises(UnreadableFile, match=r"brain\.bad"):
        host.read_geometry(asset)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("[memoryview(b'half')]", "gave no answer"),
        ("[*process._arrays({}, None)[1], memoryview(b'{}' * 9)]", "sent something that is no answer"),
    ],
)
def test_fewer_or_more_bytes_than_were_announced_end_the_reader(host_of, submission, sent, reason):
    host = host_of(Limits(answer_s=1))
    forge = f"{FORGE}def forged(question, descriptor):\n    return {{}}, {sent}\n"
    forge += "process._verbs['arrays'] = forged\n"
    forge += "def read_geometry(): return MeshData(np.zeros((3, 3)), np.array([[0, 1, 2]], 'u4'))\n"
    (asset,) = host.find([hostile_file(submission, f"{MESH}{forge}")])
    with pytest.raises(UnreadableFile, match=rf"brain\.bad: the reader {reason}"):
        # what comes too late to be an array is taken for the next answer
        host.read_geometry(asset)
        host.read_geometry(asset)


def test_text_crosses_as_it_is(host, submission):
    texts = ["皮层", "", "a\tb", "\U0001f9e0"]
    does = MESH.replace("MESH", "TABLE")
    does += f"def read_geometry(): return TableData({{'a': np.array({texts!r}, object), 'b': np.arange(4)}})"
    (asset,) = host.find([hostile_file(submission, does)])
    data = host.read_geometry(asset)
    assert data.columns["a"].tolist() == texts
    assert data.columns["b"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("texts", ["['\\ud800', 'b']", "[None, 'b']", "[]"])
def test_text_that_is_no_unicode_or_missing_crosses_too(host, submission, texts):
    does = MESH.replace("MESH", "TABLE")
    does += f"def read_geometry(): return TableData({{'a': np.array({texts}, object)}})"
    (asset,) = host.find([hostile_file(submission, does)])
    data = host.read_geometry(asset)
    assert data.columns["a"].tolist() == eval(texts)


def test_descriptors_that_nobody_asked_for_are_closed(host_of, submission):
    def open_descriptors():
        return len([*Path("/proc/self/fd").iterdir()])

    host = host_of()
    assert goes_on(host, submission)
    before = open_descriptors()
    send = "f = open('/dev/zero')\nsocket.send_fds(channel(), [struct.pack('<Q', len(b))], [f.fileno()] * 20)\n"
    send += "channel().sendall(b)\ntime.sleep(100)"
    assert host.find([hostile_file(submission, f"{SAY}b = b'{{\"assets\": []}}'\n{send}")]) == []
    assert open_descriptors() == before
    host.close()
    with pytest.raises(UnreadableFile):
        host.find([hostile_file(submission, f"{SAY}b = b'garbled'\n{send}")])
    # the channel, the line to the fork server and the last words of the reader are gone too
    assert open_descriptors() == before - 3


def test_a_reader_ends_with_its_parent(python, submission, tmp_path):
    hostile_file(submission, "import time\ntime.sleep(1000)")
    code = f"""
import sys
from contextlib import closing, suppress
from pathlib import Path
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.source_files import source_file
host = ReaderHost(Path({str(submission)!r}), scratch=Path({str(tmp_path)!r}), limits=Limits())
host.find([source_file(Path({str(submission / "brain.bad")!r}), "brain.bad")])
"""
    with subprocess.Popen([python, "-c", code]) as parent:
        reader = wait_for_reader(parent.pid)
        parent.kill()
    reader.wait(timeout=10)


def wait_for_reader(pid):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = readers(psutil.Process(pid))
        if found:
            return found[0]
        time.sleep(0.02)
    raise AssertionError("no reader was started")


def test_readers_are_forked_from_one_server_and_survive_each_other(host_of, submission):
    first, second = host_of(), host_of()
    assert goes_on(first, submission)
    servers = fork_servers()
    with pytest.raises(UnreadableFile):
        second.find([hostile_file(submission, "import os\nos.abort()")])
    assert goes_on(second, submission)
    assert goes_on(first, submission)
    assert fork_servers() == servers


def test_a_reader_knows_no_catalogue_no_rights_and_no_database():
    loading = "import pulvinar.ingest.fork_server as server; server.reader_process.READERS.working()"
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; {loading}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    rooms = {name.split(".")[1] for name in told.stdout.split() if name.startswith("pulvinar.")}
    assert rooms <= {"errors", "extensions", "ingest", "model", "storage"}
    assert "sqlalchemy" not in told.stdout.split()


def test_what_readers_import_late_is_there_for_the_second(monkeypatch, host_of, submission, tmp_path):
    monkeypatch.setattr(sys, "executable", hostile_python(tmp_path / "environment"))
    host = host_of()
    assert goes_on(host, submission)
    (server,) = (one for one in fork_servers() if one.cmdline()[0] == sys.executable)

    def has_arrow():
        return any("libarrow" in mapped.path for mapped in server.memory_maps())

    assert not has_arrow()
    host.close()
    deadline = time.monotonic() + 60
    while not has_arrow() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert has_arrow()
    assert goes_on(host_of(), submission)


def test_a_server_that_is_killed_takes_its_readers_along_and_the_next_question_starts_another(
    monkeypatch, host_of, submission, tmp_path
):
    monkeypatch.setattr(sys, "executable", hostile_python(tmp_path / "environment"))
    host = host_of()
    assert goes_on(host, submission)
    (server,) = (one for one in fork_servers() if one.cmdline()[0] == sys.executable)
    mine = server.children()
    server.kill()
    for reader in mine:
        reader.wait(timeout=10)
    with pytest.raises(PulvinarError, match=r"good\.bad"):
        goes_on(host, submission)
    assert goes_on(host, submission)
    assert server not in fork_servers()


def test_a_fork_of_the_platform_has_a_server_of_its_own(host_of, submission):
    assert goes_on(host_of(), submission)
    before, host = fork_servers(), host_of()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            well = goes_on(host, submission) and len(fork_servers()) == 1
            host.close()
            forked_reader._end_all()
            os._exit(0 if well else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert fork_servers() == before
    assert goes_on(host_of(), submission)


def test_a_host_can_be_closed_while_another_thread_waits_for_it(host_of, submission):
    host = host_of()
    caught = []

    def ask():
        try:
            host.find([hostile_file(submission, "import time\ntime.sleep(1000)")])
        except PulvinarError as error:
            caught.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    wait_for_reader(os.getpid())
    time.sleep(0.3)
    began = time.monotonic()
    host.close()
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    assert time.monotonic() - began < 5
    assert len(caught) == 1


def test_an_interruption_leaves_no_answer_for_the_next_question(host_of, submission):
    host = host_of()
    late = "import time\ntime.sleep(1.5)\nasset = reader.asset(file, name='the wrong brain')"
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        host.find([hostile_file(submission, late)])
    (asset,) = host.find([hostile_file(submission, GOOD, "good.bad")])
    assert asset.name == "a good brain"


def test_a_plugin_that_does_not_load_takes_no_other_with_it(monkeypatch, host_of, submission, tmp_path):
    python = hostile_python(tmp_path / "environment")
    next(Path(python).parents[1].rglob("hostile_plugin.py")).write_text("raise SyntaxError('a broken plugin')")
    monkeypatch.setattr(sys, "executable", python)
    (submission / "mesh.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (asset,) = host_of(options=Options(unit="um")).find([source_file(submission / "mesh.obj", "mesh.obj")])
    assert asset.reader == "obj"


def test_a_process_that_can_not_start_is_an_error_that_says_why(monkeypatch, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'the library is missing' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    host = ReaderHost(tmp_path, scratch=tmp_path, limits=LIMITS)
    with pytest.raises(Unavailable, match="the library is missing"):
        host.find([])
    with pytest.raises(Unavailable):
        host.find([])


def test_this_machine_lacks_no_protection():
    assert describe_protection() == []


LANDLOCK, UNSHARE, SECCOMP = (444,), (272, 97), (317, 277)


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (LANDLOCK, ["no Landlock: readers can read and change every file"]),
        (UNSHARE, []),
        (SECCOMP, ["no filter of system calls: readers can start programs"]),
        (UNSHARE + SECCOMP, ["leave the network: readers can open network connections", "no filter of system calls"]),
    ],
)
def test_what_a_kernel_lacks_is_said(without, said):
    lines = json.loads(as_on_a_kernel_without(without, "import runpy; runpy.run_module('pulvinar.ingest.protection', "
                                              "run_name='__main__')"))  # fmt: skip
    assert len(lines) == len(said)
    for line, part in zip(lines, said, strict=True):
        assert part in line


def as_on_a_kernel_without(calls, code):
    """What `code` prints in a process for which the kernel doesn't know those system calls (by a filter of its own)."""
    before = f"""
import errno, platform
from pulvinar.ingest import seccomp
machine = seccomp._MACHINES[platform.machine()]
def program(machine):
    yield seccomp._step(seccomp._LOAD, 0)
    for number in {calls!r}:
        yield from seccomp._refuse_if(seccomp._IF_EQUAL, number, errno.ENOSYS)
    yield seccomp._step(seccomp._RETURN, seccomp._ALLOW)
whole, seccomp._program = seccomp._program, program
assert seccomp.forbid_calls()
seccomp._program = whole
"""
    return subprocess.run([sys.executable, "-c", before + code], capture_output=True, check=True).stdout


def test_whether_protection_can_be_tried_is_said_too(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    missing_protection.cache_clear()
    (line,) = describe_protection()
    assert "can't be tried" in line
    missing_protection.cache_clear()


def test_a_file_that_went_away_is_told(host, submission):
    (asset,) = host.find([hostile_file(submission, GOOD, "gone.bad")])
    (submission / "gone.bad").unlink()
    with pytest.raises(UnreadableFile, match=r"gone\.bad"):
        host.open_volume(asset)


def test_skeletons_cross_unchanged(host, submission):
    nodes = "SkeletonData(np.ones((3, 3)), np.ones(3, 'f4'), np.array([-1, 0, 0]), np.zeros(3, 'i2'), np.arange(3))"
    does = MESH.replace("MESH", "SKELETON") + f"def read_geometry(): return {nodes}"
    (asset,) = host.find([hostile_file(submission, does)])
    data = host.read_geometry(asset)
    assert isinstance(data, SkeletonData)
    assert data.parent.tolist() == [-1, 0, 0]
