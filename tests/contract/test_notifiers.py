"""The contract of notifiers, on the fake and on each real adapter."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from contract.notifier_contract import NotifierContract
from support.git_servers import Upstream, isolate
from support.mlflow_client import MlflowClient
from support.slack_server import CHANNEL, TOKEN, WEBHOOK_PATH, SlackServer, slack

from retrainer.adapters.console_notifier import ConsoleNotifier
from retrainer.adapters.git.notifier import GitNotifier
from retrainer.adapters.mlflow.notifier import MlflowNotifier
from retrainer.adapters.slack_notifier import SlackNotifier
from retrainer.errors import NotificationError
from retrainer.ports import Notifier
from retrainer.reports.message import render
from retrainer.testing.notifiers import FakeNotifier, FakeSummaryNotifier


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


class TestFakeSummaryNotifier(TestFakeNotifier):
    """The fake of those that are for people."""

    SUMMARISES = True

    @pytest.fixture
    def notifier(self) -> FakeSummaryNotifier:
        """A new fake."""
        return FakeSummaryNotifier()

    @pytest.fixture
    def told(self, notifier: FakeSummaryNotifier) -> Callable[[], int]:
        """How often it was told, of one cycle or of several."""
        return lambda: len(notifier.reports) + len(notifier.summaries)

    @pytest.fixture
    def broken(self) -> Notifier:
        """A fake that fails."""
        fake = FakeSummaryNotifier()
        fake.failure = NotificationError("not today")
        return fake


class TestConsoleNotifier(NotifierContract):
    """The notifier that writes to a stream."""

    SUMMARISES = True

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
        return lambda: stream.getvalue().count("\nsee more: retrainer show 7")

    @pytest.fixture
    def broken(self) -> Notifier:
        """A console that is closed."""
        closed = io.StringIO()
        closed.close()
        return ConsoleNotifier(render, closed)


class TestSlackWebhook(NotifierContract):
    """Slack by an incoming webhook, as wiring makes it."""

    SUMMARISES = True

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

    SUMMARISES = True

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


class TestGitNotifier(NotifierContract):
    """Writing back to a repository, as wiring makes it."""

    TELLS_OF = ("promoted", "promoted_by_default", "first_model")
    TWICE = 1

    @pytest.fixture
    def upstream(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upstream:
        """A repository with one commit, and a git without the user's settings."""
        for name, value in isolate(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        upstream = Upstream(tmp_path / "server")
        upstream.commit({"README.md": "-"})
        return upstream

    @staticmethod
    def _notifier(url: Path, folder: Path) -> Notifier:
        options = GitNotifier.Options(url=str(url))
        return GitNotifier.from_options(options, folder=folder, render=render, fetch=no_model)

    @pytest.fixture
    def notifier(self, upstream: Upstream, tmp_path: Path) -> Notifier:
        """It commits to the default branch."""
        return self._notifier(upstream.bare, tmp_path)

    @pytest.fixture
    def told(self, upstream: Upstream) -> Callable[[], int]:
        """How many commits it made."""
        return lambda: int(upstream.git("rev-list", "--count", "main", at=upstream.bare)) - 1

    @pytest.fixture
    def broken(self, upstream: Upstream, tmp_path: Path) -> Notifier:
        """The repository is elsewhere."""
        return self._notifier(upstream.folder / "gone.git", tmp_path)


class TestMlflowNotifier(NotifierContract):
    """Runs of an MLflow server, as wiring makes it; figures alone, to be quick."""

    TWICE = 1

    @staticmethod
    def _notifier(url: str, experiment: str, folder: Path) -> Notifier:
        options = MlflowNotifier.Options(
            tracking_uri=url, experiment=experiment, log_report=False, log_model=False
        )
        return MlflowNotifier.from_options(options, folder=folder, render=render, fetch=no_model)

    @pytest.fixture
    def experiment(self) -> str:
        """An experiment of this test alone."""
        return f"contract-{uuid4().hex}"

    @pytest.fixture
    def notifier(self, mlflow_url: str, experiment: str, tmp_path: Path) -> Notifier:
        """It records in that experiment."""
        return self._notifier(mlflow_url, experiment, tmp_path)

    @pytest.fixture
    def told(self, mlflow_url: str, experiment: str) -> Callable[[], int]:
        """How many runs there are."""
        return lambda: len(MlflowClient(mlflow_url).runs(experiment))

    @pytest.fixture
    def broken(self, mlflow_url: str, experiment: str, tmp_path: Path) -> Notifier:
        """Another place of the server, where no MLflow is."""
        return self._notifier(f"{mlflow_url}/elsewhere", experiment, tmp_path)
