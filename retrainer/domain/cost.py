"""What it costs to serve a model."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Cost:
    """A model's size, and how long it takes to understand one utterance.

    `size` is in bytes, of the archive. `median` and `p95` are seconds, of so many `utterances` that
    were parsed one at a time; None where none were.
    """

    size: int
    median: float | None = None
    p95: float | None = None
    utterances: int = 0

    @classmethod
    def of(cls, size: int, seconds: Sequence[float]) -> Self:
        """From the seconds that each utterance took; the 95th percentile is one of them."""
        if not seconds:
            return cls(size)
        ranked = sorted(seconds)
        p95 = ranked[math.ceil(0.95 * len(ranked)) - 1]
        return cls(size, statistics.median(ranked), p95, len(ranked))
