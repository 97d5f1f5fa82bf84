"""What is going on now, as a person reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from retrainer.domain.cycle import Cycle, Promotion
from retrainer.ports import Pause, Request
from retrainer.reports import words
from retrainer.reports.listings import RESULT_STYLES
from retrainer.reports.rows import HistoryLine
from retrainer.reports.values import counted, duration, moment, printable


@dataclass(frozen=True, slots=True)
class DaemonLine:
    """A daemon: host and process id, and what it is here for, such as `leads`."""

    name: str
    version: str
    doing: str
    started_at: datetime
    alive: bool = True


@dataclass(frozen=True, slots=True)
class RunningLine:
    """A cycle that has not ended; `owner` None: nobody works on it."""

    cycle: Cycle
    owner: str | None
    step: str | None
    step_since: datetime | None
    attempts: int
    resume_at: datetime | None


@dataclass(frozen=True, slots=True)
class AssistantLines:
    """An assistant; `next_start` is by its schedule, None without one.

    `stuck` says that a daemon has had room for what is asked for, and has not begun it.
    Of one that is not `configured` no schedule is known, and its cycles are not gone on with here.
    """

    name: str
    running: RunningLine | None
    pending: Sequence[Request]
    pause: Pause | None
    next_start: datetime | None
    last: HistoryLine | None
    champion: Promotion | None
    configured: bool = True
    stuck: bool = False


def status_view(
    daemons: Sequence[DaemonLine],
    assistants: Sequence[AssistantLines],
    *,
    waiting: int,
    oldest: datetime | None,
    now: datetime,
) -> RenderableType:
    """Daemons, then each assistant, then notifications that wait; `waiting` counts those."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold", ratio=1)
    if not any(daemon.alive for daemon in daemons):
        hint = "none runs: nothing begins by itself; `retrainer run` starts one"
        table.add_row("daemon", "", Text(hint, style="yellow"))
    for daemon in daemons:
        table.add_row("daemon", "", _daemon(daemon))
    for assistant in assistants:
        lines = _assistant(assistant, now)
        for position, (label, story) in enumerate(lines):
            table.add_row(printable(assistant.name) if position == 0 else "", label, story)
    if waiting and oldest is not None:
        wait = duration((now - oldest).total_seconds())
        told = f"{counted(waiting, 'notification')} not delivered yet, the oldest for {wait}"
        table.add_row("outbox", "", Text(told, style="yellow"))
    return Group(Text(f"{moment(now)} UTC", style="dim"), table)


def _daemon(daemon: DaemonLine) -> Text:
    style = "" if daemon.alive else "red"
    since = f"since {moment(daemon.started_at)}, version {daemon.version}"
    return Text(f"{printable(daemon.name)} {daemon.doing}, {since}", style=style)


def _assistant(lines: AssistantLines, now: datetime) -> list[tuple[str, Text]]:
    found: list[tuple[str, Text]] = []
    if lines.running is not None:
        found.append(("now", _running(lines.running, now)))
    if lines.pause is not None:
        why = f": {printable(lines.pause.reason)}" if lines.pause.reason else ""
        paused = f"paused since {moment(lines.pause.at)} by {printable(lines.pause.by)}{why}"
        found.append(("paused", Text(f"{paused}; `retrainer resume {lines.name}`", style="yellow")))
    if lines.pending:
        found.append(("asked", _pending(lines)))
    found.append(("next", _next(lines, now)))
    if lines.last is not None:
        found.append(("last", _last(lines.last)))
    if lines.champion is None:
        found.append(("serves", Text("no model yet", style="dim")))
    else:
        serves = f"{printable(lines.champion.model)} since {moment(lines.champion.at)}"
        found.append(("serves", Text(serves)))
    return found


def _running(running: RunningLine, now: datetime) -> Text:
    number = f"cycle {running.cycle.number}"
    if running.resume_at is not None and running.resume_at > now:
        until = f"{number} waits until {moment(running.resume_at)} to promote its model"
        return Text(until, style="cyan")
    since = running.step_since or running.cycle.started_at
    lasting = duration(max(0.0, (now - since).total_seconds()))
    at = f"{running.step or 'begins'} for {lasting}"
    again = f", attempt {running.attempts}" if running.attempts > 1 else ""
    if running.owner is None:
        return Text(f"{number} was interrupted at {at}; a daemon takes it up", style="yellow")
    return Text(f"{number}: {at}{again}, by {printable(running.owner)}", style="bold cyan")


def _pending(lines: AssistantLines) -> Text:
    pending, first = lines.pending, lines.pending[0]
    note = f": {printable(first.note)}" if first.note else ""
    more = f" (and {len(pending) - 1} more, one cycle for all)" if len(pending) > 1 else ""
    begins = "begins as soon as a daemon has room"
    if lines.running is not None:
        begins = "begins after this cycle"
    elif lines.stuck:
        begins = "a daemon has room for it, and does not begin it: its log says why"
    asked = f"by {printable(first.asked_by)} at {moment(first.asked_at)}{note}{more}; {begins}"
    return Text(asked, style="yellow" if lines.stuck else "cyan")


def _next(lines: AssistantLines, now: datetime) -> Text:
    if not lines.configured:
        left = "not in this configuration: only a daemon that has it there goes on with this"
        return Text(left, style="yellow")
    if lines.pause is not None:
        return Text("nothing before it is resumed", style="dim")
    if lines.next_start is None:
        return Text("nothing is scheduled", style="dim")
    left = duration((lines.next_start - now).total_seconds())
    return Text(f"{moment(lines.next_start)}, in {left}")


def _last(line: HistoryLine) -> Text:
    result = words.result(line.cycle, line.verdict)
    text = Text(f"cycle {line.cycle.number} of {moment(line.cycle.started_at)} ")
    text.append(result, style=RESULT_STYLES.get(result, "bold"))
    story = words.history_story(line)
    return text.append(f", {printable(story)}" if story else "")
