"""The reuse of the holdout: counted once a cycle, warned of, then held."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from support.evaluations import policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.reuse import Accuracy, Reuse, Uses, reuse
from retrainer.domain.rules import Floor, HoldoutReuse
from retrainer.domain.verdict import Outcome, decide

NIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def evaluation(uses: dict[int, int], **parts: Accuracy) -> Evaluation:
    """An evaluation on utterances that were used so often."""
    accurate = {"metrics": {"accuracy": 0.9}}
    found = Reuse(uses, **parts)
    return Evaluation(report(**accurate), report("old", **accurate), reuse=found)


@given(st.lists(st.sets(st.sampled_from("abcdef")), max_size=6), st.integers(0, 5))
def test_every_cycle_counts_once(nights, again):
    """However often a cycle is taken up again, and whatever it asks."""
    uses, expected = Uses(), dict.fromkeys("abcdef", 0)
    for number, asked in enumerate(nights):
        keys, challenger = sorted(asked), f"model-{number}"
        at = NIGHT + timedelta(days=number)
        assert uses.before(challenger, keys) == [expected[key] for key in keys]
        for _ in range(again + 1):
            uses = uses.after(challenger, keys, at)
            assert uses.before(challenger, keys) == [expected[key] for key in keys]
        for key in keys:
            expected[key] += 1
    assert {key: number for key, (_, number) in uses.items.items()} == {
        key: number for key, number in expected.items() if number
    }
    adapter = TypeAdapter(Uses)
    assert adapter.validate_json(adapter.dump_json(uses)) == uses


def test_the_champions_score_is_told_apart():
    """On what it was chosen by, and on what came later; without a choosing cycle on neither."""
    uses = Uses().after("model-1", ["a", "b"], NIGHT).after("model-2", ["a", "c"], NIGHT)
    uses = Uses("model-2", uses.items | {"c": (NIGHT + timedelta(days=1), 1)})
    right = {"a": True, "b": False, "c": True, "d": True}
    found = reuse(uses, "model-3", right, chosen_at=NIGHT + timedelta(hours=1))
    assert found.uses == {0: 1, 1: 2, 2: 1}
    assert (found.chosen_by, found.later) == (Accuracy(1, 2), Accuracy(2, 2))
    unknown = reuse(uses, "model-3", right, chosen_at=None)
    assert (unknown.uses, unknown.chosen_by.items) == (found.uses, 0)


@pytest.mark.parametrize(
    ("uses", "outcome", "word"),
    [
        ({0: 100}, Outcome.PROMOTE, "at least"),
        ({7: 100}, Outcome.PROMOTE, "at least"),
        ({8: 100}, Outcome.PROMOTE, "warning"),
        ({10: 75, 0: 25}, Outcome.PROMOTE, "at least"),
        ({10: 76, 0: 24}, Outcome.HOLD, "add new examples"),
        ({1000: 100}, Outcome.HOLD, "fewer than the 25% asked for"),
    ],
)
def test_it_alone_holds_what_otherwise_is_promoted(uses, outcome, word):
    """First a warning, then HOLD, unless enough came new; it never promotes by itself."""
    rule, other = HoldoutReuse(budget=10), Floor("accuracy", 0.5)
    judged = evaluation(uses)
    assert decide(judged, policy(other)).outcome is Outcome.PROMOTE
    assert decide(judged, policy(other, rule)).outcome is outcome
    assert word in rule.assess(judged).sentence
    assert decide(judged, policy(rule)).outcome is Outcome.HOLD


def test_the_sentence_and_the_optimism():
    """Counts, limits, and by how much the champion looks too good, with its error."""
    judged = evaluation({3: 60, 0: 40}, chosen_by=Accuracy(57, 60), later=Accuracy(34, 40))
    check = HoldoutReuse(budget=3, fresh=0.5).assess(judged)
    assert check.sentence == (
        "40 of 100 utterances were used in fewer than 3 cycles before this one (the most used in "
        "3), fewer than the 50% asked for: add new examples, or take others for the holdout"
    )
    assert (check.observed, check.limit, check.guard) == (0.4, 0.5, True)
    # 57/60 - 34/40 = .1, sqrt(.95 * .05 / 60 + .85 * .15 / 40) = .0631
    assert check.details[0].endswith("optimistic by +10.00 points (standard error 6.31)")
    few = evaluation({0: 9}, chosen_by=Accuracy(57, 60), later=Accuracy(9, 9))
    assert HoldoutReuse().assess(few).details == ()


def test_nothing_recorded_does_not_apply():
    """Neither without a champion nor for cycles of before it was counted."""
    assert HoldoutReuse().assess(Evaluation(report())).outcome is None
    assert HoldoutReuse().assess(Evaluation(report(), report("old"))).outcome is None


@pytest.mark.parametrize("limits", [{"budget": 0}, {"fresh": 1.1}, {"fresh": float("nan")}])
def test_limits_that_make_no_sense_are_refused(limits):
    """At the start, with the value."""
    with pytest.raises(ValueError, match="must"):
        HoldoutReuse(**limits)
