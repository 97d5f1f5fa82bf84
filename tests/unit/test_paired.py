"""The answers of two models to the same utterances."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from support.evaluations import example, prediction

from retrainer.domain.evaluation import TestSet, find_flips
from retrainer.domain.examples import Example
from retrainer.domain.metrics import measure
from retrainer.domain.paired import NO_ANSWER, Answers, PairedAnswers, Undone, pair
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


def named(paired, codes):
    return [paired.labels[code] for code in codes]


def test_what_users_get_and_what_the_classifier_said():
    """A fallback is an answer of its own, and can be undone."""
    paired = pair(EXAMPLES, BEFORE, AFTER)
    assert len(paired) == 3
    assert named(paired, paired.gold) == ["greet", "part", "track"]
    assert named(paired, paired.champion.codes) == ["greet", "nlu_fallback", NO_ANSWER]
    assert paired.champion.confidences == (0.9, 0.7, 0.0)
    own = paired.classified()
    assert named(own, own.champion.codes) == ["greet", "part", NO_ANSWER]
    assert own.champion.confidences == (0.9, 0.3, 0.0)
    assert own.classified() == own
    assert (paired.wins, paired.losses) == (2, 1)
    assert (own.wins, own.losses) == (1, 1)


@given(comparisons())
def test_both_ways_of_counting_are_those_of_the_figures(compared):
    """Accuracy as served and by the classifier, and the flips, are the same as elsewhere."""
    examples, before, after = compared
    paired = pair(examples, before, after)
    own = paired.classified()
    flips = find_flips(TestSet(tuple(e for e in examples if e.intent)), before, after)
    assert own.losses == sum(flip.regression for flip in flips)
    assert own.wins == len(flips) - own.losses
    for predictions, which in ((before, "champion"), (after, "challenger")):
        metrics = measure(examples, [predictions[e.text] for e in examples]).metrics
        for answers, name in ((own, "accuracy"), (paired, "served_accuracy")):
            codes = getattr(answers, which).codes
            right = sum(a == g for a, g in zip(codes, answers.gold, strict=True))
            assert right == pytest.approx(metrics.get(name, 0.0) * len(paired))


@given(comparisons())
def test_it_is_kept_as_json(compared):
    """What was decided on can be written down and read again, whatever the models answered."""
    paired = pair(*compared)
    adapter = TypeAdapter(PairedAnswers)
    assert adapter.validate_json(adapter.dump_json(paired)) == paired


@given(comparisons(), st.sets(st.sampled_from(["greet", "part", "track", "other"])))
def test_the_comparison_can_be_narrowed(compared, intents):
    """Only utterances of these intents stay, with everything that is known of them."""
    examples, before, after = compared
    paired = pair(examples, before, after)
    narrow = paired.among(intents)
    direct = pair([e for e in examples if e.intent in intents], before, after)
    assert narrow.triples() == direct.triples()
    assert narrow.classified().triples() == direct.classified().triples()
    assert narrow.champion.confidences == direct.champion.confidences
    assert narrow.digest == direct.digest


@given(comparisons(), st.randoms(use_true_random=False))
def test_the_digest_is_of_the_answers_not_of_their_order(compared, shuffler):
    """A verdict does not depend on the order of the utterances."""
    examples, before, after = compared
    paired = pair(examples, before, after)
    shuffled = [*examples]
    shuffler.shuffle(shuffled)
    assert pair(shuffled, before, after).digest == paired.digest
    other = pair(
        [*examples, example("one more", "greet")],
        *(m | {"one more": prediction("one more", "greet")} for m in (before, after)),
    )
    assert other.digest != paired.digest


def test_utterances_without_an_intent_are_left_out():
    """As in all figures of intents."""
    nameless = Example("no label", "")
    assert pair([*EXAMPLES, nameless], BEFORE, AFTER) == pair(EXAMPLES, BEFORE, AFTER)


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -math.inf, -0.1, 1.1])
def test_what_is_no_probability_is_noted(confidence):
    """Such a confidence is none, and is counted; it never becomes a number."""
    strange = AFTER | {"hi": prediction("hi", "greet", confidence)}
    paired = pair(EXAMPLES, BEFORE, strange)
    assert paired.challenger.confidences == (None, 0.6, 0.5)
    assert paired.challenger.without_confidence == 1
    assert paired.champion.without_confidence == 0


def test_rounding_above_one_is_one():
    """Rasa adds up probabilities in single precision."""
    sure = AFTER | {"hi": prediction("hi", "greet", 1.0000001192092896)}
    assert pair(EXAMPLES, BEFORE, sure).challenger.confidences[0] == 1.0


def test_answers_to_a_part_only_are_refused():
    """How many are missing, of how many, and one of them."""
    part = {"hi": AFTER["hi"]}
    with pytest.raises(ValueError, match=r"challenger has no answer to 2 of 3 utt.*'bye'"):
        pair(EXAMPLES, BEFORE, part)
    with pytest.raises(ValueError, match="champion has no answer to 2 of 3 utterances"):
        pair(EXAMPLES, part, AFTER)


def test_fallbacks_that_are_not_known_are_not_guessed():
    """Predictions stored elsewhere may lack the classifier's own answers."""
    paired = pair(EXAMPLES, BEFORE, AFTER)
    unknown = replace(paired, champion=replace(paired.champion, undone=None))
    assert unknown.wins == paired.wins
    assert unknown.among({"greet"}).champion.undone is None
    with pytest.raises(ValueError, match="before the fallback is not known"):
        unknown.classified()


SOUND = Answers((0, 1), (0.5, 0.5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("a", "a", "b")}, "some are the same"),
        ({"gold": (0, 3)}, "annotation: code 3 has no label, there are 3"),
        ({"gold": (0, -1)}, "code -1 has no label"),
        ({"gold": (0, 2)}, "without an annotated intent"),
        ({"gold": (0, 1, 0)}, "champion: 2 answers with 2 confidences to 3 utterances"),
        ({"challenger": Answers((0, 5), (0.5, 0.5))}, "challenger: code 5"),
        ({"challenger": Answers((0, 1), (0.5,))}, "2 answers with 1 confidences"),
        ({"challenger": Answers((0, 1), (0.5, math.nan))}, "between 0 and 1, not nan"),
        ({"challenger": Answers((0, 1), (0.5, 1.5))}, "between 0 and 1, not 1.5"),
        ({"challenger": replace(SOUND, undone=(Undone(2, 0, 0.1),))}, "at positions .2."),
        ({"challenger": replace(SOUND, undone=(Undone(1, 7, 0.1),))}, "code 7"),
        ({"challenger": replace(SOUND, undone=(Undone(1, 0, math.nan),))}, "not nan"),
        (
            {"challenger": replace(SOUND, undone=(Undone(1, 0, 0.1), Undone(0, 0, 0.1)))},
            "at positions .1, 0.",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    """A file that was cut, changed or written by something else never becomes a verdict."""
    sound = PairedAnswers(("a", "b", NO_ANSWER), (0, 1), SOUND, SOUND)
    with pytest.raises(ValueError, match=message):
        replace(sound, **changes)
