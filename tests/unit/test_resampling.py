"""The paired bootstrap, against scikit-learn, scipy and the truth."""

import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score
from support.evaluations import example, prediction

from retrainer.domain.differences import Difference, Interval
from retrainer.domain.metrics import classification, measure
from retrainer.domain.paired import PairedAnswers, pair
from retrainer.domain.resampling import AVERAGES, Tally, bootstrap, intervals, shared_bootstrap

LABELS = ("track", "greet", "part", "other")


def paired(triples) -> PairedAnswers:
    """Answers of (annotated, champion, challenger), one an utterance."""
    examples = [example(f"text {n}", gold) for n, (gold, _, _) in enumerate(triples)]
    models = (
        {
            e.text: prediction(e.text, triple[which])
            for e, triple in zip(examples, triples, strict=True)
        }
        for which in (1, 2)
    )
    return pair(examples, *models)


def drawn(probabilities, size, seed) -> PairedAnswers:
    """Utterances drawn from a distribution of triples."""
    triples = list(probabilities)
    chosen = np.random.default_rng(seed).choice(
        len(triples), size=size, p=list(probabilities.values())
    )
    return paired([triples[number] for number in chosen])


def every_triple(champion, challenger):
    """A distribution in which each model is so often right, rarer intents less often."""
    shares = {"track": 0.6, "greet": 0.3, "part": 0.1}
    return {
        (gold, before, after): share
        * (champion if before == gold else (1 - champion) / 3)
        * (challenger if after == gold else (1 - challenger) / 3)
        for gold, share in shares.items()
        for before in LABELS
        for after in LABELS
    }


def expanded(answers, counts):
    """The columns of annotations and answers of a row of counts of triples."""
    triples = np.array(list(answers.triples()), dtype=object)
    return np.repeat(triples, counts, axis=0).T


gold_labels = st.sampled_from(LABELS[:3])
some_answers = st.lists(
    st.tuples(gold_labels, *[st.sampled_from([*LABELS, None])] * 2), min_size=1, max_size=25
)


@settings(max_examples=15)
@given(some_answers, st.integers(0, 2**32))
def test_the_f1_of_every_resample_is_that_of_scikit_learn(triples, seed):
    """All averages, of both models, over the intents that the resample holds."""
    answers = paired(triples)
    tally = Tally.of(answers)
    rows = tally.drawn(3, np.random.default_rng(seed))
    for counts, both in zip(rows, tally.figures(tally.sums(rows)), strict=True):
        gold, *models = expanded(answers, counts)
        known = sorted(set(gold))
        f1 = partial(f1_score, gold.tolist(), labels=known, zero_division=0)
        for figures, model in zip(both, models, strict=True):
            said = model.tolist()
            assert figures[:4] == pytest.approx(
                [
                    accuracy_score(gold.tolist(), said),
                    *(f1(said, average=kind) for kind in ("micro", "weighted", "macro")),
                ]
            )
            single = dict(zip(tally.intents, figures[4:], strict=True))
            expected = dict(zip(known, f1(said, average=None), strict=True))
            assert single == pytest.approx(
                {i: expected.get(i, math.nan) for i in single}, nan_ok=True
            )


@given(some_answers)
def test_what_was_observed_is_what_reports_say(triples):
    """The figures beside the intervals are those of the reports."""
    result = bootstrap(paired(triples), resamples=2)
    examples = [example(f"text {n}", gold) for n, (gold, _, _) in enumerate(triples)]
    for which, model in ((1, "champion"), (2, "challenger")):
        said = [prediction(e.text, t[which]) for e, t in zip(examples, triples, strict=True)]
        reported = measure(examples, said)
        for name in ("accuracy", "f1_weighted", "f1_macro"):
            observed = getattr(result.averages[name], model)
            assert observed == pytest.approx(reported.metrics[name], abs=1e-12)
        assert {i: getattr(d, model) for i, d in result.intents.items()} == pytest.approx(
            {i: figures.f1 for i, figures in reported.intents.items()}
        )
    assert {i: d.support for i, d in result.intents.items()} == {
        i: f.support
        for i, f in classification([t[0] for t in triples], ["" for _ in triples]).items()
    }


def codes_of(answers):
    """Annotations and both models' answers as scipy asks for them: numbers, one an utterance."""
    code = {label: number for number, label in enumerate(LABELS)}
    columns = expanded(answers, list(answers.triples().values()))
    return [np.array([code[label] for label in column]) for column in columns]


def difference_of(name):
    """The difference in one figure, in plain numpy on codes."""

    def figure(gold, answers):
        support, answered = (np.bincount(codes, minlength=5) for codes in (gold, answers))
        right = np.bincount(gold[gold == answers], minlength=5)
        occurs = support > 0
        f1 = 2 * right / np.maximum(support + answered, 1)
        return {
            "accuracy": right.sum() / len(gold),
            "f1_micro": 2 * right.sum() / (support + answered)[occurs].sum(),
            "f1_weighted": f1 @ support / len(gold),
            "f1_macro": f1[occurs].mean(),
        }[name]

    return lambda gold, before, after: figure(gold, after) - figure(gold, before)


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("name", AVERAGES)
def test_intervals_are_those_of_scipy(name, method):
    """On a small test set with a rare intent, within the Monte Carlo error of both."""
    answers = drawn(every_triple(0.7, 0.85), 70, seed=4)
    theirs = stats.bootstrap(
        codes_of(answers),
        difference_of(name),
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method=method,
        rng=np.random.default_rng(1),
    )
    ours = bootstrap(answers, resamples=40_000).averages[name]
    interval = ours.interval(method=method)
    error = theirs.standard_error
    assert ours.standard_error == pytest.approx(error, rel=0.05)
    # A quantile of 4,000 draws at 2.5 % has an error of about 0.042 standard errors.
    assert interval.low == pytest.approx(theirs.confidence_interval.low, abs=0.15 * error)
    assert interval.high == pytest.approx(theirs.confidence_interval.high, abs=0.15 * error)


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("name", AVERAGES)
def test_on_the_same_draws_intervals_are_exactly_those_of_scipy(name, confidence, method):
    """Correction of the bias, acceleration and interpolation, on a lopsided difference."""
    answers = paired(
        [("track",) * 3] * 20
        + [("greet",) * 3] * 6
        + [("greet", "track", "greet"), ("track", "track", "greet")]
    )
    ours = bootstrap(answers, resamples=2000).averages[name]
    theirs = stats.bootstrap(
        codes_of(answers),
        lambda *codes: round(difference_of(name)(*codes), 12),
        paired=True,
        vectorized=False,
        n_resamples=0,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=ours.draws),
        confidence_level=confidence,
        method=method,
    ).confidence_interval
    interval = ours.interval(confidence, method)
    assert [interval.low, interval.high] == pytest.approx([theirs.low, theirs.high], abs=1e-9)
    if name == "f1_macro":
        assert abs(ours.acceleration) > 0.02
        other = ours.interval(confidence, "percentile" if method == "bca" else "bca")
        assert abs(other.low - interval.low) + abs(other.high - interval.high) > 0.005


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of 300 small test sets, the interval at 90 % holds the true difference on about 270."""
    probabilities = every_triple(0.75, 0.85)
    population = Tally.of(paired(list(probabilities)))
    shares = [probabilities[triple] for triple in sorted(probabilities)]
    true = population.differences(population.sums(np.array([shares]) * 1e6))[0]
    assert true[0] == pytest.approx(0.1)
    covered = dict.fromkeys([(name, m) for name in AVERAGES for m in ("bca", "percentile")], 0)
    for seed in range(300):
        result = bootstrap(drawn(probabilities, 120, seed), resamples=300)
        for name, value in zip(AVERAGES, true, strict=False):
            for method in ("bca", "percentile"):
                interval = result.averages[name].interval(0.9, method)
                covered[name, method] += interval.low <= value <= interval.high
    assert [*covered.values()] == pytest.approx(
        [270] * len(covered), abs=4 * math.sqrt(300 * 0.9 * 0.1)
    )


def test_counts_are_drawn_like_utterances():
    """Common and rare triples together are multinomial: each count is binomial, and they add up."""
    answers = paired(
        [("track",) * 3] * 30
        + [("greet",) * 3] * 15
        + [("track", "part", "track")] * 4
        + [("part", "part", "track")]
    )
    tally = Tally.of(answers)
    rows = tally.drawn(20_000, np.random.default_rng(3))
    assert (rows.sum(axis=1) == 50).all()
    expected = np.diag(tally.counts) - np.outer(tally.counts, tally.counts) / 50
    assert np.cov(rows.T) == pytest.approx(expected, abs=0.3)
    for column, count in enumerate(tally.counts):
        seen = np.bincount(rows[:, column], minlength=51)
        binomial = stats.binom.pmf(np.arange(51), 50, count / 50) * len(rows)
        likely = binomial > 5
        tested = [np.append(x[likely], x[~likely].sum() + 1e-9) for x in (seen, binomial)]
        assert stats.chisquare(*[t * len(rows) / t.sum() for t in tested]).pvalue > 1e-4


@given(some_answers, st.randoms(use_true_random=False))
def test_a_verdict_can_be_reproduced(triples, shuffler):
    """The same answers in any order give the same draws; another seed gives others."""
    shuffled = [*triples]
    shuffler.shuffle(shuffled)
    first, second = (bootstrap(paired(t), resamples=50) for t in (triples, shuffled))
    assert first.seed == second.seed
    for name in AVERAGES:
        assert first.averages[name].draws.tolist() == second.averages[name].draws.tolist()
    assert bootstrap(paired(triples), resamples=5, seed=7).seed == 7


def test_seeds_differ_with_the_answers_and_draws_with_the_seed():
    """One lucky seed does not decide every verdict."""
    one, other = (drawn(every_triple(0.7, 0.8), 60, seed) for seed in (1, 2))
    assert bootstrap(one).seed != bootstrap(other).seed
    draws = [bootstrap(one, seed=seed).averages["f1_macro"].draws.tolist() for seed in (1, 2)]
    assert draws[0] != draws[1]


def test_bounds_are_the_ends_of_intervals():
    """One-sided at 95 % is one end of two-sided at 90 %; p-values cross alpha there."""
    gain = bootstrap(drawn(every_triple(0.7, 0.85), 200, 1)).averages["f1_weighted"]
    for method in ("bca", "percentile"):
        interval = gain.interval(0.9, method)
        assert gain.lower_bound(0.95, method) == pytest.approx(interval.low)
        assert gain.upper_bound(0.95, method) == pytest.approx(interval.high)
        assert interval.low < gain.observed < interval.high
    low, high = gain.lower_bound(0.95, "percentile"), gain.upper_bound(0.95, "percentile")
    assert gain.p_above(low) == pytest.approx(0.05, abs=1e-3)
    assert gain.p_below(high) == pytest.approx(0.05, abs=1e-3)
    assert gain.p_above(-1) == gain.p_below(1) == 1 / 10_001


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.5])
def test_no_interval_is_certain(confidence):
    """A confidence lies between 0 and 1."""
    gain = bootstrap(paired([("greet", "part", "greet")]), resamples=5).averages["accuracy"]
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        gain.lower_bound(confidence)


@pytest.mark.parametrize(
    ("triples", "value"),
    [
        ([("greet", "part", "part"), ("part", "part", "part")], 0.0),  # no discordant pair
        ([("greet", "greet", "greet")] * 30, 0.0),  # all right
        ([("greet", None, None)] * 3, 0.0),  # all wrong
        ([("greet", "part", "greet")], 1.0),  # one utterance
        ([("greet", "greet", None)] * 9, -1.0),
    ],
)
def test_where_nothing_varies_an_interval_is_a_point(triples, value):
    """No division by zero, no NaN: both methods give the one value that there is."""
    result = bootstrap(paired(triples), resamples=100)
    accuracy = result.averages["accuracy"]
    assert accuracy.interval() == Interval(value, value)
    assert accuracy.interval(method="percentile") == Interval(value, value)
    for difference in (*result.averages.values(), *result.intents.values()):
        assert math.isfinite(difference.acceleration)
        assert -1 <= difference.interval().low <= difference.interval().high <= 1


def test_an_extreme_acceleration_gives_the_extreme_draws():
    """Where the correction has no solution, the end is the largest or smallest that was drawn."""
    draws = np.linspace(-0.1, 0.3, 101)
    for acceleration, end in ((0.9, "high"), (-0.9, "low")):
        interval = Difference(0.7, 0.8, draws, acceleration, 50).interval(0.99)
        assert getattr(interval, end) == {"high": draws[-1], "low": draws[0]}[end]


def test_an_intent_is_judged_on_resamples_that_hold_it():
    """Where none of its utterances was drawn there is no F1, neither 0 nor 1; others are averaged."""
    triples = [("greet", "greet", "greet")] * 9 + [("part", "greet", "part")]
    result = bootstrap(paired(triples), resamples=4000)
    rare = result.intents["part"]
    assert rare.support == 1
    assert len(rare.draws) / 4000 == pytest.approx(1 - 0.9**10, abs=0.04)
    assert set(rare.draws.tolist()) == {1.0}
    assert rare.interval() == Interval(1.0, 1.0)
    assert "other" not in bootstrap(paired([("greet", "other", "greet")]), resamples=5).intents


def test_an_intent_may_be_called_like_an_average():
    """Names of intents are free: none of them hides a figure."""
    result = bootstrap(paired([("accuracy", "accuracy", "part"), ("part", "part", "part")]))
    assert result.averages["accuracy"].observed == -0.5
    assert result.intents["accuracy"].observed == -1.0


@pytest.mark.parametrize(("triples", "resamples"), [([], 10), ([("greet",) * 3], 0)])
def test_nothing_is_not_resampled(triples, resamples):
    """Without an utterance there is no interval."""
    with pytest.raises(ValueError, match="at least 1 of each"):
        bootstrap(paired(triples), resamples=resamples)


def test_rules_and_reports_share_one_bootstrap():
    """Of equal answers, however they came about; and so the same numbers everywhere."""
    one, same = (drawn(every_triple(0.7, 0.8), 60, 9) for _ in range(2))
    assert shared_bootstrap(one) is shared_bootstrap(same)
    assert shared_bootstrap(one) is not shared_bootstrap(drawn(every_triple(0.7, 0.8), 60, 8))


def test_intervals_hold_every_difference():
    """Plain numbers of each average and of each intent, those of the bootstrap; none of nothing."""
    answers = drawn(every_triple(0.7, 0.85), 200, 1)
    found = intervals(answers)
    result = bootstrap(answers)
    assert tuple(found.averages) == AVERAGES
    assert tuple(found.intents) == ("greet", "part", "track")
    for differences, shown in (
        (result.averages, found.averages),
        (result.intents, found.intents),
    ):
        for name, difference in differences.items():
            interval = difference.interval(0.95)
            assert (shown[name].low, shown[name].high) == (interval.low, interval.high)
            assert shown[name].gain == difference.observed
            assert shown[name].support == difference.support
            assert (shown[name].champion, shown[name].challenger) == (
                difference.champion,
                difference.challenger,
            )
    narrow = intervals(answers, confidence=0.5).averages["accuracy"]
    assert found.averages["accuracy"].low < narrow.low < narrow.high
    assert intervals(PairedAnswers.of({})).averages == {}
