"""Processes that kill themselves with SIGKILL, at an exact point of a cycle."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle, State
from retrainer.pipeline.runner import run_cycle
from retrainer.pipeline.steps import CYCLE, Step
from retrainer.pipeline.world import World
from retrainer.ports import Progress
from retrainer.store.owner import current_owner
from retrainer.testing.listeners import FakeListener
from retrainer.wiring import Application

#: What changes a file system, as Python reports it before it happens.
_CHANGES = frozenset(
    ["os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"]
)


def die() -> NoReturn:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class Countdown:
    """Kills the process before its `until`-th change of files or of the database.

    None: it only counts. What other threads do is not counted, so that the count is the same each
    time.
    """

    def __init__(self, until: int | None = None) -> None:
        self.count = 0
        self._until = until
        self._thread = threading.get_ident()

    def watch(self, engine: sa.Engine) -> None:
        """Count from now on, to the end of the process."""
        sys.addaudithook(self._audit)
        sa.event.listen(engine, "before_cursor_execute", self._statement)
        sa.event.listen(engine, "commit", lambda _: self._tick())

    def _audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        writes = name == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if name in _CHANGES or writes:
            self._tick()

    def _statement(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            self._tick()

    def _tick(self) -> None:
        if threading.get_ident() != self._thread:
            return
        if self.count == self._until:
            die()
        self.count += 1


def dying_at(point: str) -> tuple[FakeListener, Sequence[Step]]:
    """A listener and the steps of a cycle, one of which kills the process at the point."""
    when, _, name = point.partition(":")
    if name not in {step.name for step in CYCLE}:
        raise ValueError(f"there is no step {name}")
    listener = _DyingListener(name if when == "during" else None)
    if when == "during":
        return listener, CYCLE
    return listener, [replace(s, act=_cut(s, when)) if s.name == name else s for s in CYCLE]


def _cut(step: Step, when: str) -> Callable[[Cycle, State, World], State]:
    def act(cycle: Cycle, state: State, world: World) -> State:
        if when == "after":
            step.act(cycle, state, world)
        die()

    return act


class _DyingListener(FakeListener):
    def __init__(self, step: str | None) -> None:
        super().__init__()
        self._step = step
        self._seen: set[str] = set()

    def progress(self, progress: Progress) -> None:
        super().progress(progress)
        self._seen.add(progress.what)
        if self._step is not None and self._step == self.steps[-1] and len(self._seen) > 1:
            die()


def die_in_a_cycle(
    folder: Path, environment: Mapping[str, str], assistant: str, point: str
) -> None:
    """Run the assistant's real cycle in this process, with the folder's config, up to that point.

    Points are `before:STEP` (recorded as running, nothing done yet), `after:STEP` (done, not
    recorded yet), and `during:STEP` (at the first progress of its second component).
    """
    warnings.simplefilter("error")
    os.chdir(folder)
    os.environ.update(environment)
    listener, steps = dying_at(point)
    world = Application.from_config(folder / "retrainer.toml").world(assistant, listener)
    run_cycle(world, owner=current_owner(), steps=steps)
    raise SystemExit(f"the cycle ended before {point}")
