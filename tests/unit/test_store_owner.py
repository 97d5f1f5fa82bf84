"""Telling a dead owner from a slow one."""

import os
import subprocess
import sys

import pytest

from retrainer.store.owner import current_owner, describe, is_dead

HOST, BOOT, NAMESPACE, PID, START = range(5)


def changed(part: int, value: str) -> str:
    """The name of this process with one part replaced."""
    parts = current_owner().split("/")
    parts[part] = value
    return "/".join(parts)


def ended_process() -> subprocess.Popen[bytes]:
    """A process that has ended and been collected."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process


def test_the_living_are_alive():
    """This process and a process of another user are not dead."""
    assert not is_dead(current_owner())
    assert current_owner() == current_owner()


def test_a_process_id_without_process_is_dead():
    """No process has the id any more."""
    assert is_dead(changed(PID, str(ended_process().pid)))


def test_a_process_id_used_again_is_dead():
    """Another process has the id now: it started at another time."""
    assert is_dead(changed(START, "1"))


@pytest.mark.parametrize("part", [HOST, BOOT, NAMESPACE])
def test_what_cannot_be_known_is_not_dead(part: int):
    """On another machine, before a restart, in another container: the lease has to run out."""
    dead = changed(PID, str(ended_process().pid)).split("/")
    assert is_dead("/".join(dead))
    dead[part] = "other"
    assert not is_dead("/".join(dead))


@pytest.mark.parametrize(
    "owner",
    ["", "somebody", "a/b/c", "a/b/c/0/1", "a/b/c/-1/1", "a/b/c/x/1", f"a/b/c/{2**70}/1"],
)
def test_a_strange_name_is_nobody(owner: str):
    """A name that we did not give is shown as it is and never dead."""
    assert not is_dead(owner)
    assert describe(owner) == owner


@pytest.mark.parametrize("pid", ["0", "-1", str(2**31), str(2**70), "²"])
def test_no_group_of_processes_is_asked(pid: str):
    """Ids that mean a group of processes, or none, are no owner of this machine."""
    assert not is_dead(changed(PID, pid))


def test_people_read_host_and_process_id():
    """What people need to find the process."""
    host = current_owner().split("/")[HOST]
    assert describe(current_owner()) == f"{host} pid {os.getpid()}"
