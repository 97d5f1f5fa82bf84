"""What every run store has to do: subclass, and give `store` and `clock` fixtures."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.evaluations import report as make_report

from retrainer.domain import delivery
from retrainer.domain.cycle import (
    Model,
    Promotion,
    PromotionReason,
    Snapshot,
    State,
    Status,
    Trigger,
)
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.verdict import Check, Outcome, Verdict
from retrainer.errors import CyclePostponed, CycleRunning, LeaseLost, NothingToDo
from retrainer.ports import Journal, Lease, RunStore
from retrainer.store.owner import current_owner
from retrainer.testing.clock import FakeClock

HOUR = timedelta(hours=1)
OTHER = "elsewhere/boot/1/77/1"
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
#: Text of any origin: what databases are known to choke on.
NASTY = "NUL \0, quote ' \" %s, astral \U0001f600, \u202e"

SNAPSHOT = Snapshot("d" * 64, ("config.yml", "data/nlu.yml"), "directory")
MODEL = Model("helpdesk-20260101-000000-1", "e" * 64, 170_000, "3.6.21", STARTED, 12.5)
EVALUATION = Evaluation(
    challenger=make_report(metrics={"f1_weighted": 0.9}, intents={"greet": 0.8}),
    champion=make_report("champion", metrics={"f1_weighted": 0.8, "accuracy": float("inf")}),
)
VERDICT = Verdict(
    Outcome.REJECT,
    "default",
    (
        Check("gain", Outcome.PROMOTE, f"0.9 > 0.8 {NASTY}", 0.9, 0.8),
        Check("must_pass", Outcome.REJECT, "1 failed", float("inf"), 0.0, details=(NASTY, "b")),
        Check("drop", None, "no champion", blocking=False),
    ),
)
PULLED = State(fingerprint="f1", snapshot=SNAPSHOT)
TRAINED = replace(PULLED, model=MODEL, champion="champion")
DECIDED = replace(TRAINED, evaluation=EVALUATION, verdict=VERDICT)


def begin(store: RunStore, assistant: str = "helpdesk", **options) -> Lease:
    """Begin a cycle as a process of another machine, with a lease of an hour."""
    options = {"owner": OTHER, "lease": HOUR, "trigger": Trigger.MANUAL} | options
    return store.begin(assistant, options.pop("trigger"), **options)


def finish(store: RunStore, lease: Lease, status: Status = Status.COMPLETED, **state) -> None:
    """End a cycle, in the state that one step led to, without telling anybody."""
    run_step(store, lease, "pull", State(), State(**state))
    store.finish(lease, status, notifiers=())


def run_step(store: RunStore, lease: Lease, step: str, before: State, after: State) -> None:
    """A step that goes well."""
    store.step_started(lease, step)
    store.step_done(lease, step, before, after)


def promotion(model: str, previous: str | None = None, assistant: str = "helpdesk") -> Promotion:
    """A row for the ledger."""
    return Promotion(
        assistant, previous, model, PromotionReason.PERSON, "ann", STARTED, NASTY.replace("\0", "")
    )


class RunStoreContract:
    """The rules; each test gets a new, empty `store` whose time is `clock`."""

    # --- begin -------------------------------------------------------------------------------

    def test_begin_starts_a_cycle(self, store: RunStore, clock: FakeClock):
        """A new cycle is running, starts now and has what it was begun with."""
        cycle = begin(store, trigger=Trigger.SCHEDULE, dry_run=True, force=True).cycle
        assert (cycle.assistant, cycle.trigger) == ("helpdesk", Trigger.SCHEDULE)
        assert (cycle.dry_run, cycle.force, cycle.resumed) == (True, True, 0)
        assert (cycle.status, cycle.started_at) == (Status.RUNNING, clock.now())
        assert store.load(cycle) == Journal(State(), (), {})

    def test_numbers_grow(self, store: RunStore):
        """Later cycles have greater numbers, whatever their assistant."""
        first, second = begin(store), begin(store, "other")
        finish(store, first)
        assert first.cycle.number < second.cycle.number < begin(store).cycle.number

    def test_one_cycle_at_a_time(self, store: RunStore):
        """A live cycle is not begun again, not even by its own owner; the error names it."""
        lease = begin(store)
        run_step(store, lease, "pull", State(), PULLED)
        store.step_started(lease, "train")
        for owner in (OTHER, current_owner()):
            with pytest.raises(CycleRunning) as caught:
                begin(store, owner=owner)
            assert caught.value.message == (
                f"cycle {lease.cycle.number} of helpdesk is running since 2026-01-01 00:00:00 UTC, "
                "step train, by elsewhere pid 77"
            )
            assert "3600 s" in caught.value.tip

    def test_eight_begin_at_once(self, store: RunStore):
        """However many begin at the same moment, exactly one does."""

        def attempt(number: int) -> Lease | None:
            try:
                return begin(store, owner=f"elsewhere/boot/1/{number}/1")
            except CycleRunning:
                return None

        with ThreadPoolExecutor(8) as pool:
            leases = list(pool.map(attempt, range(1, 9)))
        assert len([lease for lease in leases if lease]) == 1

    def test_expired_lease_is_taken_up(self, store: RunStore, clock: FakeClock):
        """When the lease has run out the same cycle goes on, as it was begun."""
        lease = begin(store, trigger=Trigger.SCHEDULE, dry_run=True)
        run_step(store, lease, "pull", State(), PULLED)
        clock.advance(HOUR)
        taken = begin(store, owner=current_owner(), force=True)
        assert taken.cycle == replace(lease.cycle, resumed=1)
        assert taken.cycle.challenger == lease.cycle.challenger
        assert store.load(taken.cycle) == Journal(PULLED, ("pull",), {"pull": 1})

    @pytest.mark.parametrize("collected", [True, False])
    def test_dead_owner_is_taken_up_at_once(self, store: RunStore, *, collected: bool):
        """A killed process of this machine keeps nothing, even before its parent has noticed."""
        code = (
            "import time; from retrainer.store.owner import current_owner;"
            "print(current_owner(), flush=True); time.sleep(60)"
        )
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        with process:
            owner = process.stdout.readline().strip()
            lease = begin(store, owner=owner)
            with pytest.raises(CycleRunning, match=f"pid {process.pid}"):
                begin(store)
            process.kill()
            if collected:
                process.wait()
            else:
                process.stdout.read()  # the end of its output: it is dead
                self._await_zombie(process.pid)
            assert begin(store).cycle == replace(lease.cycle, resumed=1)

    @staticmethod
    def _await_zombie(pid: int) -> None:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - read again and again
            for _ in range(10_000):
                stat.seek(0)
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return
        pytest.fail(f"process {pid} did not end")

    def test_nothing_is_begun_unasked(self, store: RunStore):
        """Without a trigger, and with nothing that asks for a cycle, there is nothing to do."""
        with pytest.raises(NothingToDo, match="no cycle of helpdesk is asked for"):
            begin(store, trigger=None)
        finish(store, begin(store))
        with pytest.raises(NothingToDo):
            begin(store, trigger=None)

    def test_an_interrupted_cycle_is_taken_up_unasked(self, store: RunStore, clock: FakeClock):
        """Without a trigger an interrupted cycle goes on as it was begun."""
        lease = begin(store, trigger=Trigger.HOOK, force=True)
        with pytest.raises(CycleRunning):
            begin(store, trigger=None)
        clock.advance(HOUR)
        assert begin(store, trigger=None).cycle == replace(lease.cycle, resumed=1)

    # --- release -----------------------------------------------------------------------------

    def test_a_released_cycle_is_taken_up_at_once(self, store: RunStore):
        """By anybody, long before its lease would be over; all that was recorded stays."""
        lease = begin(store)
        run_step(store, lease, "pull", State(), PULLED)
        store.step_started(lease, "train")
        store.release(lease, "train")
        taken = begin(store, owner="third/boot/1/1/1")
        assert taken.cycle == replace(lease.cycle, resumed=1)
        assert store.load(taken.cycle) == Journal(PULLED, ("pull",), {"pull": 1, "train": 1})

    def test_a_release_does_not_count_as_an_attempt(self, store: RunStore):
        """However often a service is restarted, the step that it cuts off is not given up."""
        lease = begin(store)
        for _ in range(5):
            store.step_started(lease, "train")
            store.release(lease, "train")
            lease = begin(store)
            assert store.load(lease.cycle).attempts == {"train": 1}
        store.release(lease, "decide")
        assert store.load(lease.cycle).attempts == {"train": 1}, "decide was not begun"

    def test_a_released_cycle_may_wait_for_its_hour(self, store: RunStore, clock: FakeClock):
        """Nobody takes it up before, nor begins another one; then it goes on."""
        lease = begin(store)
        store.step_started(lease, "promote")
        store.release(lease, "promote", resume_at=clock.now() + HOUR)
        for trigger in (None, Trigger.MANUAL):
            clock.advance(HOUR / 2 - timedelta(seconds=1))
            with pytest.raises(CyclePostponed, match="waits until 2026-01-01 01:00 UTC") as caught:
                begin(store, trigger=trigger)
            assert caught.value.until == lease.cycle.started_at + HOUR
        clock.advance(timedelta(seconds=2))
        taken = begin(store, trigger=None)
        assert taken.cycle == replace(lease.cycle, resumed=1)
        store.release(taken, "promote")
        assert begin(store).cycle.resumed == 2, "the hour was of the first release alone"

    # --- fencing -----------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "write",
        [
            lambda store, lease: store.renew(lease, HOUR),
            lambda store, lease: store.step_started(lease, "train"),
            lambda store, lease: store.step_done(
                lease, "pull", State(), TRAINED, promotion("stolen")
            ),
            lambda store, lease: store.step_failed(lease, "pull", "late"),
            lambda store, lease: store.release(lease, "pull"),
            lambda store, lease: store.finish(lease, Status.COMPLETED, notifiers=("a",)),
        ],
        ids=["renew", "step_started", "step_done", "step_failed", "release", "finish"],
    )
    @pytest.mark.parametrize("owner", [OTHER, "third/boot/1/1/1"])
    def test_a_lost_lease_writes_nothing(self, store, clock, write, owner):
        """A paused process finds its cycle taken up and changes nothing, even one owner twice."""
        lease = begin(store)
        store.step_started(lease, "pull")
        clock.advance(HOUR)
        taken = begin(store, owner=owner)
        with pytest.raises(LeaseLost):
            write(store, lease)
        assert store.load(taken.cycle) == Journal(State(), (), {"pull": 1})
        assert store.promotions("helpdesk") == ()
        assert store.due_notifications() == ()
        run_step(store, taken, "pull", State(), PULLED)  # the new owner can

    def test_a_released_lease_is_lost(self, store: RunStore, clock: FakeClock):
        """Who gave a cycle back changes nothing of it any more, also before another one has it."""
        lease = begin(store)
        store.step_started(lease, "pull")
        store.release(lease, "pull", resume_at=clock.now() + HOUR)
        with pytest.raises(LeaseLost, match="given back"):
            store.renew(lease, HOUR)
        with pytest.raises(LeaseLost, match="given back"):
            store.release(lease, "pull")
        with pytest.raises(CyclePostponed):
            begin(store)

    def test_an_expired_lease_still_writes(self, store: RunStore, clock: FakeClock):
        """A slow process that nobody took the cycle from goes on."""
        lease = begin(store)
        clock.advance(2 * HOUR)
        run_step(store, lease, "pull", State(), PULLED)
        store.renew(lease, HOUR)
        with pytest.raises(CycleRunning):
            begin(store)

    def test_renew_counts_from_now(self, store: RunStore, clock: FakeClock):
        """A renewed lease, twice or once, ends that long after the last renewal."""
        lease = begin(store)
        clock.advance(HOUR / 2)
        store.renew(lease, HOUR)
        store.renew(lease, HOUR)
        clock.advance(HOUR - timedelta(seconds=1))
        with pytest.raises(CycleRunning):
            begin(store)
        clock.advance(timedelta(seconds=1))
        assert begin(store).cycle.resumed == 1

    # --- steps -------------------------------------------------------------------------------

    def test_steps_add_up_to_the_state(self, store: RunStore):
        """The state after all steps is what the last one left, NaN, infinity and all."""
        lease = begin(store)
        run_step(store, lease, "pull", State(), PULLED)
        run_step(store, lease, "train", PULLED, TRAINED)
        run_step(store, lease, "decide", TRAINED, DECIDED)
        promoting = replace(DECIDED, promoted=(None, "new"))
        run_step(store, lease, "promote", DECIDED, promoting)
        run_step(store, lease, "confirm", promoting, replace(promoting, promoted=None))
        names = ("pull", "train", "decide", "promote", "confirm")
        assert store.load(lease.cycle) == Journal(DECIDED, names, dict.fromkeys(names, 1))

    def test_nan_survives(self, store: RunStore):
        """A metric that is no number is still none after a restart."""
        evaluation = Evaluation(make_report(metrics={"f1_weighted": float("nan")}))
        lease = begin(store)
        run_step(store, lease, "evaluate", State(), State(evaluation=evaluation))
        found = store.load(lease.cycle).state.evaluation
        value = found.challenger.metrics["f1_weighted"]
        assert isinstance(value, float)
        assert value != value  # noqa: PLR0124 - the definition of NaN
        report = store.finish(lease, Status.COMPLETED, notifiers=())
        assert repr(report.state) == repr(State(evaluation=found))

    def test_a_step_is_done_twice(self, store: RunStore):
        """Recording a step again replaces what it recorded, and keeps its place."""
        lease = begin(store)
        run_step(store, lease, "pull", State(), replace(PULLED, champion="x"))
        run_step(store, lease, "train", PULLED, TRAINED)
        run_step(store, lease, "pull", State(), PULLED)
        store.step_done(lease, "pull", State(), PULLED)
        assert store.load(lease.cycle) == Journal(
            TRAINED, ("pull", "train"), {"pull": 2, "train": 1}
        )

    def test_a_failed_step_is_started_and_not_done(self, store: RunStore):
        """An interrupted step is to be done again; of a failed one it is known why."""
        lease = begin(store)
        run_step(store, lease, "pull", State(), PULLED)
        store.step_started(lease, "train")
        store.step_started(lease, "train")
        assert store.load(lease.cycle) == Journal(PULLED, ("pull",), {"pull": 1, "train": 2})
        store.step_failed(lease, "train", NASTY)
        store.step_failed(lease, "train", "out of memory")
        assert store.load(lease.cycle) == Journal(
            PULLED, ("pull",), {"pull": 1, "train": 2}, ("train", "out of memory")
        )
        run_step(store, lease, "train", PULLED, TRAINED)
        assert store.load(lease.cycle) == Journal(
            TRAINED, ("pull", "train"), {"pull": 1, "train": 3}
        )

    def test_a_step_ends_after_it_started(self, store: RunStore):
        """The row comes before the effect: a step that was never started cannot be done."""
        lease = begin(store)
        with pytest.raises(ValueError, match="pull"):
            store.step_done(lease, "pull", State(), PULLED, promotion("new"))
        with pytest.raises(ValueError, match="pull"):
            store.step_failed(lease, "pull", "why")
        assert store.load(lease.cycle) == Journal(State(), (), {})
        assert store.promotions("helpdesk") == ()

    # --- finish ------------------------------------------------------------------------------

    @pytest.mark.parametrize("status", [s for s in Status if s is not Status.RUNNING])
    def test_finish_makes_room(self, store: RunStore, status: Status):
        """After any end the assistant's next cycle may begin."""
        lease = begin(store)
        finish(store, lease, status)
        assert begin(store).cycle.number > lease.cycle.number

    def test_finish_reports(self, store: RunStore, clock: FakeClock):
        """The report holds the cycle, its state, its end and what went wrong."""
        lease = begin(store)
        run_step(store, lease, "pull", State(), PULLED)
        clock.advance(HOUR)
        report = store.finish(
            lease,
            Status.FAILED,
            notifiers=(),
            error="no disk",
            tip="buy one",
            failed_step="train",
        )
        assert report.cycle == replace(lease.cycle, status=Status.FAILED)
        assert (report.state, report.ended_at) == (PULLED, clock.now())
        assert (report.error, report.tip, report.failed_step) == ("no disk", "buy one", "train")

    def test_finish_twice(self, store: RunStore, clock: FakeClock):
        """A repeated end changes nothing and tells nobody twice; another end is refused."""
        lease = begin(store)
        first = store.finish(lease, Status.COMPLETED, notifiers=("slack", "slack"))
        clock.advance(HOUR)
        assert store.finish(lease, Status.COMPLETED, notifiers=("mail",)) == first
        with pytest.raises(LeaseLost, match="completed"):
            store.finish(lease, Status.ABANDONED, notifiers=())
        assert [n.notifier for n in store.due_notifications()] == ["slack"]
        with pytest.raises(LeaseLost, match="completed"):
            store.renew(lease, HOUR)

    # --- last_with ---------------------------------------------------------------------------

    def test_last_with_finds_the_newest(self, store: RunStore):
        """Equal inputs are found, also through cycles that were skipped for them."""
        first = begin(store)
        assert store.last_with("helpdesk", "f1") is None
        finish(store, first, fingerprint="f1")
        number = first.cycle.number
        assert store.last_with("helpdesk", "f1") == number
        finish(store, begin(store), Status.SKIPPED, fingerprint="f1", same_as=number)
        assert store.last_with("helpdesk", "f1") == number
        assert store.last_with("helpdesk", "f2") is None
        assert store.last_with("other", "f1") is None

    def test_last_with_looks_at_the_newest_alone(self, store: RunStore):
        """Inputs that went away and came back are new: the champion has changed meanwhile."""
        finish(store, begin(store), fingerprint="f1")
        finish(store, begin(store), fingerprint="f2")
        assert store.last_with("helpdesk", "f1") is None

    @pytest.mark.parametrize(
        ("status", "dry_run"),
        [(Status.FAILED, False), (Status.ABANDONED, False), (Status.COMPLETED, True)],
    )
    def test_last_with_passes_over_what_has_no_verdict(self, store, status, dry_run):
        """Failures, abandoned cycles and dry runs neither count nor hide what was concluded."""
        first = begin(store)
        finish(store, first, fingerprint="f1")
        finish(store, begin(store, dry_run=dry_run), status, fingerprint="f2")
        assert store.last_with("helpdesk", "f2") is None
        assert store.last_with("helpdesk", "f1") == first.cycle.number

    def test_last_with_counts_a_promotion_that_was_taken_back(self, store: RunStore):
        """A model that was promoted and did not serve is not trained and promoted every night."""
        finish(store, begin(store), fingerprint="f1")
        lease = begin(store)
        run_step(store, lease, "pull", State(), State(fingerprint="f2"))
        store.finish(lease, Status.FAILED, notifiers=(), failed_step="confirm")
        number = lease.cycle.number
        assert store.last_with("helpdesk", "f2") == number
        assert store.last_with("helpdesk", "f1") is None
        finish(store, begin(store), Status.SKIPPED, fingerprint="f2", same_as=number)
        assert store.last_with("helpdesk", "f2") == number
        dry = begin(store, dry_run=True)
        run_step(store, dry, "pull", State(), State(fingerprint="f3"))
        store.finish(dry, Status.FAILED, notifiers=(), failed_step="confirm")
        assert store.last_with("helpdesk", "f2") == number

    # --- the ledger --------------------------------------------------------------------------

    def test_ledger_is_newest_first(self, store: RunStore):
        """Each assistant has its own ledger; a model may come back."""
        rows = [promotion("a"), promotion("b", "a"), promotion("a", "b")]
        for row in rows:
            store.record_promotion(row)
        store.record_promotion(promotion("z", assistant="other"))
        assert store.promotions("helpdesk") == tuple(reversed(rows))
        assert store.promotions("helpdesk", 2) == tuple(reversed(rows))[:2]
        assert store.promotions("nobody") == ()

    def test_ledger_does_not_repeat(self, store: RunStore):
        """A promotion that is recorded again after a crash stays one, also from a step."""
        lease = begin(store)
        made = replace(promotion("a"), reason=PromotionReason.GATE, cycle=lease.cycle.number)
        store.step_started(lease, "promote")
        store.step_done(lease, "promote", State(), State(promoted=(None, "a")), made)
        store.step_done(lease, "promote", State(), State(promoted=(None, "a")), made)
        store.record_promotion(replace(made, actor="bob"))
        assert store.promotions("helpdesk") == (made,)

    def test_eight_record_the_same_promotion(self, store: RunStore):
        """However many record one promotion at the same moment, one row is added."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: store.record_promotion(promotion("a")), range(8)))
        assert store.promotions("helpdesk") == (promotion("a"),)

    # --- the outbox --------------------------------------------------------------------------

    def test_outbox_delivers_the_report(self, store: RunStore):
        """Each notifier gets the cycle's report as it ended, oldest cycle first."""
        lease = begin(store)
        run_step(store, lease, "pull", State(), DECIDED)
        first = store.finish(lease, Status.COMPLETED, notifiers=("slack", "mail"))
        assert first.state == DECIDED
        second = store.finish(begin(store), Status.FAILED, notifiers=("slack",), error="e")
        due = store.due_notifications()
        assert [(n.notifier, n.report, n.attempts) for n in due] == [
            ("slack", first, 0),
            ("mail", first, 0),
            ("slack", second, 0),
        ]
        assert len({n.number for n in due}) == 3

    def test_outbox_forgets_what_was_delivered(self, store: RunStore, clock: FakeClock):
        """A delivered notification never comes back, whatever is said of it later."""
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack", "mail"))
        slack, mail = store.due_notifications()
        store.delivered(slack.number)
        store.delivered(slack.number)
        store.not_delivered(slack.number, "late", None)
        assert store.due_notifications() == (mail,)
        clock.advance(timedelta(days=6))
        assert store.due_notifications() == (mail,)

    def test_outbox_leaves_a_failing_notifier_in_peace(self, store: RunStore, clock: FakeClock):
        """Whatever waits for it, new notifications too, waits for its delay; nobody else does."""
        for _ in range(2):
            store.finish(begin(store), Status.COMPLETED, notifiers=("slack", "mail"))
        slack, *_ = store.due_notifications()
        store.not_delivered(slack.number, "429", 3600.0)
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack", "mail"))
        clock.advance(HOUR - timedelta(seconds=1))
        assert [n.notifier for n in store.due_notifications()] == ["mail"] * 3
        clock.advance(timedelta(seconds=1))
        assert [n.notifier for n in store.due_notifications()].count("slack") == 3

    def test_outbox_tries_first_what_failed_least(self, store: RunStore, clock: FakeClock):
        """A notification that its receiver never takes does not stand in the way of the next."""
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        (refused,) = store.due_notifications()
        store.not_delivered(refused.number, "too long", None)
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        clock.advance(HOUR)
        following, last = store.due_notifications()
        assert (last.number, last.attempts) == (refused.number, 1)
        assert following.attempts == 0

    def test_outbox_counts_the_failures_of_a_notifier(self, store: RunStore, clock: FakeClock):
        """The delay grows while a receiver is down, whichever of its notifications is tried."""
        for _ in range(3):
            store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        for seconds in (30, 60, 120, 240):
            store.not_delivered(store.due_notifications()[0].number, "down", None)
            clock.advance(timedelta(seconds=seconds - 1))
            assert store.due_notifications() == ()
            clock.advance(timedelta(seconds=1))
        assert len(store.due_notifications()) == 3

    def test_outbox_gives_up_after_a_week(self, store: RunStore, clock: FakeClock):
        """A receiver that comes back is told the news of a week, not of a year."""
        for day in range(10):
            store.finish(begin(store), Status.COMPLETED, notifiers=("slack", "gone"))
            if day < 9:
                clock.advance(timedelta(days=1))
        due = store.due_notifications()
        assert [n.notifier for n in due] == ["slack", "gone"] * 7
        store.not_delivered(due[0].number, "down", None)
        clock.advance(timedelta(days=7))
        assert store.due_notifications() == ()
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        assert len(store.due_notifications()) == 1, "what was given up is not waited for"

    def test_outbox_waits_longer_each_time(self, store: RunStore, clock: FakeClock):
        """Failed attempts are 30 s, 60 s, 120 s ... and at most an hour apart."""
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        for attempt, seconds in enumerate([30, 60, 120, 240, 480, 960, 1920, 3600, 3600]):
            (due,) = store.due_notifications()
            assert due.attempts == attempt
            store.not_delivered(due.number, NASTY, None)
            clock.advance(timedelta(seconds=seconds - 1))
            assert store.due_notifications() == ()
            clock.advance(timedelta(seconds=1))

    @pytest.mark.parametrize(
        ("asked", "waited"),
        [(90.0, 90), (0.0, 30), (-5.0, 30), (float("nan"), 30), (float("inf"), 86_400)],
    )
    def test_outbox_respects_retry_after(self, store, clock, asked, waited):
        """A receiver that asks for more patience gets it, up to a day."""
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        store.not_delivered(store.due_notifications()[0].number, "429", asked)
        clock.advance(timedelta(seconds=waited - 1))
        assert store.due_notifications() == ()
        clock.advance(timedelta(seconds=1))
        assert len(store.due_notifications()) == 1

    def test_outbox_claims_keep_others_away(self, store: RunStore, clock: FakeClock):
        """What one owner tells, and what follows it, no other gets; the same owner gets it again."""
        for _ in range(2):
            store.finish(begin(store), Status.COMPLETED, notifiers=("slack", "mail"))
        mine = store.claim_notifications("slack", owner=OTHER, together=False)
        assert [n.attempts for n in mine] == [0]
        assert store.claim_notifications("slack", owner="third/boot/1/1/1", together=True) == ()
        assert [n.notifier for n in store.due_notifications()] == ["mail"] * 2
        assert store.claim_notifications("slack", owner=OTHER, together=False) == mine
        clock.advance(delivery.CLAIMED_FOR)
        assert store.claim_notifications("slack", owner="third/boot/1/1/1", together=False) == mine

    def test_outbox_claims_of_the_dead_are_void(self, store: RunStore):
        """After kill -9 the next process of the machine delivers at once."""
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        script = "from retrainer.store.owner import current_owner; print(current_owner())"
        dead = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        claimed = store.claim_notifications(
            "slack", owner=dead.stdout.decode().strip(), together=False
        )
        assert store.due_notifications() == claimed
        assert store.claim_notifications("slack", owner=OTHER, together=False) == claimed

    def test_outbox_gives_late_cycles_together(self, store: RunStore, clock: FakeClock):
        """Several late ones are one message, with what came since; a failure gives all back."""
        for _ in range(2):
            store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        (first,) = store.claim_notifications("slack", owner=OTHER, together=True)
        clock.advance(delivery.SUMMARISED_AFTER)
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",))
        assert store.claim_notifications("slack", owner=OTHER, together=False) == (first,)
        late = store.claim_notifications("slack", owner=OTHER, together=True)
        assert [n.number - first.number for n in late] == [0, 1, 2]
        store.not_delivered(first.number, "down", None)
        assert store.claim_notifications("slack", owner=OTHER, together=True) == ()
        clock.advance(timedelta(seconds=30))
        again = store.claim_notifications("slack", owner=OTHER, together=True)
        assert [n.attempts for n in again] == [0, 0, 1], "what failed least comes first"
        store.delivered(*(n.number for n in again))
        assert store.due_notifications() == ()
