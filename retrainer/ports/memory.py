"""The record of every cycle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from retrainer.domain.cycle import Cycle, Promotion, State, Status, Trigger
from retrainer.ports.people import CycleReport


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a cycle, until it is lost to another owner.

    `owner` names host, boot, process and its start, so that the same machine can tell a dead
    owner from a slow one.
    """

    cycle: Cycle
    owner: str


@dataclass(frozen=True, slots=True)
class Journal:
    """What is recorded of a cycle so far: the state, the done steps, the starts of each step.

    `failure` is the step that failed, and why; such a cycle is only still to be undone and ended.
    """

    state: State
    done: tuple[str, ...]
    attempts: Mapping[str, int]
    failure: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PendingNotification:
    """A row of the outbox that is due; `attempts` so far."""

    number: int
    notifier: str
    report: CycleReport
    attempts: int


class RunStore(Protocol):
    """The record of every cycle. Each method is one transaction."""

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
        """Start a cycle, or take up the interrupted one of this assistant.

        An interrupted cycle is a running one that was released, or whose owner is dead or whose
        lease ran out; taking it up counts in `resumed`, and its own `dry_run`, `force` and trigger
        stay. A new cycle answers all pending requests for the assistant, unless it is a dry run.
        With `trigger` None it is begun for those alone, and has the oldest one's trigger.

        Raises:
            NothingToDo: `trigger` is None, nothing is pending and no cycle was interrupted.
            CyclePostponed: the assistant's cycle waits for its hour.
            CycleRunning: the assistant's cycle is being worked on by a live owner.
        """
        ...

    def renew(self, lease: Lease, until: timedelta) -> None:
        """Keep the lease for `until` from now.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def load(self, cycle: Cycle) -> Journal:
        """What is recorded of the cycle so far."""
        ...

    def step_started(self, lease: Lease, step: str) -> None:
        """Record that a step begins; again: a further attempt at the same step.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def step_done(
        self,
        lease: Lease,
        step: str,
        before: State,
        after: State,
        promotion: Promotion | None = None,
    ) -> None:
        """Record what the step added to the state, and the promotion that it made, together.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def step_failed(self, lease: Lease, step: str, error: str) -> None:
        """Record why a step failed.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def release(self, lease: Lease, step: str, *, resume_at: datetime | None = None) -> None:
        """Give the cycle back in the middle of a step, to be taken up by anybody.

        The attempt at the step does not count. With `resume_at` not before that moment.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

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
        """End the cycle and queue a notification for each notifier, in one transaction.

        The report's state is the one that the done steps led to.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def last_with(self, assistant: str, fingerprint: str) -> int | None:
        """Number of the assistant's newest concluded cycle, if it had these inputs.

        Concluded: completed, skipped for the same inputs, or promoted and not confirmed to serve;
        never a dry run or another failure.
        """
        ...

    def record_promotion(self, promotion: Promotion) -> None:
        """Append to the ledger; an equal newest row (same assistant and model) is not repeated."""
        ...

    def promotions(self, assistant: str, limit: int | None = None) -> tuple[Promotion, ...]:
        """The ledger, newest first."""
        ...

    def due_notifications(self) -> tuple[PendingNotification, ...]:
        """What may be tried now: what failed least first, then the oldest. Claims nothing.

        A notifier that has a notification put off is left in peace, with new ones too. What has
        waited for longer than `domain.delivery.GIVEN_UP_AFTER` is given up, on record.
        """
        ...

    def claim_notifications(
        self, notifier: str, *, owner: str, together: bool
    ) -> tuple[PendingNotification, ...]:
        """What to tell this notifier next; none if nothing is due.

        One notification, or with `together` several, as `domain.delivery.together` says. Until it
        is said how that went, no other owner gets anything of this notifier: for
        `domain.delivery.CLAIMED_FOR`, or until the owner dies. The same owner gets it again.
        """
        ...

    def delivered(self, *numbers: int) -> None:
        """Mark notifications as delivered, all at once; again: nothing."""
        ...

    def not_delivered(self, number: int, error: str, retry_after: float | None) -> None:
        """Count a failed attempt and put off all that waits for the same notifier.

        What was claimed with it is given back.
        The delay grows with the failed attempts; `retry_after`, in seconds, may make it longer.
        """
        ...
