"""Real daemon processes with a stand-in for Rasa, and the world that they look after."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from support.waiting import wait_until
from support.worlds import MUST_PASS, utterances

from retrainer.ports import Request
from retrainer.store.agenda import SqlAgenda
from retrainer.store.engine import reading
from retrainer.store.history import HistoryRow, list_cycles
from retrainer.testing.rasa import write_project
from retrainer.wiring import Application

ROOT = Path(__file__).parents[2]
TIMEOUT = 30

CONFIG = """
state_dir = "state"

[daemon]
lease = "{lease}"
stop_limit = "10s"

[policies.easy.good_enough]
rule = "floor"
metric = "f1_weighted"
minimum = 0.1

[policies.easy.must_pass]
rule = "must_pass"
"""
ASSISTANT = """
[assistants.{name}]
must_pass = ["must_pass.json"]
policy = "easy"
source = {{ type = "directory", path = "{name}", include = ["*.json", "*.yml", "data/*"] }}
{more}
"""


@dataclass
class Household:
    """Assistants in a folder, their config file, and the record of what became of them.

    `database` is a URL; empty: SQLite in the state folder. `more` is TOML for every assistant.
    """

    folder: Path
    assistants: Sequence[str] = ("shop",)
    database: str = ""
    lease: str = "2s"
    more: str = ""
    general: str = ""

    def __post_init__(self) -> None:
        for number, name in enumerate(self.assistants):
            self.write_data(name, 25 + number)
        self.write_config()

    @property
    def config(self) -> Path:
        """The config file."""
        return self.folder / "retrainer.toml"

    @property
    def environment(self) -> dict[str, str]:
        """What a daemon of this household needs to find its database."""
        return {"RETRAINER_DATABASE": self.database} if self.database else {}

    def write_config(self, text: str | None = None) -> None:
        """Write the config file; None: as this household has it."""
        parts = [CONFIG.format(lease=self.lease), self.general]
        parts += [ASSISTANT.format(name=name, more=self.more) for name in self.assistants]
        self.config.write_text("\n".join(parts) if text is None else text)

    def write_data(self, name: str, last: int) -> None:
        """Give an assistant the first `last` utterances of each intent."""
        write_project(self.folder / name, utterances(last), MUST_PASS)

    def application(self) -> Application:
        """What the commands of a person make of the config file."""
        return Application.from_config(self.config, self.environment)

    def cycles(self, **filters: object) -> tuple[HistoryRow, ...]:
        """The cycles so far, oldest first."""
        engine = self.application().past
        if engine is None:
            return ()
        try:
            rows = list_cycles(engine, **({"limit": 100_000} | filters))  # type: ignore[arg-type]
        finally:
            engine.dispose()
        return rows[::-1]

    def ended(self) -> int:
        """How many cycles have ended."""
        return sum(row.ended_at is not None for row in self.cycles())

    def ask(self, name: str = "shop") -> Request:
        """Ask for a cycle as `retrainer trigger` does."""
        app = self.application()
        try:
            from retrainer.domain.cycle import Trigger  # noqa: PLC0415 - only here

            return app.agenda.ask(name, Trigger.MANUAL, by="somebody", force=True)
        finally:
            app.engine.dispose()

    def trainings(self) -> list[str]:
        """The models whose training was begun, in order; one that was begun twice stands twice."""
        log = self.folder / "state" / "trainings.log"
        return log.read_text().split() if log.exists() else []

    def step(self) -> tuple[int, str] | None:
        """The cycle and the step that run now, of whatever assistant."""
        engine = self.application().past
        if engine is None:
            return None
        query = sa.text(
            "SELECT s.cycle, s.name FROM steps s JOIN cycles c ON c.number = s.cycle"
            " WHERE s.status = 'running' AND c.status = 'running' ORDER BY s.number DESC LIMIT 1"
        )
        with reading(engine) as connection:
            row = connection.execute(query).first()
        engine.dispose()
        return (row[0], row[1]) if row else None

    @contextmanager
    def agenda(self) -> Iterator[SqlAgenda]:
        """The agenda, for tests that look into it."""
        app = self.application()
        yield app.agenda
        app.engine.dispose()


@dataclass
class DaemonProcess:
    """One daemon; what it logs is in `log`, what it tells its service manager in `told`."""

    process: subprocess.Popen[bytes]
    log: Path
    told: list[dict[str, str]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def lines(self) -> list[dict[str, str]]:
        """What it has logged so far, a dictionary a line."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def said(self, words: str) -> bool:
        """Whether a line of its log holds these words."""
        return words in self.log.read_text(errors="replace")

    def wait_for(self, words: str, seconds: float = TIMEOUT) -> None:
        """Wait until it logged these words."""
        try:
            wait_until(lambda: self.said(words) or self.process.poll() is not None, seconds=seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{words!r} was not logged:\n{self.log.read_text()}") from error
        assert self.said(words), f"it ended without {words!r}:\n{self.log.read_text()}"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self.process.wait(TIMEOUT)

    def stop(self, seconds: float = TIMEOUT) -> int:
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def heard(self, **wanted: str) -> bool:
        """Whether a message held all of these assignments, such as READY="1"."""
        return any(wanted.items() <= message.items() for message in tuple(self.told))


@contextmanager
def daemon(
    household: Household,
    *,
    training_seconds: float = 0.0,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (sys.executable, "-m", "support.fake_training"),
    notify: bool = False,
) -> Iterator[DaemonProcess]:
    """A daemon that looks after the household, killed at the end if it still runs."""
    number = len(list(household.folder.glob("daemon-*.log"))) + 1
    log = household.folder / f"daemon-{number}.log"
    surroundings = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RETRAINER_")},
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "FAKE_TRAINING_SECONDS": str(training_seconds),
        **household.environment,
        **(environment or {}),
    }
    told: list[dict[str, str]] = []
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if notify:
        manager.bind(str(household.folder / f"notify-{number}"))
        surroundings["NOTIFY_SOCKET"] = manager.getsockname()
        threading.Thread(target=_listen, args=(manager, told), daemon=True).start()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*program, str(household.config)], stdout=output, stderr=output, env=surroundings
        )
    try:
        yield DaemonProcess(process, log, told)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(TIMEOUT)
        manager.close()


def _listen(manager: socket.socket, told: list[dict[str, str]]) -> None:
    """Keep what the daemon tells its service manager, until the socket is closed."""
    with suppress(OSError):
        while message := manager.recv(65_536).decode():
            told.append(dict(line.split("=", 1) for line in message.splitlines()))
