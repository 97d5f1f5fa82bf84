"""Keeps the lease on a cycle alive while a step works."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from types import TracebackType
from typing import Self

from retrainer.errors import DatabaseError, LeaseLost, NoThreadLeft
from retrainer.ports import Lease, RunStore

#: How long a cycle stays ours without a sign of life.
LEASE = timedelta(seconds=60)


class Heartbeat:
    """Renews the lease three times in its length, in a thread of its own.

    A lost lease ends the thread, which then calls `lost` once; the next write of the step fails by
    the store's fencing.
    """

    def __init__(
        self,
        store: RunStore,
        lease: Lease,
        *,
        length: timedelta = LEASE,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._lost = lost
        self._lease = lease
        self._length = length
        self._stop = threading.Event()
        # In our context, so that what it logs is known to belong to this cycle.
        run = copy_context().run
        self._thread = threading.Thread(target=run, args=(self._beat,), name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._store.renew(self._lease, self._length)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise NoThreadLeft from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def join(self, timeout: float) -> None:
        """Wait until the renewals end by themselves, `timeout` seconds at most."""
        self._thread.join(timeout)

    def _beat(self) -> None:
        while not self._stop.wait(self._length.total_seconds() / 3):
            try:
                self._store.renew(self._lease, self._length)
            except LeaseLost:
                self._lost()
                return
            except DatabaseError:
                continue  # a passing fault; the lease is long enough for two more tries
