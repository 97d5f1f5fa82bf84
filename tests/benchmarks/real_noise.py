"""Real DIET models that differ by chance, or by wrong labels, judged by the shipped policies.

    .venv/bin/python tests/benchmarks/real_noise.py [--retrainings 21] [--corrupted 10]
        [--only helpdesk|banking77]

Trains each model once, about a minute each, and keeps what it answered in build/; a run that was
ended goes on where it was, and a second one takes seconds. Prints, for each data set, how much
equal retrainings differ, and what each policy says of every champion and challenger among them.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from measurement import say
from noisy_models import CORRUPTED, DATA_SETS, DataSet, Model, NoisyModels, client, data_folder

from retrainer.domain.comparison import Predictions, compare, report
from retrainer.domain.evaluation import Evaluation, Report, TestSet
from retrainer.domain.policies import POLICIES
from retrainer.domain.verdict import Outcome, Verdict, decide
from retrainer.errors import RetrainerError

#: Fewer have no standard deviation after one is left out.
_FEWEST = 3
_HOW_TO_READ = """\
Percent of the pairs. Every model takes part in many pairs and all of them are asked the same
utterances, so pairs are not independent: figures after +- are jackknife standard errors, each
model left out in turn. They say what other retrainings would change, not what another test set
would, and 0.0 where all pairs agree is no certainty. "By champion" are the least and the most that
one champion loses to; "kept back by" is how often each check did not say PROMOTE. With equal models
in every order a rule that compares two figures promotes half of the pairs that do not tie, whatever
its merits. Accuracies of equally good models would differ as much as the line "by items alone" says;
what they differ more is that retrainings are not equally good. Checks that have nothing to look at
here (must-pass utterances, stories, the data, actions, earlier uses of the test set) do not apply.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """A model by what it answered."""

    name: str
    answers: Predictions
    report: Report


#: What one policy says, by the names of champion and challenger.
Verdicts = Mapping[tuple[str, str], Verdict]


@dataclass(frozen=True, slots=True)
class Trial:
    """Which challengers meet which champions.

    `drawn` are the groups of models that chance chose, which the standard errors are about.
    """

    title: str
    champions: Sequence[Measured]
    challengers: Sequence[Measured]
    drawn: tuple[Sequence[Measured], ...]


def main() -> None:
    """Train what is missing, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--retrainings", type=_enough, default=21, help="models of a data set")
    parser.add_argument("--corrupted", type=_enough, default=10, help="from corrupted labels")
    parser.add_argument("--only", choices=DATA_SETS)
    asked = parser.parse_args()
    wanted = [name for name in DATA_SETS if asked.only in {None, name}]
    present = [name for name in wanted if _is_there(name)]
    try:
        with client() as rasa:
            models = NoisyModels(rasa)
            sets = [models.data(name) for name in present]
            for model in _in_turns(sets, asked.retrainings, asked.corrupted):
                models.answers(model)
            for data in sets:
                _print(
                    data,
                    _measure(data, models, asked.retrainings, corrupted=False),
                    _measure(data, models, asked.corrupted, corrupted=True),
                )
    except RetrainerError as error:
        sys.exit(f"{error}\n{error.tip or ''}".rstrip())
    if present:
        _write(f"\n{_HOW_TO_READ}")


def _enough(text: str) -> int:
    if (count := int(text)) < _FEWEST:
        raise argparse.ArgumentTypeError(f"{count} models, at least {_FEWEST} are needed")
    return count


def _is_there(name: str) -> bool:
    folder = data_folder() / name
    if not folder.is_dir():
        say(f"skipped: there is no {folder}")
    return folder.is_dir()


def _in_turns(sets: Sequence[DataSet], retrainings: int, corrupted: int) -> Iterator[Model]:
    """All models, in such an order that a part of them is of use already."""
    for seed in range(1, max(retrainings, corrupted) + 1):
        if seed <= retrainings:
            yield from (Model(data, seed) for data in sets)
        if seed <= corrupted:
            yield from (Model(data, seed, corrupted=True) for data in sets)


def _measure(
    data: DataSet, models: NoisyModels, count: int, *, corrupted: bool
) -> tuple[Measured, ...]:
    test_set = TestSet(data.held_out)
    knows = sorted({example.intent for example in data.training})
    measured = []
    for seed in range(1, count + 1):
        model = Model(data, seed, corrupted=corrupted)
        answers = models.answers(model)
        found = report(model.name, test_set, answers, knows=knows)
        measured.append(Measured(model.name, answers, found))
    return tuple(measured)


def _print(data: DataSet, clean: Sequence[Measured], corrupted: Sequence[Measured]) -> None:
    test_set = TestSet(data.held_out)
    intents = len({example.intent for example in data.training})
    _write(
        f"\n{data.name}: {len(data.training)} training examples of {intents} intents, "
        f"{len(data.held_out)} held out; DIET, {data.epochs} epochs"
    )
    _table(["", "clean labels", f"{CORRUPTED:.0%} corrupted"], _spread(test_set, clean, corrupted))
    trials = (
        Trial("equal, all in every order", clean, clean, (clean,)),
        Trial("equal, the first is champion", clean[:1], clean[1:], (clean[1:],)),
        Trial("corrupted challenger", clean, corrupted, (clean, corrupted)),
        Trial("corrupted champion", corrupted, clean, (clean, corrupted)),
    )
    columns = ["pairs", "policy", "promoted", "held", "rejected", "by champion", "kept back by"]
    _table(columns, (row for trial in trials for row in _judged(test_set, trial)))


def _spread(test_set: TestSet, *groups: Sequence[Measured]) -> Iterator[list[str]]:
    """How much the models of a group differ, in points and percent."""
    yield ["models", *(str(len(models)) for models in groups)]
    for name in ("served_accuracy", "accuracy", "f1_weighted", "f1_macro", "fallback_rate"):
        figures = ([m.report.metrics[name] * 100 for m in models] for models in groups)
        yield [f"{name}, mean (sd)", *(f"{mean(of):.2f} ({stdev(of):.2f})" for of in figures)]
    evaluations = [
        [_compare(test_set, a, b) for n, a in enumerate(models) for b in models[:n]]
        for models in groups
    ]
    discordances = [[_discordance(one) for one in pairs] for pairs in evaluations]
    # Equally good models that are right on different items by chance, McNemar's null hypothesis.
    alone = (math.sqrt(mean(of) / 2 / len(test_set.examples)) * 100 for of in discordances)
    yield ["served_accuracy, sd by items alone", *(f"({sd:.2f})" for sd in alone)]
    changes = [[_changed(one) for one in pairs] for pairs in evaluations]
    for what, groups_of in (
        ("right on different items", discordances),
        ("different answers", changes),
    ):
        shares = (f"{mean(of) * 100:.2f} ({max(of) * 100:.2f})" for of in groups_of)
        yield [f"{what}, mean (most)", *shares]


def _judged(test_set: TestSet, trial: Trial) -> Iterator[list[str]]:
    """What each policy says."""
    verdicts: dict[str, dict[tuple[str, str], Verdict]] = {name: {} for name in POLICIES}
    for champion in trial.champions:
        for challenger in trial.challengers:
            if champion.name != challenger.name:
                evaluation = _compare(test_set, champion, challenger)
                for name, policy in POLICIES.items():
                    pair = champion.name, challenger.name
                    verdicts[name][pair] = decide(evaluation, policy)
    for name, found in verdicts.items():
        rates = [_rate(found, outcome, trial.drawn) for outcome in Outcome]
        yield [
            f"{trial.title} ({len(found)})",
            name,
            *rates,
            _extremes(found),
            _kept_back_by(found),
        ]


def _compare(test_set: TestSet, champion: Measured, challenger: Measured) -> Evaluation:
    return compare(
        test_set,
        challenger=challenger.report,
        after=challenger.answers,
        champion=champion.report,
        before=champion.answers,
    )


def _rate(verdicts: Verdicts, outcome: Outcome, drawn: Iterable[Sequence[Measured]]) -> str:
    """How often this outcome, in percent, with its jackknife standard error."""
    hits = {pair: verdict.outcome is outcome for pair, verdict in verdicts.items()}
    variance = 0.0
    for models in drawn:
        left = [
            mean(hit for pair, hit in hits.items() if model.name not in pair) for model in models
        ]
        middle = mean(left)
        variance += (len(left) - 1) / len(left) * sum((rate - middle) ** 2 for rate in left)
    return f"{mean(hits.values()) * 100:.1f} +- {math.sqrt(variance) * 100:.1f}"


def _extremes(verdicts: Verdicts) -> str:
    """The percent promoted over the champion that loses least often, and over the one that most."""
    hits: dict[str, list[bool]] = {}
    for (champion, _), verdict in verdicts.items():
        hits.setdefault(champion, []).append(verdict.outcome is Outcome.PROMOTE)
    rates = [mean(of) * 100 for of in hits.values()]
    return f"{min(rates):.0f} to {max(rates):.0f}"


def _kept_back_by(verdicts: Verdicts) -> str:
    stopped = Counter(
        check.rule
        for verdict in verdicts.values()
        for check in verdict.checks
        if check.blocking and check.outcome not in {None, Outcome.PROMOTE}
    )
    return ", ".join(f"{rule} {n / len(verdicts) * 100:.0f}" for rule, n in stopped.most_common())


def _discordance(evaluation: Evaluation) -> float:
    return evaluation.served.totals.discordance if evaluation.served else 0.0


def _changed(evaluation: Evaluation) -> float:
    triples = evaluation.served.triples() if evaluation.served else {}
    total = sum(triples.values())
    return sum(n for (_, before, after), n in triples.items() if before != after) / total


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table in Markdown."""
    _write(f"\n| {' | '.join(columns)} |")
    _write(f"|{'---|' * len(columns)}")
    for row in rows:
        _write(f"| {' | '.join(row)} |")


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
