"""The doctor looks at what goes on: daemons, cycles, requests, notifications, champions."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from retrainer import __version__
from retrainer.domain.cycle import Status as CycleStatus
from retrainer.domain.schedule import upcoming
from retrainer.reports.values import counted, duration, moment
from retrainer.store.examination import undelivered
from retrainer.store.status import AssistantStatus, Status, read_status
from retrainer.wiring.application import Application
from retrainer.wiring.doctor.diagnosis import Diagnosis, good, warning

#: What a daemon that works leaves undone for no longer.
_REQUEST, _TAKING_UP, _DELIVERY = timedelta(hours=1), timedelta(minutes=10), timedelta(hours=1)
#: Fire times that passed without a success, after which a model is no longer fresh.
_MISSED = 3
_START = "systemctl start retrainer (or `retrainer run`)"


def operation(app: Application, names: Sequence[str]) -> Iterator[Diagnosis]:
    """What goes on; nothing as long as no cycle has run.

    Raises:
        DatabaseError: the database could not be used.
    """
    if app.past is None:
        yield good("daemon", "none has run yet: `retrainer run` looks after the assistants")
        return
    now = app.clock.now()
    found = read_status(app.past, now)
    yield from _daemons(app, found, names)
    yield from _requests(app, found, names, now)
    yield from _interrupted(found, names, now)
    for known in found.assistants:
        if known.name in names:
            yield from _cycles(app, known, found, now)
    yield from _outbox(app, now)


def champion(app: Application, name: str) -> Iterator[Diagnosis]:
    """Whether the model that serves is the one that the ledger names.

    Raises:
        PlatformError: the platform does not say which model serves.
        DatabaseError: the database could not be used.
    """
    if app.past is None:
        return
    what = f"champion of {name}"
    rows = app.store.promotions(name, limit=1)
    recorded = rows[0].model if rows else None
    active = app.platform(name).active()
    if active == recorded:
        yield good(what, active or "none yet", minor=True)
    elif active is None:
        yield warning(
            what,
            f"no model is active on the platform, the ledger says that {recorded} is",
            f"retrainer promote {recorded} --assistant {name}",
        )
    else:
        yield warning(
            what,
            f"{active} serves, the ledger says {recorded or 'that none does'}: somebody else "
            "changed it",
            "nothing, if that was meant: the next cycle records it; else "
            f"`retrainer rollback --assistant {name}`",
        )


def _daemons(app: Application, found: Status, names: Sequence[str]) -> Iterator[Diagnosis]:
    alive = [daemon for daemon in found.daemons if daemon.alive]
    if not alive:
        scheduled = [name for name in names if app.schedule(name).text]
        if scheduled or found.daemons:
            whose = f"the schedule of {', '.join(scheduled)}" if scheduled else "what is asked for"
            yield warning("daemon", f"none runs, so nobody follows {whose}", _START)
        else:
            yield good("daemon", "none runs, and none is needed: nothing is scheduled")
        return
    leads = ""
    if found.leader is not None:
        leads = f"{found.leader} leads since {moment(found.leader.started_at)} UTC, "
    else:
        yield warning(
            "daemon",
            f"{counted(len(alive), 'daemon')} run, and none of them leads",
            "look at its log: journalctl -u retrainer; restart it if it hangs",
        )
    for daemon in alive:
        if daemon.version != __version__:
            yield warning(
                "daemon",
                f"{daemon} is retrainer {daemon.version}, this command {__version__}",
                "systemctl restart retrainer",
            )
    yield good("daemon", f"{leads}{counted(len(alive), 'daemon')} alive")


def _requests(
    app: Application, found: Status, names: Sequence[str], now: datetime
) -> Iterator[Diagnosis]:
    busy = {running.cycle.assistant for running in found.running}
    for request in found.pending:
        name, age = request.assistant, now - request.asked_at
        asked = (
            f"a cycle of {name}, asked for by {request.asked_by} {duration(age.total_seconds())} "
            "ago, has not begun"
        )
        if name not in app.settings.assistants:
            yield warning(
                "requests",
                f"{asked}: it is not configured",
                f"configure {name} again, or ignore it",
            )
        elif name in names and age > _REQUEST and name not in busy and name not in found.pauses:
            yield warning(
                "requests", asked, f"{_START}, or `retrainer run-once --assistant {name}`"
            )


def _interrupted(found: Status, names: Sequence[str], now: datetime) -> Iterator[Diagnosis]:
    for running in found.running:
        free_since = max(running.lease_until, running.resume_at or running.lease_until)
        name, cycle = running.cycle.assistant, running.cycle
        if running.owner is None and name in names and now - free_since > _TAKING_UP:
            yield warning(
                f"cycle {cycle.number}",
                f"it was interrupted at {running.step or 'its start'}, and nobody has taken it up "
                f"for {duration((now - free_since).total_seconds())}",
                f"{_START}, or `retrainer run-once --assistant {name}`",
            )


def _cycles(
    app: Application, known: AssistantStatus, found: Status, now: datetime
) -> Iterator[Diagnosis]:
    """Whether the assistant is paused, failing, or without a success for too long."""
    what, last = f"cycles of {known.name}", known.last
    if pause := found.pauses.get(known.name):
        why = f": {pause.reason}" if pause.reason else ""
        yield warning(
            what,
            f"paused since {moment(pause.at)} UTC by {pause.by}{why}",
            f"retrainer resume {known.name}",
        )
    if last is not None and last.cycle.status is CycleStatus.FAILED:
        yield warning(
            what,
            f"the last one, {last.cycle.number}, failed at {last.failed_step or 'its end'}: "
            f"{(last.error or '').splitlines()[0] if last.error else 'no reason is recorded'}",
            last.tip or f"retrainer show {last.cycle.number}",
        )
    if pause is None and known.last_success is not None:
        missed = islice(upcoming(app.schedule(known.name), after=known.last_success), _MISSED)
        passed = [tick for tick in missed if tick.starts_at < now]
        if len(passed) == _MISSED:
            yield warning(
                what,
                f"the last success was at {moment(known.last_success)} UTC; {_MISSED} or more fire "
                "times have passed since",
                f"retrainer history --assistant {known.name}; {_START} if no daemon runs",
            )
        else:
            yield good(what, f"last success {moment(known.last_success)} UTC", minor=True)


def _outbox(app: Application, now: datetime) -> Iterator[Diagnosis]:
    waiting = undelivered(app.bare_engine)
    for each in waiting:
        what, age = f"notifier {each.notifier}", now - each.oldest
        held = f"{counted(each.waiting, 'notification')} wait, the oldest for {_age(age)}"
        if each.notifier not in app.settings.notifiers:
            yield warning(
                what,
                f"{held}; it is not configured any more",
                f"configure [notifiers.{each.notifier}] again, or let them expire",
            )
        elif age > _DELIVERY:
            error = each.last_error or "nobody has tried to deliver them"
            yield warning(
                what, f"{held}: {error}", f"mend [notifiers.{each.notifier}], or {_START}"
            )
    if not waiting:
        yield good("notifications", "all delivered", minor=True)


def _age(age: timedelta) -> str:
    return counted(age.days, "day") if age.days else duration(age.total_seconds())
