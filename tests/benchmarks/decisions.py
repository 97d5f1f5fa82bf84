"""What rules do when they decide night after night, and how long the bootstrap takes.

    .venv/bin/python tests/benchmarks/decisions.py [--draws 200000] [--years 200] [--seed 0]
        [--only nights|years|equal|bootstrap]

Prints four tables. How often each rule promotes a challenger whose true gain is known. A year of
nights on a holdout that is asked every night, as three figures together: true accuracy served,
truly worse promotions, optimism of the displayed score. The same with challengers that are all
equal. And 10,000 resamples of all F1 figures of 77 intents over 10,000 utterances, beside scipy's
bootstrap of a single one. Figures after +- are Monte Carlo standard errors.
"""

import argparse
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import numpy as np
from scipy import stats

from retrainer.domain.decision_rules import (
    DecisionRule,
    exact_sign,
    gain_of,
    held_below,
    ladder,
    mcnemar,
    not_inferior,
    not_worse,
    strictly_better,
)
from retrainer.domain.paired import PairedAnswers
from retrainer.domain.resampling import bootstrap
from retrainer.domain.simulation import (
    DRAWS,
    EQUAL,
    YEARS,
    Figure,
    Holdout,
    Served,
    draw_night,
    odds,
    serve,
)

DISCORDANCE = 0.06
SIZES = (100, 300, 1000, 3000)
GAINS = (0.01, 0.02, 0.05, -0.02)

#: What is compared. The last three are the candidates for everyday use.
RULES: dict[str, DecisionRule] = {
    "greater (2018)": strictly_better,
    "not worse": not_worse,
    "at least +1 point": gain_of(0.01),
    "non-inferior, 1 point": not_inferior(0.01),
    "non-inferior, 2 points": not_inferior(0.02),
    "McNemar .05": mcnemar(0.05),
    "exact .05": exact_sign(0.05),
    "McNemar .05/365": mcnemar(0.05 / 365),
    "ladder 1.0": ladder(1.0),
    "ladder 0.75": ladder(0.75),
    "McNemar .23": mcnemar(0.23),
    "McNemar .23, 300 items": held_below(300, mcnemar(0.23), mcnemar(0.05)),
}

HOLDOUTS = {
    "1000 items, the same all year": Holdout(1000),
    "1000 items, new every 30 nights": Holdout(1000, renewed_every=30),
    "1000 items, and 3 more each night": Holdout(1000, growth=3),
    "300 items, the same all year": Holdout(300),
    "100 items, the same all year": Holdout(100),
}


def say(text: str = "") -> None:
    """One line of the result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(title: str, columns: list[str], rows: Iterator[list[str]]) -> None:
    """A table in Markdown, a line as soon as it is known."""
    say(f"\n{title}\n")
    say(f"| {'rule':<24} | {' | '.join(f'{c:>14}' for c in columns)} |")
    say("|".join(["", "-" * 26, *("-" * 15 + ":" for _ in columns), ""]))
    for name, *cells in rows:
        say(f"| {name:<24} | {' | '.join(f'{cell:>14}' for cell in cells)} |")


def nights(draws: int, seed: int) -> None:
    """One night: shares of promotions (and of nights that are held)."""

    def cells(gain: float) -> Iterator[list[str]]:
        drawn = {
            items: draw_night(
                items=items, discordance=DISCORDANCE, gain=gain, draws=draws, seed=seed
            )
            for items in SIZES
        }
        for name, rule in RULES.items():
            found = [odds(rule, *drawn[items], items) for items in SIZES]
            yield [name, *(f"{o.promote:.4f}" + f" ({o.hold:.2f})" * (o.hold > 0) for o in found)]

    for gain in (0.0, *GAINS):
        what = f"truly {gain * 100:+.0f} points" if gain else "truly equal"
        table(
            f"Promoted on one night, a challenger {what}; discordance {DISCORDANCE:.0%}, "
            f"{draws:,} draws (held)",
            [f"{items} items" for items in SIZES],
            cells(gain),
        )


def points(figure: Figure) -> str:
    """A share in points, and its error."""
    return f"{figure.mean * 100:.2f} +- {figure.error * 100:.2f}"


def number(figure: Figure) -> str:
    """A count a year, and its error."""
    return f"{figure.mean:.2f} +- {figure.error:.2f}"


def years(count: int, seed: int) -> None:
    """A year with accidents and slowly growing data."""
    for title, holdout in HOLDOUTS.items():

        def cells(holdout: Holdout = holdout) -> Iterator[list[str]]:
            served: Served | None = None
            for name, rule in RULES.items():
                served = serve(rule, holdout, years=count, seed=seed)
                figures = points(served.accuracy), number(served.worse), points(served.optimism)
                yield [name, *figures, f"{served.promotions.mean:.1f}", f"{served.holds.mean:.0f}"]
            if served:
                yield ["(best challenger so far)", points(served.best), "0", "", "", ""]

        columns = ["true accuracy", "truly worse", "optimism", "promotions", "nights held"]
        table(f"A year of nights on {title}; {count} years", columns, cells())


def equal(count: int, seed: int) -> None:
    """A year in which no challenger is better: what selection alone displays."""
    sizes = (100, 300, 1000)

    def cells() -> Iterator[list[str]]:
        for name, rule in RULES.items():
            served = [serve(rule, Holdout(n), EQUAL, years=count, seed=seed) for n in sizes]
            yield [name, *(points(one.optimism) for one in served)]

    columns = [f"{n} items" for n in sizes]
    table(f"Optimism after a year of equal challengers, points; {count} years", columns, cells())


def made_up(items: int, intents: int, seed: int) -> PairedAnswers:
    """Two models that are right on about 92 %, and differ on about 7 %."""
    generator = np.random.default_rng(seed)
    gold, other, third = (generator.integers(intents, size=items) for _ in range(3))
    before = np.where(generator.random(items) < 0.92, gold, other)
    changed = np.where(generator.random(items) < 0.5, gold, third)
    after = np.where(generator.random(items) < 0.9, before, changed)
    names = [f"intent {number:02}" for number in range(intents)]
    triples = zip(gold.tolist(), before.tolist(), after.tolist(), strict=True)
    return PairedAnswers.of(Counter((names[g], names[b], names[a]) for g, b, a in triples))


def speed(seed: int) -> None:
    """Ours for all figures; scipy's for macro F1 alone, on a tenth of the resamples."""
    answers = made_up(10_000, 77, seed)
    clocks = time.perf_counter(), time.process_time()
    ours = bootstrap(answers)
    wall, cpu = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
    tracemalloc.start()
    bootstrap(answers)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    say("\n10,000 utterances, 77 intents\n")
    say(
        f"ours: 10,000 resamples of {len(ours.averages) + len(ours.intents)} figures in "
        f"{wall:.2f} s ({cpu:.2f} s of processor), at most {peak:.0f} MB"
    )
    rows = np.array(answers.counts)
    columns = list(np.repeat(rows[:, :3], rows[:, 3], axis=0).T)

    def macro(gold: np.ndarray, said: np.ndarray) -> float:
        support, answered = np.bincount(gold, minlength=77), np.bincount(said, minlength=77)
        right = np.bincount(gold[gold == said], minlength=77)
        occurs = support > 0
        return float((2 * right / np.maximum(support + answered, 1))[occurs].mean())

    started = time.perf_counter()
    theirs = stats.bootstrap(
        columns,
        lambda gold, before, after: macro(gold, after) - macro(gold, before),
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    interval = ours.averages["f1_macro"].interval(method="percentile")
    low, high = theirs.confidence_interval
    say(
        f"scipy: 1,000 resamples of one figure in {time.perf_counter() - started:.2f} s\n"
        f"macro F1, 95 %: ours {interval.low:+.5f} to {interval.high:+.5f}, "
        f"scipy's {low:+.5f} to {high:+.5f}"
    )


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=DRAWS, help="nights a cell")
    parser.add_argument("--years", type=int, default=YEARS, help="years a cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["nights", "years", "equal", "bootstrap"])
    asked = parser.parse_args()
    parts = {
        "nights": lambda: nights(asked.draws, asked.seed),
        "years": lambda: years(asked.years, asked.seed),
        "equal": lambda: equal(asked.years, asked.seed),
        "bootstrap": lambda: speed(asked.seed),
    }
    for name, part in parts.items():
        if asked.only in {None, name}:
            part()


if __name__ == "__main__":
    main()
