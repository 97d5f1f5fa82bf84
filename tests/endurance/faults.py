"""A daemon to which everything happens that may: does it outlive it, and what does it lose?

    PYTHONPATH=tests python tests/endurance/faults.py [--seconds 60] [--only WORDS]

Each fault strikes a real daemon process, Rasa alone being a stand-in, in the middle of a cycle, and
lasts for so long; a PostgreSQL that cannot be reached for ten times as long. Printed is what the
daemon said of it, how often it tried in vain, and how long it took until all that was asked for was
done. The exit code is 1 if a cycle, a training, a promotion or a message was lost or doubled.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

from support.fault_suffering import Suffered
from support.faults import GROUPS, Group

#: How many times longer than the others.
LONGER = {"Postgres unreachable": 10.0}
_HEADER = ("fault", "lasted", "lost", "doubled", "recovered", "lines", "`status`", "said")
_FORMAT = "{:<42} {:>8} {:>5} {:>8} {:>10} {:>6}  {:<16} {}"
_WORDS = 90


def say(line: str) -> None:
    """Print it at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def row(suffered: Suffered) -> str:
    """A line of the table; times in seconds."""
    return _FORMAT.format(
        suffered.fault,
        f"{suffered.lasted:.0f} s",
        suffered.lost,
        suffered.doubled,
        f"{suffered.recovered:.1f} s",
        suffered.lines,
        suffered.status,
        suffered.words[:_WORDS],
    )


def suffer(group: Group, folder: Path, seconds: float) -> Iterator[Suffered | BaseException]:
    """What became of each fault of the group; the first that went wrong ends it."""

    def length(fault: str) -> float:
        return seconds * LONGER.get(fault, 1.0)

    try:
        yield from group.suffer(folder, length)
    except Exception as error:  # noqa: BLE001 - printed, and told by the exit code
        yield error


def main() -> int:
    """Let the daemons suffer side by side, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long a fault lasts")
    parser.add_argument("--only", default="", help="groups whose name has these words")
    given = parser.parse_args()
    groups = [group for group in GROUPS if given.only.lower() in group.name.lower()]
    found: Queue[tuple[str, Suffered | BaseException]] = Queue()
    began, failures, faults = time.monotonic(), 0, 0

    def work(group: Group, folder: Path) -> None:
        for outcome in suffer(group, folder, given.seconds):
            found.put((group.name, outcome))

    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(len(groups)) as threads:
        working = [
            threads.submit(work, g, Path(place) / str(n) / "it") for n, g in enumerate(groups)
        ]
        say(_FORMAT.format(*_HEADER))
        while not (all(each.done() for each in working) and found.empty()):
            if found.empty():
                time.sleep(0.1)
                continue
            name, outcome = found.get()
            if isinstance(outcome, Suffered):
                faults += 1
                say(row(outcome))
                if outcome.pauses:
                    say(f"  tried again after {', '.join(map(str, outcome.pauses))} s")
            else:
                failures += 1
                say(f"{name}: {outcome}")
    minutes = (time.monotonic() - began) / 60
    say(f"{faults} faults outlived, {failures} not, in {minutes:.0f} minutes")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
