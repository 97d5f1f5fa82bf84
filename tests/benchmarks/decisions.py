"""What the shipped policies do when they decide night after night, and how long deciding takes.

    .venv/bin/python tests/benchmarks/decisions.py [--draws 200000] [--years 1000] [--seed 0]
        [--only nights|holdouts|years|equal|best|speed]

Prints tables in Markdown. How often each policy promotes a challenger whose true gain is known, and
how many utterances it takes to find one. A year of nights on a holdout that is asked every night, as
three figures together: true accuracy served, truly worse promotions, optimism of the displayed score;
by the rules that judge by wins and losses, and by every rule on utterances of 20 intents. The same
with challengers that are all equal. The best of several challengers. And how long 10,000 resamples
of all F1 figures of 77 intents over 10,000 utterances take, beside scipy's bootstrap of a single
one, and a decision on 150 intents. Figures after +- are Monte Carlo standard errors.
"""

import argparse
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats
from whole_policies import Utterances, WholePolicy

from retrainer.domain.decision_rules import (
    DecisionRule,
    ladder,
    mcnemar,
    not_inferior,
    strictly_better,
)
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedAnswers
from retrainer.domain.policies import POLICIES
from retrainer.domain.resampling import bootstrap
from retrainer.domain.simulated_policy import simulated
from retrainer.domain.simulated_year import (
    EQUAL,
    Figure,
    Holdout,
    Person,
    Served,
    serve,
    serve_by_answers,
)
from retrainer.domain.simulation import (
    DRAWS,
    MOST,
    best_of,
    draw_night,
    odds,
    smallest_holdout,
)
from retrainer.domain.verdict import Policy, decide

DISCORDANCE = 0.06
SIZES = (100, 300, 1000, 3000)
GAINS = (0.01, 0.02, 0.05, -0.02)

#: The shipped policies, and rules to compare them with.
RULES: dict[str, DecisionRule] = {
    **{name: simulated(policy).rule for name, policy in POLICIES.items()},
    "McNemar .05": mcnemar(0.05),
    "ladder 1.0": ladder(1.0),
    "McNemar .05/365": mcnemar(0.05 / 365),
    "non-inferior, 2 points": not_inferior(0.02),
    "greater (2018)": strictly_better,
}

HOLDOUTS = {
    "1000 items, the same all year": Holdout(1000),
    "1000 items, new every 30 nights": Holdout(1000, renewed_every=30),
    "1000 items, and 3 more each night": Holdout(1000, growth=3),
    "300 items, the same all year": Holdout(300),
    "100 items, the same all year": Holdout(100),
}
#: Sees 4 of 5 held challengers that are better, and approves no other.
PERSON = Person(better=0.8)
INTENTS = 20


def say(text: str = "") -> None:
    """One line of the result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(title: str, columns: list[str], rows: Iterator[list[str]], first: str = "policy") -> None:
    """A table in Markdown, a line as soon as it is known."""
    say(f"\n{title}\n")
    say(f"| {first:<24} | {' | '.join(f'{c:>14}' for c in columns)} |")
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
            yield [name, *(f"{o.promote:.3f}" + f" ({o.hold:.2f})" * (o.hold > 0) for o in found)]

    for gain in (0.0, *GAINS):
        what = f"truly {gain * 100:+.0f} points" if gain else "truly equal"
        table(
            f"Promoted on one night, a challenger {what}; discordance {DISCORDANCE:.0%}, "
            f"{draws:,} draws (held)",
            [f"{items} items" for items in SIZES],
            cells(gain),
        )


def holdouts(draws: int, seed: int) -> None:
    """The smallest holdout on which a gain is promoted 4 times of 5."""
    gains = [gain for gain in GAINS if gain > 0]

    def cells() -> Iterator[list[str]]:
        for name, rule in RULES.items():
            found = (
                smallest_holdout(rule, discordance=DISCORDANCE, gain=gain, draws=draws, seed=seed)
                for gain in gains
            )
            yield [name, *(f"{items:,}" if items else f"> {MOST:,}" for items in found)]

    table(
        f"Utterances needed for 80 % power; discordance {DISCORDANCE:.0%}, {draws:,} draws",
        [f"{gain * 100:+.0f} points" for gain in gains],
        cells(),
    )


def points(figure: Figure) -> str:
    """A share in points, and its error."""
    return f"{figure.mean * 100:.2f} +- {figure.error * 100:.2f}"


def number(figure: Figure) -> str:
    """A count a year, and its error."""
    return f"{figure.mean:.2f} +- {figure.error:.2f}"


def _cells(name: str, served: Served) -> list[str]:
    figures = points(served.accuracy), number(served.worse), points(served.optimism)
    return [name, *figures, f"{served.promotions.mean:.1f}", f"{served.holds.mean:.0f}"]


_COLUMNS = ["true accuracy", "truly worse", "optimism", "promotions", "nights held"]


def years(count: int, seed: int) -> None:
    """A year with accidents and slowly growing data."""
    for title, holdout in HOLDOUTS.items():
        # Further holdouts are for comparison: a third of the years, and no more time.
        here = count if holdout == Holdout(1000) else max(count // 3, 1)

        def cells(holdout: Holdout = holdout, here: int = here) -> Iterator[list[str]]:
            served: Served | None = None
            for name, rule in RULES.items():
                served = serve(rule, holdout, years=here, seed=seed)
                yield _cells(name, served)
                if name in POLICIES and served.holds.mean >= 1:
                    attended = serve(rule, holdout, person=PERSON, years=here, seed=seed)
                    yield _cells(f"{name}, approved", attended)
            if served:
                yield ["(best challenger so far)", points(served.best), "0", "", "", ""]

        table(f"A year of nights on {title}; {here} years", _COLUMNS, cells())
    whole(count, seed)


def whole(count: int, seed: int) -> None:
    """The same by every rule of the shipped policies."""
    utterances = Utterances(1000, INTENTS)

    def cells() -> Iterator[list[str]]:
        for name, policy in POLICIES.items():
            rule = WholePolicy(policy, utterances)
            yield _cells(name, serve_by_answers(rule, Holdout(1000), years=count, seed=seed))

    table(
        f"The same on 1000 items of {INTENTS} intents, decided by every rule; {count} years",
        _COLUMNS,
        cells(),
    )


def equal(count: int, seed: int) -> None:
    """A year in which no challenger is better: what selection alone displays."""
    sizes = (100, 300, 1000)

    def cells() -> Iterator[list[str]]:
        for name, rule in RULES.items():
            served = [serve(rule, Holdout(n), EQUAL, years=count, seed=seed) for n in sizes]
            yield [name, *(points(one.optimism) for one in served)]

    columns = [f"{n} items" for n in sizes]
    table(f"Optimism after a year of equal challengers, points; {count} years", columns, cells())


def best(draws: int, seed: int) -> None:
    """Several equal challengers: what becomes of alpha when the best of them is tested."""
    alpha, sizes = 0.05, (300, 1000)
    ways: dict[str, tuple[Callable[[int], DecisionRule], bool]] = {
        "the same utterances": (lambda _: mcnemar(alpha), False),
        "half to choose by": (lambda _: mcnemar(alpha), True),
        "alpha / N": (lambda n: mcnemar(alpha / n), False),
    }

    def cells(gain: float) -> Iterator[list[str]]:
        for challengers in (1, 2, 5):
            for way, (rule, halves) in ways.items():
                found = [
                    best_of(
                        challengers,
                        rule(challengers),
                        items=items,
                        halves=halves,
                        gain=gain,
                        draws=draws,
                        seed=seed,
                    )
                    for items in sizes
                ]
                yield [f"{challengers}, {way}", *(f"{o.promote:.4f}" for o in found)]

    for gain in (0.0, 0.02):
        what = f"truly {gain * 100:+.0f} points" if gain else "truly equal to the champion"
        table(
            f"Promoted, the best of N challengers, all {what}; McNemar .05, {draws:,} draws",
            [f"{items} items" for items in sizes],
            cells(gain),
            first="N, judged on",
        )


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


def resampling(seed: int) -> None:
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


def deciding(seed: int) -> None:
    """A decision on 3,000 utterances of 150 intents by each shipped policy."""
    generator = np.random.default_rng(seed)
    champion = generator.random(3000) < 0.88
    challenger = champion ^ (generator.random(3000) < DISCORDANCE)
    evaluation = Utterances(3000, 150).evaluation(champion, challenger)
    say("\n3,000 utterances, 150 intents\n")
    for policy in POLICIES.values():
        say(f"decide by {policy.name}: {_milliseconds(policy, evaluation):.1f} ms")


def _milliseconds(policy: Policy, evaluation: Evaluation, times: int = 50) -> float:
    """The median of so many decisions."""
    seen = []
    for _ in range(times):
        started = time.perf_counter()
        decide(evaluation, policy)
        seen.append(time.perf_counter() - started)
    return float(np.median(seen)) * 1000


def speed(seed: int) -> None:
    """The bootstrap, and decisions."""
    resampling(seed)
    deciding(seed)


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=DRAWS, help="nights a cell")
    parser.add_argument("--years", type=int, default=1000, help="years a cell")
    parser.add_argument("--seed", type=int, default=0)
    parts = {
        "nights": lambda: nights(asked.draws, asked.seed),
        "holdouts": lambda: holdouts(asked.draws // 10, asked.seed),
        "years": lambda: years(asked.years, asked.seed),
        "equal": lambda: equal(max(asked.years // 3, 1), asked.seed),
        "best": lambda: best(asked.draws, asked.seed),
        "speed": lambda: speed(asked.seed),
    }
    parser.add_argument("--only", choices=parts)
    asked = parser.parse_args()
    for name, part in parts.items():
        if asked.only in {None, name}:
            part()


if __name__ == "__main__":
    main()
