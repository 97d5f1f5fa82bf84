"""Hypothesis strategies for rules that compare two models, and for challengers that get better."""

from collections import Counter

from hypothesis import strategies as st

from retrainer.domain.paired import NO_ANSWER, PairedAnswers
from retrainer.domain.rules import (
    KnownIntents,
    Ladder,
    NegativeFlips,
    NonInferiority,
    Superiority,
    SuspiciousGain,
)

_ALPHAS = st.sampled_from([0.001, 0.01, 0.05, 0.2, 0.5])
_ANSWERS = st.sampled_from(["served", "classified"])
_GAINS = st.sampled_from([0.0, 0.01, 0.02, 0.1, 0.3])
_DETECTS = st.sampled_from([0.01, 0.02, 0.05, 0.3])
_ITEMS = st.sampled_from([0, 0, 10, 60])
#: An F1 seldom, since each is a bootstrap.
_METRICS = st.sampled_from(["accuracy"] * 9 + ["f1_weighted", "f1_macro", "f1_micro"])
_ACCURACY = st.just("accuracy")
_METHODS = st.sampled_from(["bca", "percentile"])
_LABELS = ("greet", "part", "track")


def superiority(metrics=_METRICS) -> st.SearchStrategy[Superiority]:
    """With any limits that go together."""
    few = st.one_of(st.none(), _ALPHAS)
    return st.tuples(_ALPHAS, few).flatmap(
        lambda alphas: st.builds(
            Superiority,
            alpha=st.just(max(a for a in alphas if a is not None)),
            min_gain=_GAINS,
            detect=_DETECTS,
            answers=_ANSWERS,
            minimum_items=_ITEMS,
            alpha_if_few=st.just(None if alphas[1] is None else min(alphas)),
            metric=metrics,
            test=st.sampled_from(["mid_p", "exact"]),
            method=_METHODS,
        )
    )


def suspicion(metrics=_METRICS) -> st.SearchStrategy[SuspiciousGain]:
    """With any limits."""
    return st.builds(SuspiciousGain, _GAINS, metrics, _ALPHAS, _ANSWERS)


def counting_rules(metrics=_ACCURACY) -> st.SearchStrategy[object]:
    """Those that are never worse for a better challenger, by accuracy unless said otherwise."""
    return st.one_of(
        superiority(metrics),
        st.builds(Ladder, st.sampled_from([0.0, 0.5, 1.0, 2.0]), _ANSWERS, _ITEMS),
        st.builds(
            NonInferiority, st.sampled_from([0.01, 0.1]), _ALPHAS, _ANSWERS, metrics, _METHODS
        ),
        st.builds(KnownIntents, _GAINS, _ALPHAS, _ANSWERS),
        st.builds(NegativeFlips, st.sampled_from([0.0, 0.02, 0.05, 0.3]), _ANSWERS),
    )


def comparison_rules() -> st.SearchStrategy[object]:
    """All that compare two models, by any metric."""
    return st.one_of(counting_rules(_METRICS), suspicion())


@st.composite
def answered(draw: st.DrawFn, minimum: int = 1) -> PairedAnswers:
    """What two models answer to up to some 200 utterances of up to three intents."""
    label = st.sampled_from([*_LABELS, "nlu_fallback", NO_ANSWER])
    triple = st.tuples(st.sampled_from(_LABELS), label, label)
    counts = draw(st.dictionaries(triple, st.integers(1, 40), min_size=minimum, max_size=8))
    return PairedAnswers.of(counts)


def corrected(answers: PairedAnswers) -> list[PairedAnswers]:
    """For each kind of the challenger's mistakes, the answers with one of them turned right."""
    triples = answers.triples()
    found = []
    for gold, before, after in triples:
        if after != gold:
            counts = Counter(triples)
            counts[gold, before, after] -= 1
            counts[gold, before, gold] += 1
            found.append(PairedAnswers.of(+counts))
    return found


def with_a_win(answers: PairedAnswers) -> PairedAnswers:
    """One more utterance of the first intent, which the challenger alone gets right."""
    counts = Counter(answers.triples())
    counts[min(counts)[0], NO_ANSWER, min(counts)[0]] += 1
    return PairedAnswers.of(counts)
