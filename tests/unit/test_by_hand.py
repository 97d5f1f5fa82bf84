"""What a person does to the champion."""

from dataclasses import replace

import pytest
from support.worlds import Laboratory, utterances

from retrainer.domain.cycle import PromotionReason
from retrainer.errors import ModelNotFound, PlatformError, PlatformNotReady, StorageError
from retrainer.pipeline import by_hand


@pytest.fixture
def lab(tmp_path):
    """Two promoted models, the second of which serves."""
    laboratory = Laboratory(tmp_path)
    laboratory.first = laboratory.run().cycle.challenger
    laboratory.write(utterances(60))
    laboratory.second = laboratory.run().cycle.challenger
    assert laboratory.platform.champion == laboratory.second
    return laboratory


def test_a_person_may_promote_any_stored_model(lab):
    """The policy is not asked; who and why are on the ledger."""
    made = by_hand.promote(lab.world().desk, lab.first, actor="ada", note="the new one is rude")
    assert lab.platform.champion == lab.first
    assert lab.store.promotions("shop")[0] == made
    assert (made.previous, made.actor, made.note, made.reason) == (
        lab.second,
        "ada",
        "the new one is rude",
        PromotionReason.PERSON,
    )


def test_an_unknown_model_is_not_promoted(lab):
    """Only what the platform has can serve."""
    with pytest.raises(ModelNotFound, match="there is no model nope"):
        by_hand.promote(lab.world().desk, "nope", actor="ada", note="")
    assert lab.platform.champion == lab.second


def test_the_champion_is_not_promoted_again(lab):
    """Nothing happens and nothing is written when there is nothing to do."""
    with pytest.raises(PlatformError, match="is the champion of shop already"):
        by_hand.promote(lab.world().desk, lab.second, actor="ada", note="")
    assert len(lab.store.promotions("shop")) == 2


def test_rollback_goes_back_to_the_predecessor_and_no_further(lab):
    """One step back leads to the model before; where there was none, nothing changes."""
    made = by_hand.rollback(lab.world().desk, actor="ada", note="oops")
    assert (made.model, made.reason) == (lab.first, PromotionReason.ROLLBACK)
    assert lab.platform.champion == lab.first
    with pytest.raises(ModelNotFound, match="has no predecessor"):
        by_hand.rollback(lab.world().desk, actor="ada", note="oops")
    assert lab.platform.champion == lab.first


def test_after_a_rollback_the_same_data_does_not_bring_the_model_back(lab):
    """Going back would be worth nothing if the next night undid it."""
    by_hand.rollback(lab.world().desk, actor="ada", note="oops")
    report = lab.run()
    assert report.state.same_as == 2
    assert lab.platform.champion == lab.first


def test_a_rollback_with_no_champion_names_the_assistant(tmp_path):
    """Before the first promotion there is nothing to go back to."""
    with pytest.raises(ModelNotFound, match="shop has no predecessor"):
        by_hand.rollback(Laboratory(tmp_path).world().desk, actor="ada", note="")


def test_a_model_promoted_by_hand_has_the_one_it_replaced_as_predecessor(lab):
    """Going back from a person's choice leads to what served before it."""
    by_hand.promote(lab.world().desk, lab.first, actor="ada", note="I like it")
    by_hand.rollback(lab.world().desk, actor="ada", note="no, I do not")
    assert lab.platform.champion == lab.second


def test_a_champion_from_outside_can_be_rolled_back(lab):
    """What the ledger did not know of is noted first; then there is a way back."""
    lab.platform.champion = lab.first
    by_hand.rollback(lab.world().desk, actor="ada", note="who did that?")
    assert lab.platform.champion == lab.second
    reasons = [row.reason for row in lab.store.promotions("shop")]
    assert reasons[:2] == [PromotionReason.ROLLBACK, PromotionReason.OUTSIDE]


def test_a_model_that_does_not_serve_is_taken_back(lab):
    """A person's promotion is confirmed as a cycle's is, undone as one is, and the rest confirmed."""
    lab.platform.unconfirmed[lab.first] = PlatformError("no answer")
    confirmations = lab.platform.calls["confirm"]
    with pytest.raises(PlatformError, match=f"{lab.second} is back: no answer"):
        by_hand.promote(lab.world().desk, lab.first, actor="ada", note="")
    assert lab.platform.champion == lab.second
    assert lab.platform.calls["confirm"] == confirmations + 2
    newest = lab.store.promotions("shop")[0]
    assert (newest.model, newest.reason) == (lab.second, PromotionReason.ROLLBACK)


def test_a_promotion_that_failed_after_it_worked_is_confirmed(lab):
    """An error on the way back from a change that was made does not leave it off the ledger."""
    platform = lab.platform

    class Late:
        def __getattr__(self, attribute):
            return getattr(platform, attribute)

        def activate(self, name, *, expected):
            platform.activate(name, expected=expected)
            raise StorageError("no space left")

    desk = replace(lab.world().desk, platform=Late())
    made = by_hand.promote(desk, lab.first, actor="ada", note="")
    assert platform.champion == lab.first
    assert lab.store.promotions("shop")[0] == made


def test_a_platform_that_is_not_ready_changes_nothing(lab):
    """A person too cannot promote onto a server that is down, unless the platform lets it pass."""
    lab.platform.failures["activate"] = PlatformNotReady("the server is down")
    with pytest.raises(PlatformNotReady, match="the server is down"):
        by_hand.promote(lab.world().desk, lab.first, actor="ada", note="")
    assert lab.platform.champion == lab.second
    assert len(lab.store.promotions("shop")) == 2
