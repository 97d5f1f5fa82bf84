"""Calls that block, in threads that do not keep the process from ending."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from retrainer.errors import RetrainerError

_Result = TypeVar("_Result")


class TooBusy(RetrainerError):
    """Too many requests are waiting for the database."""


class Lane:
    """Lets `at_once` calls run at a time and `waiting` more wait, so that they cannot pile up.

    The database's connections are the daemon's too: whatever is asked of the HTTP side, most of
    them stay free.
    """

    def __init__(self, name: str, *, at_once: int, waiting: int) -> None:
        self._name = name
        self._free = asyncio.Semaphore(at_once)
        self._most, self._here = at_once + waiting, 0

    async def run(self, call: Callable[[], _Result]) -> _Result:
        """The call's result.

        Raises:
            TooBusy: as many calls as may are waiting already.
        """
        if self._here >= self._most:
            raise TooBusy(
                f"{self._here} requests are at work on or wait for {self._name}, no more can",
                tip="try again in some seconds",
            )
        self._here += 1
        try:
            async with self._free:
                return await in_thread(call)
        finally:
            self._here -= 1


async def in_thread(call: Callable[[], _Result]) -> _Result:
    """The call's result, from a thread of its own."""
    outcome: Future[_Result] = Future()
    outcome.set_running_or_notify_cancel()  # nobody waits any more: still no error in the thread

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            outcome.set_exception(error)

    Thread(target=run, name="http-call", daemon=True).start()
    return await asyncio.wrap_future(outcome)
