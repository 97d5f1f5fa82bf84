"""Figures for Prometheus, read from the database a few times a minute however many scrape."""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from retrainer import __version__
from retrainer.domain.cycle import Status as CycleStatus
from retrainer.domain.verdict import Outcome
from retrainer.errors import RetrainerError
from retrainer.store.engine import reading
from retrainer.store.status import Status, read_status
from retrainer.store.tallies import EndedCycle, EndedCycles, champion_f1
from retrainer.web.daemon_view import DaemonView
from retrainer.web.threads import in_thread
from retrainer.wiring import Application

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Seconds for which figures hold, and that a scrape waits for newer ones.
FRESH, PATIENCE = 5.0, 5.0
#: Seconds after which they are shown no longer: the database does not answer.
STALE = 60.0
#: Upper bounds in seconds: a step takes from a moment (decide) to hours (train).
BUCKETS = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, math.inf)
#: Every way in which a cycle may end, and its verdict, so that each counter begins with 0.
_ENDS = (
    *((CycleStatus.COMPLETED, outcome) for outcome in Outcome),
    *((status, "") for status in (CycleStatus.SKIPPED, CycleStatus.FAILED, CycleStatus.ABANDONED)),
)

_log = logging.getLogger(__name__)


@dataclass
class _Durations:
    """A histogram of one step."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        first = next(n for n, bound in enumerate(BUCKETS) if seconds <= bound)
        self.counts[first] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound and number of all values up to it, as Prometheus wants them."""
        bounds = ["+Inf" if math.isinf(bound) else f"{bound:g}" for bound in BUCKETS]
        sums = [sum(self.counts[: n + 1]) for n in range(len(BUCKETS))]
        return [(bound, float(number)) for bound, number in zip(bounds, sums, strict=True)]


@dataclass(frozen=True)
class _Now:
    """What the database says at a moment."""

    status: Status
    f1: Mapping[str, float]
    at: datetime
    monotonic: float


class Metrics:
    """The figures of the whole database, as this daemon sees them.

    Counters begin with 0 when the daemon starts, as Prometheus expects it of any program: a count
    of the rows on disk would go down whenever old cycles are deleted, and be taken for a restart.
    Of several daemons on one database each counts every cycle: take the `max`, not the `sum`.
    """

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._ended = EndedCycles()
        self._cycles: Counter[tuple[str, str, str]] = Counter()
        self._durations: dict[str, _Durations] = {}
        self._now: _Now | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._began = -math.inf
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Figures(self))

    async def refresh(self) -> None:
        """Have figures that are `FRESH`, if the database can be asked within `PATIENCE`."""
        now = self._daemon.application.clock.monotonic()
        if self._refreshing is None and now - self._began >= FRESH:
            self._began = now
            self._refreshing = asyncio.create_task(self._read())
        if self._refreshing is not None:
            await asyncio.wait({self._refreshing}, timeout=PATIENCE)

    async def scrape(self) -> bytes:
        """The figures in Prometheus's text format."""
        await self.refresh()
        return generate_latest(self._registry)

    def families(self) -> Iterator[Metric]:
        """All metrics, as they are known now."""
        health, now = self._daemon.health, self._fresh()
        yield InfoMetricFamily("retrainer_build", "The version.", {"version": __version__})
        yield _gauge(
            "retrainer_leader", "Whether this daemon leads.", float(health.leader == health.owner)
        )
        yield _gauge(
            "retrainer_database_up",
            "Whether the database could be read; if not, figures of it are left out.",
            float(now is not None),
        )
        yield self._cycles_total()
        yield self._step_durations()
        if now is not None:
            yield from _current(now, self._daemon.application)

    def _fresh(self) -> _Now | None:
        now, clock = self._now, self._daemon.application.clock
        return now if now is not None and clock.monotonic() - now.monotonic < STALE else None

    def _cycles_total(self) -> Metric:
        family = CounterMetricFamily(
            "retrainer_cycles",
            "Cycles that ended since this daemon started, of all daemons on its database.",
            labels=("assistant", "status", "verdict"),
        )
        ends = {
            (name, *end) for name in self._daemon.application.settings.assistants for end in _ENDS
        }
        for labels in sorted(ends | self._cycles.keys()):
            family.add_metric(labels, self._cycles[labels])
        return family

    def _step_durations(self) -> Metric:
        family = HistogramMetricFamily(
            "retrainer_step_duration_seconds",
            "How long the last attempt at each step of these cycles took.",
            labels=("step",),
        )
        for step, durations in sorted(self._durations.items()):
            family.add_metric((step,), durations.buckets(), durations.total)
        return family

    async def _read(self) -> None:
        try:
            app = self._daemon.application
            self._now, ended = await in_thread(
                lambda: (_read_now(app), self._ended.read(app.engine))
            )
        except RetrainerError as error:
            if self._now is not None:
                _log.warning("figures for Prometheus: %s", error)
            self._now = None
        else:
            self._count(ended)
        finally:
            self._refreshing = None

    def _count(self, ended: tuple[EndedCycle, ...]) -> None:
        for cycle in ended:
            self._cycles[cycle.assistant, cycle.status, cycle.verdict or ""] += 1
            for step, seconds in cycle.steps:
                self._durations.setdefault(step, _Durations()).observe(seconds)


class _Figures(Collector):
    """What the registry asks."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        return self._metrics.families()


def _read_now(app: Application) -> _Now:
    now, begun = app.clock.now(), app.clock.monotonic()
    status = read_status(app.engine, now)
    with reading(app.engine) as connection:
        figures = {
            known.name: champion_f1(connection, known.name, known.champion.model)
            for known in status.assistants
            if known.champion is not None
        }
    return _Now(status, {name: f1 for name, f1 in figures.items() if f1 is not None}, now, begun)


def _current(now: _Now, app: Application) -> Iterator[Metric]:
    """What the database says now."""
    status, outbox = now.status, now.status.outbox
    succeeded = {a.name: a.last_success for a in status.assistants if a.last_success}
    owed = dict.fromkeys(app.settings.assistants, 0) | Counter(r.assistant for r in status.pending)
    running: dict[tuple[str, ...], float] = {
        (c.cycle.assistant, c.step or ""): 1.0 for c in status.running
    }
    yield _by(
        "retrainer_champion_f1",
        "Weighted F1 of the champion where it was measured last, 0 to 1.",
        {(name,): f1 for name, f1 in now.f1.items()},
    )
    yield _by(
        "retrainer_last_success_timestamp_seconds",
        "When a cycle was carried out last, or had nothing to do.",
        {(name,): at.timestamp() for name, at in succeeded.items()},
    )
    yield _by(
        "retrainer_last_success_age_seconds",
        "How long ago that was.",
        {(name,): (now.at - at).total_seconds() for name, at in succeeded.items()},
    )
    yield _by(
        "retrainer_owed_cycles",
        "Requests that no cycle has answered yet; the next one answers all.",
        {(name,): float(number) for name, number in owed.items()},
    )
    yield _by(
        "retrainer_assistant_paused",
        "Whether the assistant's cycles are not begun.",
        {(name,): float(name in status.pauses) for name in app.settings.assistants},
    )
    yield _by("retrainer_cycle_running", "Cycles that run, and at what.", running, step=True)
    yield _gauge("retrainer_outbox_depth", "Notifications that wait.", float(outbox.waiting))
    oldest = (now.at - outbox.oldest).total_seconds() if outbox.oldest else 0.0
    yield _gauge("retrainer_outbox_oldest_seconds", "How long the oldest has waited.", oldest)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _by(
    name: str, words: str, values: Mapping[tuple[str, ...], float], *, step: bool = False
) -> Metric:
    labels = ("assistant", "step") if step else ("assistant",)
    family = GaugeMetricFamily(name, words, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family
