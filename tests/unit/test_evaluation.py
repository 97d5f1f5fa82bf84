"""Champion and challenger measured on the same examples."""

import math

import pytest
from support.evaluations import example, prediction

from retrainer.domain.comparison import compare, find_flips, report, unseen
from retrainer.domain.evaluation import LeftOut, TestSet
from retrainer.domain.examples import Entity, Example, MustPass, example_key
from retrainer.domain.metrics import EntityFigures
from retrainer.domain.must_pass import assess_must_pass
from retrainer.domain.paired import PairedCounts
from retrainer.domain.predictions import Prediction

ORDER = Entity("order_number", "A-1234", 9, 15)
TEXT = "where is A-1234"


def answers(**intents):
    """A model's answers, by text."""
    return {text: prediction(text, intent) for text, intent in intents.items()}


def test_what_either_model_saw_is_left_out_and_counted():
    """A model is never measured on its own training examples, however they were written."""
    candidates = [example(text, "a") for text in ("One", "two", "three", "four")]
    kept = unseen(
        candidates,
        challenger_saw={example_key("one"), example_key("two")},
        champion_saw={example_key("TWO"), example_key("three")},
    )
    assert [e.text for e in kept.examples] == ["four"]
    assert kept.left_out == LeftOut(challenger_saw=2, champion_saw=1)


def test_the_digest_names_the_examples_not_their_order():
    """Two test sets are the same exactly when their texts and labels are."""
    one, two = example("one", "a"), example("two", "b")
    digest = TestSet((one, two)).digest
    assert digest == TestSet((two, one)).digest
    assert len(digest) == 32
    others = [
        TestSet((one,)),
        TestSet((one, example("two", "a"))),
        TestSet((one, example("two!", "b"))),
        TestSet((one, Example("two", "b", entities=(Entity("number", "2", 0, 3),)))),
        TestSet((one, Example("two", "b", response="b/two"))),
    ]
    assert len({digest, *(other.digest for other in others)}) == 6


def test_a_report_measures_the_test_set_and_the_must_pass_utterances():
    """One report holds the figures, what they were measured on, and each must-pass result."""
    tests = TestSet((example("one", "a"), example("two", "b")))
    must = MustPass(example("help", "a"))
    made = report("m", tests, answers(one="a", two="a", help="b"), [must])
    assert (made.model, made.test_set, made.examples) == ("m", tests.digest, 2)
    assert made.metrics["accuracy"] == 0.5
    assert made.intents["b"].confused_with == {"a": 1}
    assert [r.problem for r in made.must_pass] == ["understood as b instead of a"]


def test_a_missing_prediction_is_an_error():
    """An utterance without an answer is never silently dropped from the figures."""
    with pytest.raises(KeyError):
        report("m", TestSet((example("one", "a"),)), {})


def test_flips_are_where_one_model_is_right_and_the_other_wrong():
    """Both right or both wrong, even differently, is no flip; regressions come first."""
    tests = TestSet(tuple(example(text, "a") for text in ("same", "wrong", "won", "lost", "lost2")))
    champion = answers(same="a", wrong="b", won="b", lost="a", lost2="a")
    challenger = answers(same="a", wrong="c", won="a", lost="b", lost2=None)
    challenger["lost2"] = prediction("lost2", None, 0.95)
    flips = find_flips(tests, champion, challenger)
    assert [(f.text, f.champion, f.challenger, f.regression) for f in flips] == [
        ("lost2", "a", None, True),
        ("lost", "a", "b", True),
        ("won", "b", "a", False),
    ]
    assert (flips[0].champion_confidence, flips[0].challenger_confidence) == (0.9, 0.95)


def test_flips_are_what_users_notice():
    """A fallback in the place of the right answer is a regression, whatever the classifier said."""
    tests = TestSet((example("one", "a"),))
    fallback = {"one": Prediction("one", "a", 0.3, "nlu_fallback", 0.7)}
    flips = find_flips(tests, answers(one="a"), fallback)
    assert [(f.champion, f.challenger, f.regression) for f in flips] == [
        ("a", "nlu_fallback", True)
    ]


def test_a_comparison_holds_the_paired_answers():
    """Wins and losses as served and as classified, for entities and responses each on its own."""
    order = Entity("order", "A-1", 0, 3)
    tests = TestSet(
        (Example("A-1", "a", entities=(order,)), Example("two", "faq", response="faq/two"))
    )
    before = answers(two="faq") | {
        "A-1": Prediction("A-1", "a", 0.3, "nlu_fallback", 0.7, entities=(order,))
    }
    after = {
        "A-1": Prediction("A-1", "a", 0.9, "a", 0.9, entities=(Entity("city", "A", 0, 1),)),
        "two": Prediction("two", "faq", 0.9, "faq", 0.9, response="faq/two"),
    }
    made = compare(
        tests,
        challenger=report("new", tests, after, knows=["a", "faq"]),
        after=after,
        champion=report("old", tests, before, knows=["a"]),
        before=before,
        intents={"a", "faq", "rare"},
    )
    assert made.served is not None
    assert made.classified is not None
    assert made.served.totals == PairedCounts(2, wins=1, losses=0)
    assert made.classified.totals == PairedCounts(2, wins=0, losses=0)
    assert made.entities == {"city": PairedCounts(1, 0, 1), "order": PairedCounts(1, 0, 1)}
    assert made.extractions == PairedCounts(1, wins=0, losses=1)
    assert made.responses == PairedCounts(1, wins=1, losses=0)
    assert made.known_to_both == {"a"}
    assert made.unmeasured == ("rare",)
    assert made.challenger.entities == {
        "city": EntityFigures(0, 0, 0, 0),
        "order": EntityFigures(0, 0, 0, 1),
    }
    assert made.champion is not None
    assert made.champion.entities == {"order": EntityFigures(1, 1, 1, 1)}


def must(minimum: float = 0.0, *entities: Entity) -> MustPass:
    """The must-pass utterance of these tests."""
    return MustPass(Example(TEXT, "track", entities=entities), minimum)


def answer(
    served: str | None = "track", confidence: float = 0.9, entities: tuple[Entity, ...] = ()
) -> Prediction:
    """A model's answer to it."""
    return Prediction(TEXT, "track", 0.9, served, confidence, entities=entities)


def test_the_served_intent_has_to_be_right():
    """A must-pass utterance that ends in the fallback fails, though the classifier was right."""
    assert assess_must_pass(must(), answer()).problem is None
    failed = assess_must_pass(must(), answer("nlu_fallback"))
    assert failed.problem == "understood as nlu_fallback instead of track"
    nothing = assess_must_pass(must(), answer(None))
    assert nothing.problem == "understood as nothing instead of track"


@pytest.mark.parametrize("confidence", [0.799, math.nan])
def test_confidence_below_the_minimum_fails(confidence):
    """The minimum confidence is a floor, and no confidence at all is below it."""
    assert assess_must_pass(must(0.8), answer(confidence=0.8)).problem is None
    problem = assess_must_pass(must(0.8), answer(confidence=confidence)).problem
    assert problem == f"confidence {confidence:.3f} is below 0.800"


def test_every_annotated_entity_has_to_be_found():
    """Type, span, value, role and group of each annotated entity count; others may be found too."""
    extra = Entity("city", "Bonn", 0, 4)
    assert assess_must_pass(must(0, ORDER), answer(entities=(extra, ORDER))).problem is None
    for other in (
        Entity("city", "A-1234", 9, 15),
        Entity("order_number", "A-1234", 8, 15),
        Entity("order_number", "a-1234", 9, 15),
        Entity("order_number", "A-1234", 9, 15, role="old"),
        Entity("order_number", "A-1234", 9, 15, group="1"),
    ):
        problem = assess_must_pass(must(0, ORDER), answer(entities=(other,))).problem
        assert problem == "entity not found: order_number='A-1234' at 'A-1234'"


def test_a_missing_entity_is_described_with_role_and_group():
    """The message tells two entities of one type apart."""
    wanted = Entity("city", "Bonn", 0, 5, role="from", group="2")
    problem = assess_must_pass(must(0, wanted), answer()).problem
    assert problem == "entity not found: city='Bonn' at 'where', role from, group 2"


@pytest.mark.parametrize("served", ["nlu_fallback", None])
def test_an_utterance_may_have_to_be_refused(served):
    """Under the intent `nlu_fallback` the fallback is right, and so is none, however unsure."""
    refused = MustPass(Example(TEXT, "nlu_fallback"), 0.8)
    assert assess_must_pass(refused, answer(served, 0.1)).problem is None
    assert assess_must_pass(refused, answer(served, math.nan)).problem is None


def test_an_utterance_that_was_to_be_refused_says_what_it_was_taken_for():
    """The message says what the model understood, and that it should not have."""
    refused = MustPass(Example(TEXT, "nlu_fallback"))
    result = assess_must_pass(refused, answer("track", 0.912))
    assert result.problem == "understood as track (0.912), it must not be understood"
    assert (result.expected, result.answered) == ("nlu_fallback", "track")


def test_all_extractions_of_an_utterance_count_together():
    """One type found and another one missed is not right; nothing annotated and nothing found is none."""
    city = Entity("city", "Bonn", 3, 7)
    both = Example("to Bonn A-1", "a", entities=(city, Entity("order", "A-1", 8, 11)))
    tests = TestSet((both, example("hi", "a"), example("Bonn", "a")))

    def said(*found, spurious=()):
        return answers(hi="a") | {
            "to Bonn A-1": Prediction("to Bonn A-1", "a", 0.9, "a", 0.9, entities=found),
            "Bonn": Prediction("Bonn", "a", 0.9, "a", 0.9, entities=spurious),
        }

    before, after = said(city, spurious=(city,)), said(*both.entities)
    made = compare(
        tests,
        challenger=report("new", tests, after),
        after=after,
        champion=report("old", tests, before),
        before=before,
    )
    assert made.extractions == PairedCounts(2, wins=2, losses=0)


def test_the_response_of_a_retrieval_intent_has_to_be_right():
    """For a retrieval intent the right group with the wrong answer fails."""
    asked = MustPass(Example("open?", "faq", response="faq/open"))

    def said(response):
        return Prediction("open?", "faq", 0.9, "faq", 0.9, response=response)

    assert assess_must_pass(asked, said("faq/open")).problem is None
    assert assess_must_pass(asked, said("faq/pay")).problem == (
        "answered with faq/pay instead of faq/open"
    )
    assert assess_must_pass(asked, said(None)).problem == (
        "answered with no response instead of faq/open"
    )
    assert assess_must_pass(asked, said("faq/open")).expected == "faq/open"
