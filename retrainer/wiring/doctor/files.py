"""The doctor looks at files: who may read what is secret, and where there is room."""

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from retrainer.adapters.disks import Disk, disk_of, existing
from retrainer.adapters.resource_limits import size as in_words
from retrainer.errors import RetrainerError, StorageError
from retrainer.reports.values import counted
from retrainer.settings.environment import Surroundings
from retrainer.settings.secrets import secret_values
from retrainer.wiring.application import Application
from retrainer.wiring.doctor.diagnosis import Diagnosis, good, warning

#: Bytes that should be free, whatever the models are like, and how many models should have room.
LEAST_FREE, MODELS = 2 * 10**9, 5


def config_file(app: Application) -> Iterator[Diagnosis]:
    """Whether others may write the config file, or read secrets in it."""
    what, file = "configuration", app.config
    yield good(what, str(file))
    mode = file.stat().st_mode
    if mode & stat.S_IWOTH:
        yield warning(
            what,
            f"everybody may write {file}, and so decide what this user runs",
            f"chmod o-w {file}",
        )
    if _is_open(file) and _has_secrets(app, file.read_text(encoding="utf-8")):
        yield warning(
            what,
            f"everybody may read {file}, which holds secrets",
            f"chmod o-r {file}, or set secrets in the environment or as credentials",
        )


def credentials(app: Application) -> Iterator[Diagnosis]:
    """Whether others may read files that stand for secret settings."""
    surroundings = app.environment
    files = surroundings.files if isinstance(surroundings, Surroundings) else {}
    for file in sorted(set(files.values())):
        if _is_open(file):
            yield warning("credentials", f"everybody may read {file}", f"chmod o-r {file}")
    if files:
        yield good("credentials", counted(len(files), "file"), minor=True)


def state_folder(app: Application) -> Iterator[Diagnosis]:
    """Whether a cycle may write to the state folder, or make it, and on what disk that is.

    Raises:
        StorageError: it may not.
    """
    what, folder = "state folder", app.state_dir
    there = existing(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(
            f"{there} is not a folder that this user may write to",
            tip=f"give this user the right to make {folder}, or name another `state_dir`",
        )
    disk = disk_of(folder)
    yield good(
        what, str(folder) if there == folder else f"{folder} will be made by the first cycle"
    )
    yield from kind_of_disk(what, folder, disk)
    yield from _owners(what, folder)


def kind_of_disk(what: str, folder: Path, disk: Disk) -> Iterator[Diagnosis]:
    """Whether what is kept there is safe."""
    if disk.is_in_memory:
        yield warning(
            what,
            f"{folder} is in memory ({disk.kind}): after a restart of the machine all is gone",
            "name a folder on a disk as `state_dir`",
        )
    elif disk.is_weak:
        yield warning(
            what,
            f"{folder} is on {disk.kind}, where no file can be replaced in one step: "
            "a crash may leave half a file",
            "name a folder on a disk of this machine (ext4, xfs, btrfs) as `state_dir`",
        )


def room(app: Application, names: Sequence[str]) -> Iterator[Diagnosis]:
    """Whether there is room for the next models, and for what Rasa unpacks."""
    largest = max((_newest_model(app, name) for name in names), default=0)
    needed = max(LEAST_FREE, MODELS * largest)
    why = f"{MODELS} models of {in_words(largest)}" if MODELS * largest > LEAST_FREE else "a cycle"
    for what, folder, option in (
        ("disk", app.state_dir, "state_dir"),
        ("temporary files", Path(tempfile.gettempdir()), "TMPDIR"),
    ):
        free = disk_of(folder).free
        if free < needed:
            yield warning(
                what,
                f"{in_words(free)} are free below {folder}, {in_words(needed)} should be: {why}",
                f"free space, keep fewer models (`retention.models`), or name another {option}",
            )
        else:
            yield good(what, f"{in_words(free)} free below {folder}", minor=what != "disk")


def _newest_model(app: Application, name: str) -> int:
    """Bytes of the assistant's newest model; 0 if there is none, or its platform is away."""
    try:
        models = app.platform(name).models()
    except RetrainerError:  # told of where the assistant is looked at
        return 0
    return models[-1].size if models else 0


def _owners(what: str, folder: Path) -> Iterator[Diagnosis]:
    """A command run as root leaves files that the service's user may not write."""
    user = os.getuid()
    for path in (folder, folder / "retrainer.db", folder / "assistants"):
        if path.exists() and path.stat().st_uid != user and not os.access(path, os.W_OK):
            yield warning(
                what,
                f"{path} belongs to the user {path.stat().st_uid}, and this one ({user}) may not "
                "write it",
                f"run retrainer as one user always: chown -R {user} {folder}",
            )


def _has_secrets(app: Application, text: str) -> bool:
    # A database URL counts as a whole; without a password there is nothing secret in it.
    secrets = set(secret_values(app.settings.model_copy(update={"database": None}), {}))
    if password := app.bare_engine.url.password:
        secrets.add(password)
    return any(secret in text for secret in secrets)


def _is_open(file: Path) -> bool:
    """Whether everybody may read it, and reach it."""
    try:
        folders = file.resolve().parents
        readable = file.stat().st_mode & stat.S_IROTH
        return bool(readable) and all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)
    except OSError:
        return False
