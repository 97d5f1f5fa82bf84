"""What every agenda has to do: subclass, and give `agenda`, `store` and `clock` fixtures."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from contract.run_store_contract import HOUR, NASTY, OTHER, begin, finish

from retrainer.domain.cycle import Status, Trigger
from retrainer.errors import AssistantPaused, CycleRunning, NothingToDo, RetrainerError
from retrainer.ports import Agenda, DataSeen, Lease, Request, RunStore
from retrainer.testing.clock import FakeClock

BOT = "helpdesk"
MINUTE = timedelta(minutes=1)
FIRST, SECOND = "one/boot/1/11/1", "two/boot/1/22/2"
OLD, NEW = DataSeen("digest-1", 100), DataSeen("digest-2", 120)


def answer(store: RunStore, assistant: str = BOT, **options) -> Lease:
    """Begin the cycle that is asked for."""
    return begin(store, assistant, trigger=None, **options)


def notice(agenda: Agenda, seen: DataSeen, before: DataSeen | None) -> Request | None:
    """The source of the assistant shows this."""
    return agenda.new_data(BOT, seen, before=before, by="poll", note="20 new examples")


class AgendaContract:
    """The rules; each test gets a new, empty database, whose time is `clock`."""

    # --- enrolment ---------------------------------------------------------------------------

    def test_a_new_assistant_owes_nothing(self, agenda: Agenda, clock: FakeClock):
        """Of an assistant that is new, ticks are owed from now on; again changes nothing."""
        enrolled = agenda.enrol(BOT, "0 3 * * *")
        assert (enrolled.schedule, enrolled.due_after) == ("0 3 * * *", clock.now())
        assert (enrolled.pause, enrolled.data) == (None, None)
        clock.advance(HOUR)
        assert agenda.enrol(BOT, "0 3 * * *") == enrolled
        assert agenda.enrolments() == (enrolled,)

    def test_a_changed_schedule_owes_nothing(self, agenda: Agenda, clock: FakeClock):
        """What the new schedule would have asked for in the past is not made up for."""
        agenda.enrol(BOT, "0 3 * * *")
        clock.advance(HOUR)
        changed = agenda.enrol(BOT, "* * * * *")
        assert (changed.schedule, changed.due_after) == ("* * * * *", clock.now())

    def test_assistants_are_listed_by_name(self, agenda: Agenda):
        """Every assistant that was ever asked about is known."""
        agenda.enrol("b", "every 6h")
        agenda.ask("c", Trigger.MANUAL, by="ann")
        agenda.enrol("a", "")
        assert [known.assistant for known in agenda.enrolments()] == ["a", "b", "c"]

    # --- what asks for a cycle ---------------------------------------------------------------

    def test_a_request_is_kept_as_it_was_made(self, agenda: Agenda, clock: FakeClock):
        """Who asked, when, why and how; whatever the words are."""
        made = agenda.ask(BOT, Trigger.HOOK, by=NASTY, note=NASTY, force=True)
        words = NASTY.replace("\0", "?")
        assert made == Request(
            made.number, BOT, Trigger.HOOK, clock.now(), words, words, force=True
        )
        assert agenda.pending() == (made,)

    def test_pending_is_oldest_first(self, agenda: Agenda, clock: FakeClock):
        """The order is the one in which was asked, of all assistants together."""
        asked = []
        for name in ("b", "a", "b"):
            asked.append(agenda.ask(name, Trigger.MANUAL, by="ann"))
            clock.advance(-MINUTE)  # also when somebody sets the clock back
        assert list(agenda.pending()) == asked

    def test_a_clock_that_was_ahead_settles_nothing_for_good(
        self, agenda: Agenda, store: RunStore, clock: FakeClock
    ):
        """Set right, its fire times are due again; those that were asked for have their cycle."""
        agenda.enrol(BOT, "hourly")
        start = clock.now()
        clock.advance(24 * HOUR)
        assert agenda.tick(BOT, clock.now(), by="schedule")
        finish(store, answer(store))
        clock.advance(-24 * HOUR)
        assert agenda.tick(BOT, start + HOUR, by="schedule") is None
        assert agenda.unsettle(BOT).due_after == start
        assert agenda.unsettle(BOT).due_after == start
        clock.advance(24 * HOUR)
        for hour in range(1, 24):
            assert agenda.tick(BOT, start + hour * HOUR, by="schedule")
        assert agenda.tick(BOT, start + 24 * HOUR, by="schedule") is None
        assert agenda.tick(BOT, start + 25 * HOUR, by="schedule")

    def test_settled_fire_times_of_the_past_stay_settled(self, agenda: Agenda, clock: FakeClock):
        """A clock that is right has nothing to take back."""
        agenda.enrol(BOT, "hourly")
        clock.advance(HOUR)
        assert agenda.tick(BOT, clock.now(), by="schedule")
        clock.advance(MINUTE)
        assert agenda.unsettle(BOT).due_after == clock.now() - MINUTE

    def test_one_tick_is_one_request(self, agenda: Agenda, clock: FakeClock):
        """A fire time asks once, and settles the ones before it."""
        agenda.enrol(BOT, "every hour")
        times = [clock.now() + n * HOUR for n in (1, 2, 3)]
        made = agenda.tick(BOT, times[1], by="schedule")
        assert made is not None
        assert (made.trigger, made.fire_time) == (Trigger.SCHEDULE, times[1])
        assert agenda.tick(BOT, times[1], by="schedule") is None
        assert agenda.tick(BOT, times[0], by="schedule") is None
        assert agenda.enrolments()[0].due_after == times[1]
        later = agenda.tick(BOT, times[2], by="schedule")
        assert agenda.pending() == (made, later)

    def test_a_tick_of_the_past_is_settled(self, agenda: Agenda, clock: FakeClock):
        """What was due before the assistant was known is not owed."""
        agenda.enrol(BOT, "every hour")
        assert agenda.tick(BOT, clock.now(), by="schedule") is None
        assert agenda.pending() == ()

    def test_a_tick_asks_once_over_changes_of_the_schedule(self, agenda, clock):
        """A schedule that is changed and changed back, or a clock set back, repeats no tick."""
        agenda.enrol(BOT, "every hour")
        agenda.enrol("other", "every hour")
        time = clock.now() + HOUR
        assert agenda.tick(BOT, time, by="schedule")
        agenda.enrol(BOT, "every minute")
        agenda.enrol(BOT, "every hour")
        assert agenda.enrolments()[0].due_after < time
        assert agenda.tick(BOT, time, by="schedule") is None
        assert agenda.tick("other", time, by="schedule"), "another assistant has its own ticks"

    def test_ticks_at_once_are_one(self, agenda: Agenda, clock: FakeClock):
        """However many daemons see one fire time at the same moment, one asks."""
        agenda.enrol(BOT, "every hour")
        time = clock.now() + HOUR
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: agenda.tick(BOT, time, by="schedule"), range(8)))
        assert [request for request in made if request] == list(agenda.pending())
        assert len(agenda.pending()) == 1

    def test_daemons_enrol_at_once(self, agenda: Agenda):
        """However many daemons start at the same moment, an assistant is known once."""
        with ThreadPoolExecutor(8) as pool:
            enrolled = list(pool.map(lambda _: agenda.enrol(BOT, "every hour"), range(8)))
        assert set(enrolled) == set(agenda.enrolments())
        assert len(agenda.enrolments()) == 1

    # --- new data ----------------------------------------------------------------------------

    def test_what_was_there_is_not_new(self, agenda: Agenda):
        """The first look remembers, and asks for nothing."""
        agenda.enrol(BOT, "")
        assert notice(agenda, OLD, None) is None
        assert agenda.enrolments()[0].data == OLD
        assert agenda.pending() == ()

    def test_new_data_asks_once(self, agenda: Agenda):
        """What changed asks for a cycle; who comes later with the same news does not."""
        notice(agenda, OLD, None)
        made = notice(agenda, NEW, OLD)
        assert made is not None
        assert (made.trigger, made.asked_by) == (Trigger.DATA, "poll")
        assert made.note == "20 new examples"
        assert notice(agenda, NEW, OLD) is None
        assert agenda.enrolments()[0].data == NEW
        assert agenda.pending() == (made,)

    def test_data_of_unknown_size(self, agenda: Agenda):
        """A source may show that something changed without saying how much."""
        notice(agenda, DataSeen("a"), None)
        assert notice(agenda, DataSeen("b"), DataSeen("a"))
        assert agenda.enrolments()[0].data == DataSeen("b")

    def test_looks_at_once_ask_once(self, agenda: Agenda):
        """However many daemons see new data at the same moment, one asks."""
        notice(agenda, OLD, None)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: notice(agenda, NEW, OLD), range(8)))
        assert len([request for request in made if request]) == len(agenda.pending()) == 1

    # --- the cycle that answers --------------------------------------------------------------

    def test_a_cycle_answers_all_that_is_pending(self, agenda: Agenda, store: RunStore, clock):
        """Two triggers make one cycle, with the oldest one's trigger and the strongest wish."""
        agenda.enrol(BOT, "every hour")
        agenda.ask(BOT, Trigger.HOOK, by="git")
        other = agenda.ask("other", Trigger.MANUAL, by="ann")
        agenda.tick(BOT, clock.now() + HOUR, by="schedule")
        agenda.ask(BOT, Trigger.MANUAL, by="ann", force=True)
        cycle = answer(store).cycle
        assert (cycle.trigger, cycle.force, cycle.dry_run) == (Trigger.HOOK, True, False)
        assert agenda.pending() == (other,)

    def test_nothing_is_begun_unasked(self, agenda: Agenda, store: RunStore):
        """Without a request there is nothing to do, and no cycle."""
        agenda.enrol(BOT, "every hour")
        agenda.ask("other", Trigger.MANUAL, by="ann")
        with pytest.raises(NothingToDo, match=BOT):
            answer(store)
        assert begin(store).cycle.number == 1

    def test_a_cycle_by_hand_answers_too(self, agenda: Agenda, store: RunStore, clock: FakeClock):
        """`run-once` does what was asked for; its own trigger and wishes stay."""
        agenda.enrol(BOT, "every hour")
        agenda.tick(BOT, clock.now() + HOUR, by="schedule")
        agenda.ask(BOT, Trigger.HOOK, by="git", force=True)
        cycle = begin(store, trigger=Trigger.MANUAL).cycle
        assert (cycle.trigger, cycle.force) == (Trigger.MANUAL, False)
        assert agenda.pending() == ()

    def test_a_dry_run_answers_nothing(self, agenda: Agenda, store: RunStore):
        """Who asked for a cycle asked for a real one."""
        made = agenda.ask(BOT, Trigger.MANUAL, by="ann")
        lease = begin(store, dry_run=True)
        assert agenda.pending() == (made,)
        with pytest.raises(CycleRunning):
            answer(store)
        finish(store, lease)
        assert not answer(store).cycle.dry_run

    def test_what_is_asked_during_a_cycle_waits(self, agenda: Agenda, store: RunStore):
        """The running cycle may have pulled before: another one answers."""
        agenda.ask(BOT, Trigger.MANUAL, by="ann")
        lease = answer(store)
        late = agenda.ask(BOT, Trigger.HOOK, by="git")
        finish(store, lease)
        assert agenda.pending() == (late,)
        assert answer(store).cycle.trigger is Trigger.HOOK
        assert agenda.pending() == ()

    def test_an_interrupted_cycle_comes_first(self, agenda: Agenda, store: RunStore, clock):
        """It is taken up without being asked for, and answers nothing that came later."""
        agenda.ask(BOT, Trigger.MANUAL, by="ann")
        first = answer(store)
        late = agenda.ask(BOT, Trigger.HOOK, by="git", force=True)
        clock.advance(HOUR)
        assert answer(store, owner=FIRST).cycle == replace(first.cycle, resumed=1)
        assert agenda.pending() == (late,)

    def test_eight_answer_at_once(self, agenda: Agenda, store: RunStore):
        """However many daemons begin what is asked for, and people beside them, one cycle is."""
        agenda.ask(BOT, Trigger.MANUAL, by="ann")
        agenda.ask(BOT, Trigger.HOOK, by="git")

        def attempt(number: int) -> str:
            trigger = Trigger.MANUAL if number % 2 else None
            try:
                begin(store, trigger=trigger, owner=f"elsewhere/boot/1/{number + 1}/1")
            except (CycleRunning, NothingToDo) as error:
                return type(error).__name__
            return "begun"

        with ThreadPoolExecutor(8) as pool:
            went = list(pool.map(attempt, range(8)))
        assert went.count("begun") == 1
        assert agenda.pending() == ()

    def test_asked_and_begun_at_once(self, agenda: Agenda, store: RunStore):
        """A request that meets the begin of a cycle is answered by it, or by the next one."""

        def ask(number: int) -> None:
            agenda.ask(BOT, Trigger.HOOK, by=str(number))

        def work(_: int) -> int:
            try:
                lease = answer(store)
            except (CycleRunning, NothingToDo):
                return 0
            store.finish(lease, Status.COMPLETED, notifiers=())
            return 1

        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask, number) for number in range(20)]
            working = [pool.submit(work, number) for number in range(20)]
            for future in (*asking, *working):
                future.result()
        begun = sum(future.result() for future in working) + work(0)
        assert agenda.pending() == ()
        assert 1 <= begun <= 20

    # --- whose turn it is --------------------------------------------------------------------

    def test_ready_is_in_order(self, agenda: Agenda, store: RunStore, clock: FakeClock):
        """Interrupted cycles first, then who waits longest; nobody twice."""
        for name in ("c", "b", "c", "a"):
            agenda.ask(name, Trigger.MANUAL, by="ann")
        assert agenda.ready() == ("c", "b", "a")
        begin(store, "z")
        lease = answer(store, "b")
        agenda.ask("b", Trigger.HOOK, by="git")
        assert agenda.ready() == ("c", "a"), "two are being worked on"
        clock.advance(HOUR)
        assert agenda.ready() == ("z", "b", "c", "a")
        finish(store, lease)
        assert agenda.ready() == ("z", "c", "a", "b")

    def test_a_released_cycle_is_ready(self, agenda: Agenda, store: RunStore, clock: FakeClock):
        """What a daemon gives back when it stops is taken up at once, by anybody."""
        lease = begin(store)
        store.step_started(lease, "train")
        assert agenda.ready() == ()
        store.release(lease, "train")
        assert agenda.ready() == (BOT,)
        taken = answer(store, owner=FIRST)
        assert agenda.ready() == ()
        store.release(taken, "train", resume_at=clock.now() + HOUR)
        agenda.ask(BOT, Trigger.MANUAL, by="ann")
        assert agenda.ready() == (), "it waits for its hour, and no other may begin before"
        clock.advance(HOUR)
        assert agenda.ready() == (BOT,)

    def test_a_cycle_that_waits_is_hastened(self, agenda: Agenda, store: RunStore, clock):
        """An earlier hour counts, a later one does not; who waits for none is left alone."""
        lease = begin(store)
        store.step_started(lease, "promote")
        agenda.hasten(BOT, clock.now())
        assert agenda.postponed() == {}
        store.release(lease, "promote", resume_at=clock.now() + 2 * HOUR)
        agenda.hasten("another", clock.now())
        agenda.hasten(BOT, clock.now() + 3 * HOUR)
        assert agenda.postponed() == {BOT: clock.now() + 2 * HOUR}
        agenda.hasten(BOT, clock.now() + HOUR)
        agenda.hasten(BOT, clock.now() + HOUR)
        assert (agenda.postponed(), agenda.ready()) == ({BOT: clock.now() + HOUR}, ())
        clock.advance(HOUR)
        assert agenda.ready() == (BOT,)
        begin(store, owner=FIRST)
        assert agenda.postponed() == {}

    # --- pauses ------------------------------------------------------------------------------

    def test_a_paused_assistant_is_not_ready(self, agenda: Agenda, clock: FakeClock):
        """What is pending waits; the first pause stands until it is lifted."""
        waiting = agenda.ask(BOT, Trigger.MANUAL, by="ann")
        paused = agenda.pause(BOT, by="ann", reason=NASTY)
        assert paused.pause is not None
        assert (paused.pause.by, paused.pause.at) == ("ann", clock.now())
        assert paused.pause.reason == NASTY.replace("\0", "?")
        assert (agenda.ready(), agenda.pending()) == ((), (waiting,))
        clock.advance(HOUR)
        assert agenda.pause(BOT, by="bob", reason="another") == paused
        assert agenda.resume(BOT).pause is None
        assert agenda.ready() == (BOT,)

    def test_a_paused_assistant_does_not_begin(self, agenda: Agenda, store: RunStore):
        """Not even if it was ready just before."""
        waiting = agenda.ask(BOT, Trigger.MANUAL, by="ann")
        assert agenda.ready() == (BOT,)
        agenda.pause(BOT, by="ann", reason="")
        with pytest.raises(NothingToDo):
            answer(store)
        assert agenda.pending() == (waiting,)

    def test_a_paused_assistant_is_asked_for_in_vain(self, agenda: Agenda, clock: FakeClock):
        """People and programs are told who paused it; ticks and data are passed over."""
        agenda.enrol(BOT, "every hour")
        notice(agenda, OLD, None)
        agenda.pause(BOT, by="ann", reason="the bot moves")
        with pytest.raises(AssistantPaused, match=r"2026-01-01 00:00 UTC by ann: the bot") as told:
            agenda.ask(BOT, Trigger.MANUAL, by="bob")
        assert told.value.tip == "retrainer resume helpdesk"
        assert agenda.tick(BOT, clock.now() + HOUR, by="schedule") is None
        assert notice(agenda, NEW, OLD) is None
        assert agenda.pending() == ()
        agenda.resume(BOT)
        assert notice(agenda, NEW, OLD), "new data of the pause is still new"

    def test_ticks_of_a_pause_are_not_owed(self, agenda: Agenda, clock: FakeClock):
        """After a pause the next tick is the first one in the future; again changes nothing."""
        agenda.enrol(BOT, "every hour")
        missed = clock.now() + HOUR
        agenda.pause(BOT, by="ann", reason="")
        clock.advance(2 * HOUR)
        resumed = agenda.resume(BOT)
        assert (resumed.pause, resumed.due_after) == (None, clock.now())
        assert agenda.tick(BOT, missed, by="schedule") is None
        clock.advance(HOUR)
        assert agenda.resume(BOT) == resumed
        assert agenda.tick(BOT, clock.now(), by="schedule")

    def test_a_pause_without_enrolment(self, agenda: Agenda, clock: FakeClock):
        """An assistant may be paused before a daemon has ever seen it."""
        agenda.pause(BOT, by="ann", reason="")
        clock.advance(HOUR)
        assert agenda.enrol(BOT, "every hour").pause is not None

    # --- who leads ---------------------------------------------------------------------------

    def test_one_leads(self, agenda: Agenda, clock: FakeClock):
        """The first one leads as long as it shows itself, and the others know it."""
        assert agenda.check_in(FIRST, "1", lease=MINUTE) == FIRST
        for _ in range(5):
            clock.advance(MINUTE / 2)
            assert agenda.check_in(SECOND, "1", lease=MINUTE) == FIRST
            assert agenda.check_in(FIRST, "1", lease=MINUTE) == FIRST

    def test_a_silent_leader_is_replaced(self, agenda: Agenda, clock: FakeClock):
        """After the lease, and not before, another one leads; the first one then follows."""
        agenda.check_in(FIRST, "1", lease=MINUTE)
        clock.advance(MINUTE - timedelta(seconds=1))
        assert agenda.check_in(SECOND, "1", lease=MINUTE) == FIRST
        clock.advance(timedelta(seconds=1))
        assert agenda.check_in(SECOND, "1", lease=MINUTE) == SECOND
        assert agenda.check_in(FIRST, "1", lease=MINUTE) == SECOND

    def test_a_leader_that_ends_makes_room(self, agenda: Agenda):
        """Who ends properly is replaced at once, also when it says so twice."""
        agenda.check_in(FIRST, "1", lease=MINUTE)
        agenda.check_in(SECOND, "1", lease=MINUTE)
        agenda.check_out(FIRST)
        agenda.check_out(FIRST)
        assert agenda.check_in(SECOND, "1", lease=MINUTE) == SECOND
        agenda.check_out(FIRST)
        assert agenda.check_in(FIRST, "1", lease=MINUTE) == SECOND

    def test_a_dead_leader_is_replaced_at_once(self, agenda: Agenda):
        """A killed process of this machine does not lead until its lease is over."""
        code = "from retrainer.store.owner import current_owner; print(current_owner())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        dead = done.stdout.decode().strip()
        assert agenda.check_in(dead, "1", lease=HOUR) == dead
        assert agenda.check_in(OTHER, "1", lease=HOUR) == OTHER

    def test_eight_check_in_at_once(self, agenda: Agenda):
        """However many daemons start at the same moment, they agree on who leads."""
        owners = [f"elsewhere/boot/1/{number}/1" for number in range(1, 9)]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(3):
                led = set(pool.map(lambda o: agenda.check_in(o, "1", lease=MINUTE), owners))
                assert len(led) == 1

    def test_daemons_come_and_go_at_once(self, agenda: Agenda):
        """Checking in and out at the same time never gets stuck, and somebody leads in the end."""

        def come_and_go(number: int) -> None:
            owner = f"elsewhere/boot/1/{number}/1"
            for _ in range(5):
                try:
                    agenda.check_in(owner, "1", lease=MINUTE)
                except RetrainerError as error:
                    assert "right after it was inserted" in str(error)  # noqa: PT017 - in a thread
                agenda.check_out(owner)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(come_and_go, range(1, 9)))
        assert agenda.check_in(OTHER, "1", lease=MINUTE) == OTHER
