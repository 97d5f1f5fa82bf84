"""A daemon that works through thousands of cycles: does it grow?

    PYTHONPATH=tests python tests/endurance/soak.py [--cycles 5000] [--postgres]

One real daemon process, Rasa alone being a stand-in, looks after several assistants whose schedules
fire each second. Their data changes now and then, so that models are promoted and rejected, and
cycles fail or find nothing new. People are told on the console and by Slack (on loopback); somebody
asks for metrics, history and health by HTTP. Meanwhile it is measured what the daemon takes of the
machine; after the first hundred cycles none of it may grow.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import requests
import sqlalchemy as sa
from support.daemons import DaemonProcess, Household, daemon
from support.databases import postgres_engine, url_of
from support.footprint import HEADER, Growth, Sample, growths, of_files, of_process
from support.git_servers import Upstream, isolate
from support.http_side import free_port
from support.slack_server import WEBHOOK_PATH, SlackServer, slack
from support.worlds import MUST_PASS, mislabelled, utterances

from retrainer.pipeline.retention import KEPT_LOGS
from retrainer.store.engine import make_engine, reading
from retrainer.testing.rasa import write_project

TOKEN = "a-long-token-to-read"
GIT = "from-git"
TRAINING_LOG = "Epochs: 100%\n" * 200
PROGRAM = Path(__file__).with_name("soaked_daemon.py")
#: Cycles after which everything that is to be there is there.
SETTLED = 100
#: What may come per 1,000 cycles, in a run of thousands. In the database the cycles that changed
#: the champion stay for ever.
BOUNDS = {
    "RSS, kB": 3_000.0,
    "PSS, kB": 3_000.0,
    "file descriptors": 1.0,
    "threads": 1.0,
    "child processes": 1.0,
    "snapshots, kB": 100.0,
    "models, kB": 100.0,
    "records, kB": 100.0,
    "logs, kB": 100.0,
    "sources, kB": 1_000.0,
    "database, kB": 3_000.0,
    "temporary files, kB": 100.0,
    "all else, kB": 100.0,
}
#: What each change of the data makes of the next cycle, and how often it comes.
CHANGES = {"promoted": 6, "rejected": 3, "failed": 1}
PATHS = ("/metrics", "/healthz", "/readyz", "/api/v1/cycles", "/api/v1/status")
GENERAL = """
[notifiers.console]
type = "console"

[notifiers.team]
type = "slack"
webhook_url = "{slack}"
on = ["promoted", "rejected", "failed", "abandoned", "skipped"]

[http]
enabled = true
port = {port}
tokens = {{ scraper = {{ token = "{token}" }} }}
"""
SCHEDULE = """
retention = {{ models = 3 }}
validation = {{ maximum_loss = 1.0 }}
schedule = {{ every = "1s", poll_every = "15s" }}
"""
FROM_GIT = """
[assistants.{name}]
must_pass = ["must_pass.json"]
policy = "easy"
source = {{ type = "git", url = "{url}", include = ["*.json", "*.yml", "data/*"] }}
{more}
"""


@dataclass(frozen=True, slots=True)
class Soak:
    """What came of it."""

    cycles: int
    seconds: float
    outcomes: Mapping[str, int]
    table: tuple[Growth, ...]
    told: int
    answers: Mapping[int, int]
    trouble: tuple[str, ...]

    def __str__(self) -> str:
        outcomes = ", ".join(f"{number} {name}" for name, number in sorted(self.outcomes.items()))
        lines = [
            f"{self.cycles} cycles in {self.seconds:.0f} s: {outcomes}",
            f"{self.told} messages to Slack; answers by HTTP: {dict(self.answers)}",
            HEADER,
            *map(str, self.table),
            *self.trouble[:10],
        ]
        return "\n".join(lines)

    @property
    def is_flat(self) -> bool:
        """Whether nothing grew."""
        return all(growth.is_flat for growth in self.table)


@dataclass
class Soaking:
    """A household of `assistants` and one that comes from git, and all that happens to it."""

    folder: Path
    assistants: int
    database: str
    slack: SlackServer
    answers: Counter[int] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)
    _random: random.Random = field(default_factory=lambda: random.Random(7))
    _turn: int = 0

    def __post_init__(self) -> None:
        self.port = free_port()
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        git = isolate(self.folder / "home")
        self.upstream = Upstream(self.folder / "git", GIT, git)
        more = SCHEDULE.format()
        general = GENERAL.format(
            slack=self.slack.url + WEBHOOK_PATH, port=self.port, token=TOKEN
        ) + FROM_GIT.format(name=GIT, url=self.upstream.bare, more=more)
        self.home = Household(
            self.folder,
            assistants=[f"shop-{number}" for number in range(self.assistants)],
            database=self.database,
            lease="20s",
            general=general,
            more=more,
        )
        config = self.home.config.read_text()
        self.home.config.write_text(
            config.replace("[daemon]", '[daemon]\ncycles_at_once = 2\nkeep_history = "60s"')
        )
        self._write(self.upstream.clone, utterances(20))
        for name in (*self.home.assistants, GIT):
            self._leave_logs(self.state / "assistants" / name / "cycles")
        self.upstream.commit({})
        url = self.database or f"sqlite:///{self.state}/retrainer.db"
        self.engine = make_engine(url)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    def environment(self) -> dict[str, str]:
        """What the daemon needs to find."""
        return {**self.upstream.environment, "TMPDIR": str(self.temporary)}

    def change_data(self) -> None:
        """Give some assistants other data, which may be wrong."""
        self._turn += 1
        for number, name in enumerate(self.home.assistants):
            if (self._turn + number) % 8 == 0:
                self._change(self.folder / name)
        if self._turn % 12 == 0:
            self._change(self.upstream.clone)
            self.upstream.commit({})

    def _leave_logs(self, folder: Path) -> None:
        """Logs of Rasa as months of nights leave them; only so many are kept."""
        folder.mkdir(parents=True)
        for number in range(KEPT_LOGS):
            log = folder / f"rasa-earlier-{number}.log"
            log.write_text(TRAINING_LOG)
            yesterday = time.time() - 86_400 + number
            os.utime(log, (yesterday, yesterday))

    def _change(self, project: Path) -> None:
        (kind,) = self._random.choices(tuple(CHANGES), tuple(CHANGES.values()))
        last = 15 + self._random.randrange(15)
        if kind == "failed":
            self._write(project, utterances(last))
            self._put(project / "data" / "nlu.json", f"[{last}".encode())
        else:
            self._write(project, utterances(last) if kind == "promoted" else mislabelled(last))

    def _write(self, project: Path, intents: Mapping[str, Sequence[str]]) -> None:
        """Replace file by file: a pull at the same time must not find half of one."""
        made = write_project(self.folder / "made", intents, MUST_PASS)
        for file in sorted(path for path in made.rglob("*") if path.is_file()):
            self._put(project / file.relative_to(made), file.read_bytes())

    def _put(self, file: Path, content: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = self.folder / "whole"
        whole.write_bytes(content)
        whole.replace(file)

    def ended(self, after: int) -> list[sa.Row[tuple[int, str, str | None, bool]]]:
        """The cycles that have ended and have a higher number: how each ended."""
        query = sa.text(
            "SELECT number, status, verdict, promoted FROM cycles"
            " WHERE number > :after AND ended_at IS NOT NULL ORDER BY number"
        )
        with reading(self.engine) as connection:
            return list(connection.execute(query, {"after": after}))

    def measure(self, process: DaemonProcess, cycles: int) -> Sample:
        """What it takes now."""
        assistants = self.state / "assistants"
        kinds = {
            "snapshots": [*assistants.glob("*/snapshots")],
            "models": [*assistants.glob("*/registry")],
            "records": [*assistants.glob("*/records")],
            "logs": [*assistants.glob("*/cycles/*.log")],
            "sources": [*assistants.glob("*/source")],
            "database": [*self.state.glob("retrainer.db*")],
        }
        disk = {f"{kind}, kB": of_files(roots) for kind, roots in kinds.items()}
        trainings = of_files([self.state / "trainings.log"])  # the test's own
        disk["all else, kB"] = of_files([self.state]) - sum(disk.values()) - trainings
        if self.database:
            with reading(self.engine) as connection:
                size = connection.scalar(sa.text("SELECT pg_database_size(current_database())"))
            disk["database, kB"] = int(size or 0) / 1024
        disk["temporary files, kB"] = of_files([self.temporary])
        return Sample(cycles, of_process(process.pid) | disk)

    def scrape(self) -> None:
        """Ask for all there is by HTTP, until it is told to stop; one connection each."""
        while not self.stop.wait(2.0):
            for path in PATHS:
                try:
                    answer = requests.get(
                        f"http://127.0.0.1:{self.port}{path}",
                        headers={"Authorization": f"Bearer {TOKEN}"},
                        timeout=20,
                    )
                except requests.RequestException:
                    self.answers[0] += 1
                else:
                    self.answers[answer.status_code] += 1


def soak(
    folder: Path,
    *,
    cycles: int,
    assistants: int,
    database: str = "",
    every: float = 3.0,
    seconds: float = 3600.0,
    bounds: Mapping[str, float] = BOUNDS,
    settled: int = SETTLED,
) -> Soak:
    """Run it until so many cycles have ended, and measure `every` few seconds.

    Raises:
        TimeoutError: they had not within that many seconds.
    """
    with slack() as server, _soaking(folder, assistants, database, server) as (it, running):
        started, samples, newest, count = time.monotonic(), [], 0, 0
        outcomes: Counter[str] = Counter()
        while count < cycles:
            if time.monotonic() - started > seconds:
                raise TimeoutError(f"{count} cycles in {seconds:g} s:\n{running.log.read_text()}")
            it.change_data()
            for row in it.ended(newest):
                newest, count = row.number, count + 1
                outcomes[_outcome(row.status, row.verdict, promoted=row.promoted)] += 1
            if count:
                samples.append(it.measure(running, count))
            time.sleep(every)
        took = time.monotonic() - started
    trouble = tuple(
        f"{line['level']}: {line['message']}"
        for line in running.lines()
        if line.get("level", "").lower() in {"warning", "critical"}
        or "tried again" in line.get("message", "")
    )
    table = growths(samples, bounds, settled=settled)
    told = len(server.messages)
    return Soak(count, took, outcomes, table, told, it.answers, trouble)


@contextmanager
def _soaking(
    folder: Path, assistants: int, database: str, server: SlackServer
) -> Iterator[tuple[Soaking, DaemonProcess]]:
    it = Soaking(folder, assistants, database, server)
    scraper = threading.Thread(target=it.scrape)
    program = (sys.executable, str(PROGRAM))
    with daemon(it.home, environment=it.environment(), program=program) as running:
        running.wait_for("this daemon leads")
        scraper.start()
        try:
            yield it, running
        finally:
            it.stop.set()
            scraper.join()
            it.engine.dispose()
        assert running.stop() == 0


def _outcome(status: str, verdict: str | None, *, promoted: bool) -> str:
    if status != "completed":
        return status
    return "promoted" if promoted else str(verdict)


def main() -> None:
    """Run it as the arguments say; exit code 1 if something grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=5000)
    parser.add_argument("--assistants", type=int, default=12)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, not SQLite")
    given = parser.parse_args()
    made = postgres_engine() if given.postgres else nullcontext()
    with tempfile.TemporaryDirectory(prefix="retrainer-soak-") as folder, made as engine:
        database = url_of(engine) if engine is not None else ""
        found = soak(
            Path(folder), cycles=given.cycles, assistants=given.assistants, database=database
        )
    sys.stdout.write(f"{found}\n")
    sys.exit(0 if found.is_flat else 1)


if __name__ == "__main__":
    main()
