"""What a cycle asks of its platform, and what it makes of the answers."""

from dataclasses import replace

import pytest
from support.worlds import MUST_PASS, POLICY, Laboratory, utterances

from retrainer.domain.cycle import Status
from retrainer.domain.evaluation import PlatformFigures
from retrainer.domain.rules import MustPassUtterances, PlatformGain
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.errors import ModelConflict, PlatformError, PlatformNotReady, ServerError
from retrainer.pipeline.steps import CYCLE


@pytest.fixture
def lab(tmp_path):
    return Laboratory(tmp_path)


@pytest.fixture
def served(lab):
    """A laboratory whose first model serves, with better data waiting."""
    lab.champion = lab.run().cycle.challenger
    lab.write(utterances(60))
    return lab


def with_figures(lab, champion, challenger):
    """The cycle's steps, with a platform that measures these F1 by itself."""

    def uploaded(cycle, state, world):
        after = upload.act(cycle, state, world)
        lab.platform.figures = {
            name: PlatformFigures(f1)
            for name, f1 in ((lab.champion, champion), (cycle.challenger, challenger))
        }
        return after

    (upload,) = [step for step in CYCLE if step.name == "upload"]
    return [replace(s, act=uploaded) if s is upload else s for s in CYCLE]


def test_a_platform_that_is_not_ready_costs_no_training(served):
    """What could not be stored or served is not trained for hours first."""
    trained = served.rasa.calls.count("train")
    served.platform.failures["require_ready"] = PlatformNotReady("it needs Rasa 3.7")
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "train")
    assert report.error == "it needs Rasa 3.7"
    assert served.rasa.calls.count("train") == trained
    assert served.platform.champion == served.champion


def test_a_platform_that_cannot_serve_now_waits_for_a_person(served):
    """A server that is down is no fault of the challenger: HOLD, and measured again next time."""
    served.platform.failures["activate"] = PlatformNotReady("bot-2 does not answer")
    report = served.run()
    assert report.state.verdict.outcome is Outcome.HOLD
    assert report.state.verdict.checks[-1].rule == "platform_ready"
    assert "bot-2 does not answer" in report.state.verdict.reason
    assert served.platform.champion == served.champion
    served.platform.failures.clear()
    assert served.run().state.verdict.outcome is Outcome.PROMOTE


def test_the_served_model_has_to_understand_what_it_understood(served):
    """The live servers are asked the must-pass utterances that the challenger passed, no others."""
    served.policy = Policy(
        "lenient", (*POLICY.rules[:2], NamedRule("must_pass", MustPassUtterances(0.5)))
    )
    served.write(utterances(60), {**MUST_PASS, "never trained on this": "cancel"})
    report = served.run()
    results = report.state.evaluation.challenger.must_pass
    passed = {r.text for r in results if r.problem is None}
    assert len(passed) < len(results)
    assert {m.example.text for m in served.platform.asked} == passed


def test_the_platforms_own_figures_stand_beside_ours(served):
    """What the platform measures of both models is on record."""
    report = served.run(steps=with_figures(served, 0.7, 0.8))
    evaluation = report.state.evaluation
    assert evaluation.champion.platform == PlatformFigures(0.7)
    assert evaluation.challenger.platform == PlatformFigures(0.8)


@pytest.mark.parametrize(("challenger", "outcome"), [(0.8, "promote"), (0.6, "reject")])
def test_a_policy_may_ask_for_the_platforms_gain(served, challenger, outcome):
    """The rule of 2018 can decide, whatever our figures say."""
    served.policy = Policy("2018", (NamedRule("platform", PlatformGain()),))
    report = served.run(steps=with_figures(served, 0.7, challenger))
    assert report.state.verdict.outcome == outcome


def test_a_platform_that_fails_to_measure_fails_no_cycle(served):
    """Ours are the figures that count; the missing ones are said."""
    served.platform.failures["evaluation"] = PlatformError("TestingError")
    report = served.run()
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert report.state.evaluation.challenger.platform is None
    assert any("TestingError" in sentence for sentence in served.listener.warnings)


def test_a_dry_run_asks_the_platform_for_nothing(served):
    """What was not uploaded cannot be measured there, and a dry run leaves no trace."""
    asked = served.platform.calls["evaluation"]
    served.run(dry_run=True)
    assert served.platform.calls["evaluation"] == asked


def test_half_the_data_never_trains(served):
    """A pull that lost more than allowed of what the champion was trained on stops the cycle."""
    served.maximum_loss = 0.2
    served.write(utterances(15))
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "validate")
    assert "the project holds 30 examples, 50 when" in report.error
    assert "40% are gone, at most 20% may be" in report.error
    served.write(utterances(20))
    assert served.run().cycle.status is Status.COMPLETED


class Away:
    """A platform that answers until the upload, which fails, and nothing afterwards."""

    def __init__(self, platform, error):
        self._platform, self._error, self._away = platform, error, False

    def __getattr__(self, name):
        return getattr(self._platform, name)

    def upload(self, model, archive):
        self._platform.upload(model, archive)
        self._away = True
        raise self._error

    def active(self):
        if self._away:
            raise ServerError("no answer")
        return self._platform.active()


def test_a_platform_that_stays_away_ends_the_cycle_all_the_same(served):
    """People learn the same night why it failed; what could not be taken back is said."""
    platform = served.platform
    served.platform = Away(platform, ServerError("the upload was lost", tip="look at the proxy"))
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "upload")
    assert (report.error, report.tip) == ("the upload was lost", "look at the proxy")
    assert "upload was not taken back: no answer" in served.listener.warnings
    served.platform = platform
    assert platform.active() == served.champion
    assert served.run().state.verdict.outcome is Outcome.PROMOTE


def test_what_others_stored_under_that_name_is_not_taken_back(served):
    """A conflict stored nothing of ours, so its undo deletes nothing."""
    served.platform.failures["upload"] = ModelConflict("another one has that name")
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "upload")
    assert served.platform.calls["remove"] == 0
    served.platform.failures.clear()
    assert served.run().state.verdict.outcome is Outcome.PROMOTE
