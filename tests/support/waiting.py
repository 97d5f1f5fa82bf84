"""Waiting for other processes, bounded in time."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path


def wait_until(happened: Callable[[], bool], *, seconds: float) -> None:
    """Look again and again until it happened.

    Raises:
        TimeoutError: it did not within that time.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.02)


def assert_gone(pids: Iterable[int], *, seconds: float = 10) -> None:
    """Make sure that these processes end, or are dead and only not yet collected."""
    for pid in pids:
        wait_until(lambda pid=pid: not _lives(pid), seconds=seconds)  # type: ignore[misc]


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
