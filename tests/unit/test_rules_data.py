"""The rule on the training data."""

from dataclasses import replace

import pytest
from support.evaluations import policy, report

from retrainer.domain.data_quality import Conflict, DataQuality, EarlierData
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules import Floor, SoundData
from retrainer.domain.verdict import Outcome, decide

EARLIER = EarlierData("shop-1", 100, {"greet": 50, "bye": 50})
SOUND = DataQuality(examples=100, texts=100, intents={"greet": 50, "bye": 50}, champion=EARLIER)


def evaluation(data):
    """A model beyond all doubt, of this data."""
    return Evaluation(report(metrics={"accuracy": 1.0}), data=data)


@pytest.mark.parametrize(
    ("data", "rule", "outcome"),
    [
        (SOUND, SoundData(), Outcome.PROMOTE),
        (replace(SOUND, champion=None), SoundData(), Outcome.PROMOTE),
        (replace(SOUND, champion=EarlierData("old", 0, {})), SoundData(), Outcome.PROMOTE),
        (None, SoundData(), Outcome.PROMOTE),
        (replace(SOUND, examples=80), SoundData(), Outcome.PROMOTE),
        (replace(SOUND, examples=79), SoundData(), Outcome.REJECT),
        (replace(SOUND, examples=79), SoundData(maximum_loss=0.3), Outcome.PROMOTE),
        (replace(SOUND, errors=1), SoundData(), Outcome.REJECT),
        (replace(SOUND, conflicts=1), SoundData(), Outcome.PROMOTE),
        (replace(SOUND, conflicts=2), SoundData(), Outcome.HOLD),
        (replace(SOUND, conflicts=1), SoundData(maximum_conflicts=0.0), Outcome.HOLD),
        (replace(SOUND, duplicates=10), SoundData(), Outcome.PROMOTE),
        (replace(SOUND, duplicates=11), SoundData(), Outcome.HOLD),
        (replace(SOUND, intents={"greet": 25, "bye": 50}), SoundData(), Outcome.PROMOTE),
        (replace(SOUND, intents={"greet": 24, "bye": 50}), SoundData(), Outcome.HOLD),
        (replace(SOUND, intents={"greet": 51, "bye": 50, "new": 1}), SoundData(), Outcome.HOLD),
        (replace(SOUND, intents={"greet": 150, "bye": 50}), SoundData(), Outcome.PROMOTE),
        (replace(SOUND, intents={"greet": 152, "bye": 50}), SoundData(), Outcome.HOLD),
        (replace(SOUND, warnings=1), SoundData(), Outcome.PROMOTE),
        (replace(SOUND, warnings=1), SoundData(fail_on_warnings=True), Outcome.HOLD),
        (replace(SOUND, intents={}), SoundData(), Outcome.HOLD),
    ],
)
def test_the_data_alone_decides(data, rule, outcome):
    """A perfect model of data that is not sound is not promoted, and nothing else is kept back."""
    assert decide(evaluation(data), policy(Floor("accuracy", 0.5), rule)).outcome is outcome


def test_conflicts_are_a_share_of_the_texts():
    """Not of the examples, of which a text may have many; intents that are large enough are no case."""
    data = replace(
        SOUND, conflicts=1, texts=50, intents={"greet": 50, "bye": 2, "new": 1}, champion=None
    )
    check = SoundData().judge(data)
    assert "1 of 50 texts (2.00 %) have several labels, at most 1.00 % may" in check.sentence
    assert check.details == ("new: 1 different examples",)


def test_sound_data_justifies_nothing():
    """It says nothing of how good the model is: alone it never promotes."""
    assert decide(evaluation(SOUND), policy(SoundData())).outcome is Outcome.HOLD


def test_the_worst_finding_is_the_sentence_and_lesser_ones_are_left_out():
    """What rejects is said, with value and limit; what would only be held is not the reason."""
    check = SoundData().judge(replace(SOUND, examples=50, conflicts=9))
    assert check.sentence == (
        "50.00 % of the 100 examples that shop-1 came from are gone, 50 are there, "
        "at most 20.00 % may be gone"
    )
    assert (check.observed, check.limit) == (0.5, 0.2)


def test_everything_that_is_held_is_said():
    """Several findings of one weight are all in the sentence, and their cases in the details."""
    check = SoundData().judge(
        replace(
            SOUND,
            intents={"greet": 60, "bye": 10, "new": 1},
            conflicts=3,
            conflicting=(Conflict("hi", ("bye", "greet")),),
            duplicates=20,
        )
    )
    assert check.sentence == (
        "80.00 % of the texts of bye are gone, of no intent more, at most 50.00 % may be; "
        "the intents' shares differ from those of shop-1 by a total variation of 35.92 %, "
        "at most 25.00 % is allowed; "
        "3 of 100 texts (3.00 %) have several labels, at most 1.00 % may; "
        "20 of 100 examples (20.00 %) repeat another, at most 10.00 % may; "
        "new has 1 different examples, no intent has fewer, at least 2 are needed"
    )
    assert check.details == (
        "bye: 10 texts, 50 before",
        "'hi': bye, greet",
        "new: 1 different examples",
    )


def test_sound_data_is_described():
    """What passes shows its figures too: the first in the sentence, the others below."""
    check = SoundData().judge(SOUND)
    assert check.sentence.startswith("0.00 % of the 100 examples that shop-1 came from are gone")
    assert len(check.details) == 6
    assert "bye has 50 different examples, no intent has fewer, at least 2 are needed" in (
        check.details
    )


def test_models_that_were_compared_have_no_data():
    """Two archives on a test file: there is no snapshot to judge, and the sentence says so."""
    check = SoundData().assess(evaluation(None))
    assert check.sentence == (
        "no training data belongs to this evaluation, "
        "a loss of at most 20.00 % of it applies in a cycle"
    )
    assert (check.outcome, check.observed, check.limit) == (None, None, 0.2)


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({"maximum_loss": 1.5}, "maximum_loss must lie between 0 and 1, not 1.5"),
        ({"maximum_shift": -0.1}, "maximum_shift must lie between 0 and 1, not -0.1"),
        ({"maximum_conflicts": float("nan")}, "maximum_conflicts must lie between 0 and 1"),
        ({"minimum_examples": 0}, "minimum_examples must be at least 1, not 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, complaint):
    """A limit that nothing or everything passes is a mistake."""
    with pytest.raises(ValueError, match=complaint):
        SoundData(**limits)
