"""The shipped units, judged by systemd's own tools."""

import configparser
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from retrainer.errors import EXIT_BUSY, EXIT_CONFIGURATION
from retrainer.settings.model import DaemonSettings

pytestmark = pytest.mark.systemd

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = ("retrainer.service", "retrainer-run-once.service")
UNITS = (*SERVICES, "retrainer-run-once.timer")
#: 0 is the least that a service can do to a machine, 10 the most.
EXPOSURE = 1.2


@pytest.fixture(scope="module")
def analyze() -> str:
    """The tool that systemd brings for this."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed here")
    return found


def verified(analyze: str, folder: Path, units: dict[str, str]) -> str:
    """What systemd complains of in these units."""
    for name, content in units.items():
        (folder / name).write_text(content.replace("/opt/retrainer/bin/retrainer", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", *sorted(str(folder / name) for name in units)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_COLORS": "0"},
    )
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"{done.returncode}")


def shipped(name: str) -> str:
    return (DEPLOY / "systemd" / name).read_text(encoding="utf-8")


def options(unit: str, section: str = "Service") -> dict[str, list[str]]:
    """The options of a section of a unit, each with all its values in order."""
    found: dict[str, list[str]] = {}
    here = ""
    for line in shipped(unit).splitlines():
        if line.startswith("["):
            here = line.strip("[]")
        elif "=" in line and not line.startswith("#") and here == section:
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_systemd_understands_every_line(analyze, tmp_path):
    """No option is unknown to systemd 252 or misspelt, and no value is wrong: nothing is said."""
    assert verified(analyze, tmp_path, {name: shipped(name) for name in UNITS}) == ""


def test_what_systemd_does_not_understand_is_seen(analyze, tmp_path):
    """The test above can fail: a misspelt option is reported."""
    broken = shipped("retrainer.service").replace("PrivateTmp=", "PrivatTmp=")
    complaint = verified(analyze, tmp_path, {"retrainer.service": broken})
    assert re.search("Unknown key.* 'PrivatTmp'", complaint)


@pytest.mark.parametrize("service", SERVICES)
def test_the_sandbox_is_as_tight_as_is_said(analyze, service):
    """The exposure that systemd computes is at most the one that deploy/README.md states."""
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", DEPLOY / "systemd" / service],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "LANG": "C"},
    )
    found = re.search(r"Overall exposure level for \S+ (\d+\.\d+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) <= EXPOSURE
    assert f"**{EXPOSURE}**" in (DEPLOY / "README.md").read_text(encoding="utf-8")


def test_both_services_have_the_same_sandbox():
    """What protects the machine from the service protects it from the one-shot service too."""
    begin = "# A static user"
    service, once = (
        shipped(name).partition(begin)[2].partition("[Install]")[0] for name in SERVICES
    )
    assert service.strip()
    assert service.strip() == once.replace(SERVICES[1], SERVICES[0]).strip()


def test_the_service_is_stopped_later_than_it_stops_itself():
    """The patience of systemd is longer than the daemon's own limit, so that a cycle can be put down."""
    limit = timedelta(seconds=int(options("retrainer.service")["TimeoutStopSec"][0]))
    assert limit >= DaemonSettings().stop_limit + timedelta(seconds=15)


def test_exit_codes_mean_to_systemd_what_they_mean():
    """A wrong configuration is not tried for ever, and a cycle that is running is no failure."""
    assert options("retrainer.service")["RestartPreventExitStatus"] == [str(EXIT_CONFIGURATION)]
    assert options("retrainer-run-once.service")["SuccessExitStatus"] == [str(EXIT_BUSY)]


def test_the_timer_fires_when_its_comment_says(analyze):
    """Once a day, at three."""
    timer = configparser.ConfigParser(interpolation=None)
    timer.read_string(shipped("retrainer-run-once.timer"))
    calendar = timer["Timer"]["OnCalendar"]
    done = subprocess.check_output([analyze, "calendar", calendar], text=True, timeout=30)
    assert "Normalized form: *-*-* 03:00:00" in done
