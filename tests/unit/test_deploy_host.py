"""What is installed on a host: the configuration to begin with, cron, users."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cronsim import CronSim
from support.deployment import DEPLOY, application, shipped

from retrainer.cli.app import app

CRON = [line for line in shipped("cron.d/retrainer").splitlines() if not line.startswith("#")]


def test_the_configuration_to_begin_with_is_understood(tmp_path):
    """It has the state where the units let it be, and its secrets may come as credentials."""
    made = application(
        DEPLOY / "systemd" / "retrainer.toml",
        tmp_path / "credentials",
        {},
        "RETRAINER_ASSISTANTS__HELPDESK__SOURCE__TOKEN",
    )
    assert str(made.state_dir) == "/var/lib/retrainer"


def test_the_file_of_cron_is_one():
    """Each line sets a variable, or has five fields of time, a user and a command of ours."""
    variables = [line for line in CRON if re.match(r"[A-Z_]+=", line)]
    jobs = [line for line in CRON if line and line not in variables]
    assert "SHELL=/bin/sh" in variables
    for job in jobs:
        *when, user, command = job.split(maxsplit=6)
        moment = next(CronSim(" ".join(when), datetime(2026, 1, 1, 12, tzinfo=UTC)))
        assert (moment.hour, moment.minute) == (3, 0)
        assert user == "retrainer"
        assert "%" not in command  # cron's own sign for a new line
        program, option, config, verb = command.split()
        assert (program, option, config) == (
            "/opt/retrainer/bin/retrainer",
            "--config",
            "/etc/retrainer/retrainer.toml",
        )
        assert verb in {known.name for known in app.registered_commands}
    assert len(jobs) == 1
    assert shipped("cron.d/retrainer").endswith("\n")  # or cron leaves out the last line


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("systemd/*.service")), ids=lambda f: f.name)
def test_the_units_start_commands_of_ours(file: Path):
    """What ExecStart calls is a command that exists."""
    (start,) = re.findall(r"^ExecStart=(.*)$", file.read_text(), re.MULTILINE)
    program, option, config, verb = start.split()
    assert (program, option) == ("/opt/retrainer/bin/retrainer", "--config")
    assert config == "/etc/retrainer/retrainer.toml"
    assert verb in {known.name for known in app.registered_commands}


def test_the_user_is_the_same_everywhere():
    """There is one user, of units, tmpfiles and cron, at home in the state's folder."""
    (user,) = (
        line for line in shipped("systemd/retrainer.sysusers").splitlines() if line[0] != "#"
    )
    assert user.split()[:2] == ["u", "retrainer"]
    assert user.split()[-2:] == ["/var/lib/retrainer", "/usr/sbin/nologin"]
    for unit in ("retrainer", "retrainer-run-once"):
        text = shipped(f"systemd/{unit}.service")
        assert "\nUser=retrainer\n" in text
        assert "\nStateDirectory=retrainer\n" in text
