"""The crash matrix at every change of files and database that a cycle makes, not at three points.

    PYTHONPATH=tests python tests/endurance/crash_matrix.py [--every 1] [--seed N]

As `tests/end_to_end/test_crash_matrix.py`, with one more kind: a power cut that chance decides on.
"""

import argparse
import random
import sys
import time
from collections import Counter

from support.crash_cases import originals
from support.crash_points import STEPS, Crash, Kind

KINDS = (Kind.KILLED, Kind.POWER, Kind.POWER_CONTENTS, Kind.POWER_SOME)


def say(line: str) -> None:
    """Print it at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Play all cases, print the figures; 0 if nothing was lost, doubled or left."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="only each so-many-th change")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--dialects", nargs="+", default=["sqlite", "postgresql"])
    given = parser.parse_args()
    say(f"every change, or each {given.every}th; seed {given.seed}")
    started, played, violated = time.monotonic(), Counter[str](), 0
    for dialect in given.dialects:
        with originals(dialect) as original:
            for step in STEPS:
                effort = original.efforts[step]
                for nth in range(1, effort.changes + 1, given.every):
                    for kind in KINDS:
                        crash = Crash(step, "inside", effort, nth)
                        try:
                            original.play(crash, kind, given.seed)
                        except AssertionError as error:
                            violated += 1
                            say(f"  {dialect}, {step}, change {nth}, {kind}: {error}")
                        played[dialect] += 1
    cases = ", ".join(f"{count} on {dialect}" for dialect, count in played.items())
    say(f"cases {cases}; violations {violated}; {time.monotonic() - started:.0f} s")
    return 1 if violated else 0


if __name__ == "__main__":
    sys.exit(main())
