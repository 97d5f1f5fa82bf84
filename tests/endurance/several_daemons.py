"""Several daemons on one PostgreSQL, killed and stalled at random: is anything lost or doubled?

    PYTHONPATH=tests python tests/endurance/several_daemons.py [--cycles 200] [--seed N]

Three real daemon processes with a lease of 2 seconds look after four assistants whose schedules fire
each second and whose data changes all the time; Rasa alone is a stand-in. Every few seconds one of
the daemons is killed and started again later, or stopped (SIGSTOP) for longer than the lease and
woken. Afterwards the database, the registries and what each process saw are held against each other.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from support.databases import postgres_engine, url_of
from support.fleet import Fleet, judge

#: Seconds that a cycle may take on average, on a busy machine.
_LONGEST_CYCLE = 10


def say(line: str) -> None:
    """Print it at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run it, print the figures; 0 if nothing was violated."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--daemons", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--folder", type=Path, help="where logs and all else are kept")
    given = parser.parse_args()
    say(f"{given.daemons} daemons, {given.cycles} cycles, seed {given.seed}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary, postgres_engine() as engine:
        folder = given.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        fleet = Fleet(folder, url_of(engine), size=given.daemons, chance=random.Random(given.seed))
        try:
            fleet.start()
            fleet.harass(
                until=given.cycles, seconds=given.cycles * _LONGEST_CYCLE, pause=(0.5, 2.0)
            )
            fleet.settle()
            findings = judge(fleet)
        finally:
            fleet.close()
    say(f"{findings}; {time.monotonic() - started:.0f} s")
    for violation in findings.violations:
        say(f"  {violation}")
    return 1 if findings.violations else 0


if __name__ == "__main__":
    sys.exit(main())
