"""What a person sees while a cycle runs: a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from retrainer.domain.cycle import Cycle
from retrainer.ports import CycleListener, CycleReport, Progress
from retrainer.reports.progress import Pace, describe


def listener_for(console: Console) -> CycleListener:
    """The live view if the console is a terminal, plain lines otherwise."""
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)


class PlainProgress:
    """One line a step, and those of what goes on inside that are worth it; `now` gives seconds."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console, self._now = console, now
        self._started, self._pace = now(), Pace(now)

    def begun(self, cycle: Cycle, steps: Sequence[str], done: Sequence[str]) -> None:
        """Say which cycle it is."""
        del steps
        again = f", resumed after {', '.join(done) or 'its start'}" if cycle.resumed else ""
        self._say(f"cycle {cycle.number} of {cycle.assistant}{again}")

    def step(self, name: str) -> None:
        """Say which step begins."""
        self._pace.restart()
        self._say(f"  {name}")

    def progress(self, progress: Progress) -> None:
        """Say a new component at once, its advance now and then."""
        if self._pace.is_due(progress):
            self._say(f"    {describe(progress)}")

    def warn(self, sentence: str) -> None:
        """Say it among the steps."""
        self._say(f"  warning: {sentence}")

    def ended(self, report: CycleReport) -> None:
        """Say how long it took; what came of it is the result, printed elsewhere."""
        del report
        self._say("  done")

    def _say(self, text: str) -> None:
        self._console.print(
            escape(f"{elapsed(self._now() - self._started):>6}  {text}"), soft_wrap=True
        )


class LiveProgress:
    """All steps of the cycle, the running one with what it is at and for how long."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._title = ""
        self._steps: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._current: str | None = None
        self._since = time.monotonic()
        self._progress: Progress | None = None

    def begun(self, cycle: Cycle, steps: Sequence[str], done: Sequence[str]) -> None:
        """Show the list of steps."""
        again = " (resumed)" if cycle.resumed else ""
        self._title = f"cycle {cycle.number} of {cycle.assistant}{again}"
        self._steps = {name: "done" if name in done else "to do" for name in steps}
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=8, transient=True
        )
        self._live.start()

    def step(self, name: str) -> None:
        """Move on to the next step."""
        self._finish_current()
        self._current, self._since, self._progress = name, time.monotonic(), None
        self._steps[name] = "running"

    def progress(self, progress: Progress) -> None:
        """Show what the running step is at."""
        self._progress = progress

    def warn(self, sentence: str) -> None:
        """Print it above the view, where it stays."""
        self._console.print(escape(f"warning: {sentence}"), soft_wrap=True)

    def ended(self, report: CycleReport) -> None:
        """Take the view away; the result is printed in its place."""
        del report
        self.close()

    def close(self) -> None:
        """End the view, whatever happened; a second call does nothing."""
        self._finish_current()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _finish_current(self) -> None:
        if self._current is not None:
            self._seconds[self._current] = time.monotonic() - self._since
            self._steps[self._current] = "done"
            self._current = None

    def _render(self) -> Table:
        marks = {
            "done": Text("✓", style="green"),
            "running": Text("●", style="yellow"),
            "to do": Text("·", style="dim"),
        }
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(min_width=9)
        table.add_column(justify="right", min_width=6)
        table.add_column(no_wrap=True, overflow="ellipsis")
        table.title, table.title_justify = Text(self._title, style="bold"), "left"
        for name, status in self._steps.items():
            seconds, detail = self._seconds.get(name), ""
            if status == "running":
                seconds = time.monotonic() - self._since
                detail = describe(self._progress) if self._progress else ""
            style = "dim" if status == "to do" else ""
            table.add_row(
                marks[status],
                Text(name, style=style),
                Text("" if seconds is None else elapsed(seconds), style="dim"),
                Text(detail, style="cyan"),
            )
        return table


def elapsed(seconds: float) -> str:
    """`7 s`, `1:05`, `1:02:03`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
