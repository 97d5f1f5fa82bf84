"""Nights and years of decisions, simulated."""

import math

import numpy as np
import pytest
from scipy import stats

from retrainer.domain.decision_rules import (
    HOLD,
    held_below,
    ladder,
    mcnemar,
    not_inferior,
    strictly_better,
)
from retrainer.domain.simulated_answers import individuality, pattern_shares
from retrainer.domain.simulated_year import EQUAL, Holdout, Person, Year, serve, serve_by_answers
from retrainer.domain.simulation import best_of, draw_night, odds, smallest_holdout
from retrainer.domain.statistics import items_needed, mcnemar_mid_p


def exactly(promotes, items, discordance, gain):
    """How often a rule promotes, by the probabilities of all counts that are likely at all."""
    wins, losses = np.meshgrid(np.arange(90), np.arange(90), indexing="ij")
    pairs = stats.binom.pmf(wins + losses, items, discordance)
    split = stats.binom.pmf(wins, wins + losses, (discordance + gain) / 2 / discordance)
    return float((pairs * split)[promotes(wins, losses)].sum())


@pytest.mark.parametrize("gain", [0.0, 0.02, 0.05, -0.02])
def test_a_nights_odds_are_the_exact_ones(gain):
    """Monte Carlo and the sum over all possible counts agree within four standard errors."""
    wins, losses = draw_night(items=400, discordance=0.06, gain=gain, draws=40_000)

    def by_test(wins, losses):
        test = np.vectorize(lambda won, lost: mcnemar_mid_p(int(won), int(lost)))
        return test(wins, losses) < 0.05

    for rule, promotes in ((strictly_better, np.greater), (mcnemar(0.05), by_test)):
        exact = exactly(promotes, 400, 0.06, gain)
        found = odds(rule, wins, losses, 400)
        error = math.sqrt(exact * (1 - exact) / found.draws)
        assert found.promote == pytest.approx(exact, abs=4 * error + 1e-6)
        assert found.promote + found.hold + found.reject == pytest.approx(1)


def test_a_test_of_equal_models_errs_as_often_as_it_says():
    """McNemar mid-p promotes about alpha of them, the rule of 2018 nearly half."""
    wins, losses = draw_night(items=1000, discordance=0.06, draws=40_000)
    assert odds(mcnemar(0.05), wins, losses, 1000).promote == pytest.approx(0.05, abs=0.005)
    assert odds(strictly_better, wins, losses, 1000).promote == pytest.approx(0.474, abs=0.01)


def test_the_same_seed_gives_the_same_nights():
    """And another seed gives others."""
    first, again, other = (
        draw_night(items=300, discordance=0.06, draws=500, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("discordance", "gain"), [(0.02, 0.05), (1.1, 0.0), (0.02, math.nan)])
def test_impossible_nights_are_refused(discordance, gain):
    """A gain cannot exceed the share of utterances on which the models differ."""
    with pytest.raises(ValueError, match="is not possible"):
        draw_night(items=100, discordance=discordance, gain=gain)


@pytest.mark.parametrize(("accuracy", "discordance"), [(0.88, 0.05), (0.7, 0.2), (0.95, 0.01)])
def test_simulated_models_differ_as_often_as_asked(accuracy, discordance):
    """By the bivariate normal distribution: the models' answers correlate by 1 / (1 + t^2)."""
    correlation = 1 / (1 + individuality(accuracy, discordance) ** 2)
    limit = stats.norm.ppf(accuracy)
    both = stats.multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf([limit, limit])
    assert 2 * (accuracy - both) == pytest.approx(discordance, abs=1e-4)


def test_models_cannot_differ_more_than_independent_ones():
    """The range that is possible is named."""
    with pytest.raises(ValueError, match=r"above 0 and below 0\.2112 is possible"):
        individuality(0.88, 0.3)


def test_nothing_but_chance_displays_a_gain():
    """Equal models: the displayed score rises by selection, most on few items, and by nothing else."""
    few, more = (serve(strictly_better, Holdout(n), EQUAL, years=100) for n in (50, 400))
    assert few.accuracy.mean == more.accuracy.mean == few.best.mean == pytest.approx(0.88)
    assert few.worse.mean == 0.0
    assert few.optimism.mean > more.optimism.mean + 2 * more.optimism.error > 0.015
    fresh = serve(strictly_better, Holdout(400, renewed_every=1), EQUAL, years=100)
    assert fresh.optimism.mean < more.optimism.mean / 2


def test_a_rule_that_promotes_everything_serves_the_average():
    """Mean accuracy, worse promotions and promotions are those that the year's figures imply."""
    year = Year(nights=40, trend=0.0, spread=0.01, accidents=0.1, damage=0.03)
    served = serve(lambda w, _l, _n: np.zeros_like(w), Holdout(30), year, years=400)
    assert served.promotions.mean == 40
    assert served.accuracy.mean == pytest.approx(0.88 - 0.003, abs=4 * served.accuracy.error)
    # Every other of equal ones is worse than the one before, and one before may be an accident.
    assert served.worse.mean == pytest.approx(20, abs=0.5)
    assert abs(served.optimism.mean) < 4 * served.optimism.error


def test_a_rule_that_holds_everything_keeps_the_first_champion():
    """Nights that are held are counted, and change nothing."""
    served = serve(held_below(100, strictly_better), Holdout(60), Year(nights=30), years=300)
    assert (served.holds.mean, served.promotions.mean, served.worse.mean) == (30, 0, 0)
    assert served.accuracy.mean == pytest.approx(0.88, abs=4 * served.accuracy.error)
    assert served.best.mean > 0.89


def test_a_growing_holdout_is_asked_as_far_as_it_has_come():
    """The rule is told how many utterances there are on each night."""
    seen = []

    def rule(wins, losses, items):
        seen.append(items)
        assert (wins + losses <= items).all()
        return np.full(wins.shape, HOLD)

    serve(rule, Holdout(10, growth=2.5, renewed_every=2), Year(nights=5), years=3)
    assert seen == [10, 12, 15, 17, 20]


def test_every_rule_meets_the_same_challengers():
    """Rules can be compared on few years, and a year can be reproduced."""
    first, again, other = (
        serve(rule, Holdout(300), Year(nights=60), years=20, seed=3)
        for rule in (ladder(), ladder(), not_inferior(0.02))
    )
    assert first == again
    assert first.best == other.best
    assert first.accuracy != other.accuracy
    assert serve(ladder(), Holdout(300), Year(nights=60), years=20, seed=4).best != first.best


def test_the_known_order_of_rules():
    """On 1,000 items the old rule promotes most that is worse, a strict test nearly nothing."""
    old, step, strict, lax = (
        serve(rule, Holdout(1000), years=12)
        for rule in (strictly_better, ladder(), mcnemar(0.05 / 365), not_inferior(0.02))
    )
    assert lax.worse.mean > 50
    assert 5 > old.worse.mean > step.worse.mean > strict.worse.mean == 0
    assert old.best.mean > old.accuracy.mean > step.accuracy.mean > strict.accuracy.mean
    assert old.accuracy.mean == pytest.approx(0.9114, abs=0.002)
    assert step.accuracy.mean == pytest.approx(0.9100, abs=0.003)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Year(nights=0),
        lambda: Year(start=1.2),
        lambda: Year(accidents=math.nan),
        lambda: Holdout(0),
        lambda: Holdout(10, growth=-1),
        lambda: Holdout(10, growth=math.nan),
        lambda: Holdout(10, renewed_every=-1),
        lambda: serve(ladder(), Holdout(10), years=0),
    ],
)
def test_impossible_years_are_refused(make):
    """What cannot be simulated is said, instead of simulating something else."""
    with pytest.raises(ValueError, match=r"at least 1|between 0 and 1"):
        make()


def test_patterns_are_those_of_models_that_differ_as_asked():
    """Each of them is right as often as it should be, and any two differ as often as asked."""
    patterns, shares = pattern_shares(np.array([0.88] * 3), individuality(0.88, 0.05))
    assert shares.sum() == pytest.approx(1)
    assert (shares @ patterns).tolist() == pytest.approx([0.88] * 3, abs=1e-6)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        differ = patterns[:, one] != patterns[:, other]
        assert shares[differ].sum() == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("halves", [False, True])
def test_the_best_of_one_is_an_ordinary_night(halves):
    """There is nothing to select, so the odds are the exact ones, on half of the utterances or all."""

    def by_test(wins, losses):
        test = np.vectorize(lambda won, lost: mcnemar_mid_p(int(won), int(lost)))
        return test(wins, losses) < 0.05

    found = best_of(1, mcnemar(0.05), items=400, halves=halves, draws=40_000)
    exact = exactly(by_test, 200 if halves else 400, 0.05, 0.0)
    assert found.promote == pytest.approx(exact, abs=4 * math.sqrt(exact / 40_000))


def test_the_best_of_several_is_no_evidence_against_the_same_utterances():
    """Selection and test on the same ones promote far above alpha; halves or alpha / N do not."""
    error = 4 * math.sqrt(0.05 * 0.95 / 20_000)
    for challengers in (2, 5):
        naive, apart, corrected = (
            best_of(challengers, rule, items=1000, halves=halves, draws=20_000).promote
            for rule, halves in (
                (mcnemar(0.05), False),
                (mcnemar(0.05), True),
                (mcnemar(0.05 / challengers), False),
            )
        )
        assert naive > 0.07
        assert apart < 0.05 + error
        assert corrected < 0.05 + error


def test_the_best_of_better_ones_is_found_more_often():
    """With the truth on their side more challengers help, on the same utterances and on halves."""
    one, five = (
        best_of(n, mcnemar(0.05 / n), items=1000, gain=0.02, draws=5_000).promote for n in (1, 5)
    )
    assert five > one > 0.8


@pytest.mark.parametrize(("challengers", "items", "halves"), [(0, 9, False), (2, 1, True)])
def test_the_best_of_nothing_is_refused(challengers, items, halves):
    """So many challengers, and an utterance for each half."""
    with pytest.raises(ValueError, match="at least 1 of each is needed"):
        best_of(challengers, ladder(), items=items, halves=halves)


@pytest.mark.parametrize("gain", [0.02, 0.05])
def test_the_smallest_holdout_is_where_the_rule_finds_the_gain(gain):
    """It agrees with the known formula, and a rule that never promotes has none."""
    found = smallest_holdout(mcnemar(0.05), discordance=0.06, gain=gain, draws=20_000)
    assert found == pytest.approx(items_needed(0.06, gain, 0.05), rel=0.08)
    night = draw_night(items=found, discordance=0.06, gain=gain, draws=20_000)
    assert odds(mcnemar(0.05), *night, found).promote >= 0.8
    never = held_below(1_000_000, ladder())
    assert smallest_holdout(never, discordance=0.06, gain=gain, draws=10) is None


def test_a_person_who_approves_everything_that_is_held():
    """Is as good as a rule that promotes everything; one who approves nothing, as nobody."""
    year = Year(nights=30)
    held = held_below(100, strictly_better)
    everything = serve(lambda w, _l, _n: np.zeros_like(w), Holdout(30), year, years=50)
    always = serve(held, Holdout(30), year, person=Person(1.0, 1.0), years=50)
    assert (always.accuracy, always.worse, always.optimism) == (
        everything.accuracy,
        everything.worse,
        everything.optimism,
    )
    assert (always.holds.mean, everything.holds.mean) == (30, 0)
    never = serve(held, Holdout(30), year, person=Person(), years=50)
    assert never.promotions.mean == 0


def test_a_person_who_sees_what_is_better():
    """Never approves what is worse, and serves the better the more of it is seen."""
    held = held_below(100, strictly_better)
    half, all_of_it = (
        serve(held, Holdout(30), Year(nights=60), person=Person(better), years=50)
        for better in (0.5, 1.0)
    )
    assert half.worse.mean == all_of_it.worse.mean == 0
    assert half.accuracy.mean < all_of_it.accuracy.mean
    assert all_of_it.accuracy == all_of_it.best


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_a_person_approves_with_a_probability(share):
    """Anything else is refused."""
    with pytest.raises(ValueError, match="better must lie between 0 and 1"):
        Person(better=share)


def test_a_rule_may_see_who_is_right_on_which_utterance():
    """By answers or by their counts: the same rule, the same year."""
    year = Year(nights=30)

    def by_answers(champion, challenger):
        wins = (challenger & ~champion).sum(axis=1)
        losses = (champion & ~challenger).sum(axis=1)
        return ladder()(wins, losses, champion.shape[1])

    seen = serve_by_answers(by_answers, Holdout(200, growth=2), year, years=20)
    assert seen == serve(ladder(), Holdout(200, growth=2), year, years=20)
