"""What people answered to cycles that were held for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said to a held cycle, and why."""

    cycle: int
    approved: bool
    actor: str
    reason: str
    at: datetime


class Approvals(Protocol):
    """The answers: one for each cycle at most. Each method is one transaction."""

    def of(self, cycle: int) -> Answer | None:
        """The answer to the cycle; None as long as there is none."""
        ...

    def give(self, answer: Answer) -> Answer:
        """Write the answer down unless there is one; returns the one that stands."""
        ...

    def withdraw(self, answer: Answer) -> None:
        """Take this very answer back, since it could not be carried out; again: nothing."""
        ...
