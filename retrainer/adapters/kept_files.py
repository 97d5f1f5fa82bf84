"""The folders in which an assistant's files are kept, taken as they are at one moment, and put back.

What is in them is never changed in place, so a link is as good as a copy, and takes no room; a file
that is deleted meanwhile stays where it was linked to.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from retrainer.adapters.files import storage_errors, sync_folder
from retrainer.adapters.folders import exclusive


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """A folder, and where in a backup it goes.

    `locked`: nothing in it changes while its lock is held. `whole`: each entry is taken with all
    its files, or not at all.
    """

    place: str
    folder: Path
    locked: bool = False
    whole: bool = True
    #: Entries that can be had again.
    without: frozenset[str] = frozenset()

    @property
    def entries(self) -> list[Path]:
        """What is in it, without locks and leftovers."""
        if not self.folder.is_dir():
            return []
        found = sorted(self.folder.iterdir())
        return [p for p in found if not p.name.startswith(".") and p.name not in self.without]


@contextmanager
def standing_still(folders: list[KeptFolder]) -> Iterator[None]:
    """Keep everybody from changing what can be locked.

    Raises:
        StorageError: another process did not let go of a folder in time.
    """
    with ExitStack() as locks:
        for kept in folders:
            if kept.locked and kept.folder.is_dir():
                locks.enter_context(exclusive(kept.folder))
        yield


def take(kept: KeptFolder, stage: Path) -> None:
    """Link or copy the folder's files to their place below `stage`.

    Raises:
        StorageError: a file could not be read, or there is no room for it.
    """
    with storage_errors("copying", kept.folder):
        for entry in kept.entries:
            target = stage / kept.place / entry.name
            try:
                _take(entry, target, whole=kept.whole)
            except FileNotFoundError:  # deleted meanwhile, because nothing needs it any more
                shutil.rmtree(target, ignore_errors=True)


@contextmanager
def exchanged(new: Path, target: Path, aside: Path) -> Iterator[None]:
    """Put `new` in the place of `target`, which is moved to `aside`.

    If the block raises, everything is as before; else the old one is the caller's to delete.

    Raises:
        StorageError: it could not be done; then everything is as before.
    """
    with removed(target, aside):
        with storage_errors("replacing", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            _beside(new, target).rename(target)
            sync_folder(target.parent)
        try:
            yield
        except BaseException:
            with storage_errors("restoring", target):
                _delete(target)
            raise


@contextmanager
def removed(target: Path, aside: Path) -> Iterator[None]:
    """Move a file or folder to `aside`, if it is there, and back if the block raises.

    Raises:
        StorageError: it could not be done.
    """
    existed = os.path.lexists(target)
    if existed:
        with storage_errors("moving", target):
            shutil.move(target, aside)
    try:
        yield
    except BaseException:
        if existed:
            with storage_errors("restoring", target):
                shutil.move(aside, target)
        raise


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _take(source: Path, target: Path, *, whole: bool) -> None:
    if source.is_symlink():
        return
    if source.is_dir():
        for entry in sorted(source.iterdir()):
            try:
                _take(entry, target / entry.name, whole=whole)
            except FileNotFoundError:
                if whole:
                    raise
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, target)
    else:
        raise FileNotFoundError(source)


def _beside(new: Path, target: Path) -> Path:
    """Where one rename puts it in its place: a copy, if it is on another file system."""
    if new.stat().st_dev == target.parent.stat().st_dev:
        return new
    copy = target.parent / f".restored-{target.name}"
    _delete(copy)
    if new.is_dir():
        shutil.copytree(new, copy)
    else:
        shutil.copyfile(new, copy)
    return copy
