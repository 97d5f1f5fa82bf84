"""`retrainer serve-models` as a real process on a real port."""

import hashlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.model_polling import poll
from support.model_server import Premises, RunningServer
from support.rasa_projects import NLU, write_project
from support.rasa_run import RasaServer, rasa_server
from support.waiting import wait_until

from retrainer.adapters.rasa_client import RasaClient
from retrainer.errors import EXIT_CONFIGURATION

TOKEN = "a-SECRET-word+of/the fleet"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def premises(tmp_path_factory: pytest.TempPathFactory) -> Premises:
    return Premises(tmp_path_factory.mktemp("premises"), "shop", "bank")


@pytest.fixture(scope="module")
def server(premises: Premises) -> Iterator[RunningServer]:
    """A server without a token, for every test that does not end it."""
    with premises.server() as running:
        yield running


@pytest.fixture
def alone(tmp_path: Path) -> Premises:
    """A folder for a test that ends its server."""
    return Premises(tmp_path, "shop")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_promotion_by_another_process_is_served_without_a_restart(premises, server):
    """Two promotions and a rollback are followed; each ETag is the SHA-256 of what came with it."""
    for name in ("first", "second"):
        server.wait_for(premises.promote(name, os.urandom(MEGABYTE)))
        response, content = server.get()
        assert response.status == 200
        assert response.headers["ETag"] == f'"{digest(content)}"'
        assert response.headers["filename"] == f"{name}.tar.gz"
        known = {"If-None-Match": response.headers["ETag"]}
        assert server.get(headers=known)[0].status == 304
        path = "/shop/api/projects/default/models/tags/production"
        assert server.get(path, headers=known)[0].status == 304
    premises.registry().activate("first", expected="second")
    wait_until(lambda: server.get()[0].headers["filename"] == "first.tar.gz", seconds=10)
    assert server.get("/models/bank/champion")[0].status == 404


def test_an_interrupted_download_is_resumed(premises, server):
    """As `curl -C -` does it: the rest of the same model, or the whole of another one."""
    content = os.urandom(3 * MEGABYTE)
    server.wait_for(premises.promote("resumed", content))
    with server.open() as response:
        etag, half = response.headers["ETag"], response.read(MEGABYTE)
    rest = {"Range": f"bytes={MEGABYTE}-", "If-Range": etag}
    response, second = server.get(headers=rest)
    assert (response.status, half + second == content) == (206, True)
    server.wait_for(premises.promote("another", b"another model"))
    response, whole = server.get(headers=rest)
    assert (response.status, whole) == (200, b"another model")


def test_a_running_download_outlasts_the_promotion_and_removal_of_its_model(premises, server):
    """What was begun is ended with the same bytes, whatever happens to champion and file."""
    content = os.urandom(30 * MEGABYTE)
    server.wait_for(premises.promote("leaving", content))
    with server.open() as response, server.open("/models/shop/leaving") as named:
        begun = response.read(MEGABYTE)
        server.wait_for(premises.promote("coming", b"the next one"))
        premises.registry().remove("leaving")
        wait_until(lambda: server.get("/models/shop/leaving")[0].status == 404, seconds=10)
        assert digest(begun + response.read()) == digest(content)
        assert digest(named.read()) == digest(content)


def test_a_damaged_pointer_takes_no_server_down(premises, server):
    """The last known champion is served, the reason is printed, and a repaired one is followed."""
    model = premises.promote("known", b"known")
    server.wait_for(model)
    pointer = premises.registry().link.with_name("champion.json")
    good = pointer.read_bytes()
    pointer.write_text("{")
    wait_until(lambda: _polled(server, "does not say which model is active"), seconds=10)
    assert server.champion() == model.sha256
    pointer.write_bytes(good)
    wait_until(lambda: _polled(server, "can be asked again"), seconds=10)


def _polled(server: RunningServer, words: str) -> bool:
    server.champion()
    return any(words in line for line in server.lines)


def test_clients_that_take_nothing_keep_nobody_waiting(premises, server):
    """Downloads that stand still cost no thread and little memory; polls are answered as before."""
    content = os.urandom(20 * MEGABYTE)
    server.wait_for(premises.promote("large", content))
    before = server.peak_megabytes()
    standing = [server.open() for _ in range(60)]
    try:
        for response in standing:
            response.read(1000)
        etag = standing[0].headers["ETag"]
        assert server.get(headers={"If-None-Match": etag})[0].status == 304
        assert server.get()[1] == content
        assert server.peak_megabytes() - before < 60
    finally:
        for response in standing:
            response.close()


def test_only_the_fleet_may_read_and_its_token_is_shown_nowhere(alone):
    """Neither what is printed, nor the process list, nor an error has the token."""
    alone.promote("one", b"one")
    with alone.server(token=TOKEN, host="0.0.0.0") as running:
        good = "/models/shop/champion?token=a-SECRET-word%2Bof%2Fthe%20fleet"
        assert running.get(good)[0].status == 200
        refused, body = running.get()
        assert (refused.status, json.loads(body)["reason"]) == (401, "AccessDenied")
        for path in (f"{good}X", good.replace("champion", "nothing"), good.replace("/shop", "")):
            response, body = running.get(path)
            assert response.status in {401, 404}
            assert b"SECRET" not in body
        command = Path(f"/proc/{running.process.pid}/cmdline").read_bytes()
        assert running.stop()[0] == 0
        assert running.process.stdout.read() == ""
    printed = "\n".join(running.lines)
    assert "SECRET" not in printed
    assert b"SECRET" not in command
    assert "token: ${RETRAINER_HTTP__TOKEN}" in printed


def test_models_are_never_shown_to_other_machines_without_a_token(alone):
    """Nothing is bound, and the exit code is that of a wrong configuration."""
    code, messages = alone.refusal(host="0.0.0.0")
    assert code == EXIT_CONFIGURATION
    assert "host = '0.0.0.0' can be reached from other machines" in messages
    code, messages = alone.refusal(rasa_x_assistant="bank")
    assert code == EXIT_CONFIGURATION
    assert "http.rasa_x_assistant: there is no assistant 'bank'; known are shop" in messages


def test_a_stop_lets_running_downloads_end(alone):
    """SIGTERM: no new connection, the begun download comes whole, exit code 0."""
    content = os.urandom(20 * MEGABYTE)
    alone.promote("one", content)
    with alone.server() as running, running.open() as response:
        begun = response.read(1000)
        ended: list[tuple[int, float]] = []
        stopping = threading.Thread(target=lambda: ended.append(running.stop()))
        stopping.start()
        wait_until(lambda: _refuses(running), seconds=10)
        assert begun + response.read() == content
        stopping.join(30)
    assert [code for code, _ in ended] == [0]
    assert not any("Traceback" in line for line in running.lines)


def _refuses(server: RunningServer) -> bool:
    try:
        server.get("/healthz")
    except OSError:
        return True
    return False


def test_a_stop_waits_for_nobody_for_ever(alone):
    """A client that takes nothing gets `stop_limit`, then the server ends all the same."""
    alone.promote("one", os.urandom(20 * MEGABYTE))
    with alone.server(stop_limit="1s") as running, running.open() as response:
        response.read(1000)
        code, seconds = running.stop()
    assert code == 0
    assert 1 <= seconds < 15
    assert "Exception in ASGI application" not in running.lines


def test_after_a_kill_the_same_port_serves_the_same_bytes(alone):
    """A server that was killed in a download is started again, and the download goes on."""
    content = os.urandom(5 * MEGABYTE)
    alone.promote("one", content)
    with alone.server() as killed, killed.open() as response:
        etag, half = response.headers["ETag"], response.read(MEGABYTE)
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
    with alone.server(port=str(killed.port)) as running:
        rest = {"Range": f"bytes={MEGABYTE}-", "If-Range": etag}
        response, second = running.get(headers=rest)
        assert (response.status, half + second == content) == (206, True)


def test_a_fleet_that_polls_each_second_fails_no_poll(alone):
    """Fifty servers, and a champion that moves: all follow, and memory stays bounded."""
    champions = [os.urandom(20 * MEGABYTE) for _ in range(3)]
    with alone.server() as running:
        load = poll(alone, running, pollers=50, seconds=6, champions=champions)
    assert load.failures == []
    assert load.behind == 0
    assert len(load.pulls) >= 50
    assert len(load.unchanged) >= 50
    assert load.peak_megabytes < 150


@pytest.mark.rasa
def test_a_real_rasa_server_follows_the_champion(
    alone: Premises, tmp_path: Path, rasa_python: Path, rasa: RasaClient, fast_model: Path
):
    """With the printed endpoints.yml a Rasa server takes two promotions up without a restart."""
    swapped = NLU.replace("intent: greet", "intent: X").replace("intent: bye", "intent: greet")
    project = write_project(tmp_path / "swapped", nlu=swapped.replace("intent: X", "intent: bye"))
    second = rasa.train(project, "fast-2", tmp_path, lambda _: None)
    with alone.server(token=TOKEN) as running:
        printed = "\n".join(line for line in running.lines if not line.startswith("listening"))
        endpoints = printed.replace("${RETRAINER_HTTP__TOKEN}", f"'{TOKEN}'").replace(": 10", ": 1")
        with rasa_server(rasa_python, tmp_path / "server", endpoints=endpoints) as server:
            assert server.status() == {}
            for archive, intent in ((fast_model, "greet"), (second, "bye")):
                alone.promote(archive.name.removesuffix(".tar.gz"), archive)
                wait_until(lambda a=archive: _serves(server, a), seconds=60)
                assert server.status()["model_id"] == rasa.describe(archive).model_id
                said = requests.post(
                    f"{server.url}/model/parse", json={"text": "hello"}, timeout=30
                )
                assert said.json()["intent"]["name"] == intent
            assert server.process.poll() is None


def _serves(server: RasaServer, archive: Path) -> bool:
    return str(server.status().get("model_file", "")).endswith(archive.name)
