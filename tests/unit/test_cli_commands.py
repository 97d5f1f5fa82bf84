"""The command line before and after the first cycle, without Rasa."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from retrainer.cli.app import app
from retrainer.domain.cycle import Promotion, PromotionReason
from retrainer.errors import ConfigurationError, CycleNotFound, RetrainerError, SchemaError
from retrainer.wiring import Application

CONFIG = """
[assistants.shop]
source = { type = "directory", path = "project" }
"""
AT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "retrainer.toml"
    path.write_text(CONFIG)
    return path


def run(config: Path, *arguments: str) -> Result:
    """A command to its end; an error that was foreseen is raised."""
    result = CliRunner().invoke(app, ["-c", str(config), *arguments], env={"COLUMNS": "80"})
    if isinstance(result.exception, RetrainerError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["history"], "no cycles\n"),
        (["history", "--json"], ""),
        (["show"], ""),
        (["ledger"], "the champion has never been changed\n"),
        (["ledger", "--json"], ""),
        (["models"], "shop: no models yet; `retrainer run-once` trains the first\n"),
        (["models", "--json"], ""),
        (["db", "current"], "none (empty)\n"),
    ],
)
def test_before_the_first_cycle(config: Path, arguments: list[str], out: str):
    """Asking what has happened is answered with "nothing", and makes neither folder nor file."""
    result = run(config, *arguments)
    assert (result.exit_code, result.stdout) == (0, out)
    assert [path.name for path in config.parent.iterdir()] == ["retrainer.toml"]


def test_show_before_the_first_cycle_says_what_starts_one(config: Path):
    """A newcomer who looks too early is told the next command."""
    assert "no cycles yet; `retrainer run-once`" in run(config, "show").stderr
    with pytest.raises(CycleNotFound, match="there is no cycle '3'"):
        run(config, "show", "3")


def test_csv_has_its_header_from_the_start(config: Path):
    """A spreadsheet can be set up before the first cycle."""
    (header,) = csv.reader(io.StringIO(run(config, "history", "--csv").stdout))
    assert header[0] == "number"


def test_db_upgrade_is_enough_to_begin_with(config: Path):
    """It makes the folder, the file and the schema; a second one changes nothing."""
    with pytest.raises(SchemaError, match="is empty"):
        run(config, "db", "check")
    assert "it was empty" in run(config, "db", "upgrade").stderr
    assert "it was" not in run(config, "db", "upgrade").stderr
    assert run(config, "db", "current").stdout.endswith("(current)\n")
    run(config, "db", "check")


def record(config: Path, *promotions: Promotion) -> None:
    store = Application.from_config(config, {}).store
    for promotion in promotions:
        store.record_promotion(promotion)


def test_the_ledger_is_shown(config: Path):
    """Every change of the champion: when, from, to, why, who and the note, newest first."""
    first = Promotion("shop", None, "shop-1", PromotionReason.OUTSIDE, "unknown", AT, "found")
    then = Promotion("shop", "shop-1", "shop-2", PromotionReason.PERSON, "ada", AT, "it is good")
    other = Promotion("other", None, "other-1", PromotionReason.PERSON, "bob", AT)
    record(config, first, then, other)
    rows = [json.loads(line) for line in run(config, "ledger", "--json").stdout.splitlines()]
    assert [row["to"] for row in rows] == ["other-1", "shop-2", "shop-1"]
    assert rows[1] == {
        "assistant": "shop",
        "from": "shop-1",
        "to": "shop-2",
        "reason": "person",
        "actor": "ada",
        "note": "it is good",
        "cycle": None,
        "at": "2026-11-21T01:00:00+00:00",
    }
    text = run(config, "ledger", "--assistant", "shop", "-n", "1").stdout
    assert "2026-11-21 01:00  shop-2 in place of shop-1" in text
    assert "promoted by ada: it is good" in text
    assert "shop-1, the first one" not in text


def test_an_unknown_variable_stops_every_command(config: Path):
    """A typo in a unit file is told at once, whatever the command."""
    for command in ("history", "check", "models"):
        result = CliRunner().invoke(
            app, ["-c", str(config), command], env={"RETRAINER_DATABSE": "x"}
        )
        assert isinstance(result.exception, ConfigurationError)
        assert "RETRAINER_DATABSE" in str(result.exception)


def commands(group: typer.Typer = app, *above: str) -> list[tuple[str, ...]]:
    found = [above]
    found += [(*above, command.name or "") for command in group.registered_commands]
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        found += commands(inner.typer_instance, *above, inner.name or "")
    return found


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_help_fits_a_terminal_and_shows_flags_as_flags(arguments: tuple[str, ...]):
    """No line is wider than 80 columns, and no flag is followed by a type."""
    result = CliRunner().invoke(app, [*arguments, "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "<bool>" not in result.stdout
    assert "Usage: " in result.stdout
