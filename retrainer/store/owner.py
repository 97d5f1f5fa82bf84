"""Who works on a cycle: a process, named so that its own machine can tell whether it is dead.

The name is `HOST/BOOT/PID-NAMESPACE/PID/START`. Process ids are used again, after a restart of
the machine and inside each container, so a bare one would take the living for dead.
"""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from retrainer.domain.cycle import Cycle
from retrainer.errors import CycleRunning

_PARTS = 5
_TOO_LARGE = 2**31


@dataclass(frozen=True, slots=True)
class _Process:
    host: str
    boot: str
    namespace: str
    pid: int
    #: In clock ticks since the machine started.
    start: str

    def __str__(self) -> str:
        return f"{self.host}/{self.boot}/{self.namespace}/{self.pid}/{self.start}"


def current_owner() -> str:
    """The name of this process."""
    pid = os.getpid()
    _, start = _state_and_start(pid)
    host, boot, namespace = _machine()
    return str(_Process(host, boot, namespace, pid, start))


def describe(owner: str) -> str:
    """The owner for people: host and process id."""
    process = _parse(owner)
    return f"{process.host} pid {process.pid}" if process else owner


def is_dead(owner: str) -> bool:
    """Whether that process has certainly ended; False whenever this machine cannot know."""
    process = _parse(owner)
    here = _machine()
    if process is None or not all(here):
        return False
    if (process.host, process.boot, process.namespace) != here:
        return False
    try:
        with suppress(PermissionError):  # it lives, as another user
            os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    state, start = _state_and_start(process.pid)
    if state in {"Z", "X"}:  # ended, and not yet collected by its parent
        return True
    return bool(start and process.start) and start != process.start


def busy(
    cycle: Cycle, step: str | None, *, owner: str, until: datetime, now: datetime
) -> CycleRunning:
    """Why this cycle cannot be begun: who works on it since when, at which step, until when."""
    at = f", step {step}" if step else ""
    left = max(timedelta(0), until - now)
    return CycleRunning(
        f"cycle {cycle.number} of {cycle.assistant} is running since "
        f"{cycle.started_at:%Y-%m-%d %H:%M:%S} UTC{at}, by {describe(owner)}",
        tip="wait until it has ended; if that process hangs or its machine is gone, the cycle can "
        f"be taken up in {left.total_seconds():.0f} s at the earliest",
    )


def _parse(owner: str) -> _Process | None:
    parts = owner.split("/")
    if len(parts) != _PARTS or not parts[3].isascii() or not parts[3].isdigit():
        return None
    host, boot, namespace, pid, start = parts
    # 0 would signal a whole group of processes.
    if not 0 < int(pid) < _TOO_LARGE:
        return None
    return _Process(host, boot, namespace, int(pid), start)


def _machine() -> tuple[str, str, str]:
    """Host, boot and process namespace; empty where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink()).removeprefix("pid:").strip("[]")
    except OSError:
        boot = namespace = ""
    return socket.gethostname().replace("/", "_"), boot, namespace


def _state_and_start(pid: int) -> tuple[str, str]:
    """State letter and start time of a process; empty where the system does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    fields = stat.rpartition(")")[2].split()  # the program's name may hold spaces and brackets
    return fields[0], fields[19]
