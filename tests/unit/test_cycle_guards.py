"""Data, actions and cost in a whole cycle on fakes: each stops what would be promoted."""

import json
from dataclasses import replace

import pytest
from support.worlds import POLICY, Laboratory, utterances

from retrainer.domain.cycle import Finding, Severity, Status
from retrainer.domain.rules import BoundedCost, ServedActions, SoundData
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.errors import ModelNotFound, ServerError
from retrainer.pipeline import records
from retrainer.pipeline.steps import CYCLE
from retrainer.testing.actions import FakeActionServer


def guarded_by(rule, *, blocking=True):
    """The policy of these tests, and one rule more."""
    return Policy("guarded", (*POLICY.rules, NamedRule("guard", rule, blocking=blocking)))


def check_of(report):
    """What the guard said."""
    (check,) = (check for check in report.state.verdict.checks if check.rule == "guard")
    return check


@pytest.fixture
def served(tmp_path):
    """A laboratory whose first model serves, and with better data for the next one."""
    lab = Laboratory(tmp_path)
    lab.rasa.actions = ("action_pay",)
    lab.champion = lab.run().cycle.challenger
    assert lab.platform.champion == lab.champion
    lab.write(utterances(60))
    return lab


def test_half_of_the_data_is_never_trained(served):
    """A pull that lost what the champion was trained on stops before the training, and says why."""
    served.policy = guarded_by(SoundData())
    served.write(utterances(12))
    served.rasa.calls.clear()
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "validate")
    assert report.error == (
        "nothing is trained on this data: 52.00 % of the 50 examples that "
        f"{served.champion} came from are gone, 24 are there, at most 20.00 % may be gone\n"
        "cancel: 12 texts, 25 before\n"
        "track: 12 texts, 25 before"
    )
    assert "limit of the rule guard of policy guarded" in report.tip
    assert "train" not in served.rasa.calls
    assert served.platform.champion == served.champion


def test_advice_on_the_data_stops_nothing(served):
    """An advisory rule is shown with the verdict, and the training is not kept back for it."""
    served.policy = guarded_by(SoundData(), blocking=False)
    served.write(utterances(12))
    report = served.run()
    assert report.cycle.status is Status.COMPLETED
    assert check_of(report).outcome is Outcome.REJECT
    assert "guard" not in [check.rule for check in report.state.verdict.stopping]


def test_data_for_a_person_to_look_at_is_trained_and_held(served):
    """Contradicting labels hold a winner, which is promoted without the rule."""
    data = utterances(60)
    data["cancel"] += [text.upper() for text in data["track"][:3]]
    served.write(data)
    served.policy = guarded_by(SoundData())
    report = served.run(dry_run=True)
    assert report.state.verdict.outcome is Outcome.HOLD
    assert "3 of 120 texts (2.50 %) have several labels, at most 1.00 % may" in (
        report.state.verdict.reason
    )
    assert check_of(report).details[0].endswith(": cancel, track")
    served.policy = POLICY
    assert served.run().state.verdict.outcome is Outcome.PROMOTE


def test_the_data_is_part_of_the_evaluation(served):
    """What the verdict was given on is recorded: findings, what is declared, what the champion had."""
    served.rasa.findings = (Finding(Severity.WARNING, "odd"),)
    (served.project / "domain.yml").write_text('["track", "cancel", "unused"]')
    data = served.run().state.evaluation.data
    assert (data.examples, data.warnings, data.errors) == (120, 1, 0)
    assert data.unused == ("unused",)
    assert (data.champion.model, data.champion.examples) == (served.champion, 50)
    assert data.champion.intents == {"cancel": 25, "track": 25}


def test_a_champion_of_unknown_data_can_have_lost_nothing(served):
    """Without its record there is nothing to compare with; the rest is judged all the same."""
    served.artifacts.delete(f"models/{served.champion}/manifest.json")
    served.policy = guarded_by(SoundData())
    report = served.run()
    assert report.state.evaluation.data.champion is None
    assert check_of(report).outcome is Outcome.PROMOTE


def test_a_cycle_that_was_cut_off_judges_the_same_data(served):
    """What `validate` read is kept for the verdict, whatever process gives it."""
    served.policy = guarded_by(SoundData())

    def dies(*_):
        raise KeyboardInterrupt

    cut_off = [replace(s, act=dies) if s.name == "evaluate" else s for s in CYCLE]
    with pytest.raises(KeyboardInterrupt):
        served.run(steps=cut_off)
    served.rasa.calls.clear()
    report = served.run()
    assert "read_project" not in served.rasa.calls
    assert report.state.evaluation.data.champion.model == served.champion
    assert check_of(report).outcome is Outcome.PROMOTE


@pytest.mark.parametrize(
    ("texts", "refused"),
    [([0, 1, 2, None], True), ([0, 1, None, None], False), ([0], True), ([None], False)],
)
def test_a_test_that_is_training_data_is_refused(served, texts, refused):
    """More than half of a file known from training is a mistake; less is left out and counted."""
    known = utterances(60)["track"]
    rows = [
        {"text": f"new {n}" if index is None else known[index].upper(), "intent": "track"}
        for n, index in enumerate(texts)
    ]
    (served.project / "test.json").write_text(json.dumps(rows))
    served.test_data = ("test.json",)
    report = served.run()
    assert (report.cycle.status is Status.FAILED) == refused
    if refused:
        seen = sum(index is not None for index in texts)
        assert report.error == (
            "the project has 1 finding that must be mended, 0 are allowed:\n"
            f"test.json: {seen} of the {len(texts)} utterances of this test data are training "
            "data too, more than half: what a model was trained on is no test of it"
        )


def test_a_file_that_is_both_is_refused(served):
    """The training data itself as test data is refused with the number of its utterances."""
    served.test_data = ("data/nlu.json",)
    assert "data/nlu.json: 120 of the 120 utterances" in served.run().error


def test_new_actions_wait_for_the_server_that_runs_them(served):
    """A winner that asks for a new action is held until the action server lists it."""
    served.policy = guarded_by(ServedActions())
    served.rasa.actions = ("action_pay", "action_ship", "utter_greet")
    report = served.run(dry_run=True)
    assert report.state.verdict.outcome is Outcome.HOLD
    assert report.state.verdict.reason == (
        "1 of 2 custom actions are new, and 1 of these not known to be run, 0 are allowed: "
        "set `evaluation.action_server` of the assistant, so that it is asked"
    )
    served.action_server = server = FakeActionServer("action_pay")
    report = served.run(dry_run=True)
    assert "and 1 of these missing on the action server" in report.state.verdict.reason
    server.names = ("action_ship",)
    assert served.run().state.verdict.outcome is Outcome.PROMOTE


def test_a_server_that_is_away_holds_and_fails_nothing(served):
    """Whether the action is run cannot be known: the reason is in the sentence."""
    served.policy = guarded_by(ServedActions())
    served.action_server = server = FakeActionServer()
    server.failure = ServerError("nobody listens there")
    served.rasa.actions = ("action_ship",)
    report = served.run()
    assert (report.cycle.status, report.state.verdict.outcome) == (Status.COMPLETED, Outcome.HOLD)
    assert report.state.verdict.reason.endswith("nobody listens there")


def test_the_server_is_asked_about_new_actions_alone(served):
    """Where nothing is new nobody is asked, so that a server which is down holds up nothing."""
    served.policy = guarded_by(ServedActions())
    served.action_server = server = FakeActionServer()
    report = served.run()
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert server.asked == 0


def test_a_champion_without_a_record_of_its_actions_is_looked_into(served):
    """Models of earlier versions say themselves what they ask for."""
    served.policy = guarded_by(ServedActions())
    manifest = records.read_manifest(served.artifacts, served.champion)
    assert manifest.actions == ("action_pay",)
    records.write_manifest(served.artifacts, served.champion, replace(manifest, actions=None))
    report = served.run()
    assert report.state.evaluation.actions.champion == ("action_pay",)
    assert report.state.verdict.outcome is Outcome.PROMOTE


def test_a_slow_model_is_rejected(served):
    """The better model takes twice as long for each utterance, which the rule does not allow."""
    served.policy = guarded_by(BoundedCost())
    served.rasa.seconds[served.champion] = 0.005
    report = served.run()
    assert report.state.verdict.outcome is Outcome.REJECT
    assert report.state.verdict.reason == (
        "the median time of a parse went from 5 ms to 10 ms (+100.00 %), at most 50.00 % more"
    )
    cost = report.state.evaluation.challenger.cost
    assert cost.size == report.state.model.size
    assert cost.utterances == report.state.evaluation.challenger.examples


def test_nothing_is_timed_unless_a_rule_asks_for_it(served):
    """Timing takes a while and the champion's archive, so it is done only where it decides."""
    report = served.run()
    assert report.state.evaluation.challenger.cost is None
    assert "time_parses" not in served.rasa.calls


def test_an_archive_that_cannot_be_had_is_held(served):
    """All answers of the champion are known, and its archive is gone: its cost is not known."""
    served.policy = guarded_by(BoundedCost())
    served.run(dry_run=True)
    served.platform.failures["fetch"] = ModelNotFound("it is gone")
    report = served.run()
    assert report.cycle.status is Status.COMPLETED
    assert check_of(report).outcome is Outcome.HOLD
    assert any("were not measured: it is gone" in warning for warning in served.listener.warnings)


def test_a_first_model_has_a_size(tmp_path):
    """Without a champion a limit in megabytes applies all the same."""
    lab = Laboratory(tmp_path)
    lab.policy = guarded_by(BoundedCost(maximum_mb=0.0))
    report = lab.run()
    assert report.state.verdict.outcome is Outcome.REJECT
    assert "size of the archive: 0.0" in report.state.verdict.reason
