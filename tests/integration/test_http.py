"""The HTTP client against a real server that answers in every way it should not."""

import io
import socket
import threading
import time

import pytest
from support.http_clients import SECRET, InHeaders, InQuery, failure
from support.http_server import LOST, SLOW, drips_body, hangs_after_headers, http_server, sends
from support.waiting import wait_until

from retrainer.adapters.http.answer import refused
from retrainer.adapters.http.client import TRIES, Http


@pytest.fixture
def server():
    """A server that says ok."""
    with http_server(sends(200, b"ok")) as running:
        yield running


@pytest.fixture
def http(server):
    """A client of it."""
    with Http(server.url) as client:
        yield client


@pytest.mark.parametrize("slow", SLOW, ids=lambda slow: slow.__name__)
@pytest.mark.parametrize("repeat", [False, True])
def test_a_limit_holds_for_the_whole_call(server, http, slow, repeat):
    """However slowly a server answers, a call ends in time, and is not made again."""
    server.answers = [slow]
    begun = time.monotonic()
    error = failure(http.call, "GET", "/x", limit=0.4, repeat=repeat)
    assert 0.4 <= time.monotonic() - begun < 1.0
    assert str(error) == f"GET {server.url}/x had no answer within 0.4 s"
    assert error.status is None
    assert len(server.asked) == 1


def test_a_limit_holds_for_an_upload(server, http):
    """A server that takes a file by drops is cut off too."""
    server.reads = False
    server.answers = [lambda exchange: exchange.read_slowly(0.05)]
    begun = time.monotonic()
    with io.BytesIO(bytes(50_000_000)) as file:
        error = failure(http.call, "POST", "/x", limit=0.4, content=file)
    assert time.monotonic() - begun < 1.0
    assert "had no answer within 0.4 s" in str(error)


@pytest.mark.parametrize("slow", [drips_body, hangs_after_headers])
def test_a_call_that_was_given_up_ends(server, http, slow):
    """A server that drips for ever does not gather threads and connections with us."""
    server.answers = [slow]
    failure(http.call, "GET", "/x", limit=0.3)
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "http"], seconds=5)


def test_a_server_that_is_not_up_yet_is_tried_again():
    """A restart of the server may fall into any moment of a cycle."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        begun = time.monotonic()
        with Http(f"http://127.0.0.1:{unused.getsockname()[1]}") as http:
            failure(http.call, "GET", "/x", limit=2, repeat=True)
    assert 0.5 <= time.monotonic() - begun <= 2


def test_a_server_that_takes_no_connection_is_given_up():
    """A full backlog is as good as nobody."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        port = busy.getsockname()[1]
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        begun = time.monotonic()
        with Http(f"http://127.0.0.1:{port}") as http:
            failure(http.call, "GET", "/x", limit=0.4)
        assert time.monotonic() - begun < 1.0
        for client in waiting:
            client.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(server, http, status):
    """What passes is waited for, where a call may be made twice."""
    server.answers = [sends(status, Retry_After="0.05"), sends(200, b"now")]
    assert http.call("POST", "/x", limit=5, repeat=True, body={"a": 1}).text == "now"
    assert [asked.body for asked in server.asked] == [b'{"a": 1}'] * 2


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 413, 500, 501, 505])
def test_what_is_final_is_asked_once(server, http, status):
    """Asking again would change nothing, or do harm."""
    server.answers = [sends(status, b"no")]
    assert http.call("GET", "/x", limit=5, repeat=True).status == status
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_not_happen_twice_is_asked_once(server, http, status):
    """Never a second training job, blindly."""
    server.answers = [sends(status, Retry_After="0.01")]
    assert http.call("POST", "/x", limit=5).status == status
    assert len(server.asked) == 1


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: lost.__name__)
def test_a_lost_connection_is_tried_again(server, http, lost):
    """A server that was restarted meanwhile is there again."""
    server.answers = [lost, sends(200, b"now")]
    assert http.call("GET", "/x", limit=5, repeat=True).text == "now"
    assert len(server.asked) == 2


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: lost.__name__)
def test_a_lost_answer_is_an_error(server, http, lost):
    """Half an answer is none, and the call is not made again unless it may be."""
    server.answers = [lost]
    error = failure(http.call, "POST", "/x", limit=5)
    assert str(error).endswith("the server closed the connection before it had answered")
    assert len(server.asked) == 1


def test_trying_again_has_an_end(server, http):
    """After the last try the answer is what the server said."""
    server.answers = [sends(503, b"down", Retry_After="0.01")]
    assert http.call("GET", "/x", limit=5, repeat=True).text == "down"
    assert len(server.asked) == TRIES


def test_the_wait_that_is_asked_for_is_kept(server, http):
    """Who asks for peace gets all of it."""
    server.answers = [sends(429, Retry_After="0.7"), sends(200)]
    begun = time.monotonic()
    assert http.call("GET", "/x", limit=5, repeat=True).status == 200
    assert 0.7 <= time.monotonic() - begun < 1.5


@pytest.mark.parametrize("wait", ["1", "30", "7200", "inf"])
def test_a_wait_beyond_the_limit_is_not_begun(server, http, wait):
    """The limit is stronger: what was answered is told at once."""
    server.answers = [sends(503, b"later", Retry_After=wait)]
    begun = time.monotonic()
    assert http.call("GET", "/x", limit=0.9, repeat=True).text == "later"
    assert time.monotonic() - begun < 0.5
    assert len(server.asked) == 1


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", ""])
def test_a_strange_wait_is_our_own(server, http, wait):
    """A header that makes no sense does not stop the call."""
    server.answers = [sends(503, Retry_After=wait), sends(200, b"now")]
    assert http.call("GET", "/x", limit=5, repeat=True).text == "now"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_a_get_is_redirected(server, http, method):
    """A change is not carried to where nobody meant it to go; the error names the place."""
    server.answers = [sends(307, Location="https://elsewhere/api?token=" + SECRET)]
    answer = http.call(method, "/x", limit=5)
    assert "it has moved to https://elsewhere/api" in str(refused(answer))
    assert len(server.asked) == 1


@pytest.mark.parametrize("auth", [InQuery(), InHeaders()])
def test_a_get_is_redirected_on_the_same_server_with_credentials(server, auth):
    """A server may move its routes, and asks there as well who it is."""
    server.answers = [sends(302, Location="/new"), sends(200, b"here")]
    with Http(server.url, auth=auth, secrets=[SECRET]) as http:
        assert http.call("GET", "/old", limit=5, params={"a": 1}).text == "here"
    old, new = server.asked
    assert old.target.startswith("/old?a=1")
    assert "a=1" not in new.target
    for asked in (old, new):
        assert "S3CR" in asked.target + str(asked.headers)


@pytest.mark.parametrize("auth", [InQuery(), InHeaders()])
def test_credentials_stay_with_their_server(server, auth):
    """A redirection to another host, or another port, is followed as a stranger."""
    with http_server(sends(200, b"there")) as other:
        server.answers = [sends(302, Location=other.url + "/x")]
        with Http(server.url, auth=auth, secrets=[SECRET]) as http:
            answer = http.call("GET", "/old", limit=5, headers={"X-Own": "1"})
        assert answer.text == "there"
        (asked,) = other.asked
    assert "S3CR" not in asked.target + str(asked.headers)
    assert not {"Authorization", "X-Own", "Cookie"} & set(asked.headers)


def test_a_server_may_not_send_our_token_elsewhere(server):
    """A redirection that repeats the token of the address would hand it over."""
    with http_server(sends(200, b"there")) as other:
        server.answers = [sends(302, Location=f"{other.url}/x?api_token=S3CR%2FET%2Bx")]
        with Http(server.url, auth=InQuery(), secrets=[SECRET]) as http:
            error = failure(http.call, "GET", "/old", limit=5, repeat=True)
        assert "they were not sent there" in str(error)
        assert other.asked == []
    assert len(server.asked) == 1


def test_a_circle_of_redirections_has_an_end(server, http):
    """A server that sends us round is an error, once."""
    server.answers = [sends(302, Location="/x")]
    error = failure(http.call, "GET", "/x", limit=5, repeat=True)
    assert "was redirected more than 5 times" in str(error)
    assert len(server.asked) == 6


def test_a_redirection_to_no_server_is_an_error(server, http):
    """Only HTTP is spoken."""
    server.answers = [sends(302, Location="file:///etc/passwd")]
    assert "connection failed" in str(failure(http.call, "GET", "/x", limit=5))


def test_cookies_are_not_kept(server, http):
    """Who asks is said by the credentials alone, and a cookie would go to every port of a host."""
    server.answers = [sends(200, Set_Cookie="session=1; Path=/")]
    for _ in range(2):
        http.call("GET", "/x", limit=5)
    assert "Cookie" not in server.asked[1].headers


def test_json_bytes_and_files_are_sent_as_they_are(server, http, tmp_path):
    """`body` is JSON, `content` is sent as it is; a file with its length."""
    (tmp_path / "file").write_bytes(b"from disk")
    http.call("POST", "/a b?x", limit=5, body={"ü": 1}, params={"n": 5})
    http.call("PUT", "/x", limit=5, content=b"raw", headers={"Content-Type": "text/x"})
    with (tmp_path / "file").open("rb") as file:
        http.call("PUT", "/x", limit=5, content=file)
    first, second, third = server.asked
    assert (first.method, first.target) == ("POST", "/a%20b?x&n=5")
    assert first.headers["Content-Type"] == "application/json"
    assert (second.body, second.headers["Content-Type"]) == (b"raw", "text/x")
    assert (third.body, third.headers["Content-Length"]) == (b"from disk", "9")
