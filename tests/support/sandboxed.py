"""A service that tries what `retrainer run` needs under systemd, and what it must not be able to do.

Prints what came of each as one line of JSON, then waits to be stopped.
"""

import ctypes
import json
import mmap
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from retrainer.adapters.service_manager import ServiceManager
from retrainer.settings import load

CONFIG = Path("/etc/retrainer/retrainer.toml")
_SET_MEMPOLICY = {"x86_64": 238, "aarch64": 237}
_GROUPS = Path("/sys/fs/cgroup")


def _worker_in_a_control_group_of_its_own() -> None:
    own = Path("/proc/self/cgroup").read_text(encoding="utf-8").split("0::/")[1].strip()
    group = _GROUPS / own / "worker"
    group.mkdir()
    child = subprocess.Popen(["sleep", "600"])
    (group / "cgroup.procs").write_text(str(child.pid), encoding="utf-8")


def _set_mempolicy() -> None:
    number = _SET_MEMPOLICY[platform.machine()]
    if ctypes.CDLL(None, use_errno=True).syscall(number, 0, None, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _write(file: str) -> Callable[[], object]:
    return lambda: Path(file).write_text("x", encoding="utf-8")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "state": _write("/var/lib/retrainer/probe"),
    "cache": _write("/var/cache/retrainer/probe"),
    "temporary file": _write("/tmp/probe"),
    "control group of the worker": _worker_in_a_control_group_of_its_own,
    "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, 10),
    "I/O class": lambda: subprocess.run(["ionice", "-c", "3", "-p", str(os.getpid())], check=True),
    "affinity": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "memory policy": _set_mempolicy,
    "code made at run time": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ).close(),
    "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
    "see the processors": lambda: Path("/proc/cpuinfo").read_text(encoding="utf-8"),
    "change the configuration": _write(str(CONFIG)),
    "change programs": _write("/opt/retrainer/bin/retrainer"),
    "change other control groups": (_GROUPS / "probe").mkdir,
    "read the folder of secrets": lambda: list(Path("/etc/retrainer/credentials").iterdir()),
    "read homes": lambda: Path("/home/somebody/letter").read_text(encoding="utf-8"),
    "read devices": lambda: os.open("/dev/mem", os.O_RDONLY),
    "raw network": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "new user namespace": lambda: subprocess.run(
        ["unshare", "--user", "true"], check=True, stderr=subprocess.DEVNULL
    ),
    "set-user-id file": lambda: Path("/tmp/probe").chmod(0o4755),
    "see others' processes": Path("/proc/1").stat,
}


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (OSError, subprocess.CalledProcessError):
        return "refused"
    return "done"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _main() -> None:
    manager = ServiceManager.from_environment(os.environ)
    outcomes = {name: _outcome(attempt) for name, attempt in ATTEMPTS.items()}
    database = load(CONFIG).database
    secret = database.get_secret_value() if database else None
    _say(json.dumps({"outcomes": outcomes, "database": secret}))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: (manager.reloading(), manager.ready("read again")))
    manager.ready("tried everything")
    stop.wait()
    manager.stopping("stopping")
    _say("stopped by itself")


if __name__ == "__main__":
    _main()
