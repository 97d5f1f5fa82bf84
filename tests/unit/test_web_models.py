"""The model server's answers: the right bytes, under the right name, to the right people."""

import asyncio
import hashlib
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from support.archives import write_model
from support.asgi import Reply, request

from retrainer.errors import ServerError
from retrainer.testing.clock import FakeClock
from retrainer.testing.platforms import FakePlatform
from retrainer.web import ModelServer, application

CONTENT = bytes(range(256)) * 1500  # several pieces, the last of them shorter
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'
TOKEN = "ü secret+token&of=the/fleet"
PATH = "/models/shop/champion"


def platform(folder: Path, champion: str | None = "shop-1") -> FakePlatform:
    made = FakePlatform(folder / "platform")
    folder.mkdir(exist_ok=True)
    made.upload(*write_model(folder, "shop-1", CONTENT))
    made.champion = champion
    return made


def app(*, token: str | None = None, default: str | None = None, **platforms) -> Starlette:
    return application(
        ModelServer(
            platforms,
            clock=FakeClock(),
            tell=lambda _: None,
            token=token,
            rasa_x_assistant=default,
        )
    )


def ask(server: Starlette, path: str = PATH, query: str = "", **options) -> Reply:
    return asyncio.run(asyncio.wait_for(request(server, path, query, **options), 20))


def problem(reply: Reply) -> str:
    document = json.loads(reply.body)
    assert document["status"] == "failure"
    assert document["code"] == reply.status
    return document["message"]


@pytest.fixture
def shop(tmp_path: Path) -> FakePlatform:
    return platform(tmp_path)


def test_the_champion_comes_whole_and_named_by_its_bytes(shop):
    """What Rasa needs: the archive, a strong ETag of exactly these bytes, and a file name."""
    reply = ask(app(shop=shop))
    assert (reply.status, reply.body) == (200, CONTENT)
    assert reply.headers["etag"] == ETAG
    assert reply.headers["filename"] == "shop-1.tar.gz"
    assert reply.headers["content-disposition"] == 'attachment; filename="shop-1.tar.gz"'
    assert reply.headers["content-length"] == str(len(CONTENT))
    assert reply.headers["accept-ranges"] == "bytes"
    assert max(reply.pieces) <= 128 * 1024


def test_whoever_has_the_model_gets_nothing_again(shop):
    """304 with the same name, for GET and HEAD; the random word of a first pull gets the model."""
    server = app(shop=shop)
    for method in ("GET", "HEAD"):
        reply = ask(server, method=method, headers={"If-None-Match": ETAG})
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", ETAG)
    first = ask(server, headers={"If-None-Match": "5d41402abc4b2a76b9719d911017c592"})
    assert (first.status, first.body) == (200, CONTENT)


def test_head_says_what_get_would_send(shop):
    """The same headers and no body, ranges left aside."""
    server = app(shop=shop)
    head = ask(server, method="HEAD", headers={"Range": "bytes=0-9"})
    assert (head.status, head.body) == (200, b"")
    assert head.headers == ask(server).headers


@pytest.mark.parametrize(
    ("header", "part", "content_range"),
    [
        ("bytes=0-0", CONTENT[:1], "bytes 0-0/384000"),
        ("bytes=383999-", CONTENT[-1:], "bytes 383999-383999/384000"),
        ("bytes=100000-299999", CONTENT[100_000:300_000], "bytes 100000-299999/384000"),
        ("bytes=-5", CONTENT[-5:], "bytes 383995-383999/384000"),
        ("bytes=0-999999", CONTENT, "bytes 0-383999/384000"),
    ],
)
def test_a_part_is_sent_as_asked(shop, header, part, content_range):
    """206 with the bytes and where they belong."""
    reply = ask(app(shop=shop), headers={"Range": header, "If-Range": ETAG})
    assert (reply.status, reply.body) == (206, part)
    assert reply.headers["content-range"] == content_range
    assert reply.headers["content-length"] == str(len(part))
    assert reply.headers["etag"] == ETAG


def test_a_resumed_download_never_mixes_two_models(shop):
    """With the name of another model in If-Range the whole of the present one is sent."""
    reply = ask(app(shop=shop), headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert (reply.status, reply.body) == (200, CONTENT)


def test_bytes_behind_the_end_are_refused(shop):
    """416 with the size that there is."""
    reply = ask(app(shop=shop), headers={"Range": "bytes=384000-"})
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["content-range"] == "bytes */384000"


def test_a_model_may_be_asked_for_by_name(shop):
    """Any stored model has an address of its own, whatever is champion."""
    shop.upload(*write_model(shop._folder, "shop-2"))
    reply = ask(app(shop=shop), "/models/shop/shop-2")
    assert (reply.status, reply.body) == (200, b"shop-2" * 100)
    assert reply.headers["filename"] == "shop-2.tar.gz"


def test_a_name_that_is_unfit_for_a_header_is_made_fit(tmp_path):
    """A client uses `filename` as a path, so nothing but plain characters gets into it."""
    made = FakePlatform(tmp_path / "platform")
    model, archive = write_model(tmp_path, 'a "b"\r\nSet-Cookie: x; ü')
    made.upload(model, archive)
    made.champion = model.name
    headers = ask(app(shop=made)).headers
    assert headers["filename"] == "a__b___Set-Cookie__x___.tar.gz"
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/models/bank/champion", "no assistant 'bank'; known are shop"),
        ("/models/shop/shop-9", "shop has no model 'shop-9'"),
        ("/models/shop/..", "shop has no model '..'"),
        ("/api/models/tags/staging", "no tag 'staging'; known are production, active, champion"),
        ("/bank/api/models/tags/production", "no assistant 'bank'"),
        ("/nowhere", "GET /nowhere is not served here"),
        ("/models/shop/a/b", "is not served here"),
    ],
)
def test_what_is_not_there_is_named(shop, path, words):
    """404 in Rasa's own form, with what was asked for and what there is."""
    reply = ask(app(shop=shop), path)
    assert reply.status == 404
    assert words in problem(reply)


def test_before_the_first_promotion_there_is_nothing_to_pull(tmp_path):
    """404, which a Rasa server takes calmly; the next command is named."""
    reply = ask(app(shop=platform(tmp_path, champion=None)))
    assert reply.status == 404
    assert problem(reply) == "shop has no champion yet"
    assert "run-once" in json.loads(reply.body)["help"]


def test_a_platform_out_of_reach_is_no_missing_model(shop):
    """503 and when to come again, so that nobody believes the model to be gone."""
    shop.failures["fetch"] = ServerError("the bucket is out of reach")
    for path in (PATH, "/models/shop/shop-1"):
        reply = ask(app(shop=shop), path)
        assert reply.status == 503
        assert reply.headers["retry-after"] == "5"
        assert problem(reply) == "the bucket is out of reach"


def test_models_are_only_read():
    """Nothing can be written here."""
    reply = ask(app(shop=FakePlatform(Path("none"))), method="PUT")
    assert reply.status == 405
    assert "GET" in reply.headers["allow"]
    assert "PUT /models/shop/champion is not served here" in problem(reply)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (f"token={quote(TOKEN, safe='')}", {}),
        (f"api_token={quote(TOKEN, safe='')}", {}),
        (f"a=b&token=wrong&api_token={quote(TOKEN, safe='')}", {}),
        ("", {"Authorization": f"Bearer {TOKEN}"}),
        ("", {"Authorization": f"bearer  {TOKEN}"}),
        ("token=wrong", {"Authorization": f"Bearer {TOKEN}"}),
    ],
)
def test_the_token_may_come_in_each_way_that_rasa_has(shop, query, headers):
    """As Rasa sends it, as it is sent to Rasa X, and as a bearer."""
    assert ask(app(shop=shop, token=TOKEN), query=query, headers=headers).status == 200


@pytest.mark.parametrize(
    ("query", "headers", "words"),
    [
        ("", {}, "a token is needed"),
        ("key=x", {"Authorization": "Basic eA=="}, "a token is needed"),
        ("token=", {}, "the token is wrong"),
        (f"token={TOKEN[:-1]}", {}, "the token is wrong"),
        ("token=%FF%00", {}, "the token is wrong"),
        ("", {"Authorization": "Bearer x"}, "the token is wrong"),
        ("", {"Authorization": "Bearer"}, "the token is wrong"),
        ("", {"Authorization": f"Token {TOKEN}"}, "a token is needed"),
    ],
)
@pytest.mark.parametrize("path", [PATH, "/models/shop/shop-1", "/api/models/tags/production"])
def test_nobody_else_learns_anything(shop, path, query, headers, words):
    """401 as JSON before anything is looked up; the token is in no answer."""
    reply = ask(app(shop=shop, token=TOKEN), path, query, headers=headers)
    assert reply.status == 401
    assert words in problem(reply)
    assert reply.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in reply.body.decode()
    assert "fetch" not in shop.calls
    assert ask(app(token=TOKEN), "/models/nowhere/champion").status == 401


@pytest.mark.parametrize("tag", ["production", "active", "champion"])
@pytest.mark.parametrize(
    "path",
    ["/api/models/tags/", "/api/projects/default/models/tags/", "/api/projects/x/models/tags/"],
)
def test_a_server_that_pulls_from_rasa_x_needs_another_host_alone(shop, path, tag):
    """Rasa X's addresses of both eras lead to the only assistant's champion."""
    for prefix in ("", "/shop"):
        reply = ask(app(shop=shop), prefix + path + tag, headers={"If-None-Match": ETAG})
        assert (reply.status, reply.headers["etag"]) == (304, ETAG)


def test_with_several_assistants_a_project_stands_for_one_only_if_that_is_said(tmp_path):
    """By its name, or by the option for the project `default`; nothing is ever guessed."""
    both = {
        "shop": platform(tmp_path / "shop"),
        "bank": platform(tmp_path / "bank", champion=None),
    }
    undecided, decided = app(**both), app(default="shop", **both)
    named = "/api/projects/{}/models/tags/production"
    assert ask(undecided, named.format("shop")).status == 200
    assert "bank has no champion" in problem(ask(decided, named.format("bank")))
    for path in ("/api/models/tags/production", named.format("default")):
        assert "may be any of 2 assistants: shop, bank" in problem(ask(undecided, path))
        assert ask(decided, path).status == 200
    for server in (undecided, decided):
        assert "'other' may be any of 2" in problem(ask(server, named.format("other")))


def test_whether_the_server_is_up_needs_no_token(shop):
    """A load balancer can ask, and learns nothing else."""
    reply = ask(app(shop=shop, token=TOKEN), "/healthz")
    assert (reply.status, json.loads(reply.body)) == (200, {"status": "ok"})
