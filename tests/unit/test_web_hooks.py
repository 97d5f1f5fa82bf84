"""Hooks of git servers: signatures, and which pushes count."""

import hmac
import json
from hashlib import sha256
from urllib.parse import urlencode

import pytest
from starlette.datastructures import Headers

from retrainer.settings import AssistantSettings
from retrainer.web.answers import Unusable
from retrainer.web.hooks import Push, is_signed, push_of, revisions_of, why_ignored

SECRET = "a long secret"
BODY = b'{"ref": "refs/heads/main"}'
SIGNATURE = hmac.new(SECRET.encode(), BODY, sha256).hexdigest()
OTHERS = hmac.new(b"another secret", BODY, sha256).hexdigest()
COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Hub-Signature-256": f"sha256={SIGNATURE}"},
        {"X-Gitea-Signature": SIGNATURE},
        {"X-Forgejo-Signature": SIGNATURE.upper()},
        {"X-Gitlab-Token": SECRET},
        {"X-Gitea-Signature": SIGNATURE, "X-Hub-Signature-256": f"sha256={SIGNATURE}"},
    ],
)
def test_whoever_has_the_secret_is_heard(headers):
    """In the way of each git server."""
    assert is_signed(Headers(headers), BODY, SECRET)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": f"sha256={OTHERS}"},
        {"X-Hub-Signature-256": f"sha256={SIGNATURE[:-1]}"},
        {"X-Hub-Signature": f"sha1={SIGNATURE}"},
        {"X-Gitea-Signature": SECRET},
        {"X-Gitlab-Token": ""},
        {"X-Gitlab-Token": SECRET + "x"},
        {"X-Gitlab-Token": SIGNATURE},
        {"X-Forgejo-Signature": "ü" * 64},
    ],
)
def test_nobody_else_is(headers):
    """Missing, empty, cut, of another secret or another body."""
    assert not is_signed(Headers(headers), BODY, SECRET)
    signed = Headers({"X-Gitea-Signature": SIGNATURE})
    assert not is_signed(signed, BODY + b" ", SECRET)


def push(ref="refs/heads/main", *, event="push", after=COMMIT, **more) -> Push:
    document = {"ref": ref, "after": after} | more
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": "72d3162e"}
    return push_of(Headers(headers), json.dumps(document).encode())


@pytest.mark.parametrize(
    ("told", "revisions"),
    [
        (push(), ("main",)),
        (push(), ("refs/heads/main",)),
        (push("refs/tags/v1"), ("v1",)),
        (push(), ("other", "main")),
        (push(repository={"default_branch": "main"}), ("",)),
        (push(project={"default_branch": "main"}, event="Push Hook"), ("",)),
        (push(repository={"name": "x"}), ("",)),
        (push(), ()),
        (Push(), ("main",)),
    ],
)
def test_a_push_to_what_is_followed_asks_for_a_cycle(told, revisions):
    """A branch, a tag, the default branch; and whatever does not say what was pushed."""
    assert why_ignored(told, revisions) is None


@pytest.mark.parametrize(
    ("told", "revisions", "why"),
    [
        (push("refs/heads/feature"), ("main",), "refs/heads/feature is not followed, but main"),
        (push("refs/heads/x/main"), ("main",), "refs/heads/x/main is not followed, but main"),
        (push("refs/heads/x", repository={"default_branch": "main"}), ("",), "x is not followed"),
        (push(), (COMMIT,), "refs/heads/main is not followed"),
        (push(event="ping"), ("main",), "the event 'ping' is no push"),
        (push(event="pull_request"), (), "the event 'pull_request' is no push"),
        (push(after="0" * 40), ("main",), "refs/heads/main was deleted"),
    ],
)
def test_other_pushes_are_ignored_and_it_is_said_why(told, revisions, why):
    """The delivery log of the git server shows the reason."""
    assert why in (why_ignored(told, revisions) or "")


def test_the_note_names_push_commit_and_delivery():
    """So that a cycle can be traced to what led to it; strange words are cut and made printable."""
    assert str(push()) == "push to refs/heads/main at 0123456789ab, delivery 72d3162e"
    assert str(push("a\n" * 500)) == f"push to {'a?' * 50} at 0123456789ab, delivery 72d3162e"
    assert str(Push()) == "a hook"


def test_a_form_is_read_too():
    """GitHub's default: the JSON as the field `payload`."""
    headers = Headers({"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    assert push_of(headers, urlencode({"payload": BODY.decode()}).encode()).ref == "refs/heads/main"
    assert push_of(Headers({}), b" ") == Push()


@pytest.mark.parametrize("body", [b"x", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"a": NaNx}'])
def test_what_is_no_object_is_refused(body):
    """Garbage with a good signature is told to be garbage."""
    with pytest.raises(Unusable, match="not a JSON object"):
        push_of(Headers({}), body)


@pytest.mark.parametrize("document", [{"ref": 5, "repository": [], "after": None}, {"ref": {}}])
def test_odd_types_are_no_failure(document):
    """What is not a word counts as not said."""
    assert push_of(Headers({}), json.dumps(document).encode()) == Push()


def test_only_git_sources_follow_revisions():
    """Of one source or several; the default branch is the empty revision."""
    git = {"type": "git", "url": "https://git.example/a"}
    directory = {"type": "directory", "path": "x"}
    several = {"a": git, "b": directory, "c": git | {"revision": "live"}}
    assert revisions_of(AssistantSettings(sources=several)) == ("", "live")
    assert revisions_of(AssistantSettings(source=git | {"revision": "live"})) == ("live",)
    assert revisions_of(AssistantSettings(source=directory)) == ()
