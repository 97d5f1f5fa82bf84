"""No secret of the configuration gets out, whatever the servers do with it.

A canary stands in every secret option. Servers on loopback get what they are to get, and give it
away in their answers; then everything is searched that a run leaves behind or shows meanwhile.
"""

import os
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from support.canaries import Canaries, secret_options
from support.commands import ASSISTANT, POLICY, Workplace
from support.evil_server import MODES, EvilServer, evil_server, told_by
from support.process_watch import Watched, watched
from support.rasa_stub import stub_rasa
from support.waiting import wait_until
from support.worlds import PROJECT, utterances

from retrainer.testing.rasa import write_project

pytestmark = pytest.mark.end_to_end

#: Seconds that one run may take.
_LIMIT = 120

#: `{name}` is the canary of an option; [url] the server that gives everything away.
CONFIG = """
[http]
token = "{settings.http.token}"
hook_secret = "{settings.http.hook_secret}"
tokens.ci = { token = "{settings.http.tokens.token}" }

[policies.easy]
good_enough = { rule = "floor", metric = "f1_weighted", minimum = 0.0 }

[notifiers.hook]
type = "slack"
on = ["promoted", "failed"]
webhook_url = "[url]/services/{notifiers.slack.webhook_url}"
timeout = [timeout]

[notifiers.bot]
type = "slack"
on = ["promoted", "failed"]
token = "{notifiers.slack.token}"
channel = "#x"
base_url = "[url]/slack/"
timeout = [timeout]

[notifiers.runs]
type = "mlflow"
on = ["promoted", "failed"]
tracking_uri = "[url]/mlflow"
username = "me"
password = "{notifiers.mlflow.password}"
timeout = [timeout]

[notifiers.runs_by_token]
type = "mlflow"
on = ["promoted", "failed"]
tracking_uri = "[url]/mlflow"
token = "{notifiers.mlflow.token}"
timeout = [timeout]

[notifiers.repository]
type = "git"
on = ["promoted"]
url = "[url]/notified.git"
token = "{notifiers.git.token}"
git = "[git]"
timeout = 5.0

[assistants.good]
source = [project]
policy = "easy"

[assistants.by_git]
source = { type = "git", url = "[url]/source.git", token = "{sources.git.token}", git = "[git]", timeout = 5.0 }

[assistants.by_rasa_x_login]
source = { type = "rasa_x", url = "[url]/rasax", username = "me", password = "{sources.rasa_x.password}", timeout = [timeout] }

[assistants.by_rasa_x_api_token]
source = { type = "rasa_x", url = "[url]/rasax", api_token = "{sources.rasa_x.api_token}", timeout = [timeout] }

[assistants.by_rasa_x_token]
source = { type = "rasa_x", url = "[url]/rasax", token = "{sources.rasa_x.token}", timeout = [timeout] }

[assistants.in_rasa_x_login]
source = [project]
platform = { type = "rasa_x", url = "[url]/rasax", username = "me", password = "{platforms.rasa_x.password}", timeout = [timeout] }

[assistants.in_rasa_x_api_token]
source = [project]
platform = { type = "rasa_x", url = "[url]/rasax", api_token = "{platforms.rasa_x.api_token}", timeout = [timeout] }

[assistants.in_rasa_x_token]
source = [project]
[assistants.in_rasa_x_token.platform]
type = "rasa_x"
url = "[url]/rasax"
token = "{platforms.rasa_x.token}"
servers = [{ url = "[url]/x1", token = "{platforms.rasa_x.servers.token}" }, { url = "[url]/x2", jwt_secret = "{platforms.rasa_x.servers.jwt_secret}" }]
server_token = "{platforms.rasa_x.server_token}"
server_jwt_secret = "{platforms.rasa_x.server_jwt_secret}"
timeout = [timeout]

[assistants.in_objects]
source = [project]
platform = { type = "object_storage", url = "s3://models/x", endpoint_url = "[url]", region = "eu-1", key = "AKIAX", secret = "{platforms.object_storage.secret}", timeout = [timeout] }

[assistants.on_servers]
source = [project]
policy = "easy"
[assistants.on_servers.platform]
type = "rasa_server"
servers = [{ url = "[url]/r1", token = "{platforms.rasa_server.servers.token}" }, { url = "[url]/r2", jwt_secret = "{platforms.rasa_server.servers.jwt_secret}" }, { url = "[url]/r3" }]
server_token = "{platforms.rasa_server.server_token}"
server_jwt_secret = "{platforms.rasa_server.server_jwt_secret}"
timeout = [timeout]

[assistants.on_servers_from_objects]
source = [project]
[assistants.on_servers_from_objects.platform]
type = "rasa_server"
servers = [{ url = "[url]/r4" }]
storage = { url = "s3://models/x", endpoint_url = "[url]", region = "eu-1", key = "AKIAX", secret = "{platforms.rasa_server.storage.secret}", timeout = [timeout] }
timeout = [timeout]

[assistants.on_a_server_that_is_told]
source = [project]
policy = "easy"
[assistants.on_a_server_that_is_told.platform]
type = "rasa_server"
servers = [{ url = "[half]" }]
activation = "model_server"
model_server = { url = "[url]/models/x/champion", token = "{platforms.rasa_server.model_server.token}" }
timeout = [timeout]
confirm_within = 2.0
"""
#: Of the environment, which libraries read by themselves.
ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD", "RETRAINER_HTTP__TOKEN")
#: What a server does not get to see: it signs, it is for others to send, or its server is not asked.
NEVER_SENT = frozenset(
    [
        "settings.database",
        "settings.http.token",
        "settings.http.tokens.token",
        "settings.http.hook_secret",
        "platforms.object_storage.secret",
        "platforms.rasa_server.storage.secret",
        "platforms.rasa_server.server_jwt_secret",
        "platforms.rasa_server.servers.jwt_secret",
        "platforms.rasa_x.server_token",
        "platforms.rasa_x.server_jwt_secret",
        "platforms.rasa_x.servers.token",
        "platforms.rasa_x.servers.jwt_secret",
    ]
)
ONE_BY_ONE = ("-m", "support.commands_one_by_one")
#: Whose only way to its user is the environment of git; see `adapters/git/remote.py`.
OF_GIT = {"sources.git.token", "notifiers.git.token"}


@dataclass
class Run:
    """What a run showed and left behind."""

    out: bytes
    err: bytes
    children: Watched


@dataclass
class Place:
    """A folder with a configuration full of canaries."""

    folder: Path
    canaries: Canaries
    evil: EvilServer

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "retrainer.toml"

    def write(self, text: str, **words: str) -> None:
        """Write the configuration, with a canary for each option that it names."""
        for option in sorted(secret_options(), key=len, reverse=True):
            if f"{{{option}}}" in text:
                text = text.replace(f"{{{option}}}", self.canaries[option])
        for word, value in words.items():
            text = text.replace(f"[{word}]", value)
        self.config.write_text(text)

    def run(
        self,
        command: tuple[str, ...],
        *,
        until: Callable[[Path], bool] | None = None,
        **environment: str,
    ) -> Run:
        """Run a command to its end, or stop it when `until` says so; look at its children meanwhile."""
        kept = {n: v for n, v in os.environ.items() if not n.startswith("RETRAINER_")}
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        tests = Path(__file__).parents[1]
        given = {name: self.canaries[f"environment.{name}"] for name in ENVIRONMENT}
        own = {"TMPDIR": str(temporary), "PYTHONPATH": str(tests), "COLUMNS": "500"}
        out, err = self.folder / "out", self.folder / "err"
        with (
            out.open("wb") as stdout,
            err.open("wb") as stderr,
            subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env=kept | own | given | environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            ) as process,
            watched(process) as children,
        ):
            try:
                if until is not None:
                    wait_until(lambda: until(self.folder), seconds=_LIMIT)
                    process.terminate()
                process.wait(_LIMIT)
            finally:
                process.kill()
        return Run(out.read_bytes(), err.read_bytes(), children)

    def require_no_canary(self, run: Run) -> None:
        """Search everything that others may get to see."""
        shown = {"stdout": run.out, "stderr": run.err}
        found = [(where, name) for where, text in shown.items() for name in self.in_bytes(text)]
        found += self.canaries.in_files([self.folder / ".retrainer", self.folder / "tmp"])
        found += [
            (f"words of {words!r}", name)
            for words in run.children.command_lines.values()
            for name in self.in_bytes(words)
        ]
        for process, environment in run.children.environments.items():
            words = run.children.command_lines.get(process, b"")
            own = OF_GIT if b"RETRAINER_GIT_TOKEN=" in environment else set()
            held = self.in_bytes(environment)
            found += [(f"environment of {words!r}", name) for name in held if name not in own]
            assert len(held) <= 1, (words, held)
        assert found == [], run.err.decode()
        assert b"Traceback" not in run.err, run.err.decode()

    def in_bytes(self, content: bytes) -> list[str]:
        """The names of the canaries in it."""
        return self.canaries.in_bytes(content)


@pytest.fixture
def evil() -> Iterator[EvilServer]:
    with evil_server("session-CANARYxSESSIONxQzWvKjYpLm") as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, evil: EvilServer) -> Place:
    canaries = Canaries()
    canaries.named["session"] = evil.session
    return Place(tmp_path, canaries, evil)


def write_git(place: Place) -> Path:
    """A git that writes down how it was called, and with which environment."""
    git = place.folder / "git"
    git.write_text(
        "#!/bin/sh\n"
        f'printf "%s " "$@" >> {place.folder}/git-words\n'
        f"env >> {place.folder}/git-environment\n"
        f'exec {shutil.which("git")} "$@"\n'
    )
    git.chmod(0o700)
    return git


@dataclass(frozen=True)
class Command:
    """A command that runs a cycle of each assistant; one that does not end by itself `until`."""

    words: tuple[str, ...]
    before: tuple[str, ...] = ()
    until: Callable[[Path], bool] | None = None


def all_was_tried(folder: Path) -> bool:
    """Whether all 12 cycles have ended, and each of the 5 notifiers was asked to tell."""
    database = folder / ".retrainer" / "retrainer.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        (ended,) = connection.execute(
            "SELECT count(*) FROM cycles WHERE status != 'running'"
        ).fetchone()
        (told,) = connection.execute(
            "SELECT count(DISTINCT notifier) FROM outbox WHERE attempts > 0"
        ).fetchone()
    return (ended, told) == (12, 5)


ASSISTANTS = tuple(re.findall(r"^\[assistants\.(\w+)\]$", CONFIG, re.MULTILINE))
RUN_ONCE = Command(("-m", "support.fake_run_once", "retrainer.toml"))
RUN = Command(
    ("-m", "support.fake_training", "retrainer.toml"),
    before=tuple(f"trigger {name}" for name in ASSISTANTS),
    until=all_was_tried,
)


@pytest.mark.parametrize(
    ("command", "mode"),
    [*((RUN_ONCE, mode) for mode in MODES), (RUN, "unauthorized")],
    ids=[*MODES, "run"],
)
def test_no_secret_gets_out(place: Place, command: Command, mode: str):
    """Not by output, log, database, file or process, when every server gives away what it gets."""
    write_project(place.folder / "project", utterances(25), {})
    patterns = ", ".join(f'"{pattern}"' for pattern in PROJECT)
    project = f'{{ type = "directory", path = "project", include = [{patterns}] }}'
    git = write_git(place)
    place.evil.mode = mode
    with stub_rasa() as half:
        half.answers["PUT", "/model"] = partial(place.evil.answer, server=half.server)
        place.write(
            CONFIG,
            url=place.evil.url,
            half=half.url,
            project=project,
            git=str(git),
            timeout="0.5" if mode == "hangup" else "5.0",
        )
        assert set(place.canaries.named) - {"session"} == secret_options() - {"settings.database"}
        if command.before:
            place.require_no_canary(place.run((*ONE_BY_ONE, *command.before)))
        run = place.run(command.words, until=command.until)
    place.require_no_canary(run)
    said = run.out + run.err
    assert said.count(b": PROMOTED ") == 1, said.decode()
    assert said.count(b": FAILED in step ") == len(ASSISTANTS) - 1, said.decode()
    assert place.in_bytes((place.folder / "git-words").read_bytes()) == []
    assert set(place.in_bytes((place.folder / "git-environment").read_bytes())) == OF_GIT
    # The servers did get what they were to get: without that, nothing was tried.
    asked = [*place.evil.server.asked, *half.server.asked]
    got = place.in_bytes(" ".join(map(told_by, asked)).encode())
    assert mode != "unauthorized" or set(got) - {"session"} == secret_options() - NEVER_SENT


@pytest.mark.rasa
def test_rasa_gets_no_secret(place: Place, trained: Workplace):
    """The Rasa worker, which runs the project's code, has none of them in its environment."""
    shutil.copytree(trained.folder, place.folder, symlinks=True, dirs_exist_ok=True)
    settings = CONFIG[: CONFIG.index("[policies.easy]")]
    place.write(settings + ASSISTANT.format(name="shop") + POLICY)
    run = place.run(
        ("-m", "retrainer", "run-once", "--force", "--dry-run"),
        RETRAINER_RASA__PYTHON=str(trained.rasa_python),
        OMP_NUM_THREADS="1",
    )
    place.require_no_canary(run)
    words = [line for line in run.children.command_lines.values() if b"rasa_worker" in line]
    assert words, run.err.decode()
    assert b"would " in run.out, run.err.decode()


DATABASE_COMMANDS = ("run-once", "history", "db check")


@pytest.mark.parametrize("answer", ["refuses", "hangs up", "echoes"])
def test_the_password_of_the_database_is_kept(place: Place, answer: str):
    """A database that is away, or that repeats the password in its error, does not give it away."""
    password = place.canaries["settings.database"]
    with postgres_double(answer) as port:
        place.write(
            f'database = "postgresql+psycopg://me:{password}@127.0.0.1:{port}/x?sslmode=disable"\n'
            + ASSISTANT.format(name="shop")
            + POLICY
        )
        run = place.run((*ONE_BY_ONE, *DATABASE_COMMANDS))
    place.require_no_canary(run)
    assert run.err.count(b"error: ") == len(DATABASE_COMMANDS), run.err.decode()


@contextmanager
def postgres_double(answer: str) -> Iterator[int]:
    """A port where PostgreSQL should listen."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        if answer == "refuses":
            listening.close()
            yield port
            return
        thread = threading.Thread(target=_serve, args=(listening, answer == "echoes"), daemon=True)
        thread.start()
        yield port
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _serve(listening: socket.socket, echoes: bool) -> None:
    """Ask for the password in plain text, and say in the error what it was."""
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                if echoes:
                    connection.recv(4096)
                    connection.sendall(b"R" + struct.pack("!II", 8, 3))
                    password = connection.recv(4096)[5:].rstrip(b"\0")
                    fields = b"SFATAL\0C28P01\0Mno user me with " + password + b"\0\0"
                    connection.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)
