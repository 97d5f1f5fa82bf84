"""The proxy that fails on purpose: each of its faults, before a server that works."""

import socket
import threading
import time

import pytest
import requests
from support.fault_proxy import (
    BodyLimit,
    Closed,
    Dripped,
    FaultProxy,
    Hung,
    Late,
    Page,
    fault_proxy,
)
from support.http_server import Exchange, HttpServer, http_server, sends
from support.waiting import wait_until

LIMIT = 20


@pytest.fixture
def server():
    with http_server(sends(200, b"x" * 1000, Content_Type="text/plain")) as server:
        yield server


@pytest.fixture
def proxy(server: HttpServer):
    with fault_proxy(server.url) as proxy:
        yield proxy


def test_requests_pass_unchanged(server: HttpServer, proxy: FaultProxy):
    """Without a rule the server sees what was sent, and the client what was answered."""
    answer = requests.post(
        proxy.url + "/a%20b?c=d%2F", data=b"y" * 300_000, headers={"X-Own": "1"}, timeout=LIMIT
    )
    assert (answer.status_code, answer.content) == (200, b"x" * 1000)
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/a%20b?c=d%2F", b"y" * 300_000)
    assert asked.headers["X-Own"] == "1"
    assert proxy.count("POST", "^/a%20b$") == 1


def test_bodies_in_chunks_pass(proxy: FaultProxy, server: HttpServer):
    """What comes without a length goes on as it comes."""
    bodies = []

    def read(exchange: Exchange) -> None:
        bodies.append(exchange._request.rfile.read(len(b"5\r\nhello\r\n0\r\n\r\n")))
        exchange.send(200)

    server.reads, server.answers = False, [read]
    requests.post(proxy.url, data=iter([b"hello"]), timeout=LIMIT).raise_for_status()
    assert bodies == [b"5\r\nhello\r\n0\r\n\r\n"]


def test_only_the_nth_of_the_matching_fails(proxy: FaultProxy, server: HttpServer):
    """Rules are for a method, a path and a turn; other requests do not count."""
    proxy.on("GET", r"^/models$", Page(503), nth=2)
    statuses = [
        requests.request(method, proxy.url + path, timeout=LIMIT).status_code
        for method, path in [
            ("GET", "/models"),
            ("POST", "/models"),
            ("GET", "/models/nlu"),
            ("GET", "/models?limit=2"),
            ("GET", "/models"),
        ]
    ]
    assert statuses == [200, 200, 200, 503, 200]
    assert proxy.count() == 5
    assert proxy.count("GET", "^/models$") == 3
    assert len(server.asked) == 4


def test_the_last_rule_counts_and_rules_can_be_cleared(proxy: FaultProxy):
    """A test may change its mind."""
    proxy.on("*", "", Page(502))
    proxy.on("*", "", Page(504))
    assert requests.get(proxy.url, timeout=LIMIT).status_code == 504
    proxy.clear()
    assert requests.get(proxy.url, timeout=LIMIT).status_code == 200


@pytest.mark.parametrize("status", [502, 503, 504])
def test_gateway_errors_are_pages(proxy: FaultProxy, server: HttpServer, status: int):
    """A proxy answers in HTML, and the server hears nothing."""
    proxy.on("POST", "", Page(status))
    answer = requests.post(proxy.url, data=b"y" * 100_000, timeout=LIMIT)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>")
    assert server.asked == []


def test_a_page_may_come_with_200(proxy: FaultProxy):
    """A wrong address is answered with somebody's web page."""
    proxy.on("GET", "", Page(200))
    answer = requests.get(proxy.url, timeout=LIMIT)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")


def test_after_a_gateway_timeout_the_job_goes_on(proxy: FaultProxy, server: HttpServer):
    """The client has its 504 while the server still works."""
    go, done = threading.Event(), threading.Event()

    def work(exchange: Exchange) -> None:
        go.wait(LIMIT)
        done.set()
        exchange.send(200)

    server.answers = [work]
    proxy.on("POST", "", Page(504, forwarded=True, after=0.05))
    assert requests.post(proxy.url, data=b"{}", timeout=LIMIT).status_code == 504
    assert not done.is_set()
    go.set()
    assert done.wait(LIMIT)
    assert server.asked[0].body == b"{}"


def test_large_bodies_are_refused_as_by_nginx(proxy: FaultProxy, server: HttpServer):
    """413 is a page, comes before the body was read, and still reaches who sends all of it."""
    proxy.on("POST", "", BodyLimit(1_000_000))
    port = int(proxy.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as sender:
        sender.sendall(b"POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n")
        for _ in range(200):
            sender.sendall(b"y" * 100_000)
        answer = sender.recv(1000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Content-Type: text/html\r\n" in answer
    assert server.asked == []
    assert requests.post(proxy.url, data=b"y" * 1_000_000, timeout=LIMIT).status_code == 200


@pytest.mark.parametrize("forwarded", [True, False])
def test_empty_reply(proxy: FaultProxy, server: HttpServer, forwarded: bool):
    """The connection ends without an answer, whether the job was done or not."""
    proxy.on("POST", "", Closed(forwarded=forwarded))
    with pytest.raises(requests.ConnectionError):
        requests.post(proxy.url, data=b"{}", timeout=LIMIT)
    assert len(server.asked) == forwarded


def test_truncated_answer(proxy: FaultProxy):
    """The connection ends in the middle of a body."""
    proxy.on("GET", "", Closed(after=600))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        requests.get(proxy.url, timeout=LIMIT)


def test_hanging(proxy: FaultProxy, server: HttpServer):
    """No answer at all, with the job done if it was forwarded."""
    proxy.on("GET", "", Hung())
    proxy.on("PUT", "", Hung(forwarded=True))
    for method in ("GET", "PUT"):
        with pytest.raises(requests.ReadTimeout):
            requests.request(method, proxy.url, timeout=0.3)
    assert [asked.method for asked in server.asked] == ["PUT"]


def test_dripping(proxy: FaultProxy):
    """Bytes come now and then, so that no time limit between two of them is met."""
    proxy.on("GET", "", Dripped(seconds=0.01))
    with requests.get(proxy.url, timeout=5, stream=True) as answer:
        pieces = answer.iter_content(1)
        assert [next(pieces) for _ in range(20)] == [b" "] * 20


def test_late(proxy: FaultProxy):
    """A slow way to a good server."""
    proxy.on("GET", "", Late(0.2))
    begun = time.monotonic()
    assert requests.get(proxy.url, timeout=LIMIT).status_code == 200
    assert time.monotonic() - begun > 0.2


def test_no_server():
    """A proxy with nobody behind it answers 502."""
    with fault_proxy("http://127.0.0.1:1") as proxy:
        assert requests.get(proxy.url, timeout=LIMIT).status_code == 502


def test_it_stops_whatever_hangs(server: HttpServer):
    """A test never waits for a connection that it made hang; no thread and no port is left."""
    before = set(threading.enumerate())
    with fault_proxy(server.url) as proxy:
        proxy.on("GET", "", Hung())
        proxy.on("PUT", "", Dripped())
        clients = [
            threading.Thread(target=_ask, args=(method, proxy.url)) for method in ("GET", "PUT")
        ]
        for client in clients:
            client.start()
        wait_until(lambda: proxy.count() == 2, seconds=LIMIT)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    for client in clients:
        client.join(LIMIT)
    assert {t.name for t in set(threading.enumerate()) - before if "fault" in t.name} == set()
    with pytest.raises(requests.ConnectionError):
        requests.get(proxy.url, timeout=1)


def _ask(method: str, url: str) -> None:
    with pytest.raises(requests.RequestException):
        requests.request(method, url, timeout=LIMIT)
