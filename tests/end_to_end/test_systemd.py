"""The shipped units under a real systemd: what their sandbox allows, and a whole cycle inside it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import ASSISTANT, POLICY, write_shop
from support.systemd import UNITS, Systemd, missing, systemd
from support.waiting import wait_until

pytestmark = [pytest.mark.systemd, pytest.mark.end_to_end]

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "systemd"
#: What the service does not see of this machine, and where the tests' interpreters may lie.
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
#: What the service needs, and TensorFlow in its worker. All else that the probe tries is refused.
NEEDED = {
    "state",
    "cache",
    "temporary file",
    "control group of the worker",
    "nice",
    "I/O class",
    "affinity",
    "memory policy",
    "code made at run time",
    "listen",
    "see the processors",
}
DATABASE = "sqlite:////var/lib/retrainer/by-credential.db"


def visible(*folders: str) -> str:
    """A drop-in that shows the service those of these folders that it does not see."""
    shown = " ".join({folder for folder in folders if folder.startswith(HIDDEN)})
    return "[Service]\nEnvironment=OMP_NUM_THREADS=1 COLUMNS=200\n" + (
        f"ProtectHome=tmpfs\nBindReadOnlyPaths={shown}\n" if shown else ""
    )


def base_prefix(python: Path) -> str:
    question = "import sys; print(sys.base_prefix)"
    return subprocess.check_output([python, "-c", question], text=True).strip()


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory, rasa_python: Path) -> Iterator[Systemd]:
    """A systemd with the shipped units, installed as deploy/README.md says."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("systemd")
    write_shop(folder / "shop")
    config = f"""
state_dir = "/var/lib/retrainer"
rasa = {{ python = "{rasa_python}" }}
{ASSISTANT.format(name="shop").replace('"shop" }', '"/srv/shop" }')}{POLICY}"""
    drop_in = "[Service]\nRestartSec=1\n" + visible(
        str(ROOT), sys.base_prefix, str(rasa_python.parents[1]), base_prefix(rasa_python)
    )
    service = (SHIPPED / "retrainer.service").read_text()
    units = {
        "retrainer.service": service,
        "retrainer-run-once.service": (SHIPPED / "retrainer-run-once.service").read_text(),
        "retrainer-run-once.timer": (SHIPPED / "retrainer-run-once.timer").read_text(),
        "probe.service": service.replace("/opt/retrainer/bin/", "/opt/probe/bin/"),
        "probe.service.d/tests.conf": drop_in,
        "retrainer.service.d/tests.conf": drop_in,
        "retrainer-run-once.service.d/tests.conf": drop_in,
    }
    python = f"#!/bin/sh\nexport PYTHONPATH={ROOT}/tests\nexec {sys.executable} -m "
    files = {
        **{f"{UNITS}/{name}": content for name, content in units.items()},
        **{
            f"/srv/shop/{file.relative_to(folder / 'shop')}": file.read_text()
            for file in (folder / "shop").rglob("*")
            if file.is_file()
        },
        "/usr/lib/sysusers.d/retrainer.conf": (SHIPPED / "retrainer.sysusers").read_text(),
        "/usr/lib/tmpfiles.d/retrainer.conf": (SHIPPED / "retrainer.tmpfiles").read_text(),
        "/etc/retrainer/retrainer.toml": config,
        "/etc/retrainer/credentials/DATABASE": DATABASE + "\n",
        "/home/somebody/letter": "Dear reader",
        "/opt/retrainer/bin/retrainer": f'{python}retrainer "$@"\n',
        "/opt/probe/bin/retrainer": f"{python}support.sandboxed\n",
    }
    with systemd(folder, files) as started:
        started.run("systemd-sysusers", "/usr/lib/sysusers.d/retrainer.conf")
        started.run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/retrainer.conf")
        yield started


def test_users_and_folders_are_made_as_the_service_needs_them(manager):
    """What sysusers and tmpfiles make lets the service read its config, and not the secrets."""
    assert manager.run("id", "--user", "--name", "retrainer") == "retrainer"
    modes = manager.run(
        *("stat", "--format=%n %U %G %a", "/etc/retrainer", "/etc/retrainer/credentials"),
        *("/var/lib/retrainer", "/var/cache/retrainer"),
    )
    assert modes.splitlines() == [
        "/etc/retrainer root retrainer 750",
        "/etc/retrainer/credentials root root 700",
        "/var/lib/retrainer retrainer retrainer 750",
        "/var/cache/retrainer retrainer retrainer 750",
    ]


def test_the_sandbox_allows_what_is_needed_and_nothing_else(manager):
    """The service works, its worker can be limited, and what it could do harm with is refused."""
    manager.run("systemctl", "start", "probe.service")
    assert manager.property("probe", "StatusText") == "tried everything"
    assert manager.property("probe", "User") == "retrainer"
    printed = next(line for line in manager.journal("probe").splitlines() if line.startswith("{"))
    result = json.loads(printed)
    assert {name for name, outcome in result["outcomes"].items() if outcome == "done"} == NEEDED
    assert result["database"] == DATABASE  # handed over as a credential

    manager.run("systemctl", "reload", "probe.service")
    wait_until(lambda: manager.property("probe", "StatusText") == "read again", seconds=10)
    assert manager.property("probe", "ActiveState") == "active"

    manager.run("systemctl", "stop", "probe.service")
    assert manager.property("probe", "Result") == "success"
    assert "stopped by itself" in manager.journal("probe")
    # What was in the worker's control group is gone, too.
    assert manager.run("pgrep", "--full", "sleep 600", check=False) == ""


@pytest.mark.rasa
def test_a_whole_cycle_runs_inside_the_sandbox(manager):
    """Real Rasa trains, is measured and promoted by the one-shot service, with a secret as a file."""
    manager.run("systemctl", "start", "retrainer-run-once.service", timeout=300)
    journal = manager.journal("retrainer-run-once")
    assert manager.property("retrainer-run-once", "Result") == "success", journal
    champion = manager.run("cat", "/var/lib/retrainer/assistants/shop/registry/champion.json")
    assert json.loads(champion)["model"], journal
    assert manager.run("stat", "--format=%U", DATABASE.removeprefix("sqlite:///")) == "retrainer"
    assert manager.property("retrainer-run-once.timer", "LoadState") == "loaded"


def test_the_daemon_lives_under_the_shipped_unit(manager):
    """It says when it is ready, comes back after kill -9, survives a wrong config, and stops by itself."""
    manager.run("systemctl", "start", "retrainer.service")
    first = manager.property("retrainer", "MainPID")
    assert manager.property("retrainer", "StatusText")

    manager.run("kill", "-KILL", first)
    wait_until(lambda: manager.property("retrainer", "NRestarts") == "1", seconds=20)
    wait_until(lambda: manager.property("retrainer", "ActiveState") == "active", seconds=60)
    second = manager.property("retrainer", "MainPID")
    assert second not in {first, "0"}

    config = "/etc/retrainer/retrainer.toml"
    manager.run("sh", "-c", f"cp {config} /run/kept; echo '[damon]' >> {config}")
    manager.run("systemctl", "reload", "retrainer.service")
    wait_until(lambda: "did you mean daemon?" in manager.journal("retrainer"), seconds=20)
    manager.run("cp", "/run/kept", config)
    wait_until(lambda: manager.property("retrainer", "SubState") == "running", seconds=20)
    assert manager.property("retrainer", "MainPID") == second

    manager.run("systemctl", "stop", "retrainer.service", timeout=100)
    assert manager.property("retrainer", "Result") == "success"
