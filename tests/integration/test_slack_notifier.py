"""Slack over real HTTP: delivered, or a NotificationError without a secret, in bounded time."""

import logging
import socket
import time
import traceback

import pytest
from pydantic import ValidationError
from support import cycle_reports
from support.children import python
from support.slack_server import CHANNEL, TOKEN, WEBHOOK_PATH, slack

from retrainer.adapters.slack_notifier import SlackNotifier
from retrainer.errors import NotificationError
from retrainer.reports.message import render

SECRETS = ("SECRET", "xoxb", "hooks", "127.0.0.1")


@pytest.fixture
def server():
    """A Slack that takes good messages."""
    with slack() as running:
        yield running


@pytest.fixture(params=["webhook", "bot"])
def way(request):
    """Both ways to post."""
    return request.param


def notifier(way, url, timeout=5.0):
    """A notifier for the Slack at this address."""
    by_webhook = {"webhook_url": url + WEBHOOK_PATH}
    as_bot = {"token": TOKEN, "channel": CHANNEL, "base_url": url + "/api/"}
    keys = by_webhook if way == "webhook" else as_bot
    return SlackNotifier(SlackNotifier.Options.model_validate(keys | {"timeout": timeout}), render)


def failure(way, url, timeout=5.0):
    """The error that a notification ends with, after a look for secrets in all that it says."""
    with pytest.raises(NotificationError) as caught:
        notifier(way, url, timeout).notify(cycle_reports.promoted())
    said = f"{''.join(traceback.format_exception(caught.value))} {caught.value.tip}"
    assert not [secret for secret in SECRETS if secret in said]
    return caught.value


def test_a_message_holds_the_verdict(server, way):
    """Verdict, both F1 figures, each check, failed must-pass utterances, flips and duration arrive."""
    report = cycle_reports.rejected()
    notifier(way, server.url).notify(report)
    (message,) = server.messages
    said = str(message["blocks"])
    wanted = [check.sentence for check in report.state.verdict.checks]
    wanted += ["REJECTED", "0.8123", "0.7702", "please give me my money back", "track it"]
    wanted += ["took 4 min 05 s", "retrainer show 7"]
    assert [text for text in wanted if text not in said] == []
    assert message["text"].startswith("helpdesk: REJECTED helpdesk-20261121-010000-7")


def test_nobody_is_called_by_an_utterance(server, way):
    """What a user wrote never becomes a mention, a link or a call to the whole channel."""
    notifier(way, server.url).notify(cycle_reports.promoted())
    (message,) = server.messages
    assert "&lt;!channel&gt;" in str(message["blocks"])
    assert "<" not in str(message)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("server_error", "Slack did not take the message: HTTP 503, an answer that is not Slack's"),
        ("html", "Slack did not take the message: HTTP 200, an answer that is not Slack's"),
        ("hang", "Slack did not answer within 0.5 s"),
        ("drip", "Slack did not answer within 0.5 s"),
        ("closed", "Slack could not be reached: "),
        ("garbage", "Slack did not answer as Slack does: UnicodeDecodeError"),
        ("list", "Slack "),
        ("fatal_error", ", fatal_error"),
    ],
)
def test_a_slack_that_fails_is_a_notification_error(server, way, mode, said):
    """Whatever a server answers, the error says what it was, in little more than the time limit."""
    server.mode = mode
    begun = time.monotonic()
    assert said in failure(way, server.url, timeout=0.5).message
    assert time.monotonic() - begun < 3


def test_the_wait_that_slack_asks_for_is_told(server, way):
    """The outbox learns for how long Slack wants to be left alone."""
    server.mode = "rate_limited"
    error = failure(way, server.url)
    assert error.retry_after == 30
    assert "HTTP 429" in error.message
    assert "wait for 30 s" in error.message


@pytest.mark.parametrize("mode", ["closed", "server_error", "rate_limited"])
def test_a_message_is_sent_once(server, way, mode):
    """Trying again is the outbox's business: one call sends one request, or people read it twice."""
    server.mode = mode
    failure(way, server.url)
    assert server.requests == 1


def test_a_proxy_is_not_used_for_what_is_exempt():
    """A Slack of one's own network is reached past the proxy, as NO_PROXY says."""
    code = """
        import os
        from support.slack_server import slack, WEBHOOK_PATH
        from support.cycle_reports import promoted
        from retrainer.adapters.slack_notifier import SlackNotifier
        from retrainer.reports.message import render
        os.environ.update(HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
        with slack() as server:
            options = SlackNotifier.Options(webhook_url=server.url + WEBHOOK_PATH)
            SlackNotifier(options, render).notify(promoted())
            print(len(server.messages))
    """
    with python(code) as child:
        output, errors = child.communicate(timeout=30)
    assert (output, errors) == ("1\n", "")


def test_nobody_listens(way):
    """A Slack that is down is a NotificationError."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = failure(way, f"http://127.0.0.1:{port}")
    assert "Connection refused" in error.message
    assert error.retry_after is None


def test_a_known_refusal_comes_with_a_tip(server):
    """A person learns what to change."""
    server.mode = "not_in_channel"
    assert failure("bot", server.url).tip == "invite the app to the channel: /invite @APP"
    server.mode = "no_service"
    assert "webhook_url" in failure("webhook", server.url).tip


def test_nothing_is_logged(server, way, caplog):
    """The client's own logging, which names the URL, is off even when everything is logged."""
    caplog.set_level(logging.DEBUG)
    notifier(way, server.url).notify(cycle_reports.promoted())
    server.mode = "closed"
    failure(way, server.url)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"token": TOKEN},
        {"channel": CHANNEL},
        {"webhook_url": "https://hooks.example/SECRET", "token": TOKEN, "channel": CHANNEL},
        {"webhook_url": "https://hooks.example/SECRET", "channel": CHANNEL},
        {"token": "", "channel": CHANNEL},
    ],
)
def test_one_way_to_post_is_asked_for(keys):
    """Neither, both or half of one: refused with the names of the keys, without a secret."""
    with pytest.raises(
        ValidationError, match="set webhook_url, or else token and channel"
    ) as caught:
        SlackNotifier.Options.model_validate(keys)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"webhook_url": ""},
        {"webhook_url": "hooks.example/SECRET"},
        {"webhook_url": "file:///SECRET"},
        {"webhook_url": "https://hooks.example/SECRET\n"},
        {"webhook_url": "https://hooks.example/SECRET", "timeout": 0},
        {"webhook_url": "https://hooks.example/SECRET", "timeout": "nan"},
        {"webhook_url": "https://hooks.example/SECRET", "chanel": CHANNEL},
        {"token": TOKEN, "channel": CHANNEL, "base_url": "slack.com"},
    ],
)
def test_wrong_options_are_refused(keys):
    """An option that cannot work is refused at the start, without a secret."""
    with pytest.raises(ValidationError) as caught:
        SlackNotifier.Options.model_validate(keys)
    assert "SECRET" not in str(caught.value)


def test_secrets_do_not_show():
    """Printing the options does not print what is secret in them."""
    options = SlackNotifier.Options.model_validate({"token": TOKEN, "channel": CHANNEL})
    assert "SECRET" not in repr(options)
