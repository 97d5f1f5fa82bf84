"""What a service manager hears, on a real socket."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retrainer.adapters.service_manager import ServiceManager


class Heard:
    """A manager's end of the notify socket."""

    def __init__(self, listening: socket.socket, address: str) -> None:
        self.socket, self.address = listening, address
        self.environment = {"NOTIFY_SOCKET": address}

    def message(self) -> dict[str, str]:
        """The next message, as assignments."""
        lines = self.socket.recv(65_536).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def nothing(self) -> bool:
        """Whether no message is waiting."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(65_536)
        except BlockingIOError:
            return True
        return False


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Heard]:
    name = f"{tmp_path}/notify" if request.param == "path" else f"@{tmp_path.name}-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        listening.settimeout(5)
        yield Heard(listening, name)


def test_the_life_of_a_service(heard):
    """Ready, a status, a reload with its moment, more time, and the end arrive as they were said."""
    manager = ServiceManager.from_environment(heard.environment)
    manager.ready("2 assistants")
    assert heard.message() == {"READY": "1", "STATUS": "2 assistants"}
    manager.status("shop#12 train: DIETClassifier: 12 of 100 epochs")
    assert heard.message() == {"STATUS": "shop#12 train: DIETClassifier: 12 of 100 epochs"}
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.reloading()
    said = heard.message()
    assert said.keys() == {"RELOADING", "MONOTONIC_USEC"}
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= before + 5_000_000
    manager.extend(1.5)
    assert heard.message() == {"EXTEND_TIMEOUT_USEC": "1500000"}
    manager.stopping("waits for shop")
    assert heard.message() == {"STOPPING": "1", "STATUS": "waits for shop"}


def test_a_status_cannot_say_anything_else(heard):
    """What a server or a project wrote never becomes an assignment, nor spoils the message."""
    manager = ServiceManager.from_environment(heard.environment)
    manager.status("one\nREADY=1\r\x00two\ud800" + "x" * 9000)
    said = heard.message()
    assert said.keys() == {"STATUS"}
    assert said["STATUS"].startswith("one READY=1  two x")
    assert len(said["STATUS"]) == 1000


def test_the_watchdog_is_fed(heard):
    """A sign of life goes to a manager that waits for one."""
    heard.environment |= {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    manager = ServiceManager.from_environment(heard.environment)
    assert manager.watchdog_seconds == 30.0
    manager.alive()
    assert heard.message() == {"WATCHDOG": "1"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "\u00b2"},
    ],
)
def test_no_watchdog_of_ours(heard, given):
    """Another process's watchdog, or one that is no number, is none; no sign of life is sent."""
    manager = ServiceManager.from_environment({**heard.environment, **given})
    assert manager.watchdog_seconds is None
    manager.alive()
    assert heard.nothing()


def test_children_do_not_inherit_the_socket(heard):
    """A child that speaks to the manager would speak in our name."""
    environment = {
        **heard.environment,
        "WATCHDOG_USEC": "1000000",
        "WATCHDOG_PID": str(os.getpid()),
        "PATH": "/bin",
    }
    ServiceManager.from_environment(environment)
    assert environment == {"PATH": "/bin"}


def _calls(manager: ServiceManager) -> list[Callable[[], None]]:
    return [
        lambda: manager.ready("x"),
        lambda: manager.status("x"),
        manager.reloading,
        lambda: manager.stopping("x"),
        lambda: manager.extend(1),
        manager.alive,
    ]


@pytest.mark.parametrize(
    "address",
    [None, "", "relative", "vsock:2:1", "/nowhere/notify", "/" + "x" * 300, "@" + "x" * 300],
)
def test_nobody_to_hear_it(address):
    """Without a manager, or with one that is gone, every call does nothing, at once."""
    given = {} if address is None else {"NOTIFY_SOCKET": address}
    manager = ServiceManager.from_environment({**given, "WATCHDOG_USEC": "1000000"})
    begun = time.monotonic()
    for call in _calls(manager):
        call()
    assert time.monotonic() - begun < 1


def test_a_manager_that_hangs_stops_nobody(heard):
    """A full socket costs a status nothing, and what must not be lost half a second."""
    heard.environment["WATCHDOG_USEC"] = "1000000"
    manager = ServiceManager.from_environment(heard.environment)
    begun = time.monotonic()
    for number in range(5000):
        manager.status(str(number))
        manager.alive()
    assert time.monotonic() - begun < 5
    begun = time.monotonic()
    manager.stopping("the end")
    assert 0.3 < time.monotonic() - begun < 3


def test_what_matters_waits_for_a_busy_manager(heard):
    """A manager that reads again within the half second hears that the service is ready."""
    manager = ServiceManager.from_environment(heard.environment)
    for number in range(5000):
        manager.status(str(number))
    code = (
        "import sys\n"
        "from retrainer.adapters.service_manager import ServiceManager\n"
        "sys.stdout.write('up'); sys.stdout.flush(); sys.stdin.read(1)\n"
        "ServiceManager(sys.argv[1]).ready('at last')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, heard.address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.read(2)
        child.stdin.write(b"!")
        child.stdin.flush()
        said: dict[str, str] = {}
        while "READY" not in said:
            said = heard.message()
        assert child.wait(10) == 0
    assert said == {"READY": "1", "STATUS": "at last"}
