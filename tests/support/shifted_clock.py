"""A clock that a test sets wrong, or lets run ahead, while another process reads it.

shift = Shift(file)
shift.set(hours=-1)    # the clock on the wall is an hour late; nothing else is
shift.set()            # and right again
shift.pass_time(300)   # five minutes have passed, for whatever waits too
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from retrainer.adapters.clock import SystemClock


@dataclass
class Shift:
    """What `ShiftedClock` shows, in a file."""

    file: Path
    wrong: timedelta = field(default_factory=timedelta)
    passed: float = 0.0

    def __post_init__(self) -> None:
        self._write()

    def set(self, **wrong: float) -> None:
        """Set the clock: so much before (or after) what it ought to show; in words of timedelta."""
        self.wrong = timedelta(**wrong)
        self._write()

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds
        self._write()

    def now(self) -> datetime:
        """What the clock shows."""
        return ShiftedClock(self.file).now()

    def _write(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps([self.wrong.total_seconds(), self.passed]))
        new.replace(self.file)


class ShiftedClock(SystemClock):
    """The system's clock, with what the file says added."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        """The time that it shows, aware, in UTC."""
        wrong, passed = self._shift()
        return super().now() + timedelta(seconds=wrong + passed)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back, however wrong the clock is."""
        return super().monotonic() + self._shift()[1]

    def _shift(self) -> tuple[float, float]:
        wrong, passed = json.loads(self._file.read_text())
        return wrong, passed
