"""Groups of processes with a memory limit of their own: cgroups of version 2.

They are made where a part of the tree was left to us, as systemd does for a service with
`Delegate=memory`, and marks it. Elsewhere the tree belongs to others, and there are none.
"""

import itertools
import logging
import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

_log = logging.getLogger(__name__)

#: Where this process goes, since a group with groups below it holds no process itself.
_SERVICE = "service"
_PREFIX = "rasa-"
_MARKS = ("user.delegate", "trusted.delegate")
#: Of the groups that this process makes, wherever: the configuration may be read again meanwhile.
_numbers = itertools.count(1)
#: The groups that this process has made and not removed.
_live: set[Path] = set()
#: Seconds that killed processes get to be gone, and between two looks.
_GONE, _PAUSE = 5.0, 0.02


class MemoryGroup:
    """One group. Nothing of it is left after `remove`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _live.add(folder)

    @property
    def members(self) -> Path:
        """A process joins by writing `0` into it."""
        return self.folder / "cgroup.procs"

    @property
    def kills(self) -> int:
        """How many of its processes the kernel has killed because the limit was reached."""
        with suppress(OSError):
            events = (self.folder / "memory.events").read_text(encoding="ascii")
            found = re.search(r"^oom_kill (\d+)$", events, re.MULTILINE)
            return int(found[1]) if found else 0
        return 0

    def remove(self) -> None:
        """Kill what is left in it, however far it has run, and remove the group."""
        _live.discard(self.folder)
        with suppress(OSError):  # the kernel knows this since 5.14
            descriptor = os.open(self.folder / "cgroup.kill", os.O_WRONLY)
            with os.fdopen(descriptor, "w", encoding="ascii") as kill:
                kill.write("1")
        end = time.monotonic() + _GONE
        while True:
            try:
                self.folder.rmdir()
            except FileNotFoundError:
                return
            except OSError as error:
                if time.monotonic() > end:
                    _log.warning("the cgroup %s is left: %s", self.folder, error.strerror)
                    return
                time.sleep(_PAUSE)
            else:
                return


class MemoryGroups:
    """The part of the tree below `folder`, which was left to this process; safe for threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._ready = False

    @classmethod
    def find(cls, proc: Path = Path("/proc/self")) -> Self | None:
        """Those of this process; None where no part of the tree was left to it."""
        own = _own_group(proc)
        if own is None:
            return None
        for folder in (own, own.parent):  # systemd may have put us into a group below already
            if _is_delegated(folder) and _can_limit_memory(folder):
                return cls(folder)
        return None

    def make(self, limit: int) -> MemoryGroup | None:
        """A new group that may have so many bytes, swap included; None if it cannot be made."""
        try:
            with self._lock:
                if not self._ready:
                    self._prepare()
                folder = self._folder / f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
                folder.mkdir()
        except OSError as error:
            _log.warning("no cgroup below %s: %s", self._folder, error)
            return None
        group = MemoryGroup(folder)
        try:
            (folder / "memory.max").write_text(str(limit), encoding="ascii")
        except OSError as error:
            _log.warning("no memory limit for the cgroup %s: %s", folder, error)
            group.remove()
            return None
        # A kernel without swap has no such file. All are killed together, since a worker that lost
        # one of its processes would wait for it in vain.
        for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            with suppress(OSError):
                (folder / name).write_text(value, encoding="ascii")
        return group

    def _prepare(self) -> None:
        """Remove what killed processes left, and let groups have memory limits."""
        for left in self._folder.glob(f"{_PREFIX}*-*"):
            owner = left.name.removeprefix(_PREFIX).partition("-")[0]
            ours = owner == str(os.getpid())  # of an earlier process with the same number
            if left not in _live and (ours or not Path("/proc", owner).exists()):
                MemoryGroup(left).remove()
        control = self._folder / "cgroup.subtree_control"
        if "memory" not in control.read_text(encoding="ascii").split():
            members = self._folder / "cgroup.procs"
            if members.read_text(encoding="ascii").split():
                service = self._folder / _SERVICE
                service.mkdir(exist_ok=True)
                for process in members.read_text(encoding="ascii").split():
                    with suppress(ProcessLookupError):
                        (service / "cgroup.procs").write_text(process, encoding="ascii")
            control.write_text("+memory", encoding="ascii")
        self._ready = True


def _own_group(proc: Path) -> Path | None:
    """The folder of the group that this process is in; None without cgroups of version 2."""
    with suppress(OSError):
        mounts = (proc / "mounts").read_text(encoding="utf-8")
        groups = (proc / "cgroup").read_text(encoding="utf-8")
        mount = re.search(r"^\S+ (\S+) cgroup2 ", mounts, re.MULTILINE)
        own = re.search(r"^0::(/.*)$", groups, re.MULTILINE)
        if mount and own and ".." not in Path(own[1]).parts:
            return Path(mount[1], own[1].lstrip("/"))
    return None


def _is_delegated(folder: Path) -> bool:
    for mark in _MARKS:
        with suppress(OSError):
            if os.getxattr(folder, mark) == b"1":
                return True
    return False


def _can_limit_memory(folder: Path) -> bool:
    try:
        offered = (folder / "cgroup.controllers").read_text(encoding="ascii").split()
    except OSError:
        return False
    written = (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control")
    return "memory" in offered and all(os.access(path, os.W_OK) for path in written)
