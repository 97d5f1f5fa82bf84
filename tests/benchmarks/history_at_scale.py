"""How long `retrainer history` and `retrainer status` take when there are a million cycles.

    .venv/bin/python tests/benchmarks/history_at_scale.py [CYCLES] [sqlite|postgresql ...]

Fills a database with cycles of twenty assistants over many years, most of which had nothing to do,
and prints for each query the median and the longest of some runs, in milliseconds, and the same for
the whole commands. Exits with 1 if the median of a query is more than 100 ms.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from measurement import say
from support.databases import engine_of, url_of

from retrainer.adapters.clock import SystemClock
from retrainer.domain.cycle import Status, Trigger
from retrainer.domain.verdict import Outcome
from retrainer.store import history
from retrainer.store.agenda import SqlAgenda
from retrainer.store.engine import writing
from retrainer.store.run_store import SqlRunStore
from retrainer.store.status import read_status

CYCLES, LIMIT, RUNS = 1_000_000, 100.0, 15
START = datetime(2016, 1, 1, tzinfo=UTC)
ONE, MIDDLE = "assistant-7", 0.5

#: A row for each number `n`; `{at}` is the moment n minutes after the start.
SQL = """
INSERT INTO cycles (assistant, trigger, fire_time, status, dry_run, force, started_at, ended_at,
  owner, lease_until, resumed, fingerprint, same_as, snapshot, origin, champion, challenger,
  verdict, stopped_by, f1_champion, f1_challenger, examples, promoted, error, failed_step)
SELECT assistant, 'schedule', at, status, false, false, at, at, '', at, 0, 'fingerprint-' || n,
  CASE WHEN status = 'skipped' AND n > 30 THEN n - 20 END, 'snapshot-' || n, 'git main by ann',
  assistant || '-champion', assistant || '-' || n,
  CASE WHEN status = 'completed' THEN verdict END,
  CASE WHEN verdict = 'reject' THEN 'better, intents' END, 0.81, 0.82, 4000,
  status = 'completed' AND verdict = 'promote',
  CASE WHEN status = 'failed' THEN 'the Rasa worker was killed by SIGKILL' END,
  CASE WHEN status = 'failed' THEN 'train' END
FROM (
  SELECT n, {at} AS at, 'assistant-' || (n * 7 % 20) AS assistant,
    CASE WHEN n * 31 % 101 < 70 THEN 'skipped' WHEN n * 31 % 101 < 96 THEN 'completed'
      WHEN n * 31 % 101 < 100 THEN 'failed' ELSE 'abandoned' END AS status,
    CASE WHEN n * 17 % 97 < 60 THEN 'reject' WHEN n * 17 % 97 < 92 THEN 'promote'
      ELSE 'hold' END AS verdict
  FROM {numbers}
) AS made
"""
STEPS = """
INSERT INTO steps (cycle, name, status, attempts, started_at, ended_at, state)
SELECT number, name, 'done', 1, started_at, started_at, {state}
FROM cycles JOIN (
  SELECT 0 AS place, 'pull' AS name UNION SELECT 1, 'validate' UNION SELECT 2, 'split'
  UNION SELECT 3, 'train' UNION SELECT 4, 'upload' UNION SELECT 5, 'evaluate'
  UNION SELECT 6, 'decide' UNION SELECT 7, 'promote' UNION SELECT 8, 'confirm'
) AS names ON place = 0 OR status <> 'skipped'
ORDER BY number, place
"""
REST = """
INSERT INTO promotions (assistant, model, reason, actor, at, note, cycle)
SELECT assistant, challenger, 'gate', 'retrainer', started_at, '', number FROM cycles
WHERE promoted;
INSERT INTO outbox (cycle, notifier, created_at, attempts, next_attempt_at, delivered_at)
SELECT number, 'slack', started_at, 1, started_at, started_at FROM cycles
WHERE status <> 'skipped';
INSERT INTO requests (assistant, trigger, fire_time, asked_at, asked_by, note, force, cycle)
SELECT assistant, 'schedule', fire_time, fire_time, 'schedule', '', false, number FROM cycles
"""
DIALECTS = {
    "sqlite": {
        "numbers": "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c "
        "WHERE n < {count}) SELECT n FROM c)",
        "at": "strftime('%Y-%m-%d %H:%M:00.000000', '2016-01-01', '+' || n || ' minutes')",
        "state": "'{}'",
    },
    "postgresql": {
        "numbers": "generate_series(1, {count}) AS n",
        "at": "timestamptz '2016-01-01 00:00+00' + n * interval '1 minute'",
        "state": "CAST('{}' AS json)",
    },
}


def fill(engine: sa.Engine, count: int) -> None:
    """Insert so many cycles, with their steps and all else."""
    words = DIALECTS[engine.dialect.name]
    numbers = words["numbers"].format(count=count)
    with writing(engine, patient=True) as connection:
        for statement in (
            SQL.format(numbers=numbers, at=words["at"]),
            STEPS.format(state=words["state"]),
            *REST.split(";"),
        ):
            connection.execute(sa.text(statement.replace(":", "\\:")))


def queries(engine: sa.Engine, count: int) -> dict[str, Callable[[], object]]:
    """What is measured."""
    store, agenda = SqlRunStore(engine, SystemClock()), SqlAgenda(engine, SystemClock())
    middle = START + timedelta(minutes=count * MIDDLE)

    def listed(**filters: object) -> Callable[[], object]:
        return lambda: history.list_cycles(engine, **filters)

    return {
        "status": lambda: read_status(engine, datetime.now(UTC)),
        "history": listed(),
        "history --assistant": listed(assistant=ONE),
        "history --status failed": listed(status=Status.FAILED),
        "history --status abandoned --until": listed(status=Status.ABANDONED, until=middle),
        "history --verdict hold": listed(verdict=Outcome.HOLD),
        "history --verdict promote --status failed": listed(
            verdict=Outcome.PROMOTE, status=Status.FAILED
        ),
        "history --assistant --verdict hold": listed(assistant=ONE, verdict=Outcome.HOLD),
        "history --assistant --status abandoned": listed(assistant=ONE, status=Status.ABANDONED),
        "history --since": listed(since=middle),
        "history --until": listed(until=middle),
        "history --until, before all": listed(until=START),
        "history --assistant --until": listed(assistant=ONE, until=middle),
        "history --limit 1000": listed(limit=1000),
        "show latest": lambda: history.get(engine, "latest"),
        "ledger": lambda: history.list_promotions(engine),
        "inputs seen before?": lambda: store.last_with(ONE, "x"),
        "what is ready?": agenda.ready,
        "what is to be told?": store.due_notifications,
    }


def milliseconds(do: Callable[[], object], runs: int = RUNS) -> tuple[float, float]:
    """Median and longest of some runs, after one that connects and compiles the query."""
    do()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        do()
        taken.append(1000 * (time.perf_counter() - start))
    return median(taken), max(taken)


def measure(dialect: str, count: int, folder: Path) -> bool:
    """Print the figures of one database; whether all queries are fast enough."""
    with engine_of(dialect, folder) as engine:
        start = time.perf_counter()
        fill(engine, count)
        say(f"\n{dialect}: {count} cycles, filled in {time.perf_counter() - start:.0f} s")
        agenda = SqlAgenda(engine, SystemClock())
        agenda.ask(ONE, Trigger.MANUAL, by="ann")
        fast = True
        say(f"  {'':<42}   p50     max  ms")
        for name, do in queries(engine, count).items():
            middle, most = milliseconds(do)
            fast = fast and middle < LIMIT
            say(f"  {name:<42} {middle:5.1f}  {most:6.1f}{'' if middle < LIMIT else '  TOO SLOW'}")
        for command in ("history", "status"):
            middle, most = milliseconds(lambda c=command: run(c, engine, folder), runs=5)
            say(f"  retrainer {command:<32} {middle:5.0f}  {most:6.0f}  (the whole command)")
    return fast


def run(command: str, engine: sa.Engine, folder: Path) -> None:
    """The whole command, as a user starts it."""
    config = folder / "retrainer.toml"
    config.write_text(f'[assistants.{ONE}]\nsource = {{ type = "directory", path = "project" }}\n')
    subprocess.run(
        [Path(sys.executable).with_name("retrainer"), "--config", config, command],
        env={**os.environ, "RETRAINER_DATABASE": url_of(engine)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def main() -> int:
    """Measure each database."""
    arguments = sys.argv[1:]
    count = int(arguments.pop(0)) if arguments and arguments[0].isdecimal() else CYCLES
    fast = True
    for dialect in arguments or DIALECTS:
        with tempfile.TemporaryDirectory() as folder:
            fast = measure(dialect, count, Path(folder)) and fast
    return 0 if fast else 1


if __name__ == "__main__":
    sys.exit(main())
