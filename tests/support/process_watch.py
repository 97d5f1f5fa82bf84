"""What other processes can see of a command's children, while it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any


@dataclass
class Watched:
    """The words of each process and what its environment held, by its id."""

    command_lines: dict[int, bytes] = field(default_factory=dict)
    environments: dict[int, bytes] = field(default_factory=dict)

    def look(self, process: int) -> None:
        """Look at all that the process has started, and at what that has."""
        own = _read(process, "cmdline")
        for child in _children(process):
            words, environment = _read(child, "cmdline"), _read(child, "environ")
            # Until it runs its own program, a new process is a copy of the one that starts it.
            if words and words == _read(child, "cmdline") != own:
                self.command_lines[child] = words
                self.environments[child] = environment
            self.look(child)


@contextmanager
def watched(process: Popen[Any]) -> Iterator[Watched]:
    """Look at the children of the process every 10 ms, until the end of the block."""
    seen, ended = Watched(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            seen.look(process.pid)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _read(process: int, name: str) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/{name}").read_bytes()
    return b""


def _children(process: int) -> Iterator[int]:
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, task.read_text().split())
