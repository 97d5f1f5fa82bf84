"""Which way to measure fits which size: a holdout, or a cross-validation of the two recipes.

    .venv/bin/python tests/benchmarks/evaluation_modes.py [--folds 5] [--policy default]
        [--discordance 0.06] [--draws 200000] [--seconds-per-training A B]

For projects of several sizes it prints how many utterances decide in either mode, how often the
policy then promotes a challenger that is truly better, the smallest gain that it finds 80 % of the
time, and how long the trainings of a night take. Those take A + B * examples seconds, given or
measured: DIET with 100 epochs, made-up projects of two sizes, on this machine. Compare what the
modes find with care: the utterances of a cross-validation are not as independent as those of a
holdout, since its models share most of their training data, and it speaks of the recipes rather
than of the two models.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nlu_files
from decisions import say
from measurement import rasa_python

from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.decision_rules import DecisionRule
from retrainer.domain.policies import POLICIES
from retrainer.domain.simulated_policy import simulated
from retrainer.domain.simulation import DRAWS, draw_night, odds
from retrainer.domain.statistics import POWER
from retrainer.ports import Project

SIZES = (100, 200, 500, 1000, 3000, 10_000)
HOLDOUT = 0.2
GAINS = (0.02, 0.05)
_MEASURED = (100, 500)
_INTENTS, _WORDS = 10, 400
_CONFIG = """\
recipe: default.v1
assistant_id: evaluation-modes
language: en
pipeline:
- name: WhitespaceTokenizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 4
- name: DIETClassifier
  epochs: 100
  constrain_similarities: true
  random_seed: 7
policies: []
"""


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long a training takes: `at_least`, and `each` more for every example."""

    at_least: float
    each: float

    def of(self, examples: float) -> float:
        """Seconds of one training."""
        return self.at_least + self.each * examples


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to measure: the share of examples that decide, and how long a night's trainings take."""

    name: str
    decide: float
    trainings: int
    folds: int = 0

    def seconds(self, examples: int, seconds: Seconds) -> float:
        """Of all trainings of a night, with nothing to be had from Rasa's cache."""
        if not self.folds:
            return seconds.of(examples * (1 - self.decide))
        of_folds = 2 * self.folds * seconds.of(examples * (1 - 1 / self.folds))
        return seconds.of(examples) + of_folds


def promoted(rule: DecisionRule, items: int, gain: float, discordance: float, draws: int) -> float:
    """How often the rule promotes a challenger of this true gain."""
    wins, losses = draw_night(items=items, discordance=discordance, gain=gain, draws=draws)
    return odds(rule, wins, losses, items).promote


def detectable(rule: DecisionRule, items: int, discordance: float, draws: int) -> float | None:
    """The smallest gain that is promoted often enough; None if not even the largest is."""
    low, high = 0.0, discordance
    if promoted(rule, items, high, discordance, draws) < POWER:
        return None
    while high - low > 1e-4:
        middle = (low + high) / 2
        found = promoted(rule, items, middle, discordance, draws) >= POWER
        low, high = (low, middle) if found else (middle, high)
    return high


def measured_seconds() -> Seconds:
    """Time trainings of two sizes; the worker is warm, and Rasa's cache empty."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with RasaClient(
            python=rasa_python(), cache=folder / "cache", log=folder / "worker.log"
        ) as rasa:
            _train(rasa, folder, 20)  # the first training imports and compiles
            small, large = (_train(rasa, folder, size) for size in _MEASURED)
    each = (large - small) / (_MEASURED[1] - _MEASURED[0])
    return Seconds(small - each * _MEASURED[0], each)


def _train(rasa: RasaClient, folder: Path, size: int) -> float:
    """Seconds of one training on so many examples of made-up words."""
    chance = random.Random(size)
    root = folder / str(size)
    (root / "data").mkdir(parents=True)
    words = [f"{chance.choice('bdfgklmnprst')}{chance.choice('aeiou')}{n}" for n in range(_WORDS)]
    texts = {
        f"intent_{intent}": [
            " ".join([words[intent], *chance.sample(words, 6)]) for _ in range(size // _INTENTS)
        ]
        for intent in range(_INTENTS)
    }
    nlu_files.write(root / "data" / "nlu.yml", texts)
    (root / "config.yml").write_text(_CONFIG, encoding="utf-8")
    (root / "domain.yml").write_text(f"intents: {sorted(texts)}\n", encoding="utf-8")
    project = Project(root, root / "config.yml", (root / "domain.yml",), (root / "data",))
    started = time.perf_counter()
    rasa.train(project, f"model-{size}", root / "models", lambda _: None)
    return time.perf_counter() - started


def rows(
    modes: tuple[Mode, ...], rule: DecisionRule, seconds: Seconds, discordance: float, draws: int
) -> Iterator[list[str]]:
    """A row for each size and mode."""
    for examples in SIZES:
        for mode in modes:
            items = round(examples * mode.decide)
            powers = [promoted(rule, items, gain, discordance, draws) for gain in GAINS]
            equal = promoted(rule, items, 0.0, discordance, draws)
            least = detectable(rule, items, discordance, min(draws, 20_000))
            minutes = mode.seconds(examples, seconds) / 60
            yield [
                f"{examples:,}",
                mode.name,
                f"{items:,}",
                *(f"{power:.2f}" for power in powers),
                f"{equal:.2f}",
                "none" if least is None else f"{least * 100:.1f}",
                str(mode.trainings),
                f"{minutes:.1f}",
                *(f"{power / minutes:.2f}" for power in powers),
            ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--policy", default="default", choices=sorted(POLICIES))
    parser.add_argument("--discordance", type=float, default=0.06)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--seconds-per-training", type=float, nargs=2, metavar=("A", "B"))
    asked = parser.parse_args()
    given = asked.seconds_per_training
    seconds = Seconds(*given) if given else measured_seconds()
    rule = simulated(POLICIES[asked.policy]).rule
    modes = (
        Mode("holdout", HOLDOUT, trainings=1),
        Mode("cross_validation", 1.0, trainings=1 + 2 * asked.folds, folds=asked.folds),
    )
    say(
        f"Policy {asked.policy}, discordance {asked.discordance:.0%}, {asked.draws:,} draws; a "
        f"training takes {seconds.at_least:.1f} s and {seconds.each * 100:.2f} s more for each 100 "
        f"examples ({'given' if given else 'measured'})\n"
    )
    columns = ["examples", "mode", "they decide", "finds +2", "finds +5", "promotes equal"]
    columns += ["80 % from, points", "trainings", "minutes", "+2 a minute", "+5 a minute"]
    say(f"| {' | '.join(columns)} |")
    say("|".join(["", *("---:" for _ in columns), ""]))
    for cells in rows(modes, rule, seconds, asked.discordance, asked.draws):
        say(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
