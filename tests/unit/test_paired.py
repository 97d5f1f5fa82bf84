"""The answers of two models to the same utterances."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from support.evaluations import example, prediction

from retrainer.domain.comparison import find_flips
from retrainer.domain.evaluation import TestSet
from retrainer.domain.examples import Example
from retrainer.domain.metrics import measure
from retrainer.domain.paired import NO_ANSWER, PairedAnswers, PairedCounts, pair
from retrainer.domain.predictions import Prediction

EXAMPLES = [example("hi", "greet"), example("bye", "part"), example("where is it", "track")]
BEFORE = {
    "hi": prediction("hi", "greet", 0.9),
    "bye": Prediction("bye", "part", 0.3, "nlu_fallback", 0.7),
    "where is it": prediction("where is it", None, 0.0),
}
AFTER = {
    "hi": prediction("hi", "part", 0.8),
    "bye": prediction("bye", "part", 0.6),
    "where is it": prediction("where is it", "track", 0.5),
}

INTENTS = st.sampled_from(["greet", "part", "track", "nlu_fallback", None])
CONFIDENCES = st.floats(0, 1) | st.sampled_from([math.nan, math.inf, -1.0, 7.0])


@st.composite
def comparisons(draw):
    """Examples and what two models answer to them."""
    gold = draw(st.lists(st.sampled_from(["greet", "part", "track", ""]), max_size=12))
    examples = [example(f"text {n}", intent) for n, intent in enumerate(gold)]

    def model():
        return {
            e.text: Prediction(e.text, *(draw(s) for s in (INTENTS, CONFIDENCES) * 2))
            for e in examples
        }

    return examples, model(), model()


def test_what_users_get_and_what_the_classifier_said():
    """A fallback is an answer of its own, and can be undone."""
    served = pair(EXAMPLES, BEFORE, AFTER)
    assert len(served) == 3
    assert served.triples() == {
        ("greet", "greet", "part"): 1,
        ("part", "nlu_fallback", "part"): 1,
        ("track", NO_ANSWER, "track"): 1,
    }
    classified = pair(EXAMPLES, BEFORE, AFTER, "classified")
    assert classified.triples()["part", "part", "part"] == 1
    assert served.totals == PairedCounts(3, wins=2, losses=1)
    assert classified.totals == PairedCounts(3, wins=1, losses=1)


@given(comparisons())
def test_both_ways_of_counting_are_those_of_the_figures(compared):
    """Accuracy as served and by the classifier, and the flips, are the same as elsewhere."""
    examples, before, after = compared
    flips = find_flips(TestSet(tuple(examples)), before, after)
    served = pair(examples, before, after).totals
    assert served.losses == sum(flip.regression for flip in flips)
    assert served.wins == len(flips) - served.losses
    first, second = (
        measure(examples, [predictions[e.text] for e in examples]).metrics
        for predictions in (before, after)
    )
    for answers, name in (("served", "served_accuracy"), ("classified", "accuracy")):
        counts = pair(examples, before, after, answers).totals
        assert counts.gain == pytest.approx(second.get(name, 0.0) - first.get(name, 0.0))


@given(comparisons())
def test_it_is_kept_as_json(compared):
    """What was decided on can be written down and read again, whatever the models answered."""
    paired = pair(*compared)
    adapter = TypeAdapter(PairedAnswers)
    assert adapter.validate_json(adapter.dump_json(paired)) == paired


@given(comparisons(), st.sets(st.sampled_from(["greet", "part", "track", "other"])))
def test_the_comparison_can_be_narrowed(compared, intents):
    """Only utterances of these intents stay."""
    examples, before, after = compared
    narrow = pair(examples, before, after).among(intents)
    direct = pair([e for e in examples if e.intent in intents], before, after)
    assert narrow.triples() == direct.triples()
    assert narrow.digest == direct.digest
    assert narrow.totals == direct.totals


@given(comparisons())
def test_the_intents_add_up(compared):
    """Each utterance is counted for the intent that it is annotated with."""
    paired = pair(*compared)
    each = paired.by_intent()
    assert {intent: len(paired.among({intent})) for intent in each} == {
        intent: counts.items for intent, counts in each.items()
    }
    for name in ("items", "wins", "losses"):
        assert sum(getattr(counts, name) for counts in each.values()) == getattr(
            paired.totals, name
        )


@given(comparisons(), st.randoms(use_true_random=False))
def test_the_digest_is_of_the_answers_not_of_their_order(compared, shuffler):
    """A verdict does not depend on the order of the utterances."""
    examples, before, after = compared
    paired = pair(examples, before, after)
    shuffled = [*examples]
    shuffler.shuffle(shuffled)
    assert pair(shuffled, before, after) == paired
    other = pair(
        [*examples, example("one more", "greet")],
        *(m | {"one more": prediction("one more", "greet")} for m in (before, after)),
    )
    assert other.digest != paired.digest


def test_utterances_without_an_intent_are_left_out():
    """As in all figures of intents."""
    nameless = Example("no label", "")
    assert pair([*EXAMPLES, nameless], BEFORE, AFTER) == pair(EXAMPLES, BEFORE, AFTER)


def test_answers_to_a_part_only_are_refused():
    """How many are missing, of how many, and one of them."""
    part = {"hi": AFTER["hi"]}
    with pytest.raises(ValueError, match=r"challenger has no answer to 2 of 3 utt.*'bye'"):
        pair(EXAMPLES, BEFORE, part)
    with pytest.raises(ValueError, match="champion has no answer to 2 of 3 utterances"):
        pair(EXAMPLES, part, AFTER)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"labels": ("greet", "greet", "part")}, "some are the same"),
        ({"counts": ((0, 0, 7, 1),)}, "not a count of a triple of 3 labels"),
        ({"counts": ((0, 0, 1, 0),)}, "not a count of a triple of 3 labels"),
        ({"counts": ((0, 0, 1, 1), (0, 0, 1, 2))}, "must rise"),
        ({"labels": ("", "greet", "part")}, "without an annotated intent"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, problem):
    """A record that was damaged or made up is not decided on."""
    paired = PairedAnswers(("greet", "part", "track"), ((0, 0, 1, 3),))
    with pytest.raises(ValueError, match=problem):
        replace(paired, **change)


@pytest.mark.parametrize("counts", [(3, 2, 2), (3, -1, 0), (3, 0, -1)])
def test_counts_that_cannot_be_are_refused(counts):
    """Wins and losses are among the items."""
    with pytest.raises(ValueError, match="wins and"):
        PairedCounts(*counts)


def test_shares_of_nothing():
    """Without an item there is neither gain nor discordance."""
    assert (PairedCounts(0, 0, 0).gain, PairedCounts(0, 0, 0).discordance) == (0, 0)
    assert PairedCounts(10, 3, 1).gain == pytest.approx(0.2)
    assert PairedCounts(10, 3, 1).discordance == pytest.approx(0.4)
