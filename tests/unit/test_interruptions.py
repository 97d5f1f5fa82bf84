"""A cycle cut off anywhere: it goes on, or it is undone, and the champion is never in doubt."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.worlds import Laboratory, utterances

from retrainer.domain.cycle import PromotionReason, Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import (
    CycleRunning,
    DatabaseError,
    LeaseLost,
    PlatformError,
    StorageError,
)
from retrainer.pipeline import by_hand, records
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
    """One that was paused for longer than its lease stops before it undoes what others did."""

    def paused(cycle, state, world):
        served.clock.advance(timedelta(minutes=5))
        other = served.run(owner="host/boot/ns/2/2")
        assert other.state.confirmed
        served.platform.champion = served.champion  # and then somebody went back
        return promote.act(cycle, state, world)

    promote = next(step for step in CYCLE if step.name == "promote")
    steps = [replace(s, act=paused) if s.name == "promote" else s for s in CYCLE]
    with pytest.raises(LeaseLost):
        served.run(steps=steps)
    assert len(served.store.promotions("shop")) == 2
    assert served.platform.champion == served.champion


def test_a_persons_choice_is_not_undone_by_a_resumed_cycle(served):
    """Cut off after it promoted, then a person went back: the cycle asks instead of insisting."""
    interrupt(served, "promote", "after")
    by_hand.promote(served.world().desk, served.champion, actor="ada", note="the old one, please")
    report = served.run()
    assert report.state.verdict.outcome is Outcome.HOLD
    assert "ada made" in report.state.verdict.reason
    assert served.platform.champion == served.champion


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("name", ["train", "decide"])
def test_a_dry_run_and_a_real_one_do_not_take_each_other_up(served, name, dry):
    """A dry run that promotes, or a night without its cycle, is not what was asked for."""
    with pytest.raises(PowerCut):
        served.run(steps=cut(name, "after"), dry_run=not dry)
    served.clock.advance(timedelta(minutes=2))
    report = served.run(dry_run=dry)
    assert (report.cycle.number, report.cycle.dry_run) == (3, dry)
    assert report.cycle.status is Status.COMPLETED
    expected = served.champion if dry else report.cycle.challenger
    assert served.platform.champion == expected
    names = {m.name for m in served.platform.models()}
    assert names == {served.champion, expected}


def test_a_dry_run_does_not_finish_a_promotion(served):
    """Users may have the challenger already: that is finished first, by a real run."""
    interrupt(served, "promote", "after")
    with pytest.raises(PlatformError, match="a dry run cannot finish that"):
        served.run(dry_run=True)
    served.clock.advance(timedelta(minutes=2))
    assert served.run().state.confirmed


def test_a_database_that_fails_for_a_moment_fails_no_cycle(served):
    """What could not be recorded is taken up again, and the ledger has it in the end."""
    store = served.store

    class Flaky:
        """Refuses to record that `promote` is done, once."""

        def __getattr__(self, attribute):
            return getattr(store, attribute)

        def step_done(self, lease, step, *arguments):
            if step == "promote" and served.store is self:
                served.store = store
                raise DatabaseError("database is locked")
            store.step_done(lease, step, *arguments)

    served.store = Flaky()
    with pytest.raises(DatabaseError):
        served.run()
    served.clock.advance(timedelta(minutes=2))
    report = served.run()
    assert report.state.confirmed
    reasons = [row.reason for row in store.promotions("shop")]
    assert reasons == [PromotionReason.GATE, PromotionReason.GATE]


def test_a_promotion_that_failed_after_it_worked_is_confirmed(served):
    """An error on the way back from a change that was made does not leave it off the ledger."""

    def failing(cycle, state, world):
        activate = world.platform.activate

        class Late:
            def __getattr__(self, attribute):
                return getattr(world.platform, attribute)

            def activate(self, name, *, expected):
                activate(name, expected=expected)
                raise StorageError("no space left")

        return promote.act(cycle, state, replace(world, platform=Late()))

    promote = next(step for step in CYCLE if step.name == "promote")
    steps = [replace(s, act=failing) if s.name == "promote" else s for s in CYCLE]
    report = served.run(steps=steps)
    assert report.state.confirmed
    assert served.store.promotions("shop")[0].model == report.cycle.challenger


def test_a_challenger_that_a_person_promoted_survives_its_failing_cycle(served):
    """The undo of a cycle never takes away what serves."""

    def by_a_person(cycle, state, world):  # noqa: ARG001 - a step's signature
        by_hand.promote(served.world().desk, cycle.challenger, actor="ada", note="hurry")
        raise StorageError("no space left")

    steps = [replace(s, act=by_a_person) if s.name == "evaluate" else s for s in CYCLE]
    report = served.run(steps=steps)
    assert report.cycle.status is Status.FAILED
    assert served.platform.champion == report.cycle.challenger
    assert records.read_manifest(served.artifacts, report.cycle.challenger)
    served.write(utterances(61))
    assert served.run().cycle.status is Status.COMPLETED


def test_a_cycle_cut_off_while_it_is_undone_is_undone_to_the_end(served):
    """A failure that is recorded is not tried again: what it started is taken back, then it ends."""

    def fail(cycle, state, world):  # noqa: ARG001 - a step's signature
        raise PlatformError("the platform is away")

    def cut_off(cycle, world):  # noqa: ARG001 - as above
        raise PowerCut

    changes = {"evaluate": {"act": fail}, "upload": {"undo": cut_off}}
    steps = [replace(s, **changes.get(s.name, {})) for s in CYCLE]
    with pytest.raises(PowerCut):
        served.run(steps=steps)
    served.clock.advance(timedelta(minutes=2))
    served.rasa.calls.clear()
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "evaluate")
    assert report.error == "the platform is away"
    assert served.rasa.calls == ["closed"]
    assert [m.name for m in served.platform.models()] == [served.champion]
