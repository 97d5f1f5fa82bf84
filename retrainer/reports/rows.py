"""What the reports read of the records: the store's rows have these attributes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from retrainer.domain.cycle import Cycle, Model
from retrainer.domain.verdict import Outcome


class HistoryLine(Protocol):
    """A cycle as the history lists it; what is not known is None."""

    @property
    def cycle(self) -> Cycle:
        """The cycle itself."""
        ...

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, aware."""
        ...

    @property
    def verdict(self) -> Outcome | None:
        """What was decided."""
        ...

    @property
    def stopped_by(self) -> str | None:
        """Names of the checks that kept the challenger from being promoted."""
        ...

    @property
    def f1_champion(self) -> float | None:
        """Weighted F1 of the champion, 0 to 1."""
        ...

    @property
    def f1_challenger(self) -> float | None:
        """Weighted F1 of the challenger, 0 to 1."""
        ...

    @property
    def examples(self) -> int | None:
        """Number of examples that both were measured on."""
        ...

    @property
    def same_as(self) -> int | None:
        """Number of the earlier cycle with the same inputs."""
        ...

    @property
    def champion(self) -> str | None:
        """Name of the model that served when the evaluation began."""
        ...

    @property
    def challenger(self) -> str | None:
        """Name of the model that was trained."""
        ...

    @property
    def promoted(self) -> bool:
        """Whether the challenger was promoted, and confirmed."""
        ...

    @property
    def approved(self) -> bool | None:
        """What a person answered to a held cycle."""
        ...

    @property
    def error(self) -> str | None:
        """What went wrong."""
        ...

    @property
    def failed_step(self) -> str | None:
        """The step that it went wrong in."""
        ...


class StepTime(Protocol):
    """A step of a cycle; the times are of its last attempt."""

    @property
    def name(self) -> str:
        """The step's name."""
        ...

    @property
    def status(self) -> str:
        """`running`, `done` or `failed`."""
        ...

    @property
    def attempts(self) -> int:
        """How often it was begun."""
        ...

    @property
    def started_at(self) -> datetime:
        """When it was begun last, aware."""
        ...

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, aware."""
        ...

    @property
    def error(self) -> str | None:
        """Why it failed."""
        ...


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A stored model, and the cycle that made it; None if no recorded cycle did."""

    assistant: str
    model: Model
    champion: bool
    made_by: HistoryLine | None
