"""A server's answer in words."""

import json
import time

import pytest

from retrainer.adapters.http.answer import Answer, refused
from retrainer.errors import ServerError

SECRET = "S3CRET"
WHERE = "POST https://host:5002/api/models"


def answer(body: object, status: int = 400, **headers: str) -> Answer:
    """An answer with this body, as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers, content, WHERE, (SECRET,))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "no", "reason": "NotFound", "status": "failure"}, "no: NotFound"),
        ({"message": "no", "reasons": ["one", "two"]}, "no: one, two"),
        ({"error": "gone", "message": None}, "gone"),
        ({"error": {}, "message": "no"}, "no"),
        ({"detail": "not here"}, '{"detail": "not here"}'),
        (["a"], '["a"]'),
        (b"Unauthorized\n", "Unauthorized"),
        (b"", ""),
        (b"\xff\xfe\x00", "��\x00"),
        (b"<html><title>502 Bad\n Gateway</title>", "a web page titled '502 Bad Gateway'"),
        (b"  <!DOCTYPE html><p>x", "a web page"),
        (b"[" * 200_000, "[" * 300 + "…"),
    ],
)
def test_a_complaint_is_one_line_whatever_came(body, said):
    """Each shape that servers and proxies answer in becomes one readable line."""
    assert answer(body).complaint() == said


@pytest.mark.parametrize(
    "body",
    [
        {"message": SECRET},
        {"reasons": ["x", SECRET]},
        {"detail": SECRET},
        SECRET.encode(),
        b"<html><title>no " + SECRET.encode() + b"</title>",
        b"x" * 297 + SECRET.encode(),
    ],
)
def test_a_complaint_holds_no_secret(body):
    """A server may repeat what it was sent, also where the line is cut."""
    said = answer(body).complaint()
    assert "S3C" not in said
    assert "S3C" not in str(refused(answer(body)))


def test_a_page_with_a_thousand_titles_takes_no_time():
    """An answer made to hurt is looked at only so far."""
    begun = time.process_time()
    for start in (b"<title>", b"<title", b"<title>x"):
        assert answer(b"<html>" + start * 500_000).complaint().startswith("a web page")
    assert time.process_time() - begun < 1


def test_json_is_given():
    """What was asked for."""
    assert answer({"a": [1]}, 200).json() == {"a": [1]}


@pytest.mark.parametrize(
    ("body", "said", "tip"),
    [
        (b"<html>hello", "with a web page, JSON is needed", "check the address"),
        (b"", "with nothing, JSON is needed", None),
        (b"OK " + SECRET.encode(), "with 'OK ***', JSON is needed", None),
        (b"[" * 200_000, "JSON is needed", None),
        (b"\xff\xff", "JSON is needed", None),
        (b'{"a": ', "JSON is needed", None),
    ],
)
def test_no_json_is_a_clear_error(body, said, tip):
    """A web page with status 200 is not taken for an answer."""
    with pytest.raises(ServerError) as caught:
        answer(body, 200).json()
    assert said in str(caught.value)
    assert caught.value.status == 200
    assert SECRET not in str(caught.value)
    assert (caught.value.tip or "").startswith(tip or "")
    assert (caught.value.tip is None) == (tip is None)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://other/login?token=S3CRET", "https://other/login"),
        ("/login", "https://host:5002/login"),
        ("//other:1/x", "https://other:1/x"),
        ("https://me:S3CRET@other/x", "https://***@other/x"),
        ("https://other/S3CRET/x", "https://other/***/x"),
    ],
)
def test_a_redirection_names_its_target(location, target):
    """What is not followed says where it would have gone, without the credentials in it."""
    error = refused(answer(b"", 302, Location=location))
    assert str(error) == f"{WHERE} answered 302: it has moved to {target}"
    assert (error.status, error.tip) == (302, "use that address")


def test_an_answer_shows_neither_its_body_nor_its_headers():
    """The answer to a login holds a token, and may be part of any other value's `repr`."""
    shown = repr(answer({"access_token": SECRET}, 200, Set_Cookie=SECRET))
    assert shown == f"Answer(status=200, where='{WHERE}')"


@pytest.mark.parametrize(
    ("written", "kind"),
    [("Text/HTML; charset=utf-8", "text/html"), ("application/json", "application/json")],
)
def test_the_kind_is_the_bare_media_type(written, kind):
    """Case and parameters do not matter."""
    assert Answer(200, {"Content-Type": written}, b"", WHERE).kind == kind
    assert Answer(200, {}, b"", WHERE).kind == ""
