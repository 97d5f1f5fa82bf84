"""What a person answers to a held cycle, on a real database and a real registry."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.run_store_contract import DECIDED, MODEL, VERDICT, begin, run_step
from support.archives import write_model
from support.databases import DIALECTS, engine_of
from support.http_side import application, held
from typer.testing import CliRunner

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.cli.app import app as cli
from retrainer.domain.cycle import PromotionReason, State, Status
from retrainer.domain.verdict import Check, Outcome, Verdict
from retrainer.errors import (
    ChampionMoved,
    ModelNotFound,
    NotAwaitingApproval,
    OutcomeUnknown,
    PlatformNotReady,
    ServerError,
)
from retrainer.pipeline import approvals, by_hand
from retrainer.pipeline.world import Desk
from retrainer.ports import Answer, CycleReport
from retrainer.store import history
from retrainer.store.approvals import SqlApprovals
from retrainer.store.run_store import SqlRunStore
from retrainer.testing.clock import FakeClock
from retrainer.testing.platforms import FakePlatform

HOLD = Verdict(Outcome.HOLD, "default", (Check("gain", Outcome.HOLD, "unclear", 0.9, 0.8),))
WHO = {"actor": "ada", "reason": "I looked at it"}


class LeavingPlatform(FakePlatform):
    """A platform that goes away right after a change, if `leaves`; `gone` as long as it is."""

    leaves = gone = False

    def activate(self, name: str, *, expected: str | None) -> None:
        super().activate(name, expected=expected)
        if self.leaves:
            self.gone = True
            raise ServerError("gone")

    def active(self) -> str | None:
        if self.gone:
            raise ServerError("gone")
        return super().active()


class Office:
    """A desk with a champion, and the answers that were given at it."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self.engine, self.folder, self.clock = engine, folder, FakeClock()
        self.store = SqlRunStore(engine, self.clock)
        self.platform = LeavingPlatform(folder / "platform")
        self.desk = Desk("helpdesk", self.clock, self.platform, self.store)
        self.answers = SqlApprovals(engine)
        self.upload("champion")
        by_hand.promote(self.desk, "champion", actor="ada", note="the first")

    def upload(self, name: str) -> None:
        self.platform.upload(*write_model(self.folder, name))

    def cycle(self, verdict: Verdict | None = HOLD, **options) -> CycleReport:
        """A cycle that ended a while ago, and its model."""
        status = options.pop("status", Status.COMPLETED)
        self.clock.advance(timedelta(hours=1))
        lease = begin(self.store, **options)
        name = lease.cycle.challenger
        self.upload(name)
        state = replace(DECIDED, model=replace(MODEL, name=name), verdict=verdict)
        run_step(self.store, lease, "pull", State(), state)
        report = self.store.finish(lease, status, notifiers=())
        self.clock.advance(timedelta(hours=1))
        return report

    def approve(self, report: CycleReport, **options):
        return approvals.approve(self.desk, self.answers, report, **(WHO | options))

    def reject(self, report: CycleReport, **options) -> Answer:
        return approvals.reject(self.desk, self.answers, report, **(WHO | options))

    def ledger(self) -> list[str]:
        return [row.model for row in self.store.promotions("helpdesk")]


@pytest.fixture(params=DIALECTS)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    with engine_of(request.param, tmp_path) as engine:
        yield Office(engine, tmp_path)


def test_an_approved_challenger_serves_and_everything_says_why(office):
    """Ledger, cycle and history: who, when, and why."""
    report = office.cycle()
    made = office.approve(report)
    assert office.platform.champion == made.model == report.cycle.challenger
    assert (made.reason, made.actor, made.note) == (PromotionReason.PERSON, *WHO.values())
    assert (made.previous, made.cycle) == ("champion", report.cycle.number)
    details = history.get(office.engine, str(report.cycle.number))
    assert details.answer == Answer(report.cycle.number, True, *WHO.values(), office.clock.now())
    assert details.promotions == (made,)
    (line,) = history.list_cycles(office.engine)
    assert line.approved is True


def test_a_rejected_challenger_stays_where_it_is(office):
    """Nothing but the answer is written."""
    report = office.cycle()
    answer = office.reject(report)
    assert office.answers.of(report.cycle.number) == answer
    assert (answer.approved, office.platform.champion) == (False, "champion")
    assert office.ledger() == ["champion"]
    assert history.list_cycles(office.engine)[0].approved is False


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_a_cycle_is_answered_once(office, first, second):
    """The second answer changes nothing, and is told who gave the first, and why."""
    report = office.cycle()
    getattr(office, first)(report)
    before = (office.answers.of(report.cycle.number), office.platform.champion, office.ledger())
    said = {"approve": "approved", "reject": "rejected"}[first]
    with pytest.raises(NotAwaitingApproval, match=f"was {said} by ada .*: I looked at it"):
        getattr(office, second)(report, actor="bob", reason="no")
    now = (office.answers.of(report.cycle.number), office.platform.champion, office.ledger())
    assert now == before


@pytest.mark.parametrize(
    ("cycle", "words"),
    [
        ({"verdict": VERDICT}, "verdict of cycle 1 is reject; only after hold"),
        ({"verdict": replace(HOLD, outcome=Outcome.PROMOTE)}, "verdict of cycle 1 is promote"),
        ({"verdict": None, "status": Status.FAILED}, "no verdict to answer to: it is failed"),
        ({"status": Status.ABANDONED}, "no verdict to answer to: it is abandoned"),
        ({"dry_run": True}, "a dry run, which leaves no model"),
    ],
)
def test_only_a_held_cycle_waits_for_a_person(office, cycle, words):
    """Everything else was decided, or cannot be."""
    report = office.cycle(**cycle)
    for answer in (office.approve, office.reject):
        with pytest.raises(NotAwaitingApproval, match=words):
            answer(report)
    assert office.answers.of(report.cycle.number) is None
    assert office.platform.champion == "champion"


def test_a_newer_promotion_supersedes_the_question(office):
    """The challenger was compared with another champion than it would replace now."""
    report = office.cycle()
    office.upload("newer")
    by_hand.promote(office.desk, "newer", actor="bob", note="mine")
    with pytest.raises(ChampionMoved, match=r"bob made newer the champion .* against champion"):
        office.approve(report)
    assert office.answers.of(report.cycle.number) is None
    assert office.platform.champion == "newer"


def test_a_champion_that_changed_outside_supersedes_it_too(office):
    """What the ledger did not know of is noticed first."""
    report = office.cycle()
    office.upload("outside")
    office.platform.champion = "outside"
    with pytest.raises(ChampionMoved, match="unknown made outside the champion"):
        office.approve(report)


def test_back_to_the_champion_of_the_cycle_the_question_stands(office):
    """A promotion that was taken back leaves the comparison what it was."""
    report = office.cycle()
    office.upload("newer")
    by_hand.promote(office.desk, "newer", actor="bob", note="mine")
    by_hand.rollback(office.desk, actor="bob", note="not mine")
    assert office.approve(report).model == office.platform.champion == report.cycle.challenger


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("activate", PlatformNotReady("no server is up")),
        ("activate", ModelNotFound("it was swept")),
        ("confirm", ServerError("it does not load")),
    ],
)
def test_a_promotion_that_fails_leaves_the_question_open(office, method, error):
    """The champion stays or is back, and the next answer counts."""
    report = office.cycle()
    office.platform.failures[method] = error
    with pytest.raises(type(error).__mro__[1]):
        office.approve(report)
    assert office.platform.champion == "champion"
    assert office.answers.of(report.cycle.number) is None
    office.platform.failures.clear()
    assert office.approve(report).model == office.platform.champion


@pytest.mark.parametrize("activated", [False, True])
def test_an_approval_that_was_cut_off_is_carried_out_by_the_next(office, activated):
    """A process that was killed after its answer, before or after the model became active."""
    report = office.cycle()
    office.answers.give(Answer(report.cycle.number, True, "bob", "first", office.clock.now()))
    if activated:
        office.platform.champion = report.cycle.challenger
    made = office.approve(report)
    assert made.model == office.platform.champion == report.cycle.challenger
    assert office.ledger() == [report.cycle.challenger, "champion"]
    with pytest.raises(NotAwaitingApproval, match="was approved by bob"):
        office.approve(report)


def test_while_it_is_not_known_what_serves_the_answer_stands(office):
    """A platform that went away in the middle may have done it: approving again finds out."""
    report = office.cycle()
    office.platform.leaves = True
    with pytest.raises(OutcomeUnknown):
        office.approve(report)
    assert office.answers.of(report.cycle.number) is not None
    office.platform.leaves = office.platform.gone = False
    assert office.approve(report).model == office.platform.champion == report.cycle.challenger
    assert office.ledger() == [report.cycle.challenger, "champion"]


def test_of_two_answers_at_once_one_stands(office):
    """The database decides, whoever was told what before."""
    first = Answer(office.cycle().cycle.number, True, "ada", "yes", office.clock.now())
    second = replace(first, approved=False, actor="bob", at=first.at + timedelta(seconds=1))
    assert office.answers.give(first) == first
    assert office.answers.give(second) == first
    office.answers.withdraw(second)
    assert office.answers.of(first.cycle) == first
    office.answers.withdraw(first)
    assert office.answers.give(second) == second


def test_on_a_registry_on_disk_as_well(tmp_path):
    """The same with the registry that retrainer brings along."""
    with engine_of("sqlite", tmp_path) as engine:
        office = Office(engine, tmp_path)
        office.platform = EmbeddedRegistry(tmp_path / "registry")
        office.desk = replace(office.desk, platform=office.platform)
        office.upload("champion")
        office.platform.activate("champion", expected=None)
        report = office.cycle()
        office.approve(report)
        assert office.platform.active() == report.cycle.challenger


def test_the_commands_say_what_they_did_and_why_they_do_not(tmp_path):
    """`approve`, `reject`, and `show` and `history` afterwards."""
    app = application(tmp_path)
    first, second = held(app), held(app)
    app.engine.dispose()
    approve = command(tmp_path, "approve", "1", "--reason", "I looked")
    name = first.cycle.challenger
    assert f"{name} is the champion of shop now; it was none" in approve.stderr
    again = command(tmp_path, "approve", "1", "-r", "again")
    assert "was approved by" in str(again.exception)
    assert "retrainer promote" in again.exception.tip
    assert "made" in str(command(tmp_path, "approve", "2", "-r", "x").exception)
    reject = command(tmp_path, "reject", second.cycle.challenger, "-r", "worse")
    assert "cycle 2 is rejected" in reject.stderr
    assert "approved by" in command(tmp_path, "show", "1").stdout
    assert '"approved": false' in command(tmp_path, "show", "2", "--json").stdout
    lines = command(tmp_path, "history", "--json").stdout.splitlines()
    assert [json.loads(line)["approved"] for line in lines] == [False, True]
    assert "there is no cycle 9" in str(command(tmp_path, "reject", "9", "-r", "x").exception)


def command(folder: Path, *arguments: str):
    """A command on the configuration in the folder."""
    return CliRunner().invoke(cli, ["--config", str(folder / "retrainer.toml"), *arguments])
