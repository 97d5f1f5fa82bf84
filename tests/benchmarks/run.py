"""`make bench`: retrainer beside Rasa's own commands, measured in one run."""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict

import banking77
import model_server_load
import rasa_x_pull
import small_cycle
import unchanged_night
from measurement import Comparison, Figure, rasa_python, say

_HOW_TO_READ = """\
How to read this: each line is measured on both sides in this one run, in turns, on the same
input; the fastest run of each side counts, being the one least disturbed by other programs. The
ratio is ours/theirs (0.33: a third of the time) and is what matters: seconds depend on the
machine. A target is of the ratio, or of our own figure where it has a unit; a line without one is
there for information. The command ends with 1 if a target was missed.
"""


def main() -> int:
    """Run the comparisons, print them; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without BANKING77")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    wanted = parser.parse_args()
    if not rasa_python().exists():
        sys.exit(f"there is no {rasa_python()}: run this as `make bench`, which sets Rasa up")
    cycle, ours, theirs = small_cycle.compare()
    comparisons = [cycle]
    if wanted.quick:
        comparisons.append(Comparison(banking77.TITLE, skipped="--quick leaves it out"))
    else:
        comparisons.append(banking77.compare())
    comparisons.append(unchanged_night.compare(ours, theirs))
    comparisons.append(model_server_load.compare())
    comparisons.append(rasa_x_pull.compare())
    sys.stdout.write(_as_json(comparisons) if wanted.json else _as_text(comparisons))
    missed = [f.name for c in comparisons for f in c.figures if f.met is False]
    if missed:
        say(f"missed: {', '.join(missed)}")
    return 1 if missed else 0


def _as_text(comparisons: list[Comparison]) -> str:
    lines = ["", f"{'':34}{'retrainer':>11}{'Rasa':>11}{'ratio':>8}   target", ""]
    for comparison in comparisons:
        lines.append(comparison.title)
        if comparison.skipped:
            lines.append(f"  skipped: {comparison.skipped}")
        lines += [_line(figure) for figure in comparison.figures]
        lines += [f"    - {note}" for note in comparison.notes]
        lines.append("")
    cores = len(os.sched_getaffinity(0))
    lines.append(f"{cores} cores, {platform.machine()}, Python {platform.python_version()}")
    return "\n".join([*lines, "", _HOW_TO_READ])


def _line(figure: Figure) -> str:
    theirs = "" if figure.theirs is None else _number(figure.theirs, figure.unit)
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3f}"
    target = ""
    if figure.limit is not None:
        limit = _number(figure.limit, figure.unit) if figure.absolute else f"{figure.limit:.3f}"
        target = f"<= {limit}: {'met' if figure.met else 'MISSED'}"
    ours = _number(figure.ours, figure.unit)
    return f"  {figure.name:<32}{ours:>11}{theirs:>11}{ratio:>8}   {target}".rstrip()


def _number(value: float, unit: str) -> str:
    return f"{value:.{0 if unit == 'MB' else 2}f} {unit}"


def _as_json(comparisons: list[Comparison]) -> str:
    document = [
        asdict(comparison)
        | {
            "figures": [
                asdict(figure) | {"ratio": figure.ratio, "met": figure.met}
                for figure in comparison.figures
            ]
        }
        for comparison in comparisons
    ]
    return json.dumps({"comparisons": document}) + "\n"


if __name__ == "__main__":
    sys.exit(main())
