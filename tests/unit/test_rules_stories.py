"""The rule of the test stories."""

from dataclasses import replace

import pytest
from support.evaluations import policy, report

from retrainer.domain.evaluation import Evaluation, StoryResult
from retrainer.domain.rules import Floor, PassedStories
from retrainer.domain.verdict import Outcome, decide

FILE = "tests/test_orders.yml"
WRONG = "turn 2 ('no'): utter_bye instead of utter_sorry"


def stories(verdicts):
    """Results of stories called A, B ...: `+` for one that passed, `-` for one that failed."""
    return tuple(
        StoryResult(chr(ord("A") + place), FILE, None if verdict == "+" else WRONG)
        for place, verdict in enumerate(verdicts)
    )


def models(after, before=None):
    """Otherwise perfect models, a champion if there is a `before`; "could not" is not run."""

    def one(model, verdicts):
        results = None if verdicts == "could not" else stories(verdicts)
        return replace(report(model, metrics={"accuracy": 1.0}), stories=results)

    champion = None if before is None else one("champion", before)
    return Evaluation(one("challenger", after), champion)


@pytest.mark.parametrize(
    ("after", "before", "limits", "outcome"),
    [
        ("+++", "+++", {}, Outcome.PROMOTE),
        ("++-", "+++", {}, Outcome.REJECT),
        ("+--", "---", {}, Outcome.PROMOTE),
        ("-++", "+--", {}, Outcome.REJECT),  # more pass, but not the one that did
        ("-++", "+--", {"maximum_new": 1}, Outcome.PROMOTE),
        ("--+", "+++", {"maximum_new": 1}, Outcome.REJECT),
        ("--+", "--+", {"maximum_failed": 2}, Outcome.PROMOTE),
        ("---", "---", {"maximum_failed": 2}, Outcome.REJECT),
        ("-++", "+++", {"maximum_failed": 2}, Outcome.REJECT),
        ("+--", None, {"maximum_failed": 1}, Outcome.REJECT),
        ("++-", None, {"maximum_failed": 1}, Outcome.PROMOTE),
        ("could not", "+++", {}, Outcome.HOLD),
        ("could not", None, {"maximum_failed": 3}, Outcome.HOLD),
        ("could not", "could not", {}, Outcome.HOLD),
        ("+++", "could not", {}, Outcome.HOLD),
        ("---", "could not", {"maximum_failed": 2}, Outcome.REJECT),
        ("+++", "++", {}, Outcome.HOLD),
        ("", "++", {}, Outcome.HOLD),
        ("++", "", {}, Outcome.HOLD),
    ],
)
def test_stories_alone_decide(after, before, limits, outcome):
    """A model that is good otherwise goes only as far as its stories do."""
    other = Floor("accuracy", 0.5)
    evaluation = models(after, before)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, PassedStories(**limits))).outcome is outcome


@pytest.mark.parametrize(
    ("after", "before", "limits", "sentence", "numbers"),
    [
        (
            *("-+-", "++-", {}),
            (
                "1 of 3 test stories failed that the champion passes, more than the 0 allowed; "
                "2 failed in all, 1 of the champion's"
            ),
            (1, 0),
        ),
        (
            *("+--", "+--", {"maximum_failed": 1}),
            "2 of 3 test stories failed, more than the 1 allowed",
            (2, 1),
        ),
        (
            *("+-", None, {"maximum_failed": 1}),
            "1 of 2 test stories failed, within the 1 allowed",
            (1, 1),
        ),
        (
            *("+-", None, {}),
            (
                "no champion whose test stories could be compared, at most 0 may begin to fail "
                "from the second model on"
            ),
            (None, 0),
        ),
        (
            *("++", "could not", {}),
            "the test stories could not be run for champion, at most 0 may have begun to fail",
            (None, 0),
        ),
        (
            *("++", "+", {}),
            (
                "the test stories are not those that champion was tested with, "
                "at most 0 may have begun to fail"
            ),
            (None, 0),
        ),
        (
            "",
            "",
            {},
            "0 test stories are configured, at least 1 is needed to judge by them",
            (0, 1),
        ),
    ],
)
def test_the_sentence_has_the_numbers(after, before, limits, sentence, numbers):
    """What was observed and what is allowed stand in words and in the check."""
    check = PassedStories(**limits).assess(models(after, before))
    assert check.sentence == sentence
    assert (check.observed, check.limit) == numbers


def test_every_failed_story_is_listed_the_new_ones_first():
    """The details name the file, what went wrong, and which stories the champion passes."""
    check = PassedStories().assess(models("+---", "+--+"))
    assert check.details == (
        f"D ({FILE}), passed by the champion: {WRONG}",
        f"B ({FILE}): {WRONG}",
        f"C ({FILE}): {WRONG}",
    )


def test_without_stories_the_rule_does_not_apply():
    """No stories prove nothing, and so does a first model that nothing limits: neither promotes."""
    for evaluation in (models(""), models("", ""), models("+++"), models("could not")):
        assert PassedStories().assess(evaluation).outcome is None
        assert decide(evaluation, policy(PassedStories())).outcome is Outcome.HOLD


@pytest.mark.parametrize("name", ["maximum_new", "maximum_failed"])
def test_senseless_limits_are_refused(name):
    """A number of stories is not negative."""
    with pytest.raises(ValueError, match=f"{name} must be 0 or more, not -1"):
        PassedStories(**{name: -1})
