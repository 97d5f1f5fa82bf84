"""Runs one cycle: a fold of the steps over a State, each result a row before the next begins."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from retrainer.domain.cycle import Status, Trigger
from retrainer.errors import (
    CycleInterrupted,
    CyclePostponed,
    DatabaseError,
    LeaseLost,
    ModelConflict,
    NoThreadLeft,
    OutcomeUnknown,
    PlatformError,
    RetrainerError,
)
from retrainer.pipeline.conclusion import event
from retrainer.pipeline.heartbeat import LEASE, Heartbeat
from retrainer.pipeline.retention import sweep
from retrainer.pipeline.steps import CYCLE, POINT_OF_NO_RETURN, Step, remove_working_folder
from retrainer.pipeline.world import World
from retrainer.ports import CycleReport, Lease

#: A step that was interrupted as often is not tried again: the cycle is undone.
MAXIMUM_ATTEMPTS = 3
#: An interrupted cycle older than this is undone: its data is no longer fresh.
MAXIMUM_AGE = timedelta(days=1)
#: Nothing can, or shall, be recorded now; whoever is next takes the cycle up from here.
_LEFT_AS_IT_IS = (
    *(LeaseLost, DatabaseError, OutcomeUnknown),
    *(CyclePostponed, CycleInterrupted, NoThreadLeft),
)


def run_cycle(
    world: World,
    *,
    owner: str,
    trigger: Trigger | None = Trigger.MANUAL,
    dry_run: bool = False,
    force: bool = False,
    steps: Sequence[Step] = CYCLE,
    lease: timedelta = LEASE,
) -> CycleReport:
    """Run the assistant's next cycle, or the interrupted one to its end.

    A step that fails ends the cycle as FAILED, with what it started undone and the champion
    untouched; the report says so, nothing is raised for it. What cannot be undone, because the
    platform is away, is left to the retention. With `trigger` None a cycle is run only if one is
    asked for on the agenda, or was interrupted.

    Raises:
        NothingToDo: `trigger` is None, and there is none.
        CyclePostponed: it waits for the hours in which the champion may change.
        CycleInterrupted: `world.stopping` says so; the cycle goes on at the next run.
        CycleRunning: another process is running a cycle of this assistant.
        LeaseLost: another process took the cycle over.
        DatabaseError: the cycle could not be recorded; it goes on at the next run.
        OutcomeUnknown: the platform went away while it promoted; the cycle goes on at the next run.
        NoThreadLeft: the machine is at its limit; the cycle goes on at the next run.
    """
    with world.rasa:
        while True:
            held = world.store.begin(
                world.assistant.name,
                trigger,
                owner=owner,
                lease=lease,
                dry_run=dry_run,
                force=force,
            )
            run = _Run(world, held, steps, lease)
            if held.cycle.dry_run == dry_run:
                report = run.run()
                break
            run.make_way(dry_run=dry_run)
    world.listener.ended(report)
    return report


class _Run:
    def __init__(
        self, world: World, lease: Lease, steps: Sequence[Step], length: timedelta
    ) -> None:
        self._world = replace(world, fence=lambda: world.store.renew(lease, length))
        self._lease, self._length = lease, length
        self._steps = steps
        self._cycle = lease.cycle
        journal = world.store.load(lease.cycle)
        self._state = journal.state
        self._done, self._attempts = set(journal.done), dict(journal.attempts)
        self._failure = journal.failure

    def run(self) -> CycleReport:
        names = [step.name for step in self._steps]
        self._world.listener.begun(
            self._cycle, names, [name for name in names if name in self._done]
        )
        if self._failure is not None:  # cut off while it was undone
            step_name, error = self._failure
            return self._undone(Status.FAILED, error, step=step_name)
        if problem := self._too_late():
            return self._undone(Status.ABANDONED, problem, tip="`retrainer run-once` starts afresh")
        for step in self._steps:
            if self._state.same_as is not None:
                return self._finish(Status.SKIPPED)
            if step.name in self._done:
                continue
            try:
                self._try(step)
            except RetrainerError as error:
                if isinstance(error, _LEFT_AS_IT_IS):
                    raise
                self._world.store.step_failed(self._lease, step.name, str(error))
                if isinstance(error, ModelConflict):  # what has that name is not ours to take back
                    del self._attempts[step.name]
                return self._undone(Status.FAILED, str(error), error.tip, step.name)
        if self._cycle.dry_run:
            self._undo()
        return self._finish(Status.COMPLETED)

    def _try(self, step: Step) -> None:
        """Perform it, unless the process wants to end or the hour for it has not come."""
        try:
            if self._world.stopping():
                raise self._released(step.name)
            self._perform(step)
        except CyclePostponed as error:
            self._world.store.release(self._lease, step.name, resume_at=error.until)
            raise
        except RetrainerError as error:
            if self._world.stopping() and not isinstance(error, _LEFT_AS_IT_IS):
                raise self._released(step.name) from error  # it was cut off on purpose
            raise

    def _released(self, step: str) -> CycleInterrupted:
        self._world.store.release(self._lease, step)
        return CycleInterrupted(
            f"cycle {self._cycle.number} of {self._cycle.assistant} was stopped at {step}"
        )

    def make_way(self, *, dry_run: bool) -> None:
        """End an interrupted cycle of the other kind: a dry run must not go on as a real one.

        Raises:
            PlatformError: it was interrupted while it promoted, and has to be finished first.
        """
        if self._may_serve:
            raise PlatformError(
                f"cycle {self._cycle.number} was interrupted while it promoted "
                f"{self._cycle.challenger}, and a dry run cannot finish that",
                tip=f"run `retrainer run-once --assistant {self._cycle.assistant}` first",
            )
        asked = "a dry run" if dry_run else "a cycle that is no dry run"
        self._undone(Status.ABANDONED, f"it was interrupted, and then {asked} was asked for")

    def _perform(self, step: Step) -> None:
        world, before = self._world, self._state
        self._attempts.setdefault(step.name, 1)
        world.store.step_started(self._lease, step.name)
        world.listener.step(step.name)
        with self._heartbeat():
            after = step.act(self._cycle, before, world)
        world.store.step_done(
            self._lease, step.name, before, after, step.promotion(self._cycle, after, world)
        )
        self._state = after

    def _heartbeat(self) -> Heartbeat:
        # Whoever took the cycle over trains too, and would have this training's files under its feet.
        lost = self._world.rasa.cancel
        return Heartbeat(self._world.store, self._lease, length=self._length, lost=lost)

    @property
    def _may_serve(self) -> bool:
        """Whether users may have the challenger already: from here on it only goes forward.

        A promotion that waits for its hour counts too, however long it waits.
        """
        return POINT_OF_NO_RETURN in self._attempts and not self._cycle.dry_run

    def _too_late(self) -> str | None:
        if self._may_serve:
            return None
        for name, attempts in self._attempts.items():
            if name not in self._done and attempts >= MAXIMUM_ATTEMPTS:
                return f"step {name} was interrupted {attempts} times, it is not tried again"
        age = self._world.clock.now() - self._cycle.started_at
        if age > MAXIMUM_AGE:
            return f"interrupted, and {_hours(age)} old; at most {_hours(MAXIMUM_AGE)} are allowed"
        return None

    def _undone(
        self, status: Status, error: str, tip: str | None = None, step: str | None = None
    ) -> CycleReport:
        if not self._may_serve:
            self._undo()
        return self._finish(status, error, tip, step)

    def _undo(self) -> None:
        """Take back what was started, as far as it goes: a platform may be away by now.

        Where one step is not taken back, those before it are not either: a model that is still
        there needs the record of what it was trained on.
        """
        started = [step for step in reversed(self._steps) if step.name in self._attempts]
        with self._heartbeat():
            for step in started:
                try:
                    step.undo(self._cycle, self._world)
                except (LeaseLost, DatabaseError):
                    raise
                except RetrainerError as error:
                    self._world.listener.warn(f"{step.name} was not taken back: {error}")
                    return

    def _finish(
        self,
        status: Status,
        error: str | None = None,
        tip: str | None = None,
        failed_step: str | None = None,
    ) -> CycleReport:
        with self._heartbeat():
            remove_working_folder(self._cycle, self._world)
            if status is not Status.SKIPPED:
                sweep(self._world, self._state)
        ending = event(status, self._cycle, self._state)
        return self._world.store.finish(
            self._lease,
            status,
            notifiers=[n for n, wanted in self._world.notifiers.items() if ending in wanted],
            error=error,
            tip=tip,
            failed_step=failed_step,
        )


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:.0f} h"
