"""Who is told of cycles, and what they are told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from retrainer.domain.cycle import Cycle, State
from retrainer.ports.rasa import Progress


@dataclass(frozen=True, slots=True)
class CycleReport:
    """A cycle as people are told of it, everywhere the same."""

    cycle: Cycle
    state: State
    ended_at: datetime | None = None
    #: What went wrong, for a failed or abandoned cycle.
    error: str | None = None
    tip: str | None = None
    #: The step that the error happened in.
    failed_step: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A cycle in words; the same words and numbers in each form.

    `summary` is at most 500 characters on a few lines, `text` the whole story in plain text.
    `blocks` are for Slack (Block Kit), within its limits.
    """

    summary: str
    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()


class Renderer(Protocol):
    """Puts a cycle into words."""

    def __call__(self, report: CycleReport, missed: Sequence[CycleReport] = ()) -> Message:
        """The cycle in full, and a line each for those that could not be told of in time."""
        ...


#: The archive, on this machine, of an assistant's model: (assistant, model) -> file.
Fetch = Callable[[str, str], Path]


class Notifier(Protocol):
    """Somebody who is told how a cycle ended."""

    def notify(self, report: CycleReport) -> None:
        """Tell; called again it may tell again (delivery is at least once).

        Raises:
            NotificationError: not delivered; `retry_after` seconds if the receiver said so.
        """
        ...


@runtime_checkable
class SummaryNotifier(Notifier, Protocol):
    """A notifier for people, who want one message after an outage rather than twenty.

    To the others, which keep records, each cycle is told on its own.
    """

    def notify_summary(self, report: CycleReport, missed: Sequence[CycleReport]) -> None:
        """Tell of a cycle, and in short of the `missed` ones before it, oldest first; at once.

        Called again it may tell again.

        Raises:
            NotificationError: not delivered, nothing of it; `retry_after` as for `notify`.
        """
        ...


class CycleListener(Protocol):
    """Somebody who watches a cycle while it runs, such as the live view of a terminal."""

    def begun(self, cycle: Cycle, steps: Sequence[str], done: Sequence[str]) -> None:
        """A cycle begins, or goes on after the steps that are done."""
        ...

    def step(self, name: str) -> None:
        """The next step begins."""
        ...

    def progress(self, progress: Progress) -> None:
        """Something goes on inside the step."""
        ...

    def warn(self, sentence: str) -> None:
        """Something is not as it should be, but does not change how the cycle ends."""
        ...

    def ended(self, report: CycleReport) -> None:
        """The cycle ended."""
        ...
