"""What a Rasa worker may take of the machine, and whether it died of that.

Niceness and I/O class the worker sets itself. So it does with the memory: by joining a cgroup, which
counts all that it starts together, or else by a limit for each of its processes.
"""

import json
import re
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retrainer.adapters.memory_groups import MemoryGroup, MemoryGroups

IoClass = Literal["idle", "best-effort", "none"]

#: Seconds between two looks at how much memory the worker has.
_PAUSE = 0.2
#: Share of the limit that a process was seen with for its sudden end, or an error of any kind, to be
#: put down to it.
_NEAR, _USED_UP = 0.75, 0.9
#: How programs end that get no memory and do not expect that.
_SUDDEN = frozenset(
    {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, 127, 128 + signal.SIGABRT, 1}
)
_WORDS = re.compile(
    r"(?i)bad_alloc|out of memory|cannot allocate memory|MemoryError|ResourceExhausted"
    r"|failed to map segment|resource temporarily unavailable|can't start new thread"
)


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """What each worker may take.

    `nice` is 0 to 19, `memory` in bytes (None: no limit), `key` the config key of the latter.
    `groups` is where cgroups can be made; None: each of the worker's processes is limited by itself.
    """

    nice: int = 0
    io_class: IoClass = "none"
    memory: int | None = None
    key: str = "rasa.memory_limit"
    groups: MemoryGroups | None = None

    def allowance(self) -> "Allowance":
        """That of one worker, which is about to be started."""
        group = self.groups.make(self.memory) if self.groups and self.memory else None
        return Allowance(self, group)


class Allowance:
    """What one worker may take, until `release`."""

    def __init__(self, limits: ResourceLimits, group: MemoryGroup | None) -> None:
        self._limits, self._group = limits, group
        self._most, self._next_look = 0, 0.0

    @property
    def argument(self) -> str:
        """What the worker's command line says of it."""
        return json.dumps(
            {
                "nice": self._limits.nice,
                "io_class": self._limits.io_class,
                "memory": self._limits.memory,
                "cgroup": str(self._group.members) if self._group else None,
            }
        )

    def look(self, process: int) -> None:
        """See how much memory the worker has; may be called as often as one likes."""
        now = time.monotonic()
        if self._limits.memory is None or now < self._next_look:
            return
        self._next_look = now + _PAUSE
        with suppress(OSError):
            status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
            if found := re.search(r"^VmData:\s+(\d+) kB$", status, re.MULTILINE):
                self._most = max(self._most, 1024 * int(found[1]))

    def ended_it(self, code: int, log: Sequence[str]) -> bool:
        """Whether the limit is why the worker ended with this code, and these lines in its log."""
        if self._limits.memory is None:
            return False
        if self._group is not None and self._group.kills:
            return True
        near = self._most >= _NEAR * self._limits.memory
        return code in _SUDDEN and (near or any(map(_WORDS.search, log)))

    @property
    def is_used_up(self) -> bool:
        """Whether the worker was seen with nearly all that it may have."""
        return self._limits.memory is not None and self._most >= _USED_UP * self._limits.memory

    @property
    def reached(self) -> str:
        """That the memory is used up, in words."""
        if self._limits.memory is None:
            return "Rasa got no more memory from this machine"
        each = "" if self._group else " for each process"
        return f"Rasa reached its memory limit of {size(self._limits.memory)}{each}"

    @property
    def tip(self) -> str:
        """What to do about it."""
        key = self._limits.key
        raised = f"raise {key}" if self._limits.memory else f"set {key}, so that others are spared"
        return f"{raised}; less training data, or a smaller batch_size in the pipeline, needs less"

    def release(self) -> None:
        """Give back what was set aside for the worker; what is left of it is killed."""
        if self._group is not None:
            self._group.remove()


def size(count: int) -> str:
    """Bytes as people say them, such as `8 GB`."""
    for unit, factor in (("TB", 1000**4), ("GB", 1000**3), ("MB", 1000**2), ("kB", 1000)):
        if count >= factor:
            return f"{count / factor:.4g} {unit}"
    return f"{count} bytes"
