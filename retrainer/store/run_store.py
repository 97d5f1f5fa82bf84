"""The write side: `RunStore` on a SQL database. Each method is one transaction."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle, Promotion, State, Status, Trigger
from retrainer.domain.verdict import metric
from retrainer.ports import Clock, CycleReport, Journal, Lease, PendingNotification
from retrainer.store import leases, ledger, outbox, records
from retrainer.store.engine import reading, writing
from retrainer.store.forgetting import forget
from retrainer.store.states import difference
from retrainer.store.tables import CONCLUDED, checks, cycles, steps

_RUNNING, _DONE, _FAILED = "running", "done", "failed"


class SqlRunStore:
    """The record of every cycle, in SQLite or PostgreSQL.

    Every method may raise DatabaseError; then it has changed nothing, or, where the connection was
    lost while it committed, all that it was to change.
    """

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

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
        with writing(self._engine) as connection:
            now = self._clock.now()
            wanted = Cycle(
                0, assistant, trigger or Trigger.SCHEDULE, now, dry_run=dry_run, force=force
            )
            return leases.take(
                connection,
                wanted,
                owner=owner,
                until=now + lease,
                now=now,
                asked=trigger is None,
            )

    def renew(self, lease: Lease, until: timedelta) -> None:
        """Keep the lease for `until` from now."""
        with writing(self._engine) as connection:
            leases.renew(connection, lease, self._clock.now() + until)

    def load(self, cycle: Cycle) -> Journal:
        """What is recorded of the cycle so far."""
        query = (
            sa.select(steps.c.name, steps.c.status, steps.c.attempts, steps.c.error)
            .where(steps.c.cycle == cycle.number)
            .order_by(steps.c.number)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            state = records.state_after_steps(connection, cycle.number)
        return Journal(
            state,
            done=tuple(row.name for row in rows if row.status == _DONE),
            attempts={row.name: row.attempts for row in rows},
            failure=next(
                ((row.name, row.error or "") for row in rows if row.status == _FAILED), None
            ),
        )

    def step_started(self, lease: Lease, step: str) -> None:
        """Record that a step begins; again: a further attempt at the same step."""
        with writing(self._engine) as connection:
            leases.require_running(connection, lease)
            fresh = {
                "status": _RUNNING,
                "started_at": self._clock.now(),
                "ended_at": None,
                "state": None,
                "error": None,
            }
            again = (
                sa.update(steps)
                .where(_step(lease, step))
                .values(attempts=steps.c.attempts + 1, **fresh)
            )
            if not connection.execute(again).rowcount:
                first = {"cycle": lease.cycle.number, "name": step, "attempts": 1}
                connection.execute(sa.insert(steps).values(**first, **fresh))

    def step_done(
        self,
        lease: Lease,
        step: str,
        before: State,
        after: State,
        promotion: Promotion | None = None,
    ) -> None:
        """Record what the step added to the state, and the promotion that it made, together."""
        with writing(self._engine) as connection:
            leases.require_running(connection, lease)
            self._end_step(connection, lease, step, _DONE, state=difference(before, after))
            if promotion is not None:
                ledger.append(connection, promotion)

    def step_failed(self, lease: Lease, step: str, error: str) -> None:
        """Record why a step failed."""
        with writing(self._engine) as connection:
            leases.require_running(connection, lease)
            self._end_step(connection, lease, step, _FAILED, error=error)

    def release(self, lease: Lease, step: str, *, resume_at: datetime | None = None) -> None:
        """Give the cycle back in the middle of a step, to be taken up by anybody."""
        with writing(self._engine) as connection:
            leases.release(connection, lease, step, resume_at)

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
        number = lease.cycle.number
        with writing(self._engine) as connection:
            found = leases.require(connection, lease)
            if found["status"] == status:  # the answer to an earlier call was lost
                return records.report(connection, number)
            leases.require_running(connection, lease)
            now, state = self._clock.now(), records.state_after_steps(connection, number)
            connection.execute(
                sa.update(cycles)
                .where(cycles.c.number == number)
                .values(
                    status=status,
                    ended_at=now,
                    error=error,
                    tip=tip,
                    failed_step=failed_step,
                    **_summary(state),
                )
            )
            _insert_checks(connection, number, state)
            outbox.queue(connection, number, notifiers, now)
            return records.report(connection, number)

    def last_with(self, assistant: str, fingerprint: str) -> int | None:
        """Number of the assistant's newest concluded cycle, if it had these inputs.

        For a skipped one it is the number of the cycle that it was the same as.
        """
        query = (
            sa.select(cycles.c.number, cycles.c.fingerprint, cycles.c.same_as)
            .where(cycles.c.assistant == assistant, CONCLUDED)
            .order_by(cycles.c.number.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            newest = connection.execute(query).first()
        if newest is None or newest.fingerprint != fingerprint:
            return None
        number: int = newest.same_as or newest.number
        return number

    def forget(self, before: datetime) -> int:
        """Delete the cycles begun before that moment that nothing needs; returns how many."""
        return forget(self._engine, before)

    def record_promotion(self, promotion: Promotion) -> None:
        """Append to the ledger; an equal newest row (same assistant and model) is not repeated."""
        with writing(self._engine) as connection:
            ledger.append(connection, promotion)

    def promotions(self, assistant: str, limit: int | None = None) -> tuple[Promotion, ...]:
        """The ledger, newest first."""
        with reading(self._engine) as connection:
            return ledger.newest_first(connection, assistant, limit)

    def due_notifications(self) -> tuple[PendingNotification, ...]:
        """What may be tried now; what has waited for too long is given up."""
        with writing(self._engine) as connection:
            return outbox.due(connection, self._clock.now())

    def claim_notifications(
        self, notifier: str, *, owner: str, together: bool
    ) -> tuple[PendingNotification, ...]:
        """What to tell this notifier next, kept from other owners; none if nothing is due."""
        with writing(self._engine) as connection:
            return outbox.claim(
                connection, notifier, owner=owner, together=together, now=self._clock.now()
            )

    def delivered(self, *numbers: int) -> None:
        """Mark notifications as delivered, all at once; again: nothing."""
        with writing(self._engine) as connection:
            outbox.delivered(connection, numbers, self._clock.now())

    def not_delivered(self, number: int, error: str, retry_after: float | None) -> None:
        """Count a failed attempt and put off all that waits for the same notifier."""
        with writing(self._engine) as connection:
            outbox.put_off(connection, number, error, retry_after, self._clock.now())

    def _end_step(
        self, connection: sa.Connection, lease: Lease, step: str, status: str, **values: object
    ) -> None:
        ended = sa.update(steps).where(_step(lease, step))
        ended = ended.values(status=status, ended_at=self._clock.now(), **values)
        if not connection.execute(ended).rowcount:
            raise ValueError(f"step {step} of cycle {lease.cycle.number} has not been started")


def _step(lease: Lease, step: str) -> sa.ColumnElement[bool]:
    return sa.and_(steps.c.cycle == lease.cycle.number, steps.c.name == step)


def _summary(state: State) -> dict[str, object]:
    """What the history lists of a cycle."""
    evaluation = state.evaluation
    champion = evaluation.champion if evaluation else None
    return {
        "fingerprint": state.fingerprint,
        "same_as": state.same_as,
        "snapshot": state.snapshot.digest if state.snapshot else None,
        "origin": state.snapshot.origin if state.snapshot else None,
        "champion": state.champion,
        "challenger": state.model.name if state.model else None,
        "verdict": state.verdict.outcome if state.verdict else None,
        "stopped_by": ", ".join(c.rule for c in state.verdict.stopping) if state.verdict else None,
        "f1_champion": metric(champion, "f1_weighted") if champion else None,
        "f1_challenger": metric(evaluation.challenger, "f1_weighted") if evaluation else None,
        "examples": evaluation.challenger.examples if evaluation else None,
        "promoted": state.promoted is not None and state.confirmed,
    }


def _insert_checks(connection: sa.Connection, cycle: int, state: State) -> None:
    rows = [
        {
            "cycle": cycle,
            "position": position,
            "rule": check.rule,
            "blocking": check.blocking,
            "outcome": check.outcome,
            "observed": _finite(check.observed),
            "limit": _finite(check.limit),
            "sentence": check.sentence,
            "details": list(check.details),
        }
        for position, check in enumerate(state.verdict.checks if state.verdict else ())
    ]
    if rows:
        connection.execute(sa.insert(checks), rows)


def _finite(value: float | None) -> float | None:
    """SQLite would turn NaN into NULL by itself; PostgreSQL then does the same."""
    return value if value is not None and math.isfinite(value) else None
