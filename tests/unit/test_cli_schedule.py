"""`retrainer schedule`: what is to come."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from retrainer.cli.app import app
from retrainer.errors import ConfigurationError

CONFIG = """
[assistants.shop]
source = { type = "directory", path = "project" }
schedule = { cron = "30 4 * * *", time_zone = "Europe/Berlin", jitter = "10m" }

[assistants.bank]
source = { type = "directory", path = "project" }
schedule = { every = "6h", blackouts = ["00:00-23:00"] }

[assistants.faq]
source = { type = "directory", path = "project" }

[assistants.polled]
source = { type = "directory", path = "project" }
schedule = { poll_every = "5m" }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "retrainer.toml"
    path.write_text(CONFIG)
    return path


def out(config: Path, *arguments: str, columns: int = 100) -> str:
    result = CliRunner().invoke(
        app, ["-c", str(config), "schedule", *arguments], env={"COLUMNS": str(columns)}
    )
    if isinstance(result.exception, ConfigurationError):
        raise result.exception
    assert result.exit_code == 0
    assert [path.name for path in config.parent.iterdir()] == ["retrainer.toml"]
    return result.stdout


def test_for_people(config: Path):
    """A line for each time, in the zone and in UTC, with what happens then."""
    title, header, *lines = out(config, "-a", "shop", "-n", "3").splitlines()
    assert title == "shop: cron 30 4 * * * Europe/Berlin"
    assert header.split()[:4] == ["due", "(Europe/Berlin)", "due", "(UTC)"]
    assert len(lines) == 3
    for line in lines:
        here, utc = (datetime.strptime(line[i : i + 20], "%a %Y-%m-%d %H:%M") for i in (0, 22))  # noqa: DTZ007 - wall times
        assert here.minute == utc.minute == 30
        assert here - utc in {timedelta(hours=1), timedelta(hours=2)}
        assert line[44:].startswith("starts ")


def test_for_programs(config: Path):
    """One object a line: when it is due, when it starts, and why later."""
    times = [json.loads(line) for line in out(config, "--json", "--count", "4").splitlines()]
    assert [time["assistant"] for time in times] == ["shop"] * 4 + ["bank"] * 4
    for time in times:
        due, starts = (datetime.fromisoformat(time[key]) for key in ("fire_time", "starts_at"))
        assert due.tzinfo == starts.tzinfo == UTC
        assert datetime.fromisoformat(time["local_time"]) == due
        if time["assistant"] == "shop":
            assert time["local_time"][11:16] == "04:30"
            assert due <= starts <= due + timedelta(minutes=10)
            assert time["delayed_by"] == ("jitter" if starts > due else None)
            assert not time["joins_next"]
        else:
            assert (starts.hour, starts.minute, time["delayed_by"]) == (23, 0, "blackout")
            assert time["joins_next"] == (due.hour != 18)


def test_what_a_blackout_holds_back_is_told(config: Path):
    """Times that wait for the end of a blackout are one cycle, and it is said so."""
    text = out(config, "-a", "bank", "-n", "4")
    assert "due (UTC)  " in text
    assert text.count("blackout until ") == 4
    assert text.count("23:00, one cycle with the next") == 3


def test_no_schedule_says_what_to_write(config: Path):
    """An assistant that waits for people is told of with what would change that."""
    text = out(config, "-a", "faq")
    assert text.startswith("faq: no cycle begins by itself; ")
    assert 'write into retrainer.toml\n    [assistants.faq.schedule]\n    cron = "0' in text
    assert out(config, "-a", "polled").startswith("polled: new data is looked for every 5 min")
    assert out(config, "-a", "faq", "--json") == ""
    written = text.partition("toml\n")[2].partition("[assistants.faq.schedule]")[2]
    config.write_text(f"{CONFIG}\n[assistants.faq.schedule]\n{written}")
    assert "faq: cron 0 3 * * * Europe/Berlin" in out(config, "-a", "faq")


def test_it_fits_a_terminal(config: Path):
    """No line is wider than 80 columns."""
    assert max(map(len, out(config, columns=80).splitlines())) <= 80


def test_an_unknown_assistant_is_refused(config: Path):
    """The known ones are named."""
    with pytest.raises(ConfigurationError, match="known are shop, bank, faq, polled"):
        out(config, "--assistant", "x")
