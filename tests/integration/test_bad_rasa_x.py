"""Bad input from Rasa X as a platform: whole cycles, the real adapter, a real history.

Each row breaks one thing. The cycle ends with one clear error, the champion serves on, and once the
thing is mended the next cycle promotes.
"""

import logging
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import sqlalchemy as sa
from support.bad_input import (
    WRONG,
    Bad,
    RasaXPlace,
    before,
    live_cycle,
    require_named,
    require_no_secret,
    serve_first,
)
from support.children import python
from support.databases import sqlite_engine, url_of
from support.fault_kinds import Exchange, Meanwhile
from support.fault_proxy import BodyLimit, Closed, Dripped, Page, fault_proxy
from support.rasa_x import rasa_x
from support.worlds import utterances

from retrainer.domain.cycle import PromotionReason, Status
from retrainer.domain.evaluation import PlatformFigures
from retrainer.domain.rules import PlatformGain
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.errors import OutcomeUnknown
from retrainer.store import history

MODELS, UPLOADS, TAGS = r"/models$", r"/models$", r"/tags/"
JSON = (("Content-Type", "application/json"),)
UNAUTHORISED = Page(401, b'{"message": "unauthorized"}', JSON)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """The history."""
    with sqlite_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
def x(tmp_path: Path, engine: sa.Engine) -> Iterator[RasaXPlace]:
    """A place whose first model serves."""
    with rasa_x(tmp_path / "server") as server, fault_proxy(server.url) as proxy:
        place = RasaXPlace(server, proxy, tmp_path, engine)
        serve_first(place)
        yield place


def wrong_token(place: RasaXPlace):
    place.lab.platform = place.platform(api_token=WRONG)
    yield
    place.lab.platform = place.platform()


def wrong_service_token(place: RasaXPlace):
    place.lab.platform = place.platform(token=WRONG)
    yield
    place.lab.platform = place.platform()


def wrong_password(place: RasaXPlace):
    place.lab.platform = place.by_login(password=WRONG)
    yield
    place.lab.platform = place.by_login()


def login_refused_when_it_expires(place: RasaXPlace):
    place.lab.platform = place.by_login()
    place.proxy.on("GET", "/health", UNAUTHORISED)
    place.proxy.on("POST", "/auth", UNAUTHORISED, nth=2)
    place.proxy.on("POST", "/auth", UNAUTHORISED, nth=3)
    yield
    place.proxy.clear()


def a_user_without_the_right_to_upload(place: RasaXPlace):
    place.server.switches.forbidden = {"upload_model"}
    yield
    place.server.switches.forbidden = set()


def wrong_project(place: RasaXPlace):
    place.lab.platform = place.platform(project="shop")
    yield
    place.server.violations.clear()
    place.lab.platform = place.platform()


def two_models_with_the_tag(place: RasaXPlace):
    place.of_others("theirs")
    place.server.store.get("theirs").tags.add("production")
    yield
    place.server.store.remove("theirs")


def two_models_get_the_tag_meanwhile(place: RasaXPlace):
    def happens(_: str) -> None:
        place.of_others("theirs")
        place.server.store.get("theirs").tags.add("production")

    yield before("promote", happens)
    place.server.store.remove("theirs")


def a_proxy_that_takes_small_bodies_only(place: RasaXPlace):
    place.proxy.on("POST", UPLOADS, BodyLimit(100))
    yield
    place.proxy.clear()


def another_model_of_that_name(place: RasaXPlace):
    yield before("upload", place.of_others)
    (theirs,) = place.there() - {place.champion}
    place.server.store.remove(theirs)


def rasa_too_new_for_us(place: RasaXPlace):
    place.server.switches.minimum_compatible_version = "3.7.0"
    yield
    place.server.switches.minimum_compatible_version = "3.6.0"


def incompatible_by_the_time_of_the_tag(place: RasaXPlace):
    def happens(_: str) -> None:
        place.server.switches.minimum_compatible_version = "3.6.22"

    yield before("promote", happens)
    place.server.switches.minimum_compatible_version = "3.6.0"


def a_page_for_a_list(place: RasaXPlace):
    place.proxy.on("GET", MODELS, Page(200))
    yield
    place.proxy.clear()


def a_page_for_an_upload(place: RasaXPlace):
    place.proxy.on("POST", UPLOADS, Page(200))
    yield
    place.proxy.clear()


def no_rasa_server(place: RasaXPlace):
    place.server.switches.rasa_server_down = True
    yield
    place.server.switches.rasa_server_down = False


def no_rasa_server_for_the_upload(place: RasaXPlace):
    def happens(_: str) -> None:
        place.server.switches.rasa_server_down = True

    yield before("upload", happens)
    place.server.switches.rasa_server_down = False


def a_list_that_drips(place: RasaXPlace):
    place.lab.platform = place.platform(timeout=0.4)
    place.proxy.on("GET", MODELS, Dripped())
    yield
    place.proxy.clear()
    place.lab.platform = place.platform()


def an_upload_that_drips(place: RasaXPlace):
    place.lab.platform = place.platform(transfer_timeout=0.4)
    place.proxy.on("POST", UPLOADS, Dripped())
    yield
    place.proxy.clear()
    place.lab.platform = place.platform()


def a_server_that_drips_from_the_upload_on(place: RasaXPlace):
    def happens(_: str) -> None:
        place.proxy.on("*", "", Dripped())

    place.lab.platform = place.platform(transfer_timeout=0.4, timeout=0.4)
    yield before("upload", happens)
    place.proxy.clear()
    place.lab.platform = place.platform()


def an_upload_that_is_always_lost(place: RasaXPlace):
    place.proxy.on("POST", UPLOADS, Closed(forwarded=False))
    yield
    place.proxy.clear()


def an_upload_that_is_never_listed(place: RasaXPlace):
    place.server.switches.listed_after_calls = 10**9
    yield
    place.server.switches.listed_after_calls = 0
    for model in place.server.store.all():
        model.calls_until_listed = 0


def the_stored_model_is_replaced(place: RasaXPlace):
    def happens(name: str) -> None:
        place.server.store.remove(name)
        place.of_others(name)

    yield before("promote", happens)


def the_stored_model_is_deleted(place: RasaXPlace):
    yield before("promote", place.server.store.remove)


def it_is_deleted_while_it_is_tagged(place: RasaXPlace):
    def happens(name: str) -> None:
        place.proxy.on("PUT", TAGS, Meanwhile(lambda: place.server.store.remove(name)))

    yield before("promote", happens)
    place.proxy.clear()


def a_tag_that_does_not_move(place: RasaXPlace):
    place.proxy.on("PUT", TAGS, Page(204, b"", ()))
    yield
    place.proxy.clear()


BAD_RASA_X = [
    Bad(wrong_token, "pull", "401: Auth required", "check `api_token`"),
    Bad(wrong_service_token, "pull", "401: Auth required", "check `token`"),
    Bad(wrong_password, "pull", "/api/auth answered 401: unauthorized", "check `username` and"),
    Bad(login_refused_when_it_expires, "train", "/api/auth answered 401", "check `username` and"),
    Bad(a_user_without_the_right_to_upload, "upload", "POST .* answered 403", "give it the right"),
    Bad(wrong_project, "pull", "404: Project 'shop' was not found", "`project` (now 'shop')"),
    Bad(two_models_with_the_tag, "pull", "2 models .* 'production'.*, theirs", "take the tag off"),
    Bad(two_models_get_the_tag_meanwhile, "promote", "2 models .*, theirs", "take the tag", True),
    Bad(a_proxy_that_takes_small_bodies_only, "upload", "answered 413", "client_max_body_size"),
    Bad(another_model_of_that_name, "upload", "another shop-.* is stored", "another name"),
    Bad(rasa_too_new_for_us, "train", r"Rasa 3\.7\.0 or newer, .* 3\.6\.21", "`rasa.python`"),
    Bad(incompatible_by_the_time_of_the_tag, None, "is not compatible", left=True),
    Bad(a_page_for_a_list, "pull", "a web page titled '200 OK'", "check `url`"),
    Bad(a_page_for_an_upload, "upload", "a web page titled '200 OK'", "check `url`"),
    Bad(no_rasa_server, "train", "production Rasa server answers 502, 200", "/api/health"),
    Bad(no_rasa_server_for_the_upload, "upload", "500: 'NoneType'.*answers 502", "/api/health"),
    Bad(a_list_that_drips, "pull", r"GET .*/models had no answer within 0\.4 s", "set how long"),
    Bad(
        an_upload_that_drips,
        "upload",
        r"POST .*/models had no answer within 0\.4 s",
        "set how long",
    ),
    Bad(
        a_server_that_drips_from_the_upload_on, "upload", r"no answer within 0\.4 s", "set how long"
    ),
    Bad(an_upload_that_is_always_lost, "upload", "closed the connection before", "should say why"),
    Bad(
        an_upload_that_is_never_listed,
        "upload",
        r"does not list it after 0\.3 s",
        "look for it",
        True,
    ),
    Bad(the_stored_model_is_replaced, "promote", "was replaced: its SHA-256", "delete", True),
    Bad(the_stored_model_is_deleted, "promote", "there is no model", "`retrainer models`"),
    Bad(it_is_deleted_while_it_is_tagged, "promote", "there is no model", "`retrainer models`"),
    Bad(
        a_tag_that_does_not_move,
        "promote",
        "is active at .*, shop-.* should be",
        "`retrainer models`",
        True,
    ),
]


@pytest.mark.parametrize("bad", BAD_RASA_X, ids=lambda bad: bad.id)
def test_bad_input_from_rasa_x(x: RasaXPlace, bad: Bad, caplog: pytest.LogCaptureFixture):
    """One clear error, the champion serves on, and the next cycle promotes."""
    require_named(x, bad, caplog)


MEASURED = {"f1_score": 0.9, "precision": 0.8, "accuracy": 0.7, "predictions": []}
PLATFORM_GAIN = NamedRule("platform", PlatformGain())


class EveryModel(dict[str, dict[str, Any]]):
    """The same evaluation of every model."""

    def get(self, name: str, default: object = None) -> dict[str, Any]:
        """It, whichever."""
        del name, default
        return {**self["of each"]}


def no_evaluation(place: RasaXPlace) -> None:
    """The double has no Rasa to evaluate with: 400."""


def an_evaluation_that_fails(place: RasaXPlace) -> None:
    place.server.switches.evaluation_fails = True


def an_evaluation_of_nulls(place: RasaXPlace) -> None:
    nulls = {"f1_score": None, "precision": None, "accuracy": None}
    place.server.switches.fixed_evaluations = EveryModel({"of each": nulls})


def an_evaluation_that_is_empty(place: RasaXPlace) -> None:
    place.proxy.on("PUT", "/evaluations/", Page(200, b"{}", JSON))


def an_evaluation_that_is_a_page(place: RasaXPlace) -> None:
    place.proxy.on("PUT", "/evaluations/", Page(200))


def an_evaluation_that_never_ends(place: RasaXPlace) -> None:
    place.proxy.on("PUT", "/evaluations/", Page(504))


NOT_MEASURED = {
    no_evaluation: "400: .*no Rasa worker",
    an_evaluation_that_fails: "500: .*TestingError",
    an_evaluation_of_nulls: "holds no number",
    an_evaluation_that_is_empty: "did not finish the evaluation .* within 0\\.5 s",
    an_evaluation_that_is_a_page: "a web page",
    an_evaluation_that_never_ends: "did not finish the evaluation .* within 0\\.5 s.*504",
}


@pytest.mark.parametrize(
    ("happens", "blocking"),
    [*((happens, True) for happens in NOT_MEASURED), (an_evaluation_that_fails, False)],
    ids=[*(happens.__name__ for happens in NOT_MEASURED), "advisory"],
)
def test_figures_that_rasa_x_does_not_give(x: RasaXPlace, happens: Any, blocking: bool):
    """A rule on them holds the challenger; where they are only shown the cycle goes on."""
    x.lab.platform = x.platform(evaluate=True, transfer_timeout=0.5)
    x.lab.policy = Policy("2018", (*x.lab.policy.rules, replace(PLATFORM_GAIN, blocking=blocking)))
    happens(x)
    report = x.lab.run()
    assert report.cycle.status is Status.COMPLETED
    assert report.state.verdict.checks[-1].outcome is Outcome.HOLD
    assert (
        "gave no F1 of the champion and the challenger" in report.state.verdict.checks[-1].sentence
    )
    said = [each for each in x.lab.listener.warnings if "did not evaluate" in each]
    assert len(said) == 2
    assert all(re.search(NOT_MEASURED[happens], each) for each in said), said
    assert report.state.confirmed is not blocking
    assert x.serving() == {x.champion if blocking else report.cycle.challenger}


def test_a_gateway_that_gives_up_on_an_evaluation(x: RasaXPlace):
    """The evaluation goes on behind it: its figures are waited for, and it is not begun twice."""
    x.lab.platform = x.platform(evaluate=True)
    x.server.switches.fixed_evaluations = EveryModel({"of each": MEASURED})
    x.proxy.on("PUT", "/evaluations/", Page(504, forwarded=True))
    report = x.lab.run()
    assert report.state.confirmed, report.error
    evaluation = report.state.evaluation
    figures = {evaluation.champion.platform, evaluation.challenger.platform}
    assert figures == {PlatformFigures(0.9, 0.8, 0.7, 0)}
    assert x.server.count("evaluate") == 2


def test_the_first_model_of_a_server_that_has_none(tmp_path: Path, engine: sa.Engine):
    """No active model yet is no error, even where others have stored some."""
    with rasa_x(tmp_path / "server") as server, fault_proxy(server.url) as proxy:
        place = RasaXPlace(server, proxy, tmp_path, engine)
        place.of_others("theirs")
        report = place.lab.run()
        assert report.state.confirmed, report.error
        assert report.state.champion is None
        assert place.serving() == {report.cycle.challenger}
        assert place.there() == {"theirs", report.cycle.challenger}


def test_a_login_that_expires_in_a_cycle(x: RasaXPlace, caplog: pytest.LogCaptureFixture):
    """It is repeated, once each time that it expired, and nobody learns of it."""
    caplog.set_level(logging.DEBUG)
    x.lab.platform = x.by_login()
    for method, pattern in (("GET", "/health"), ("POST", UPLOADS), ("PUT", TAGS)):
        x.proxy.on(method, pattern, UNAUTHORISED, nth=1)
    report = x.lab.run()
    assert report.state.confirmed, report.error
    assert x.server.count("log_in") == 4
    assert x.uploads() == 2
    require_no_secret(x, caplog)


@pytest.mark.parametrize("fault", [Closed(), Page(504, forwarded=True)], ids=["closed", "504"])
def test_an_upload_whose_answer_is_lost(x: RasaXPlace, fault: Any):
    """It was stored all the same, is found in the list, and is not sent again."""
    x.proxy.on("POST", UPLOADS, fault)
    report = x.lab.run()
    assert report.state.confirmed, report.error
    assert (x.uploads(), x.there()) == (2, {x.champion, report.cycle.challenger})


def test_a_promotion_that_nobody_can_tell_of(x: RasaXPlace):
    """The tag moved, and the server went away: it is said, and the next run goes on from there."""
    x.lab.platform = x.platform(timeout=0.5)

    class MovesAndIsGone(Closed):
        def apply(self, exchange: Exchange) -> None:
            x.proxy.on("*", "", Closed(forwarded=False))
            super().apply(exchange)

    x.proxy.on("PUT", TAGS, MovesAndIsGone())
    with pytest.raises(OutcomeUnknown, match="serves now could not be asked") as caught:
        x.lab.run()
    assert "at the next run" in caught.value.tip
    x.proxy.clear()
    report = x.lab.run(wait=timedelta(minutes=5))
    assert (report.cycle.status, report.cycle.resumed) == (Status.COMPLETED, 1)
    assert report.state.confirmed
    newest = x.lab.store.promotions("shop")[0]
    assert (newest.model, newest.reason) == (report.cycle.challenger, PromotionReason.GATE)


def test_a_server_that_is_gone_when_it_is_promoted(x: RasaXPlace):
    """Nobody can say what serves: the cycle stays open, and the next run promotes and confirms."""
    before_it = x.server.tags()
    x.lab.platform = x.platform(timeout=0.5)
    gone = before("promote", lambda _: x.proxy.on("*", "", Closed(forwarded=False)))
    with pytest.raises(OutcomeUnknown, match="closed the connection"):
        x.lab.run(steps=gone)
    assert {n for n, tags in x.server.tags().items() if tags} == {
        n for n, t in before_it.items() if t
    }
    x.proxy.clear()
    report = x.lab.run(wait=timedelta(minutes=5))
    assert (report.cycle.status, report.cycle.resumed) == (Status.COMPLETED, 1)
    assert x.server.tags()[report.cycle.challenger] == {"production"}


# --- processes that are killed ----------------------------------------------------------------------

CYCLE_OF_A_CHILD = """
import sys
from pathlib import Path
from support.bad_input import cycle_of_a_child

cycle_of_a_child(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
"""


@dataclass
class Kill:
    """Whoever asks is killed: when `share` of the request has come, and the server gets no more.

    With the whole request the server does its job first.
    """

    share: float
    child: Popen[str] | None = None

    def apply(self, exchange: Exchange) -> None:
        """Kill it with SIGKILL."""
        size = int((exchange.request.length or 0) * self.share)
        while len(exchange.rest) < size and (piece := exchange.client.recv(size)):
            exchange.rest += piece
        if self.share < 1:
            exchange.rest = exchange.rest[:size]
            self._kill()
            exchange.client.close()
        exchange.forward().join()
        if self.share < 1:
            exchange.upstream.close()
            return
        exchange.finish()
        self._kill()

    def _kill(self) -> None:
        assert self.child
        self.child.kill()
        self.child.wait(10)


@pytest.mark.parametrize(
    ("method", "pattern", "share"),
    [("POST", UPLOADS, 0.5), ("POST", UPLOADS, 1), ("PUT", TAGS, 1)],
    ids=["in the upload", "after the upload", "after the tag moved"],
)
def test_a_process_killed_while_it_speaks_to_rasa_x(
    tmp_path: Path, engine: sa.Engine, method: str, pattern: str, share: float
):
    """The next run ends the same cycle: one model uploaded, the tag moved once, one row."""
    with rasa_x(tmp_path / "server") as server, fault_proxy(server.url) as proxy:
        place = RasaXPlace(server, proxy, tmp_path, engine)
        champion = live_cycle(place.lab, engine).cycle.challenger
        kill = Kill(share)
        proxy.on(method, pattern, kill, nth=1)
        with python(CYCLE_OF_A_CHILD, tmp_path, url_of(engine), proxy.url) as child:
            kill.child = child
            assert child.wait(30) == -signal.SIGKILL, child.stderr and child.stderr.read()
        assert history.get(engine, "latest").report.cycle.status is Status.RUNNING

        place.lab.write(utterances(60))
        report = live_cycle(place.lab, engine)
        assert (report.cycle.number, report.cycle.resumed) == (2, 1)
        assert report.state.confirmed, report.error
        challenger = report.cycle.challenger
        assert place.serving() == {challenger}
        assert place.there() == {champion, challenger}
        assert place.uploads() == 2
        assert proxy.count("POST", UPLOADS) == (3 if share < 1 else 2)
        moved = [s.path for s in server.requests if s.operation == "tag_model" and s.status < 300]
        assert [challenger in path for path in moved] == [False, True]
        assert [row.model for row in place.lab.store.promotions("shop")] == [challenger, champion]
        assert len(history.list_cycles(engine)) == 2
