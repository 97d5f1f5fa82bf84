"""What is secret is nowhere to be read."""

import json
import time
from html import escape
from urllib.parse import quote, urlencode

import pytest

from retrainer.adapters.http.redaction import redacted

SECRET = 'pa ss/wo&rd"<ü>+'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        urlencode({"q": SECRET}),
        escape(SECRET),
        json.dumps({"q": SECRET}),
        json.dumps({"q": SECRET}, ensure_ascii=False),
    ],
)
def test_a_secret_is_found_however_it_is_written(written):
    """A server may repeat it in a URL, in a form, in a page or in JSON."""
    said = redacted(f"before {written} after", [SECRET])
    assert "***" in said
    assert not [part for part in ("pa ss", "pa%20ss", "pa+ss", "wo&", "rd", "ü") if part in said]
    assert said.startswith("before ")
    assert said.endswith(" after")


def test_a_secret_inside_another_leaves_no_rest():
    """The longer one goes first, or its rest would stay behind."""
    assert redacted("xSECRET-LONGx", ["SECRET", "SECRET-LONG"]) == "x***x"


def test_no_secret_changes_nothing():
    """An option that is not set is no secret to look for."""
    text = "where is my parcel? 100 % at https://host/path?limit=5"
    assert redacted(text, ["", ""]) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /x?api_token=abc&limit=5", "GET /x?api_token=***&limit=5"),
        ("?token=abc", "?token=***"),
        ("/x?Access_Token=abc'", "/x?Access_Token=***'"),
        ("password=abc def", "password=*** def"),
        ("https://me:abc@host/x", "https://***@host/x"),
        ("https://abc@host:8080/x", "https://***@host:8080/x"),
        ("ssh://git:abc@host/x", "ssh://git:***@host/x"),
        ("Authorization: Basic Z2l0OnNlY3JldA==", "Authorization: Basic ***"),
        ("{'authorization': 'bearer eyJhbGciOi.J9-x_y.z'}", "{'authorization': 'bearer ***'}"),
    ],
)
def test_what_looks_like_a_secret_is_one(text, shown):
    """Tokens in addresses are unknown to most of the program, and known by their names."""
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "ssh://git@host/team/project.git",
        "git@host:team/project.git",
        "https://host/a@b?x=y@z",
        "http://host:80/x@y",
        "mail me@example.org",
        "a basic understanding, and the Bearer authentication",
    ],
)
def test_an_address_without_a_secret_stays_readable(text):
    """Who reads an error has to see which place it is about."""
    assert redacted(text) == text


def test_long_texts_take_no_time():
    """An error page of megabytes does not stop the program."""
    text = "https://a:" * 20_000 + "token=" * 20_000
    begun = time.process_time()
    redacted(text, ["SECRET"])
    assert time.process_time() - begun < 1
