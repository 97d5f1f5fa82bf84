"""Choosing the best of several challengers, and testing it on what did not choose it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrainer.domain.comparison import unseen
from retrainer.domain.evaluation import LeftOut
from retrainer.domain.examples import Example, example_key
from retrainer.domain.paired import PairedCounts
from retrainer.domain.selection import Candidate, best, chooses, choosing_half, spent
from retrainer.domain.split import in_holdout
from retrainer.domain.statistics import mcnemar_mid_p

EXAMPLES = tuple(Example(f"utterance number {n}", "order") for n in range(2_000))
ALPHA = 0.05


def scored(*scores: float | None) -> list[Candidate]:
    return [Candidate(f"{n}.yml", score=score) for n, score in enumerate(scores)]


def test_the_halves_are_those_of_the_digits_13_to_24():
    """Membership is for ever: another cut would test winners on what chose them."""
    assert chooses("f" * 12 + "7fffffffffff" + "f" * 8)
    assert not chooses("0" * 12 + "800000000000" + "0" * 8)


def test_the_halves_are_halves_of_every_holdout():
    """Which half an example is in does not hang on whether it is held out, nor how many are."""
    for share in (0.1, 0.2, 0.5, 1.0):
        held_out = [e for e in EXAMPLES if in_holdout(example_key(e.text), share)]
        half, whole = len(choosing_half(held_out)), len(held_out)
        assert abs(half - whole / 2) < 3.3 * (whole / 4) ** 0.5


@given(st.text())
def test_spellings_of_an_utterance_share_a_half(text):
    """What people do not see as a difference must not carry an utterance into the other half."""
    assert len(choosing_half([Example(text, "a"), Example(f" {text} ", "b")])) in (0, 2)


@pytest.mark.parametrize(
    ("scores", "place"),
    [((0.5, 0.7, 0.7), 1), ((0.7, 0.7, 0.5), 0), ((None, None), 0), ((0.0, 0.1), 1)],
)
def test_the_best_is_the_first_of_the_highest(scores, place):
    """Ties go by order, so that a resumed cycle and a person come to the same winner."""
    assert best(scored(*scores)) == place


def test_what_was_skipped_is_never_the_best():
    """A candidate that failed cannot win, whatever it scored before; of none left none is best."""
    failed = Candidate("a.yml", score=0.9, skipped="out of memory")
    assert best([failed, *scored(0.1)]) == 1
    assert best([failed]) is None


@pytest.mark.parametrize("tried", [[], scored(0.9), scored(0.9, None), scored(None, None)])
def test_without_a_comparison_nothing_is_spent(tried):
    """Examples by which nobody chose still test: one candidate leaves the holdout whole."""
    assert spent(EXAMPLES, tried) == frozenset()


def test_a_comparison_spends_the_choosing_half():
    """What chose the winner is left out of its test, and counted."""
    half = spent(EXAMPLES, scored(0.9, 0.8))
    assert half == {example_key(e.text) for e in choosing_half(EXAMPLES)}
    rest = [e for e in EXAMPLES if example_key(e.text) not in half]
    seen = {example_key(rest[0].text)}
    test_set = unseen(EXAMPLES, challenger_saw=half | seen, champion_saw=frozenset(), spent=half)
    assert test_set.left_out == LeftOut(challenger_saw=1, champion_saw=0, selection=len(half))
    assert test_set.examples == tuple(rest[1:])


def test_labels_say_what_makes_a_candidate_another():
    """People read which of several it was."""
    assert Candidate("big.yml").label == "big.yml"
    assert Candidate("big.yml", 7).label == "big.yml, seed 7"
    assert Candidate("a.yml", 7, "shop-1").label == "a.yml, seed 7, finetuned from shop-1"
    assert Candidate("a.yml", finetuned_from="").label == "a.yml, finetuned from the champion"


def best_of_five(*, halves: bool, nights: int = 1_500, items: int = 400) -> float:
    """How often the best of five challengers is promoted, all truly equal to the champion.

    An utterance is as hard for one model as for another; McNemar mid-p decides at ALPHA.
    """
    generator = np.random.default_rng(5)
    examples = EXAMPLES[:items]
    choosing = np.array([chooses(example_key(e.text)) for e in examples])
    selecting, testing = (choosing, ~choosing) if halves else (choosing | True, choosing | True)
    promoted = Counter()
    for _ in range(nights):
        hardness = generator.beta(6.0, 1.0, size=items)
        right = generator.random((6, items)) < hardness
        champion, challengers = right[0], right[1:]
        winner = best(scored(*(c[selecting].mean() for c in challengers)))
        pairs = zip(champion[testing].tolist(), challengers[winner][testing].tolist(), strict=True)
        counts = PairedCounts.of(pairs)
        promoted[mcnemar_mid_p(counts.wins, counts.losses) < ALPHA] += 1
    return promoted[True] / nights


def test_the_best_of_several_is_not_promoted_more_often_than_alpha():
    """Chosen on one half and tested on the other, five equal challengers are as one."""
    error = (ALPHA * (1 - ALPHA) / 1_500) ** 0.5
    assert best_of_five(halves=True) < ALPHA + 3 * error


def test_choosing_and_testing_on_the_same_examples_would_promote_far_too_often():
    """What the halves are for: the same evidence used twice makes equals look better."""
    assert best_of_five(halves=False) > 2 * ALPHA
