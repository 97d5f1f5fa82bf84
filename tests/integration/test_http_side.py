"""The HTTP side of the daemon, by real requests to a real port."""

import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from support.http_side import (
    APPROVE,
    LONG,
    READ,
    SECRET,
    TOKENS,
    TRIGGER,
    Daemon,
    Health,
    HttpSide,
    application,
    held,
    http_side,
    run_cycle,
)
from support.waiting import wait_until

from retrainer.domain.cycle import Promotion, PromotionReason, Trigger
from retrainer.errors import EXIT_CONFIGURATION, ConfigurationError
from retrainer.store.owner import current_owner
from retrainer.web import beside
from retrainer.web.connections import MOST
from retrainer.wiring import Application

OTHER = "there/boot/ns/22/1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpSide]:
    """A server with tokens and a secret for hooks, for every test that does not end it."""
    hook = f'hook_secret = "{SECRET}"\ntoken = "fleet"\n'
    with http_side(tmp_path_factory.mktemp("server"), hook + TOKENS) as running:
        yield running


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[HttpSide]:
    """A server as it is without any option."""
    with http_side(tmp_path) as running:
        yield running


# --- health ------------------------------------------------------------------------------------


def test_probes_need_no_token_and_tell_alive_from_ready(server):
    """A standby is healthy and not ready; a daemon that hangs is neither, and it is said why."""
    try:
        assert server.ask("/healthz").json()["status"] == "ok"
        assert server.ask("/readyz").json() == {
            "ready": True,
            "reason": None,
            "leader": server.ask("/readyz").json()["leader"],
        }
        server.look(standby=True, leader=OTHER)
        assert server.ask("/healthz").status_code == 200
        refused = server.ask("/readyz")
        assert (refused.status_code, refused.json()["leader"]) == (503, "there pid 22")
        server.look(standby=False, looked_at=datetime.now(UTC) - LONG)
        hung = server.ask("/healthz")
        assert hung.status_code == 503
        assert "taken for hung" in hung.json()["reason"]
        assert server.ask("/healthz", "HEAD").status_code == 503
        server.look(problem="postgresql://db.internal refuses", looked_at=datetime.now(UTC))
        assert server.ask("/healthz").status_code == 200
        assert server.ask("/readyz").status_code == 503
        assert "internal" not in server.ask("/readyz").text + server.ask("/healthz").text
    finally:
        server.look(
            problem=None, standby=False, looked_at=datetime.now(UTC), leader=current_owner()
        )


# --- reading -----------------------------------------------------------------------------------


def test_the_documents_are_those_of_the_commands(server):
    """One format: `history --json`, `show --json`, `ledger --json`; paged by number."""
    reader = server.of(READ)
    first, second = (run_cycle(server.app, "bank").cycle for _ in range(2))
    page = reader.ask("/api/v1/cycles?assistant=bank&limit=1").json()
    assert [line["number"] for line in page["cycles"]] == [second.number]
    page = reader.ask(f"/api/v1/cycles?assistant=bank&before={page['next']}").json()
    assert [line["number"] for line in page["cycles"]] == [first.number]
    assert page["next"] is None
    for reference in (str(first.number), first.challenger):
        document = reader.ask(f"/api/v1/cycles/{reference}").json()
        assert document["model"]["name"] == first.challenger
    assert reader.ask("/api/v1/cycles/nope-1").status_code == 404
    none = reader.ask("/api/v1/cycles?status=failed&assistant=bank").json()
    assert none["cycles"] == []


def test_an_unknown_filter_is_no_filter_that_is_left_out(server):
    """A typing error must not show everything; the answer names the key."""
    for wrong in ("asistant=bank", "status=fine", "limit=0", "limit=501", "since=2026-11-21"):
        refused = server.of(READ).ask(f"/api/v1/cycles?{wrong}")
        assert refused.status_code == 422
        assert wrong.partition("=")[0] in refused.json()["error"]


def test_an_assistant_has_schedule_pause_and_champion(server):
    """What a dashboard shows of it."""
    server.app.agenda.pause("bank", by="ada", reason="the data is moving")
    server.app.store.record_promotion(
        Promotion("bank", None, "b-1", PromotionReason.PERSON, "ada", datetime.now(UTC))
    )
    try:
        bank = server.of(READ).ask("/api/v1/assistants/bank").json()
        assert (bank["pause"]["by"], bank["pause"]["reason"]) == ("ada", "the data is moving")
        assert (bank["champion"]["to"], bank["next"]) == ("b-1", [])
        shop = server.of(READ).ask("/api/v1/assistants").json()["assistants"][0]
        assert (shop["name"], shop["schedule"], len(shop["next"])) == (
            "shop",
            "cron 0 3 * * * UTC",
            5,
        )
        assert server.of(READ).ask("/api/v1/assistants/x").status_code == 404
        status = server.of(READ).ask("/api/v1/status").json()
        assert status["pauses"]["bank"]["by"] == "ada"
    finally:
        server.app.agenda.resume("bank")


# --- who may what ------------------------------------------------------------------------------

READING = ("/metrics", "/api/v1/cycles", "/api/v1/status", "/api/v1/ledger", "/api/v1/requests/1")
ACTING = {
    "/api/v1/assistants/shop/trigger": {},
    "/api/v1/cycles/1/approve": {"reason": "x"},
    "/api/v1/cycles/1/reject": {"reason": "x"},
}


def test_each_scope_opens_its_own_doors(server):
    """Reading needs `read`, and acting is refused to whoever may only read."""
    for path in READING:
        assert server.ask(path).status_code == 401
        assert server.ask(path).headers["WWW-Authenticate"] == "Bearer"
        assert server.of("fleet").ask(path).status_code == 401
        assert server.of(TRIGGER).ask(path).status_code == 403
        assert server.of(READ).ask(path).status_code in {200, 404}
    for path, body in ACTING.items():
        assert server.ask(path, "POST", json=body).status_code == 401
        assert server.of(READ).ask(path, "POST", json=body).status_code == 403
    approve = "/api/v1/cycles/1/approve"
    assert server.of(TRIGGER).ask(approve, "POST", json={"reason": "x"}).status_code == 403


def test_without_tokens_everybody_here_reads_and_nobody_acts(bare):
    """The refusal is a sentence that says how to configure a token."""
    for path in READING[:4]:
        assert bare.ask(path).status_code == 200
    for path, body in ACTING.items():
        refused = bare.ask(path, "POST", json=body)
        assert refused.status_code == 401
        assert "[http.tokens.NAME]" in refused.json()["tip"]


def test_a_name_that_leads_here_by_a_trick_is_refused(bare):
    """DNS rebinding: a page in somebody's browser would read what only this machine may."""
    port = bare.app.settings.http.port
    for good in ("localhost", f"localhost:{port}", "127.0.0.1", "[::1]:80", "LOCALHOST."):
        assert bare.ask("/healthz", headers={"Host": good}).status_code == 200
    for bad in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
        for path in ("/api/v1/cycles", "/models/shop/champion", "/healthz"):
            refused = bare.ask(path, headers={"Host": bad})
            assert refused.status_code in {400, 421}
            assert "Access-Control-Allow-Origin" not in refused.headers


def test_with_tokens_any_name_will_do(server):
    """Behind a proxy the name is the proxy's; a page has no token."""
    for path, code in (("/healthz", 200), ("/api/v1/cycles", 401)):
        assert server.ask(path, headers={"Host": "ml.example"}).status_code == code


def test_elsewhere_than_on_this_machine_tokens_are_needed(tmp_path):
    """Refused before the daemon begins; the token of the Rasa servers is not enough."""
    app = application(tmp_path, 'host = "0.0.0.0"\ntoken = "fleet"\n')
    with pytest.raises(ConfigurationError, match="could read the history") as caught, entered(app):
        pytest.fail("it must not get so far")
    assert caught.value.exit_code == EXIT_CONFIGURATION
    assert "[http.tokens.NAME]" in caught.value.tip
    with entered(application(tmp_path, f'host = "0.0.0.0"\n{TOKENS}')):
        pass


def test_a_port_that_is_taken_stops_the_start(tmp_path):
    """A wrong configuration is seen at once, not when somebody asks."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        app = application(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="Address already in use"), entered(app):
            pytest.fail("it must not get so far")


@contextmanager
def entered(app: Application) -> Iterator[None]:
    """The HTTP side for a moment."""
    with beside(app, Daemon(app, Health("me", datetime.now(UTC)))):
        yield


def test_who_guesses_has_to_wait_and_who_knows_does_not(tmp_path):
    """Ten wrong tokens or signatures, then 429 with the time to wait; a right token is heard."""
    with http_side(tmp_path, f'hook_secret = "{SECRET}"\n{TOKENS}') as running:
        wrong = running.of("wrong-wrong-wrong-wrong")
        for path in ["/api/v1/cycles", "/models/shop/champion"] * 5:
            assert wrong.ask(path).status_code == 401
        for path in ("/api/v1/cycles", "/models/shop/champion", "/metrics"):
            refused = wrong.ask(path)
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["Retry-After"]) <= 30
        assert running.ask("/hooks/git/shop", "POST", data=b"{}").status_code == 429
        assert running.of(READ).ask("/api/v1/cycles").status_code == 200
        assert push(running).status_code == 202


def test_no_token_is_logged(tmp_path, caplog):
    """Neither a right one nor a wrong one, wherever it was put."""
    caplog.set_level(logging.DEBUG)
    with http_side(tmp_path, f'hook_secret = "{SECRET}"\n{TOKENS}') as running:
        for token in (READ, "wrong-token-wrong-token"):
            for path in (f"/api/v1/cycles?token={token}", f"/models/shop/champion?token={token}"):
                running.of(token).ask(path)
        for _ in range(12):
            running.of("wrong-token-wrong-token").ask("/metrics")
        push(running)
        running.ask(f"/{READ}", "POST", data=READ)
    logged = "\n".join(f"{r.name} {r.getMessage()} {r.exc_text}" for r in caplog.records)
    assert "listening at" in logged
    ours = "\n".join(line for line in logged.splitlines() if not line.startswith("urllib3"))
    for secret in (READ, SECRET, "wrong-token"):
        assert secret not in ours


def test_every_answer_has_safe_headers_and_failures_are_json(server):
    """Also where nothing is served, and for models."""
    for path in ("/healthz", "/nope", "/api/v1/cycles", "/models/shop/champion", "/openapi.json"):
        headers = server.of(READ).ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Server" not in headers
    for path, method in (("/nope", "GET"), ("/api/v1/cycles", "DELETE"), ("/docs", "GET")):
        refused = server.of(READ).ask(path, method)
        assert refused.status_code in {404, 405}
        assert refused.json()["error"] == f"{method} {path} is not served here"


# --- acting ------------------------------------------------------------------------------------


def test_a_trigger_asks_once_and_wakes_the_daemon(server):
    """202 with the request; the same token with the same note gets the same one again."""
    path, pipeline = "/api/v1/assistants/shop/trigger", server.of(TRIGGER)
    before = server.daemon.woken
    asked = pipeline.ask(path, "POST", json={"note": "release 4", "force": True})
    assert asked.status_code == 202
    assert server.daemon.woken == before + 1
    request = asked.json()
    assert (request["asked_by"], request["note"], request["force"], request["cycle"]) == (
        "token pipeline",
        "release 4",
        True,
        None,
    )
    again = pipeline.ask(path, "POST", json={"note": "release 4", "force": True}).json()
    assert again == request
    other = pipeline.ask(path, "POST", json={"note": "release 5"}).json()
    assert other["number"] != request["number"]
    assert server.of(APPROVE).ask(path, "POST", json={"note": "release 5"}).json() != other
    seen = server.of(READ).ask(f"/api/v1/requests/{request['number']}").json()
    assert seen == request
    numbers = [r["number"] for r in server.of(READ).ask("/api/v1/requests").json()["requests"]]
    assert {request["number"], other["number"]} <= set(numbers)


def test_a_paused_assistant_takes_no_trigger(server):
    """409, by whom it is paused and what to do; the same for a hook."""
    server.app.agenda.pause("bank", by="ada", reason="moving")
    try:
        for _ in range(2):
            refused = server.of(TRIGGER).ask("/api/v1/assistants/bank/trigger", "POST", json={})
            assert refused.status_code == 409
            assert "bank is paused since" in refused.json()["error"]
        assert push(server, "bank").status_code == 409
    finally:
        server.app.agenda.resume("bank")
    assert (
        server.of(TRIGGER).ask("/api/v1/assistants/x/trigger", "POST", json={}).status_code == 404
    )


def test_a_held_cycle_is_approved_or_rejected_once(server):
    """The challenger then serves; the second answer is told of the first."""
    approver = server.of(APPROVE)
    first = held(server.app)
    path = f"/api/v1/cycles/{first.cycle.number}"
    made = approver.ask(f"{path}/approve", "POST", json={"reason": "I looked"})
    assert made.status_code == 200
    assert (made.json()["to"], made.json()["actor"]) == (first.cycle.challenger, "token ada")
    assert server.app.platform("shop").active() == first.cycle.challenger
    refused = approver.ask(f"{path}/reject", "POST", json={"reason": "no"})
    assert refused.status_code == 409
    assert "was approved by token ada" in refused.json()["error"]
    assert approver.ask(path).json()["answer"]["reason"] == "I looked"
    second = held(server.app, champion=first.cycle.challenger)
    path = f"/api/v1/cycles/{second.cycle.number}"
    said = approver.ask(f"{path}/reject", "POST", json={"reason": "worse"}).json()
    assert (said["approved"], said["reason"], said["cycle"]) == (
        False,
        "worse",
        second.cycle.number,
    )
    line = approver.ask("/api/v1/cycles?limit=1").json()["cycles"][0]
    assert line["approved"] is False
    assert (
        approver.ask("/api/v1/cycles/99999/reject", "POST", json={"reason": "x"}).status_code == 404
    )
    assert approver.ask(f"{path}/approve", "POST", json={}).status_code == 422


# --- hooks -------------------------------------------------------------------------------------


def push(server: HttpSide, name: str = "shop", ref: str = "refs/heads/live", **headers):
    """A signed push, as GitHub sends it."""
    body = json.dumps({"ref": ref, "after": "a" * 40}).encode()
    signature = hmac.new(SECRET.encode(), body, sha256).hexdigest()
    signed = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}"}
    return server.ask(f"/hooks/git/{name}", "POST", data=body, headers=signed | headers)


def test_a_push_to_what_is_followed_asks_for_one_cycle(server):
    """Others are ignored; deliveries again, with whatever name, wait for the same cycle."""
    ignored = push(server, ref="refs/heads/feature")
    assert (ignored.status_code, ignored.json()["result"]) == (200, "ignored")
    asked = push(server, **{"X-GitHub-Delivery": "72d3162e"})
    assert (asked.status_code, asked.json()["result"]) == (202, "asked")
    request = asked.json()["request"]
    assert (request["trigger"], request["asked_by"]) == ("hook", "git hook")
    assert request["note"] == "push to refs/heads/live at aaaaaaaaaaaa, delivery 72d3162e"
    for delivery in ("72d3162e", "another"):
        assert push(server, **{"X-GitHub-Delivery": delivery}).json()["request"] == request
    hooks = [r for r in server.app.agenda.pending() if r.trigger is Trigger.HOOK]
    assert len(hooks) == 1


def test_a_hook_needs_the_secret_and_says_nothing_without(server):
    """401 before it is even known whether there is such an assistant."""
    for name in ("shop", "nope"):
        assert push(server, name, **{"X-Hub-Signature-256": "sha256=00"}).status_code == 401
    assert push(server, "nope").status_code == 404
    gitlab = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Push Hook"}
    body = json.dumps({"ref": "refs/heads/live"})
    told = server.ask("/hooks/git/shop", "POST", data=body, headers=gitlab)
    assert told.status_code == 202


def test_without_a_secret_there_are_no_hooks(bare):
    """404, and what to configure."""
    refused = push(bare)
    assert refused.status_code == 404
    assert "hook_secret" in refused.json()["tip"]


def test_what_is_too_large_is_not_read(server):
    """413, with the length said before, and with it found out while reading; the server lives."""
    megabyte = 1024 * 1024
    assert push_raw(server, b"x" * (megabyte + 1)) == 413
    assert push_raw(server, (b"x" * 65536 for _ in range(17))) == 413
    assert push_raw(server, b"x" * megabyte) == 401
    long = {"note": "x" * 100_000}
    refused = server.of(TRIGGER).ask("/api/v1/assistants/shop/trigger", "POST", json=long)
    assert refused.status_code == 413


def push_raw(server: HttpSide, data: object) -> int:
    """The status of an unsigned hook; a server that closed early counts as 413."""
    return server.ask("/hooks/git/shop", "POST", data=data).status_code


# --- metrics -----------------------------------------------------------------------------------


def figures(server: HttpSide) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, by name and labels."""
    text = server.of(READ).ask("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_follow_the_database(tmp_path):
    """What ended since the start is counted once, what waits is shown, the parser takes it all."""
    with http_side(tmp_path, TOKENS, Leaping()) as running:
        ended = ("retrainer_cycles_total", of(assistant="shop", status="completed", verdict="hold"))
        assert figures(running)[ended] == 0
        report = held(running.app)
        running.of(APPROVE).ask(
            f"/api/v1/cycles/{report.cycle.number}/approve", "POST", json={"reason": "x"}
        )
        running.of(TRIGGER).ask("/api/v1/assistants/bank/trigger", "POST", json={})
        for _ in range(2):
            found = figures(running)
            assert found[ended] == 1
            assert found["retrainer_step_duration_seconds_count", of(step="pull")] == 1
            assert found["retrainer_step_duration_seconds_bucket", of(step="pull", le="+Inf")] == 1
            assert found["retrainer_champion_f1", of(assistant="shop")] == 0.9
            assert found["retrainer_owed_cycles", of(assistant="bank")] == 1
            assert found["retrainer_owed_cycles", of(assistant="shop")] == 0
            assert 0 <= found["retrainer_last_success_age_seconds", of(assistant="shop")] < 60
            assert found["retrainer_outbox_depth", ()] == 0
            assert found["retrainer_leader", ()] == 1
            assert found["retrainer_database_up", ()] == 1


def test_a_database_that_is_gone_is_said_and_not_guessed(tmp_path):
    """The scrape is answered all the same; figures of the database are left out."""
    with http_side(tmp_path, TOKENS, Leaping()) as running:
        assert figures(running)["retrainer_outbox_depth", ()] == 0
        database = tmp_path / "state" / "retrainer.db"
        running.app.engine.dispose()
        database.write_bytes(b"no database at all" * 1000)
        found = figures(running)
        assert found["retrainer_database_up", ()] == 0
        assert ("retrainer_outbox_depth", ()) not in found
        refused = running.of(READ).ask("/api/v1/cycles")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert running.ask("/healthz").status_code == 200


def of(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


# --- living together ---------------------------------------------------------------------------


def test_slow_clients_hold_up_nobody(server):
    """Requests that drip in, as many as there may be connections, and bodies that never end."""
    port, asked = server.app.settings.http.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    with ExitStack() as stack:
        dripping = []
        for number in range(MOST + 20):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            one.sendall(asked[: 1 + number % len(asked)])
            dripping.append(one)
        endless = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        endless.sendall(b"POST /hooks/git/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        began = time.monotonic()
        for _ in range(5):
            assert server.ask("/healthz").status_code == 200
        assert time.monotonic() - began < 5
        for one in dripping[-5:]:
            one.settimeout(20)
            assert one.recv(100) == b""  # dropped, since it did not come to the point
        endless.settimeout(20)
        assert endless.recv(100).startswith(b"HTTP/1.1 408")


def test_a_request_in_pieces_is_answered(server):
    """A slow client that comes to the point in time is a client like any other."""
    port = server.app.settings.http.port
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.settimeout(20)
        for _ in range(2):
            for piece in (b"GET /heal", b"thz HTTP/1.1\r\nHo", b"st: x\r\n", b"\r\n"):
                slow.sendall(piece)
                time.sleep(0.05)
            answer = slow.recv(4000)
            assert answer.startswith(b"HTTP/1.1 200")
            while b'"version"' not in answer:
                answer += slow.recv(4000)


def test_a_busy_database_makes_requests_wait_and_not_the_daemon(tmp_path):
    """Of many slow questions few are asked at a time; most connections stay the daemon's own."""
    with http_side(tmp_path, TOKENS) as running:
        engine = running.app.engine
        at_once: list[int] = []

        @sa.event.listens_for(engine, "before_cursor_execute")
        def slow(*_: object) -> None:
            at_once.append(engine.pool.checkedout())
            time.sleep(0.03)

        codes: list[int] = []
        askers = [
            threading.Thread(
                target=lambda: codes.append(running.of(READ).ask("/api/v1/status").status_code)
            )
            for _ in range(20)
        ]
        for asker in askers:
            asker.start()
        wait_until(lambda: len(at_once) > 5, seconds=10)
        assert running.ask("/healthz").status_code == 200
        assert len(codes) < len(askers)  # it did not wait behind them
        for asker in askers:
            asker.join(30)
        assert codes == [200] * 20
        assert max(at_once) <= 5  # and one for the figures


def test_the_assistants_of_a_new_configuration_are_served(tmp_path):
    """After a reload, without a restart: their API, and their models."""
    with http_side(tmp_path, TOKENS) as running:
        reader = running.of(READ)
        assert reader.ask("/api/v1/assistants/later").status_code == 404
        config = tmp_path / "retrainer.toml"
        more = '\n[assistants.later]\nsource = { type = "directory", path = "bank" }\n'
        config.write_text(config.read_text() + more)
        new = Application.from_config(config, {})
        vars(new)["bare_engine"] = running.app.bare_engine
        running.daemon.application = new
        assert reader.ask("/api/v1/assistants/later").status_code == 200
        answer = reader.ask("/models/later/champion")
        assert answer.json()["message"] == "later has no champion yet"


def test_a_stop_waits_for_nobody_for_ever(tmp_path):
    """With requests that are not finished; afterwards nobody listens, and no thread is left."""
    before = threading.active_count()
    request = b"POST /hooks/git/shop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"
    with ExitStack() as stack:
        with http_side(tmp_path, 'stop_limit = "1s"\n') as running:
            address = ("127.0.0.1", running.app.settings.http.port)
            stack.enter_context(socket.create_connection(address)).sendall(request)
            running.ask("/healthz")
            began = time.monotonic()
        assert time.monotonic() - began < 6
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        wait_until(lambda: threading.active_count() <= before, seconds=5)


class Leaping:
    """The system's clock, on which every figure is out of date at once."""

    def __init__(self) -> None:
        self._leaps = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        self._leaps += 20.0
        return self._leaps
