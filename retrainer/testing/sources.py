"""A source of training data in memory, for tests of what uses one."""

from collections.abc import Mapping
from pathlib import Path

from retrainer.adapters.files import storage_errors
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError, RetrainerError


class FakeSource:
    """A `DataSource` whose files are in memory.

    `files` maps paths (with `/`) to texts and may be changed between pulls; `failure` is raised by
    every pull while it is set; `pulls` counts.
    """

    def __init__(self, files: Mapping[str, str], *, origin: str = "a test") -> None:
        self.files = dict(files)
        self.origin = origin
        self.failure: RetrainerError | None = None
        self.pulls = 0

    def pull(self, into: Path) -> tuple[Origin, ...]:
        """Write the files below `into`; returns the origin."""
        self.pulls += 1
        if self.failure:
            raise self.failure
        if not self.files:
            raise ProjectError(f"0 files in {self.origin}, at least 1 is needed")
        for name, text in self.files.items():
            path = into / name
            with storage_errors("writing", path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
        return (Origin(self.origin),)
