"""What a program said last."""

import os
from pathlib import Path


def read_last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log file that say something; progress bars count by their last state."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 15)))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = (line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n"))
    return [line for line in lines if line][-count:]
