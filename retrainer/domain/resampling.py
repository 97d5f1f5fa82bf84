"""Paired bootstrap: what the difference of two models could have been on other utterances.

Utterances are drawn with replacement, both models' answers together (Koehn 2004; Berg-Kirkpatrick,
Burkett and Klein 2012). All that accuracy and F1 depend on is how often each triple of annotation,
champion's and challenger's answer is drawn, so these counts are drawn instead of utterances: the
same distribution, much smaller. Needs numpy, so only what judges a challenger may import it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from retrainer.domain.differences import DIGITS, Difference
from retrainer.domain.paired import PairedAnswers

#: Differences of averages, before those of the single intents.
AVERAGES = ("accuracy", "f1_micro", "f1_weighted", "f1_macro")
RESAMPLES = 10_000

_Floats = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.int64]

#: Counts held at once, which bounds the memory (8 bytes each).
_AT_ONCE = 2_000_000
#: Triples of more utterances are drawn as a whole, rarer ones utterance by utterance: faster so.
_OFTEN = 8
#: Counts below this are exact in single precision, which multiplies twice as fast.
_EXACT = 1 << 24
#: Sums of squared influences below this are rounding alone.
_FLAT = 1e-20


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """The differences of every average (`AVERAGES`) and of the F1 of every annotated intent.

    F1 is as in `retrainer.domain.metrics`: 0 where neither precision nor recall is above 0, and
    the averages go over the intents that occur among the drawn utterances.
    """

    averages: Mapping[str, Difference]
    intents: Mapping[str, Difference]
    items: int
    resamples: int
    seed: int


def bootstrap(
    answers: PairedAnswers, *, resamples: int = RESAMPLES, seed: int | None = None
) -> Bootstrap:
    """Resample the utterances so often. Without a seed, the answers give it: the same every time.

    Raises:
        ValueError: there are no utterances, or no resamples are asked for.
    """
    if not len(answers) or resamples < 1:
        raise ValueError(f"{resamples} resamples of {len(answers)} utterances: at least 1 of each")
    seed = int(answers.digest[:16], 16) if seed is None else seed
    tally = Tally.of(answers)
    draws = np.concatenate(list(tally.resampled(resamples, np.random.default_rng(seed))))
    observed = tally.figures(tally.sums(tally.counts[None, :]))[0]
    accelerations = tally.accelerations()
    supports = (*[tally.items] * len(AVERAGES), *tally.supports)
    differences = [
        Difference(
            champion=float(observed[0, column]),
            challenger=float(observed[1, column]),
            draws=_measured(draws[:, column]),
            acceleration=float(accelerations[column]),
            support=support,
        )
        for column, support in enumerate(supports)
    ]
    return Bootstrap(
        averages=dict(zip(AVERAGES, differences, strict=False)),
        intents=dict(zip(tally.intents, differences[len(AVERAGES) :], strict=True)),
        items=tally.items,
        resamples=resamples,
        seed=seed,
    )


@lru_cache(maxsize=4)
def shared_bootstrap(answers: PairedAnswers) -> Bootstrap:
    """`bootstrap`, computed once for all rules and reports that ask for it.

    Raises:
        ValueError: there are no utterances.
    """
    return bootstrap(answers)


@dataclass(frozen=True, slots=True)
class GainInterval:
    """One figure of both models, a share, and the interval (BCa) of the challenger's gain.

    `support` is the number of utterances that the figure is about.
    """

    champion: float
    challenger: float
    gain: float
    low: float
    high: float
    support: int


@dataclass(frozen=True, slots=True)
class Intervals:
    """Of every average (`AVERAGES`), and of the F1 of every annotated intent."""

    averages: Mapping[str, GainInterval]
    intents: Mapping[str, GainInterval]


def intervals(answers: PairedAnswers, confidence: float = 0.95) -> Intervals:
    """Of all differences that can be measured: none without an utterance."""
    if not len(answers):
        return Intervals({}, {})
    found = shared_bootstrap(answers)
    return Intervals(
        {name: _gained(difference, confidence) for name, difference in found.averages.items()},
        {intent: _gained(difference, confidence) for intent, difference in found.intents.items()},
    )


def _gained(difference: Difference, confidence: float) -> GainInterval:
    interval = difference.interval(confidence)
    return GainInterval(
        champion=difference.champion,
        challenger=difference.challenger,
        gain=difference.observed,
        low=interval.low,
        high=interval.high,
        support=difference.support,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts of triples, and which sums each of them enters.

    `membership` has a row for each triple, and a column for each sum: for each intent the
    utterances annotated with it, then what either model answered with it, then what was right.
    """

    intents: tuple[str, ...]
    counts: _Counts
    membership: npt.NDArray[np.floating]

    @classmethod
    def of(cls, answers: PairedAnswers) -> "Tally":
        """Count the triples; rows and columns are in alphabetical order."""
        triples = answers.triples()
        intents = tuple(sorted({gold for gold, _, _ in triples}))
        column = {intent: number for number, intent in enumerate(intents)}
        exact = np.float32 if len(answers) < _EXACT else np.float64
        membership = np.zeros((len(triples), 5, len(intents)), dtype=exact)
        for row, (gold, champion, challenger) in enumerate(triples):
            membership[row, 0, column[gold]] = 1
            for model, answer in enumerate((champion, challenger)):
                if answer in column:
                    membership[row, 1 + model, column[answer]] = 1
                membership[row, 3 + model, column[gold]] = answer == gold
        counts = np.fromiter(triples.values(), dtype=np.int64)
        return cls(intents, counts, membership.reshape(len(triples), -1))

    @property
    def items(self) -> int:
        """How many utterances there are."""
        return int(self.counts.sum())

    @property
    def supports(self) -> list[int]:
        """How many utterances are annotated with each intent."""
        return [int(n) for n in self.sums(self.counts)[: len(self.intents)]]

    def sums(self, counts: _Counts) -> _Floats:
        """The sums (columns of `membership`) for each row of counts of triples."""
        sums: _Floats = (counts.astype(self.membership.dtype) @ self.membership).astype(np.float64)
        return sums

    def figures(self, sums: _Floats) -> _Floats:
        """The figures of both models for each row of sums.

        Shape (rows, 2, 4 + intents): champion and challenger; `AVERAGES`, then F1 by intent, NaN
        where a row holds no utterance of it.
        """
        sums = sums.reshape(len(sums), 5, len(self.intents))
        support, answered, right = sums[:, :1], sums[:, 1:3], sums[:, 3:]
        occurs = support > 0
        items = support.sum(axis=2)
        f1 = np.where(occurs, 2 * right / np.maximum(support + answered, 1), 0.0)
        all_right = right.sum(axis=2)
        averages = (
            all_right / items,
            2 * all_right / (items + (answered * occurs).sum(axis=2)),
            (f1 * support).sum(axis=2) / items,
            f1.sum(axis=2) / occurs.sum(axis=2),
        )
        return np.concatenate([np.stack(averages, axis=2), np.where(occurs, f1, np.nan)], axis=2)

    def differences(self, sums: _Floats) -> _Floats:
        """Challenger less champion, shape (rows, 4 + intents)."""
        figures = self.figures(sums)
        differences: _Floats = np.round(figures[:, 1] - figures[:, 0], DIGITS)
        return differences

    def resampled(self, resamples: int, generator: np.random.Generator) -> Iterator[_Floats]:
        """The differences on so many resamples, a chunk at a time."""
        width = max(self.membership.shape, default=1)
        at_once = max(1, _AT_ONCE // max(width, self._rare))
        for start in range(0, resamples, at_once):
            counts = self.drawn(min(at_once, resamples - start), generator)
            yield self.differences(self.sums(counts))

    def drawn(self, rows: int, generator: np.random.Generator) -> _Counts:
        """Counts of the triples among as many utterances, drawn with replacement, for each row."""
        often = self.counts > _OFTEN
        shares = np.append(self.counts[often], self._rare) / self.items
        drawn = generator.multinomial(self.items, shares, size=rows)
        counts = np.zeros((rows, len(self.counts)), dtype=np.int64)
        counts[:, often] = drawn[:, :-1]
        if self._rare:
            triples = int((~often).sum())
            which = np.repeat(np.arange(triples), self.counts[~often])
            row = np.repeat(np.arange(rows) * triples, drawn[:, -1])
            cells = row + which[generator.integers(self._rare, size=len(row))]
            counts[:, ~often] = np.bincount(cells, minlength=rows * triples).reshape(rows, triples)
        return counts

    def accelerations(self) -> _Floats:
        """Of each difference, by leaving out each utterance once (one of each triple stands for all).

        Utterances without which an intent would not occur do not count for that intent.
        """
        if self.items < 2:  # noqa: PLR2004 - nothing would be left
            return np.zeros(len(AVERAGES) + len(self.intents))
        left = self.differences(self.sums(self.counts) - self.membership)
        weights = np.where(np.isnan(left), 0, self.counts[:, None])
        left = np.nan_to_num(left)
        mean = (weights * left).sum(axis=0) / np.maximum(weights.sum(axis=0), 1)
        influence = mean - left
        square = (weights * influence**2).sum(axis=0)
        cube = (weights * influence**3).sum(axis=0)
        flat = square <= _FLAT
        return np.where(flat, 0.0, cube / np.where(flat, 1.0, square) ** 1.5 / 6)

    @property
    def _rare(self) -> int:
        """How many utterances belong to rare triples."""
        return int(self.counts[self.counts <= _OFTEN].sum())


def _measured(column: _Floats) -> _Floats:
    """The draws in which the figure could be measured, ascending."""
    return np.sort(column[~np.isnan(column)])
