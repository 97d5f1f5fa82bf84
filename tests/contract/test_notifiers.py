"""The contract of notifiers, on the fake, the console and Slack."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contract.notifier_contract import NotifierContract
from support.slack_server import CHANNEL, TOKEN, WEBHOOK_PATH, SlackServer, slack

from retrainer.adapters.console_notifier import ConsoleNotifier
from retrainer.adapters.slack_notifier import SlackNotifier
from retrainer.errors import NotificationError
from retrainer.ports import Notifier
from retrainer.reports.message import render
from retrainer.testing.notifiers import FakeNotifier


def no_model(assistant: str, model: str) -> Path:
    """A notifier that needs no archive must not ask for one."""
    raise AssertionError(f"{assistant} {model}")


@pytest.fixture
def server() -> Iterator[SlackServer]:
    """A Slack that takes good messages."""
    with slack() as running:
        yield running


class TestFakeNotifier(NotifierContract):
    """The fake that other tests rely on."""

    @pytest.fixture
    def notifier(self) -> FakeNotifier:
        """A new fake."""
        return FakeNotifier()

    @pytest.fixture
    def told(self, notifier: FakeNotifier) -> Callable[[], int]:
        """How often it was told."""
        return lambda: len(notifier.reports)

    @pytest.fixture
    def broken(self) -> Notifier:
        """A fake that fails."""
        fake = FakeNotifier()
        fake.failure = NotificationError("not today")
        return fake


class TestConsoleNotifier(NotifierContract):
    """The notifier that writes to a stream."""

    @pytest.fixture
    def stream(self) -> io.StringIO:
        """What it writes to."""
        return io.StringIO()

    @pytest.fixture
    def notifier(self, stream: io.StringIO) -> Notifier:
        """A console in memory."""
        return ConsoleNotifier(render, stream)

    @pytest.fixture
    def told(self, stream: io.StringIO) -> Callable[[], int]:
        """Each report ends with how to see more."""
        return lambda: stream.getvalue().count("see more: retrainer show 7\n")

    @pytest.fixture
    def broken(self) -> Notifier:
        """A console that is closed."""
        closed = io.StringIO()
        closed.close()
        return ConsoleNotifier(render, closed)


class TestSlackWebhook(NotifierContract):
    """Slack by an incoming webhook, as wiring makes it."""

    @pytest.fixture
    def notifier(self, server: SlackServer, tmp_path: Path) -> Notifier:
        """A webhook of the server."""
        options = SlackNotifier.Options.model_validate({"webhook_url": server.url + WEBHOOK_PATH})
        return SlackNotifier.from_options(options, folder=tmp_path, render=render, fetch=no_model)

    @pytest.fixture
    def told(self, server: SlackServer) -> Callable[[], int]:
        """How many messages it took."""
        return lambda: len(server.messages)

    @pytest.fixture
    def broken(self, server: SlackServer, tmp_path: Path) -> Notifier:
        """A webhook that was removed."""
        options = SlackNotifier.Options.model_validate({"webhook_url": server.url + "/removed"})
        return SlackNotifier.from_options(options, folder=tmp_path, render=render, fetch=no_model)


class TestSlackBot(NotifierContract):
    """Slack as a bot, as wiring makes it."""

    @staticmethod
    def _bot(server: SlackServer, folder: Path, token: str) -> Notifier:
        keys = {"token": token, "channel": CHANNEL, "base_url": server.url + "/api"}
        options = SlackNotifier.Options.model_validate(keys)
        return SlackNotifier.from_options(options, folder=folder, render=render, fetch=no_model)

    @pytest.fixture
    def notifier(self, server: SlackServer, tmp_path: Path) -> Notifier:
        """A bot with the right token."""
        return self._bot(server, tmp_path, TOKEN)

    @pytest.fixture
    def told(self, server: SlackServer) -> Callable[[], int]:
        """How many messages it took."""
        return lambda: len(server.messages)

    @pytest.fixture
    def broken(self, server: SlackServer, tmp_path: Path) -> Notifier:
        """A bot with another token."""
        return self._bot(server, tmp_path, "xoxb-other")
