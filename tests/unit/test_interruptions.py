"""A cycle cut off anywhere: it goes on, or it is undone, and the champion is never in doubt."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.worlds import Laboratory, utterances

from retrainer.domain.cycle import Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import CycleRunning, LeaseLost
from retrainer.pipeline.runner import MAXIMUM_AGE, MAXIMUM_ATTEMPTS
from retrainer.pipeline.steps import CYCLE

STEPS = [step.name for step in CYCLE]


class PowerCut(BaseException):
    """The process ends here: nothing of retrainer may catch this."""


def cut(name, when):
    """The steps of a cycle whose step `name` is cut off `before` or `after` it acted."""

    def act(step):
        def interrupted(cycle, state, world):
            if when == "after":
                step.act(cycle, state, world)
            raise PowerCut

        return interrupted

    return [replace(s, act=act(s)) if s.name == name else s for s in CYCLE]


@pytest.fixture
def served(tmp_path):
    """A champion serves, and better data has arrived."""
    lab = Laboratory(tmp_path)
    lab.champion = lab.run().cycle.challenger
    lab.write(utterances(60))
    lab.rasa.calls.clear()
    return lab


def interrupt(lab, name, when, times=1):
    for _ in range(times):
        with pytest.raises(PowerCut):
            lab.run(steps=cut(name, when))
        lab.clock.advance(timedelta(minutes=2))  # the lease runs out


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", STEPS)
def test_a_cycle_goes_on_where_it_was_cut_off(served, name, when):
    """One training, one promotion, one cycle, whichever step is cut off and wherever in it."""
    interrupt(served, name, when)
    report = served.run()
    assert (report.cycle.number, report.cycle.resumed) == (2, 1)
    assert report.cycle.status is Status.COMPLETED
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert report.state.confirmed
    assert served.rasa.calls.count("train") == 1
    assert served.platform.changes == [served.champion, report.cycle.challenger]
    assert [p.model for p in served.store.promotions("shop")] == [
        report.cycle.challenger,
        served.champion,
    ]
    assert served.run().cycle.status is Status.SKIPPED


def test_a_resumed_cycle_does_not_repeat_done_steps(served):
    """What is recorded as done is not done again."""
    interrupt(served, "evaluate", "before")
    served.listener.steps.clear()
    served.run()
    assert served.listener.done == tuple(STEPS[: STEPS.index("evaluate")])
    assert served.listener.steps == STEPS[STEPS.index("evaluate") :]


def test_a_cycle_that_is_cut_off_in_every_step_still_arrives(served):
    """Interruptions between which there is progress are no reason to give up."""
    for name in STEPS:
        interrupt(served, name, "after", times=2)
    report = served.run()
    assert report.cycle.resumed == 2 * len(STEPS)
    assert report.cycle.status is Status.COMPLETED
    assert served.rasa.calls.count("train") == 1
    assert served.platform.champion == report.cycle.challenger


@pytest.mark.parametrize("name", STEPS[: STEPS.index("promote")])
def test_a_crash_looping_cycle_is_undone(served, name):
    """A step that is cut off again and again is given up, with all that was started."""
    interrupt(served, name, "after", times=MAXIMUM_ATTEMPTS)
    report = served.run()
    assert report.cycle.status is Status.ABANDONED
    assert f"step {name} was interrupted {MAXIMUM_ATTEMPTS} times" in report.error
    assert served.platform.champion == served.champion
    assert [m.name for m in served.platform.models()] == [served.champion]
    assert not (served.folder / "cycles" / report.cycle.challenger).exists()
    assert served.run().state.verdict.outcome is Outcome.PROMOTE


@pytest.mark.parametrize("name", ["promote", "confirm"])
def test_past_the_point_of_no_return_a_cycle_only_goes_forward(served, name):
    """Users may have the challenger already; giving up then would leave it unconfirmed."""
    interrupt(served, name, "after", times=MAXIMUM_ATTEMPTS + 2)
    report = served.run()
    assert report.cycle.status is Status.COMPLETED
    assert served.platform.champion == report.cycle.challenger


def test_an_old_cycle_is_undone(served):
    """Data that waited for a day is not what the next model should be trained on."""
    interrupt(served, "train", "after")
    served.clock.advance(MAXIMUM_AGE)
    report = served.run()
    assert report.cycle.status is Status.ABANDONED
    assert "24 h old; at most 24 h are allowed" in report.error
    assert served.platform.champion == served.champion


def test_a_second_process_does_not_start_a_second_cycle(served):
    """While the lease is held, everybody else is told to wait."""

    def meanwhile(cycle, state, world):
        with pytest.raises(CycleRunning, match="cycle 2 of shop is running"):
            served.run(owner="host/boot/ns/2/2", wait=timedelta(0))
        return CYCLE[0].act(cycle, state, world)

    report = served.run(steps=[replace(CYCLE[0], act=meanwhile), *CYCLE[1:]])
    assert report.cycle.status is Status.COMPLETED


def test_a_process_that_lost_its_lease_cannot_promote(served):
    """One that was paused for longer than its lease finds the cycle taken, and stops."""

    def paused(cycle, state, world):
        served.clock.advance(timedelta(minutes=5))
        other = served.run(owner="host/boot/ns/2/2")
        assert other.state.confirmed
        return promote.act(cycle, state, world)

    promote = next(step for step in CYCLE if step.name == "promote")
    steps = [replace(s, act=paused) if s.name == "promote" else s for s in CYCLE]
    with pytest.raises(LeaseLost):
        served.run(steps=steps)
    assert len(served.store.promotions("shop")) == 2
    assert len(served.platform.changes) == 2
