"""What a power cut leaves of a folder, by the strictest reading of what `fsync` promises.

A process inside `Disk.watching` keeps a second picture of the folder beside the real one: the
content that each file had when it was last synced, and the names that each folder had when *it*
was. A name that was given, changed or taken away since is not durable, whatever it leads to; nor is
a file that was never synced. `Disk.left` says what of it a machine finds that is switched on again:

- `Loss.ALL`: nothing that was not synced reached the disk;
- `Loss.CONTENTS`: the names did, the contents did not, as on file systems that write them later;
- `Loss.SOME`: chance decides for each folder and each file.

The fourth way, that all of it reached the disk, is an ordinary `kill -9`. Calls of Python's
`os.fsync` are seen. SQLite syncs in C, which is not: its files are left as they are, since a commit
that it has reported is durable with `synchronous = FULL` (see `test_sqlite_syncs_each_commit`), and
what it has not is rolled back in either case.
"""

import os
import random
import resource
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

#: By path below the folder: the content of a file, the target of a link, None for a folder.
Left = Mapping[str, bytes | Path | None]
_Key = tuple[int, int]


class Loss(StrEnum):
    """What of the unsynced changes is lost."""

    ALL = "all"
    CONTENTS = "contents"
    SOME = "some"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a name led to."""

    key: _Key
    mode: int
    target: Path | None = None


class Disk:
    """The durable picture of a folder; what is there at first counts as synced.

    `spared` are names directly below the folder that are not looked after.
    """

    def __init__(self, root: Path, *, spared: frozenset[str] = frozenset()) -> None:
        self._root, self._spared = root, spared
        self._contents: dict[_Key, bytes] = {}
        self._names: dict[_Key, dict[str, _Entry]] = {}
        # Keeps the numbers of deleted files from being given to new ones.
        self._held: dict[_Key, Path] = {}
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for folder, _, files in os.walk(root, topdown=False):
            for file in files:
                path = Path(folder, file)
                if not path.is_symlink() and not self._is_spared(path):
                    self._sync_file(path)
            self._sync_folder(Path(folder))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See all that this process syncs, to the end of the block."""
        sync = os.fsync

        def fsync(descriptor: int) -> None:
            sync(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_relative_to(self._root):
                self.synced(descriptor)

        os.fsync = fsync  # type: ignore[assignment] # the one way to see it
        try:
            yield
        finally:
            os.fsync = sync
            for held in self._held.values():
                os.close(int(held.name))
            self._held.clear()

    def synced(self, descriptor: int) -> None:
        """A file or folder was synced."""
        path = Path(f"/proc/self/fd/{descriptor}")
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self._sync_folder(path)
        else:
            self._sync_file(path)

    def left(self, loss: Loss, chance: random.Random | None = None) -> Left:
        """What a power cut leaves now; `chance` decides with `Loss.SOME`."""
        coin = chance or random.Random(0)

        def kept(mode: int) -> bool:
            if loss is Loss.SOME:
                return coin.random() < 0.5
            return loss is Loss.CONTENTS and stat.S_ISDIR(mode)

        found: dict[str, bytes | Path | None] = {}
        self._visit(self._root, "", kept, found)
        return found

    def _visit(
        self,
        folder: Path,
        below: str,
        kept: Callable[[int], bool],
        found: dict[str, bytes | Path | None],
    ) -> None:
        """Add what is left of a folder, which is to be had at that path now."""
        key = _key(folder.stat())
        names = _entries(folder) if kept(stat.S_IFDIR) else self._names.get(key, {})
        for name, entry in sorted(names.items()):
            if not below and name in self._spared:
                continue
            path = self._held.get(entry.key, folder / name)
            if stat.S_ISDIR(entry.mode):
                found[below + name] = None
                self._visit(path, f"{below}{name}/", kept, found)
            elif stat.S_ISLNK(entry.mode):
                found[below + name] = entry.target
            elif kept(entry.mode):
                found[below + name] = path.read_bytes()
            else:
                found[below + name] = self._contents.get(entry.key, b"")

    def _is_spared(self, path: Path) -> bool:
        return path.parent == self._root and path.name in self._spared

    def _sync_file(self, path: Path) -> None:
        self._contents[self._hold(path)] = path.read_bytes()

    def _sync_folder(self, path: Path) -> None:
        names = _entries(path)
        for name, entry in names.items():
            if not stat.S_ISLNK(entry.mode):
                self._hold(path / name)
        self._names[self._hold(path)] = names

    def _hold(self, path: Path) -> _Key:
        """Keep a file or folder from being forgotten; returns its key."""
        key = _key(path.stat())
        if key not in self._held:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            self._held[key] = Path(f"/proc/self/fd/{descriptor}")
        return key


def switch_on(root: Path, left: Left, *, spared: frozenset[str] = frozenset()) -> None:
    """Make the folder what a power cut left of it; `spared` names stay as they are."""
    for path in root.iterdir():
        if path.name in spared:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name, content in left.items():
        path = root / name
        if content is None:
            path.mkdir()
        elif isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content)


def _entries(folder: Path) -> dict[str, _Entry]:
    with os.scandir(folder) as found:
        return {
            each.name: _Entry(
                _key(each.stat(follow_symlinks=False)),
                each.stat(follow_symlinks=False).st_mode,
                Path(each.path).readlink() if each.is_symlink() else None,
            )
            for each in found
        }


def _key(status: os.stat_result) -> _Key:
    return status.st_dev, status.st_ino
