"""What a process and its files take of the machine, and whether that grows with time."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression

_KB = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured when so many `cycles` had ended."""

    cycles: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Growth:
    """One row of the table: a quantity at three moments, and how it grows per 1,000 cycles."""

    name: str
    first: float
    settled: float
    last: float
    slope: float
    #: The most that the slope may be; None: it is only shown.
    bound: float | None

    @property
    def is_flat(self) -> bool:
        """Whether it grows by less than its bound."""
        return self.bound is None or self.slope < self.bound

    def __str__(self) -> str:
        bound = "" if self.bound is None else f"{self.bound:12,.1f}"
        mark = "" if self.is_flat else "  GROWS"
        figures = f"{self.first:12,.0f}{self.settled:12,.0f}{self.last:12,.0f}{self.slope:12,.1f}"
        return f"{self.name:24}{figures}{bound}{mark}"


HEADER = f"{'':24}{'first':>12}{'settled':>12}{'last':>12}{'per 1,000':>12}{'bound':>12}"


def growths(
    samples: Sequence[Sample], bounds: Mapping[str, float], *, settled: int
) -> tuple[Growth, ...]:
    """How each quantity grows: the slope of a line fitted to all samples after `settled` cycles."""
    after = [sample for sample in samples if sample.cycles >= settled]
    cycles = [sample.cycles / 1000 for sample in after]
    return tuple(
        Growth(
            name,
            samples[0].values[name],
            after[0].values[name],
            after[-1].values[name],
            linear_regression(cycles, [sample.values[name] for sample in after]).slope,
            bounds.get(name),
        )
        for name in samples[-1].values
    )


def of_process(pid: int) -> dict[str, float]:
    """Memory in kB, and numbers of descriptors, threads and child processes."""
    process = Path("/proc", str(pid))
    memory = dict(_figures(process / "smaps_rollup"))
    return {
        "RSS, kB": memory["Rss"],
        "PSS, kB": memory["Pss"],
        "file descriptors": sum(1 for _ in (process / "fd").iterdir()),
        "threads": sum(1 for _ in (process / "task").iterdir()),
        "child processes": sum(1 for _ in children(pid)),
    }


def children(pid: int) -> Iterator[int]:
    """The child processes that it has now."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, task.read_text().split())


def of_files(roots: Sequence[Path]) -> float:
    """What the files in these folders, or these files, take, in kB; what goes meanwhile counts 0."""
    return sum(size for root in roots for size in _sizes(root)) / _KB


def _sizes(root: Path) -> Iterator[int]:
    if not root.is_dir():
        with suppress(OSError):
            yield root.stat().st_blocks * 512
        return
    for folder, _, files in os.walk(root):
        for name in (".", *files):
            with suppress(OSError):
                yield Path(folder, name).lstat().st_blocks * 512


def _figures(file: Path) -> Iterator[tuple[str, float]]:
    for line in file.read_text().splitlines()[1:]:
        name, _, figure = line.partition(":")
        yield name, float(figure.split()[0])
