"""Whole cycles under bad input: what breaks, what has to come of it, and what comes after.

A place is a laboratory with a real store and real adapters in which a first model serves and better
data waits. What goes wrong is a generator: it breaks something, yields (maybe the steps to run),
and mends it again.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from support.archives import write_rasa_model
from support.fault_proxy import FaultProxy
from support.rasa_x import RasaXServer
from support.worlds import Laboratory, utterances

from retrainer.adapters.clock import SystemClock
from retrainer.adapters.rasa_x.platform import RasaXPlatform
from retrainer.domain.cycle import PromotionReason, Status
from retrainer.domain.verdict import Outcome
from retrainer.pipeline.runner import run_cycle
from retrainer.pipeline.steps import CYCLE, Step
from retrainer.ports import CycleReport
from retrainer.reports.json_report import to_json
from retrainer.store import history
from retrainer.store.engine import make_engine
from retrainer.store.owner import current_owner
from retrainer.store.run_store import SqlRunStore

#: What is given instead of each true secret; nobody may get to see it either.
WRONG = "wrong-SECRET-word"
#: Loggers of the servers that the tests run themselves.
_OF_SERVERS = ("uvicorn", "werkzeug", "asyncssh", "moto")


class Place(Protocol):
    """Where a laboratory's cycles happen; `secrets` must never be seen anywhere."""

    lab: Laboratory
    engine: sa.Engine
    secrets: Sequence[str]
    #: The first model.
    champion: str

    def serving(self) -> set[str | None]:
        """The model that serves, by the word of each that could tell."""
        ...

    def uploads(self) -> int:
        """How many uploads were stored so far."""
        ...

    def there(self) -> set[str]:
        """The models that are stored now."""
        ...


Happening = Callable[..., Iterator[Sequence[Step] | None]]


@dataclass(frozen=True)
class Bad:
    """A bad input: the step that fails (None: the challenger is held), and what is said of it.

    `words` is a pattern in the error or in the reason, `tip` a part of the tip; empty: there is
    none. `left` says whether the challenger stays where models are stored.
    """

    happens: Happening
    step: str | None
    words: str
    tip: str = ""
    left: bool = False

    @property
    def id(self) -> str:
        """For pytest."""
        return self.happens.__name__


def laboratory(folder: Path, engine: sa.Engine) -> Laboratory:
    """A laboratory whose history is in this database."""
    lab = Laboratory(folder / "lab")
    lab.store = SqlRunStore(engine, lab.clock)
    return lab


def serve_first(place: Place) -> None:
    """Promote a first model, and bring better data."""
    report = place.lab.run()
    assert report.state.confirmed, report.error
    place.champion = report.cycle.challenger
    assert place.serving() == {place.champion}
    place.lab.write(utterances(60))


def before(name: str, happens: Callable[[str], object]) -> list[Step]:
    """The steps of a cycle; right before this one acts, something happens to its challenger."""

    def meanwhile(step: Step) -> Step:
        def act(cycle, state, world):
            happens(cycle.challenger)
            return step.act(cycle, state, world)

        return replace(step, act=act)

    return [meanwhile(step) if step.name == name else step for step in CYCLE]


def require_named(place: Place, bad: Bad, caplog: pytest.LogCaptureFixture) -> None:
    """One clear error, the champion untouched, the cycle in the history, no secret anywhere.

    And once the input is good again, the next run promotes, with one upload; after a promotion that
    was not confirmed only if it is forced, since the same data brings the same model.
    """
    caplog.set_level(logging.DEBUG)
    uploads = place.uploads()
    with contextmanager(bad.happens)(place) as steps:
        report = place.lab.run(steps=steps or CYCLE)
        require_ended(place, report, bad)
    challenger = report.cycle.challenger
    assert place.serving() == {place.champion}
    assert place.there() - {place.champion} == ({challenger} if bad.left else set())
    require_no_secret(place, caplog)
    assert place.uploads() <= uploads + 1

    uploads = place.uploads()
    unconfirmed = bad.step == "confirm"
    if unconfirmed:
        assert place.lab.run().state.same_as == report.cycle.number
        assert place.serving() == {place.champion}
    again = place.lab.run(force=unconfirmed)
    assert again.cycle.status is Status.COMPLETED, again.error
    assert again.state.confirmed, again.state.verdict
    assert again.cycle.number == report.cycle.number + 1 + unconfirmed
    assert place.serving() == {again.cycle.challenger}
    assert place.uploads() == uploads + 1
    ledger = [(row.model, row.reason) for row in place.lab.store.promotions("shop")]
    assert ledger[0] == (again.cycle.challenger, PromotionReason.GATE)
    assert ledger[-1] == (place.champion, PromotionReason.GATE)
    assert PromotionReason.OUTSIDE not in dict(ledger).values()
    require_no_secret(place, caplog)


def require_ended(place: Place, report: CycleReport, bad: Bad) -> None:
    """As it should, in the report and in the history alike."""
    recorded = history.get(place.engine, "latest")
    assert recorded.report == report
    if bad.step is None:
        assert (report.cycle.status, report.error) == (Status.COMPLETED, None)
        assert report.state.verdict.outcome is Outcome.HOLD
        assert re.search(bad.words, report.state.verdict.reason), report.state.verdict.reason
        return
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, bad.step), report.error
    assert re.search(bad.words, report.error), report.error
    assert bool(report.tip) == bool(bad.tip), report.tip
    assert bad.tip in (report.tip or ""), report.tip
    last = recorded.steps[-1]
    assert (last.name, last.status, last.error) == (bad.step, "failed", report.error)
    (row, *_) = history.list_cycles(place.engine)
    assert (row.cycle.number, row.error) == (report.cycle.number, report.error)


def require_no_secret(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a report, nor in the log, nor in a file of ours, the database included."""
    lab = place.lab
    seen = [lab.listener.report.error or "", *lab.listener.warnings]
    seen += [json.dumps(to_json(row)) for row in _reports(place)]
    seen += [
        record.getMessage() + (record.exc_text or "")
        for record in caplog.records
        if not record.name.startswith(_OF_SERVERS)
    ]
    for file in lab.folder.parent.rglob("*"):
        if file.is_file() and not {"upstream", "server", "ssh"} & set(file.parts):
            seen.append(file.read_bytes().decode(errors="replace"))
    for secret in (*place.secrets, WRONG):
        assert not [text for text in seen if secret in text]


def _reports(place: Place) -> list[CycleReport]:
    rows = history.list_cycles(place.engine)
    return [history.get(place.engine, str(row.cycle.number)).report for row in rows]


class RasaXPlace:
    """A double of Rasa X, behind a proxy."""

    def __init__(
        self, server: RasaXServer, proxy: FaultProxy, folder: Path, engine: sa.Engine
    ) -> None:
        self.server, self.proxy, self.folder, self.engine = server, proxy, folder, engine
        self.secrets = (server.api_token, server.password, server.service_token)
        self.lab = laboratory(folder, engine)
        self.lab.platform = self.platform()
        self.champion = ""

    def platform(self, **given: Any) -> RasaXPlatform:
        """As a config would make it; short limits of time."""
        return rasa_x_platform(self.proxy.url, self.folder, **given)

    def by_login(self, **given: Any) -> RasaXPlatform:
        """With user and password."""
        login = {"username": self.server.username, "password": self.server.password}
        return self.platform(**{**login, **given})

    def serving(self) -> set[str | None]:
        """By the tag."""
        return {name for name, tags in self.server.tags().items() if "production" in tags} or {None}

    def uploads(self) -> int:
        """As the server tells it."""
        return sum(
            (asked.operation, asked.status) == ("upload_model", 201)
            for asked in self.server.requests
        )

    def there(self) -> set[str]:
        """Those of others included."""
        return set(self.server.tags())

    def of_others(self, name: str) -> None:
        """A model that somebody else stores."""
        self.server.add_model(name, write_rasa_model(self.folder, name, b"theirs")[1])


def rasa_x_platform(url: str, folder: Path, **given: Any) -> RasaXPlatform:
    """As a config would make it; short limits of time."""
    plain: dict[str, Any] = {
        "url": url,
        "timeout": 5,
        "transfer_timeout": 10,
        "ready_timeout": 0.2,
        "listing_timeout": 0.3,
        "evaluate": False,
    }
    if not given.keys() & {"api_token", "username", "token"}:
        plain["api_token"] = RasaXServer.api_token
    options = RasaXPlatform.Options.model_validate(plain | given)
    return RasaXPlatform.from_options(options, folder=folder / "state")


def live_cycle(lab: Laboratory, engine: sa.Engine) -> CycleReport:
    """A cycle by the clock, and in the name, of this process, so that another can take it up."""
    clock = SystemClock()
    world = replace(lab.world(), clock=clock, store=SqlRunStore(engine, clock))
    return run_cycle(world, owner=current_owner())


def cycle_of_a_child(folder: Path, database: str, url: str) -> None:
    """What a process of its own does at a `RasaXPlace` in this folder, with better data."""
    engine = make_engine(database)
    lab = laboratory(folder, engine)
    lab.platform = rasa_x_platform(url, folder)
    lab.write(utterances(60))
    live_cycle(lab, engine)
