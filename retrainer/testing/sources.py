"""A source of training data in memory, for tests of what uses one."""

from collections.abc import Mapping
from pathlib import Path

from retrainer.adapters.files import digest_of, storage_errors
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError, RetrainerError
from retrainer.ports import DataSeen


class FakeSource:
    """A `DataSource` whose files are in memory.

    `files` maps paths (with `/`) to texts and may be changed between pulls; `failure` is raised by
    every pull and look while it is set; `pulls` and `looks` count.
    """

    def __init__(
        self, files: Mapping[str, str], *, origin: str = "a test", examples: int | None = None
    ) -> None:
        self.files = dict(files)
        self.origin = origin
        self.failure: RetrainerError | None = None
        self.examples = examples
        self.pulls = self.looks = 0

    @property
    def counts_examples(self) -> bool:
        """Whether the test says how many examples there are."""
        return self.examples is not None

    def look(self) -> DataSeen:
        """The files as they are; `examples` as the test says."""
        self.looks += 1
        self._require_files()
        return DataSeen(digest_of(*sorted(self.files.items())), self.examples)

    def pull(self, into: Path) -> tuple[Origin, ...]:
        """Write the files below `into`; returns the origin."""
        self.pulls += 1
        self._require_files()
        for name, text in self.files.items():
            path = into / name
            with storage_errors("writing", path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
        return (Origin(self.origin),)

    def _require_files(self) -> None:
        if self.failure:
            raise self.failure
        if not self.files:
            raise ProjectError(f"0 files in {self.origin}, at least 1 is needed")
