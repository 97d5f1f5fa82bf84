"""A RunStore in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from threading import RLock
from typing import Any

from retrainer.domain import delivery
from retrainer.domain.cycle import Cycle, Promotion, State, Status, Trigger
from retrainer.errors import CyclePostponed, LeaseLost, NothingToDo
from retrainer.ports import Clock, CycleReport, Journal, Lease, PendingNotification
from retrainer.store.owner import busy, is_dead


@dataclass
class _Step:
    done: bool = False
    attempts: int = 1
    error: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Record:
    cycle: Cycle
    owner: str
    lease_until: datetime
    resume_at: datetime | None = None
    steps: dict[str, _Step] = field(default_factory=dict)
    report: CycleReport | None = None

    @property
    def state(self) -> State:
        changes = [step.changes for step in self.steps.values()]
        return replace(State(), **{name: value for c in changes for name, value in c.items()})


@dataclass
class _Notification:
    number: int
    report: CycleReport
    notifier: str
    created_at: datetime
    next_attempt_at: datetime
    attempts: int = 0
    claimed_by: str = ""


class FakeRunStore:
    """Keeps the whole contract of RunStore, and forgets everything when its process ends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = RLock()
        self._records: list[_Record] = []
        self._ledger: list[Promotion] = []
        self._outbox: dict[int, _Notification] = {}  # what waits, by its number
        self._queued = 0

    def begin(
        self,
        assistant: str,
        trigger: Trigger | None,
        *,
        owner: str,
        lease: timedelta,
        dry_run: bool = False,
        force: bool = False,
    ) -> Lease:
        """Start a cycle, or take up the assistant's interrupted one."""
        with self._lock:
            now = self._clock.now()
            for record in self._records:
                if record.cycle.assistant != assistant or record.cycle.status != Status.RUNNING:
                    continue
                if record.resume_at is not None and record.resume_at > now:
                    raise CyclePostponed(
                        f"cycle {record.cycle.number} of {assistant} waits until "
                        f"{record.resume_at:%Y-%m-%d %H:%M} UTC",
                        until=record.resume_at,
                    )
                if record.owner and record.lease_until > now and not is_dead(record.owner):
                    step = next(reversed(record.steps), None)
                    raise busy(
                        record.cycle, step, owner=record.owner, until=record.lease_until, now=now
                    )
                record.cycle = replace(record.cycle, resumed=record.cycle.resumed + 1)
                record.owner, record.lease_until = owner, now + lease
                record.resume_at = None
                return Lease(record.cycle, owner)
            if trigger is None:  # nobody can ask for anything here
                raise NothingToDo(f"no cycle of {assistant} is asked for")
            number = len(self._records) + 1
            cycle = Cycle(number, assistant, trigger, now, dry_run=dry_run, force=force)
            self._records.append(_Record(cycle, owner, now + lease))
            return Lease(cycle, owner)

    def renew(self, lease: Lease, until: timedelta) -> None:
        """Keep the lease for `until` from now."""
        with self._lock:
            self._running(lease).lease_until = self._clock.now() + until

    def load(self, cycle: Cycle) -> Journal:
        """What is recorded of the cycle so far."""
        with self._lock:
            record = self._records[cycle.number - 1]
            done = tuple(name for name, step in record.steps.items() if step.done)
            attempts = {name: step.attempts for name, step in record.steps.items()}
            failures = ((n, s.error) for n, s in record.steps.items() if s.error is not None)
            return Journal(record.state, done, attempts, next(failures, None))

    def step_started(self, lease: Lease, step: str) -> None:
        """Record that a step begins; again: a further attempt at the same step."""
        with self._lock:
            steps = self._running(lease).steps
            before = steps[step].attempts if step in steps else 0
            steps[step] = _Step(attempts=before + 1)

    def step_done(
        self,
        lease: Lease,
        step: str,
        before: State,
        after: State,
        promotion: Promotion | None = None,
    ) -> None:
        """Record what the step added to the state, and the promotion that it made, together."""
        with self._lock:
            record = self._running(lease)
            changes = {
                f.name: getattr(after, f.name)
                for f in fields(State)
                if getattr(after, f.name) != getattr(before, f.name)
            }
            self._step(record, step)
            attempts = record.steps[step].attempts
            record.steps[step] = _Step(done=True, attempts=attempts, changes=changes)
            if promotion is not None:
                self.record_promotion(promotion)

    def step_failed(self, lease: Lease, step: str, error: str) -> None:
        """Record why a step failed."""
        with self._lock:
            failed = self._step(self._running(lease), step)
            failed.done, failed.error = False, error

    def release(self, lease: Lease, step: str, *, resume_at: datetime | None = None) -> None:
        """Give the cycle back in the middle of a step, to be taken up by anybody."""
        with self._lock:
            record = self._running(lease)
            record.owner, record.resume_at = "", resume_at
            started = record.steps.get(step)
            if started is not None and started.attempts > 1:
                started.attempts -= 1

    def finish(
        self,
        lease: Lease,
        status: Status,
        *,
        notifiers: Sequence[str],
        error: str | None = None,
        tip: str | None = None,
        failed_step: str | None = None,
    ) -> CycleReport:
        """End the cycle and queue its notifications; again with the same status: nothing."""
        with self._lock:
            record = self._owned(lease)
            if record.report is not None and record.cycle.status == status:
                return record.report
            record = self._running(lease)
            now = self._clock.now()
            record.cycle = replace(record.cycle, status=status)
            record.report = CycleReport(record.cycle, record.state, now, error, tip, failed_step)
            for notifier in dict.fromkeys(notifiers):
                self._queued += 1
                self._outbox[self._queued] = _Notification(
                    self._queued, record.report, notifier, now, now
                )
            return record.report

    def last_with(self, assistant: str, fingerprint: str) -> int | None:
        """Number of the assistant's newest concluded cycle, if it had these inputs.

        For a skipped one it is the number of the cycle that it was the same as.
        """
        with self._lock:
            for record in reversed(self._records):
                cycle, report = record.cycle, record.report
                if cycle.assistant != assistant or cycle.dry_run or not report:
                    continue
                not_confirmed = cycle.status is Status.FAILED and report.failed_step == "confirm"
                if cycle.status not in {Status.COMPLETED, Status.SKIPPED} and not not_confirmed:
                    continue
                same = report.state.fingerprint == fingerprint
                return (report.state.same_as or cycle.number) if same else None
        return None

    def record_promotion(self, promotion: Promotion) -> None:
        """Append to the ledger; an equal newest row (same assistant and model) is not repeated."""
        with self._lock:
            newest = self.promotions(promotion.assistant, 1)
            if not newest or newest[0].model != promotion.model:
                self._ledger.append(promotion)

    def promotions(self, assistant: str, limit: int | None = None) -> tuple[Promotion, ...]:
        """The ledger, newest first."""
        with self._lock:
            found = [p for p in reversed(self._ledger) if p.assistant == assistant]
            return tuple(found[:limit])

    def due_notifications(self) -> tuple[PendingNotification, ...]:
        """What may be tried now; what has waited for too long is given up."""
        with self._lock:
            return tuple(map(_pending, delivery.due(self._waiting(), self._clock.now())))

    def claim_notifications(
        self, notifier: str, *, owner: str, together: bool
    ) -> tuple[PendingNotification, ...]:
        """What to tell this notifier next, kept from other owners; none if nothing is due."""
        with self._lock:
            now = self._clock.now()
            waiting = [row for row in self._waiting(owner) if row.notifier == notifier]
            due = delivery.due(waiting, now)
            claimed = delivery.together(due, now) if together else due[:1]
            for row in claimed:
                row.claimed_by, row.next_attempt_at = owner, now + delivery.CLAIMED_FOR
            return tuple(map(_pending, claimed))

    def delivered(self, *numbers: int) -> None:
        """Mark notifications as delivered, all at once; again: nothing."""
        with self._lock:
            for number in numbers:
                self._outbox.pop(number, None)

    def not_delivered(self, number: int, error: str, retry_after: float | None) -> None:
        """Count a failed attempt and put off all that waits for the same notifier."""
        del error  # nobody asks for it again
        with self._lock:
            row = self._outbox.get(number)
            if row is None:
                return
            if row.claimed_by:
                self._waiting(row.claimed_by)
            row.attempts += 1
            attempts = sum(w.attempts for w in self._outbox.values() if w.notifier == row.notifier)
            row.next_attempt_at = self._clock.now() + delivery.delay_after(attempts, retry_after)

    def _waiting(self, owner: str = "") -> tuple[_Notification, ...]:
        """What waits; a claim by `owner`, or by a process that has died, is given back."""
        now = self._clock.now()
        for row in tuple(self._outbox.values()):
            if row.created_at <= now - delivery.GIVEN_UP_AFTER:
                del self._outbox[row.number]
            elif row.claimed_by and (row.claimed_by == owner or is_dead(row.claimed_by)):
                row.claimed_by, row.next_attempt_at = "", now
        return tuple(self._outbox.values())

    def _owned(self, lease: Lease) -> _Record:
        record = self._records[lease.cycle.number - 1]
        if (record.owner, record.cycle.resumed) != (lease.owner, lease.cycle.resumed):
            what = f"taken over by {record.owner}" if record.owner else "given back"
            raise LeaseLost(f"cycle {lease.cycle.number} was {what}")
        return record

    def _running(self, lease: Lease) -> _Record:
        record = self._owned(lease)
        if record.cycle.status != Status.RUNNING:
            raise LeaseLost(f"cycle {lease.cycle.number} has ended: {record.cycle.status}")
        return record

    @staticmethod
    def _step(record: _Record, step: str) -> _Step:
        if step not in record.steps:
            raise ValueError(f"step {step} of cycle {record.cycle.number} has not been started")
        return record.steps[step]


def _pending(row: _Notification) -> PendingNotification:
    return PendingNotification(row.number, row.notifier, row.report, row.attempts)
