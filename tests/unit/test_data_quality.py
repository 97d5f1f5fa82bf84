"""Training data in numbers."""

import pytest
from support.evaluations import example

from retrainer.domain.data_quality import Conflict, EarlierData, count_texts, examine
from retrainer.domain.examples import Example


def test_case_and_white_space_make_no_other_text():
    """What people do not see as a difference is one text; it repeats itself, or contradicts itself."""
    found = examine(
        [
            example("where is it", "track"),
            example("Where  is it", "track"),
            example("WHERE IS IT", "cancel"),
            example("hello", "greet"),
        ]
    )
    assert (found.examples, found.texts) == (4, 2)
    assert found.intents == {"cancel": 1, "greet": 1, "track": 1}
    assert found.duplicates == 1
    assert found.conflicts == 1
    assert found.conflicting == (Conflict("where is it", ("cancel", "track")),)


def test_two_responses_to_one_text_are_a_conflict():
    """A retrieval intent that cannot know which response to choose is as badly labelled."""
    ask = Example("when", "faq", response="faq/hours")
    found = examine([ask, Example("when", "faq", response="faq/place")])
    assert found.conflicting == (Conflict("when", ("faq/hours", "faq/place")),)
    assert (found.duplicates, found.intents) == (0, {"faq": 1})


def test_few_conflicts_are_kept_and_all_are_counted():
    """A bad merge of thousands must not become a row of megabytes."""
    found = examine([example(f"text {n}", i) for n in range(300) for i in ("track", "cancel")])
    assert found.conflicts == 300
    assert len(found.conflicting) == 20


def test_what_is_declared_and_has_no_example():
    """Domain and data are put beside each other."""
    found = examine([example("hello", "greet")], declared=["greet", "bye", "affirm"])
    assert found.unused == ("affirm", "bye")


def test_what_is_not_labelled_is_not_counted():
    """Examples of a lookup or a synonym have no intent."""
    assert examine([Example("pizza", "")]).examples == 0
    assert count_texts([Example("pizza", "")]) == {}


def earlier(examples=0, **intents):
    return EarlierData("shop-1", examples, intents)


@pytest.mark.parametrize(
    ("before", "now", "lost", "shift"),
    [
        (earlier(4, greet=2, bye=2), {"greet": 2, "bye": 2}, 0.0, 0.0),
        (earlier(4, greet=2, bye=2), {"greet": 1, "bye": 1}, 0.5, 0.0),
        (earlier(4, greet=2, bye=2), {"greet": 2}, 0.5, 0.5),
        (earlier(2, greet=1, bye=1), {"track": 2}, 0.0, 1.0),
        (earlier(2, greet=2), {"greet": 6, "bye": 2}, 0.0, 0.25),
        (earlier(2), {"greet": 1}, 0.5, None),
        (earlier(0, greet=1), {}, None, None),
        (None, {"greet": 1}, None, None),
    ],
)
def test_what_has_changed_since_the_champion(before, now, lost, shift):
    """Loss and shift are those of hand-made cases; what was not recorded is not known."""
    examples = [example(f"{i} {n}", i) for i, number in now.items() for n in range(number)]
    found = examine(examples, champion=before)
    assert found.lost == lost
    assert found.shift == (None if shift is None else pytest.approx(shift))


def test_an_intent_that_is_gone_lost_all():
    """A renamed intent, or a file that was not pulled, is seen intent by intent."""
    now = [example("a", "greet"), example("b", "track"), example("c", "track")]
    found = examine(now, champion=earlier(8, greet=4, bye=3, track=1, empty=0))
    assert found.lost_by_intent == {"greet": 0.75, "bye": 1.0, "track": 0.0}
