"""What is to be done: which cycles are asked for, of which assistants, and who sees to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from retrainer.domain.cycle import Trigger


@dataclass(frozen=True, slots=True)
class Request:
    """Something that asks for a cycle of an assistant.

    `fire_time` is the moment of the schedule, where that asked; `asked_by` a person or program.
    `cycle` is the number of the cycle that answered; None as long as it is pending.
    """

    number: int
    assistant: str
    trigger: Trigger
    asked_at: datetime
    asked_by: str
    note: str = ""
    fire_time: datetime | None = None
    force: bool = False
    cycle: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when, by whom and why an assistant's cycles are not begun."""

    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class DataSeen:
    """What a source showed: a token that changes with the data, and how many examples (if known)."""

    token: str
    examples: int | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is remembered of an assistant.

    Fire times up to `due_after` are settled. `data` is what the source showed when a cycle was
    last asked for because of it; None before the first look.
    """

    assistant: str
    schedule: str
    due_after: datetime
    pause: Pause | None = None
    data: DataSeen | None = None


class Agenda(Protocol):
    """What is to be done. Each method is one transaction."""

    def enrol(self, assistant: str, schedule: str) -> Enrolment:
        """Remember the assistant and its schedule; again: nothing.

        Of a new assistant, and of a schedule that changed, nothing before now is owed.
        """
        ...

    def enrolments(self) -> tuple[Enrolment, ...]:
        """All assistants that were ever enrolled, by name."""
        ...

    def ask(
        self, assistant: str, trigger: Trigger, *, by: str, note: str = "", force: bool = False
    ) -> Request:
        """Ask for a cycle. The next one that begins answers all that is pending for the assistant.

        Raises:
            AssistantPaused: nothing can be asked for before `resume`.
        """
        ...

    def tick(self, assistant: str, fire_time: datetime, *, by: str) -> Request | None:
        """Ask for the cycle of a fire time, and settle the ones before it.

        None if it is settled already, by whatever daemon, or if the assistant is paused.
        """
        ...

    def unsettle(self, assistant: str) -> Enrolment:
        """Take back that fire times to come are settled: a clock went ahead, and was set right.

        Those that were asked for stay so, and get no second request. Again: nothing.
        """
        ...

    def new_data(
        self, assistant: str, seen: DataSeen, *, before: DataSeen | None, by: str, note: str
    ) -> Request | None:
        """Remember what the source shows, and ask for a cycle of it.

        None if `before` is not what is remembered (another daemon was faster), if the assistant is
        paused, or if `before` is None: what was there when the assistant was first looked at is not
        new.
        """
        ...

    def pending(self) -> tuple[Request, ...]:
        """What no cycle has answered yet, oldest first."""
        ...

    def ready(self) -> tuple[str, ...]:
        """Assistants whose next cycle may begin now, in the order in which they should.

        First those with an interrupted cycle, whose owner is gone and whose hour has come; then
        those with a pending request that are neither paused nor at a cycle, longest waiting first.
        """
        ...

    def postponed(self) -> Mapping[str, datetime]:
        """Assistants whose cycle waits for an hour to promote in, and until when it does."""
        ...

    def hasten(self, assistant: str, opens: datetime) -> None:
        """Let a cycle of it that waits go on at this moment, if that is earlier. Again: nothing."""
        ...

    def pause(self, assistant: str, *, by: str, reason: str) -> Enrolment:
        """Begin no cycles of it any more; what is pending waits. Again: the first pause stands."""
        ...

    def resume(self, assistant: str) -> Enrolment:
        """Begin cycles of it again; fire times of the pause are not owed. Again: nothing."""
        ...

    def check_in(self, owner: str, version: str, *, lease: timedelta) -> str:
        """Say that this daemon is alive, and lead if nobody does; returns the owner that leads.

        The leader is who holds a lease of that length; it does what only one process may do.
        """
        ...

    def check_out(self, owner: str) -> None:
        """Say that this daemon ends; another one may lead at once. Again: nothing."""
        ...
