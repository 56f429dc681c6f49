import os
import subprocess
import sys

from pulvinar.storage.owner import is_alive, this_process


def test_this_process_lives():
    assert is_alive(this_process()) is True


def test_two_claims_of_one_process_differ():
    assert this_process() != this_process()


def test_a_process_that_has_ended_is_dead_even_unburied():
    code = "from pulvinar.storage.owner import this_process; print(this_process(), flush=True)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    owner = process.stdout.readline().strip()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(owner) is False
    process.wait()
    assert is_alive(owner) is False


def test_a_number_used_again_by_another_process_is_not_the_owner():
    parts = this_process().split("/")
    parts[4] = "1"
    assert is_alive("/".join(parts)) is False


def test_before_the_last_start_of_the_machine_nothing_lives_and_elsewhere_is_not_known():
    machine, boot, *rest = this_process().split("/")
    assert is_alive("/".join([machine, "another-boot", *rest])) is False
    assert is_alive("/".join(["another-machine", boot, *rest])) is None
