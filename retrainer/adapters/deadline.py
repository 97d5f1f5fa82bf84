"""Calls that end in time, whatever the other side does."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

from retrainer.errors import NoThreadLeft

_Result = TypeVar("_Result")


def within(seconds: float, call: Callable[[], _Result], *, name: str) -> _Result:
    """The result of `call`, or what it raises, after so many seconds at most.

    A server that drips its answer would outlast any socket's limit. `name` is that of the thread.

    Raises:
        NoThreadLeft: it could not even begin.
        TimeoutError: it took longer; it is left alone in a thread that ends with the process.
    """
    outcome: Future[_Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            outcome.set_exception(error)

    # In our context, so that what it logs is known to belong to the same cycle.
    thread = Thread(target=copy_context().run, args=(run,), name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise NoThreadLeft from error
    return outcome.result(timeout=seconds)
