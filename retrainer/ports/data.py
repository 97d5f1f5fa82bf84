"""Where training data comes from, and how a cycle keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from retrainer.domain.cycle import Origin, Snapshot
from retrainer.ports.agenda import DataSeen


class DataSource(Protocol):
    """Where an assistant's project (config, domain, training data) comes from."""

    @property
    def counts_examples(self) -> bool:
        """Whether `look` is meant to say how many examples there are; asks nobody."""
        ...

    def look(self) -> DataSeen:
        """What there is to pull now, found out cheaply: seconds and a few requests at most.

        The token is another one when `pull` would bring something else, as far as that is to be
        had cheaply, and the same while nobody touches anything. Changes nothing.

        Raises:
            ProjectError: the project is missing or not readable.
            ServerError: the server that has it did not answer, or not as asked.
        """
        ...

    def pull(self, into: Path) -> tuple[Origin, ...]:
        """Write the project's files below the empty folder `into`; returns where they came from.

        Called again with another empty folder it writes the same files, if they have not changed.

        Raises:
            ProjectError: the project is missing, empty, not whole or not readable.
            ServerError: the server that has it did not answer, or not as asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Project:
    """A project on disk, in Rasa's terms. All paths absolute."""

    root: Path
    config: Path
    domain: tuple[Path, ...]
    data: tuple[Path, ...]

    @property
    def config_name(self) -> str:
        """The config's path inside the project, with `/`."""
        return self.config.relative_to(self.root).as_posix()


class SnapshotStore(Protocol):
    """Content-addressed copies of an assistant's project."""

    def take(self, source: DataSource) -> Snapshot:
        """Pull and keep; the same content is kept once."""
        ...

    def folder(self, snapshot: Snapshot) -> Path:
        """Where the snapshot's files are, for reading only.

        Raises:
            StorageError: it is gone or was changed.
        """
        ...

    def sweep(self, keep: Sequence[str]) -> None:
        """Delete all snapshots but those of these digests."""
        ...


class ArtifactStore(Protocol):
    """Small files that outlive a cycle, by name (`/` separates folders)."""

    def write(self, name: str, content: bytes) -> None:
        """Store atomically and durably; an earlier content of that name is replaced."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content; None when there is none."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with all in it; nothing if it is gone already."""
        ...
