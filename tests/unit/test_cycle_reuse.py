"""The uses of the holdout in whole cycles on fakes: what is counted, and since when it chose."""

import pytest
from support.worlds import POLICY, Laboratory, utterances

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules import Floor, HoldoutReuse
from retrainer.domain.selection import choosing_half
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.errors import PlatformError
from retrainer.pipeline import by_hand, records
from retrainer.pipeline.data_steps import divide
from retrainer.ports import CycleReport
from retrainer.testing.rasa import find_project


@pytest.fixture
def served(tmp_path):
    """A laboratory whose first model serves, and that has a holdout of some size."""
    lab = Laboratory(tmp_path)
    lab.holdout = 0.4
    lab.champion = lab.run().cycle.challenger
    lab.write(utterances(60))
    return lab


def reuse_of(report: CycleReport):
    """What the cycle knew of earlier uses."""
    evaluation: Evaluation = report.state.evaluation
    return evaluation.reuse


def test_each_cycle_counts_once_and_a_worn_out_holdout_is_held(served):
    """A dry run asks too; from then on a policy that otherwise promotes waits for a person."""
    items = served.run(dry_run=True).state.evaluation.challenger.examples
    assert reuse_of(served.run(dry_run=True, force=True)).uses == {1: items}
    worn = NamedRule("reuse", HoldoutReuse(budget=2))
    served.policy = Policy("worn", (*POLICY.rules, worn))
    held = served.run(force=True)
    assert reuse_of(held).uses == {2: items}
    assert held.state.verdict.outcome is Outcome.HOLD
    assert [check.rule for check in held.state.verdict.stopping] == ["reuse"]
    served.policy = POLICY
    assert served.run(force=True).state.verdict.outcome is Outcome.PROMOTE


def test_what_chose_among_several_is_no_fresh_utterance(served):
    """Whoever won was lucky on that half as well, should it ever test a model later."""
    served.seeds = (1, 2)
    report = served.run(dry_run=True)
    assert report.state.evaluation.left_out.selection > 0
    uses = records.read_uses(served.artifacts)
    contents = served.rasa.read_project(find_project(served.project))
    held_out = divide(contents.examples, served.world().assistant).held_out
    half = choosing_half(held_out)
    assert len(half) == report.state.evaluation.left_out.selection
    served.seeds = ()
    after = reuse_of(served.run(dry_run=True, force=True))
    assert after.uses == {1: after.items}
    assert after.items == len(held_out) == len(uses.items)


def test_a_champion_that_was_brought_back_was_chosen_long_ago(served):
    """Neither by the utterances that came since, nor by the cycle whose challenger did not serve."""
    champion = served.run().cycle.challenger
    assert served.platform.champion == champion
    chosen_by = reuse_of(served.run(dry_run=True, force=True)).chosen_by
    assert chosen_by.items > 0
    served.write(utterances(90))
    grown = reuse_of(served.run(dry_run=True))
    assert (grown.chosen_by, grown.later.items > 0) == (chosen_by, True)
    served.policy = Policy("any", (NamedRule("floor", Floor("accuracy", 0.1)),))
    served.platform.failures["confirm"] = PlatformError("it does not answer")
    failed = served.run(force=True)
    served.platform.failures.clear()
    assert failed.failed_step == "confirm"
    assert served.platform.champion == champion
    again = reuse_of(served.run(dry_run=True, force=True))
    assert (again.chosen_by, again.later) == (grown.chosen_by, grown.later)


def test_a_champion_that_a_person_brought_back_was_chosen_by_its_own_cycle(served):
    """The utterances that its successor was tested with came later."""
    champion = served.run().cycle.challenger
    chosen_by = reuse_of(served.run(dry_run=True, force=True)).chosen_by
    served.write(utterances(90))
    served.policy = Policy("any", (NamedRule("floor", Floor("accuracy", 0.1)),))
    assert served.run().state.promoted is not None
    by_hand.rollback(served.world().desk, actor="eve", note="calmer")
    assert served.platform.champion == champion
    found = reuse_of(served.run(dry_run=True, force=True))
    assert (found.chosen_by, found.later.items > 0) == (chosen_by, True)


def test_a_champion_from_outside_was_chosen_by_no_utterance(served):
    """Nobody knows what it was chosen by, so nothing is told apart."""
    held = NamedRule("reuse", HoldoutReuse(budget=1))
    served.run(dry_run=True)
    served.policy = Policy("worn", (*POLICY.rules, held))
    challenger = served.run(force=True).cycle.challenger
    served.platform.champion = challenger
    found = reuse_of(served.run(dry_run=True, force=True))
    assert (found.chosen_by.items, found.later.items) == (0, 0)
    assert found.items > 0


def test_a_damaged_record_is_said_to_be_one(served):
    """Counting begins anew, and nobody is left to believe that nothing was used yet."""
    served.run()
    served.artifacts.write("holdout/uses.json", b"{")
    served.write(utterances(90))
    after = reuse_of(served.run(dry_run=True))
    assert set(after.uses) == {0}
    assert any("is not recorded (any more)" in said for said in served.listener.warnings)
