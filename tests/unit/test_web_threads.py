"""Calls that block, a few at a time."""

import asyncio
import threading

import pytest

from retrainer.errors import StorageError
from retrainer.web.threads import Lane, TooBusy


def test_so_many_work_so_many_wait_and_no_more():
    """Whoever comes then is told to come again; afterwards there is room."""
    at_work, most, open_gate = 0, 0, threading.Event()
    lock = threading.Lock()

    def call() -> str:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        open_gate.wait(20)
        with lock:
            at_work -= 1
        return "done"

    async def crowd() -> list[str]:
        lane = Lane("the database", at_once=2, waiting=3)
        calls = [asyncio.create_task(lane.run(call)) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(TooBusy, match="5 requests are at work on or wait for the database"):
            await lane.run(call)
        open_gate.set()
        done = await asyncio.gather(*calls)
        assert await lane.run(call) == "done"
        return done

    assert asyncio.run(crowd()) == ["done"] * 5
    assert most <= 2


def test_a_failure_is_that_of_the_call_and_frees_its_place():
    """Nothing is swallowed, and no place is lost."""

    def fail() -> None:
        raise StorageError("the disk is full")

    async def twice() -> None:
        lane = Lane("the database", at_once=1, waiting=0)
        for _ in range(2):
            with pytest.raises(StorageError, match="the disk is full"):
                await lane.run(fail)

    asyncio.run(twice())
