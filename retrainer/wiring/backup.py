"""Everything that retrainer keeps, in one file, and back again."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from retrainer import __version__
from retrainer.adapters import backup_archive, kept_files
from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.backup_archive import Manifest
from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.files import storage_errors
from retrainer.adapters.folders import exclusive, unfinished
from retrainer.adapters.kept_files import KeptFolder
from retrainer.errors import BackupError, DatabaseError, SchemaError
from retrainer.pipeline.steps import POINT_OF_NO_RETURN
from retrainer.store import copies, schema
from retrainer.store.copies import Running
from retrainer.store.engine import describe, reading
from retrainer.store.status import read_status
from retrainer.wiring.application import Application

#: Platforms that keep their models in a folder of this machine.
_IN_FOLDERS = ("embedded", "rasa_server")
_DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. `elsewhere` are assistants whose models are kept by their platforms."""

    file: Path
    manifest: Manifest
    champions: Mapping[str, str]
    elsewhere: tuple[str, ...]


def back_up(app: Application, file: Path) -> Backup:
    """Write everything to `file` as it is at one moment, while cycles may run.

    Raises:
        DatabaseError: the database cannot be used, or has another schema.
        StorageError: a file could not be read or written; an earlier backup is still there.
        BackupError: `file` cannot be a backup.
    """
    if file.is_dir():
        raise BackupError(f"{file} is a folder", tip=f"name a file, such as {file}/backup.tar.gz")
    schema.check(app.bare_engine)
    places = _Places(app)
    with _staging(app) as stage, ExitStack() as moment:
        still = moment.enter_context(ExitStack())
        still.enter_context(kept_files.standing_still(places.all))
        connection = moment.enter_context(reading(app.bare_engine, consistent=True))
        under_way = copies.running(connection, promotion=POINT_OF_NO_RETURN)
        for kept in places.all:
            kept_files.take(kept, stage)
        still.close()
        _leave_out(stage, under_way)
        with storage_errors("writing", stage):
            (stage / _DATABASE).mkdir()
            count = copies.write(connection, stage / _DATABASE, under_way)
        moment.close()
        manifest = Manifest(
            retrainer=__version__,
            made_at=app.clock.now(),
            schema_revision=schema.HEAD,
            cycles=count,
            running=tuple(found.cycle.number for found in under_way),
        )
        whole = backup_archive.pack(stage, file, manifest)
        return Backup(file, whole, _champions(stage), places.elsewhere)


def restore(app: Application, file: Path, *, force: bool) -> Backup:
    """Replace everything by what the backup holds; with `force` also what is there already.

    Raises:
        BackupError: the backup is not usable, something is there already, or somebody is at work.
        DatabaseError: the database cannot be used; nothing was changed.
        StorageError: a file could not be written; nothing was changed.
    """
    with _staging(app) as stage:
        content, aside = stage / "new", stage / "old"
        content.mkdir()
        aside.mkdir()
        manifest = backup_archive.unpack(file, content)
        if manifest.schema_revision > schema.HEAD:
            raise SchemaError(
                f"{file} was made by retrainer {manifest.retrainer}: it has the newer schema "
                f"revision {manifest.schema_revision}, retrainer {__version__} has {schema.HEAD}",
                tip="install the newer version of retrainer",
            )
        places = _Places(app)
        targets = places.targets(content)
        _require_replaceable(app, targets.values(), force=force)
        champions = _champions(content)
        _link_champions(content)
        with ExitStack() as changes:
            new = _database(app, content / _DATABASE, stage, manifest, changes)
            for number, (place, target) in enumerate(sorted(targets.items())):
                old = aside / f"{number}"
                changes.enter_context(kept_files.exchanged(content / place, target, old))
            if new is not None:
                changes.enter_context(_exchanged_database(app, new, aside))
        return Backup(file, manifest, champions, places.elsewhere)


class _Places:
    """Where the files of the assistants are."""

    def __init__(self, app: Application) -> None:
        self._app = app

    @cached_property
    def all(self) -> list[KeptFolder]:
        """The folders of all assistants that are configured."""
        return [kept for name in self._app.settings.assistants for kept in self._of(name)]

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The assistants whose models are not in a folder of this machine."""
        names = self._app.settings.assistants
        return tuple(name for name in names if not self.has_registry(name))

    def has_registry(self, name: str) -> bool:
        """Whether the assistant's models are in a folder of this machine."""
        platform = self._app.settings.assistants[name].platform
        return platform.type in _IN_FOLDERS and "storage" not in platform.options

    def targets(self, content: Path) -> dict[str, Path]:
        """Where each folder of an unpacked backup belongs, also of assistants not configured."""
        known = {kept.place: kept.folder for kept in self.all}
        found = {}
        for folder in sorted(content.glob("assistants/*/*")):
            place = folder.relative_to(content).as_posix()
            found[place] = known.get(place, self._app.state_dir / place)
        return found

    def _of(self, name: str) -> Iterator[KeptFolder]:
        base = f"assistants/{name}"
        own = self._app.state_dir / base
        options = self._app.settings.assistants[name].platform.options
        if self.has_registry(name):
            registry = Path(options.get("folder") or own / "registry")
            yield KeptFolder(f"{base}/registry", registry, locked=True)
        elif self._app.settings.assistants[name].platform.type == "rasa_x":
            fetched = frozenset({"fetched", "evaluating"})
            yield KeptFolder(f"{base}/registry", own / "registry", whole=False, without=fetched)
        yield KeptFolder(f"{base}/snapshots", own / "snapshots")
        artifacts = self._app.artifacts(name)
        if isinstance(artifacts, FolderArtifacts):
            yield KeptFolder(f"{base}/records", artifacts.folder, whole=False)


@contextmanager
def _staging(app: Application) -> Iterator[Path]:
    """A folder on the file system of the state, that is deleted at the end or by the next one."""
    folder = app.state_dir / "staging"
    with exclusive(folder, passing=True), unfinished(folder) as stage:
        yield stage


def _leave_out(stage: Path, under_way: tuple[Running, ...]) -> None:
    """What cycles have made so far that begin again: they would find it in their way."""
    for found in under_way:
        name, own = found.cycle.challenger, stage / "assistants" / found.cycle.assistant
        if not found.promoting and _champion(own / "registry") != name:
            for made in ("registry/versions", "records/models", "records/cycles"):
                shutil.rmtree(own / made / name, ignore_errors=True)


def _champions(content: Path) -> dict[str, str]:
    found = {f.parent.name: _champion(f) for f in sorted(content.glob("assistants/*/registry"))}
    return {name: champion for name, champion in found.items() if champion is not None}


def _champion(registry: Path) -> str | None:
    return EmbeddedRegistry(registry).active()


def _link_champions(content: Path) -> None:
    """Make the links that servers follow: they are not in a backup."""
    for name, champion in _champions(content).items():
        registry = EmbeddedRegistry(content / "assistants" / name / "registry")
        registry.activate(champion, expected=champion)


def _require_replaceable(app: Application, targets: Iterable[Path], *, force: bool) -> None:
    """Make sure that nobody works here, and that there is nothing yet, unless `force` is given."""
    there = [str(target) for target in targets if KeptFolder("", target).entries]
    try:
        standing = schema.current(app.bare_engine).standing
    except DatabaseError:
        if not (force and app.single_machine):
            raise
        standing = schema.Standing.EMPTY  # a damaged file is no loss
    if standing in {schema.Standing.CURRENT, schema.Standing.OLDER}:
        if standing is schema.Standing.OLDER or _is_used(app):
            there.append(describe(app.bare_engine))
    elif standing is not schema.Standing.EMPTY:
        schema.check(app.bare_engine)
    if there and not force:
        raise BackupError(
            f"there is something already, which a restore would delete: {', '.join(there)}",
            tip="make a backup of it, then say --force",
        )


def _is_used(app: Application) -> bool:
    """Whether there is anything in the database; raises BackupError if somebody works on it."""
    found = read_status(app.bare_engine, app.clock.now())
    at_work = [str(daemon) for daemon in found.daemons if daemon.alive]
    at_work += [f"{run.owner}, cycle {run.cycle.number}" for run in found.running if run.owner]
    if at_work:
        raise BackupError(
            f"{describe(app.bare_engine)} is being worked on by {at_work[0]}",
            tip="stop the service (`systemctl stop retrainer`), then try again",
        )
    return bool(found.assistants or found.pending)


def _database(
    app: Application, tables: Path, stage: Path, manifest: Manifest, changes: ExitStack
) -> Path | None:
    """Fill the database at the end of `changes`; a file of SQLite is made now, and returned."""
    if app.single_machine:
        new = stage / "retrainer.db"
        copies.make_file(new, tables, manifest.schema_revision)
        return new
    changes.enter_context(copies.replacing(app.bare_engine, tables, manifest.schema_revision))
    return None


@contextmanager
def _exchanged_database(app: Application, new: Path, aside: Path) -> Iterator[None]:
    """Put the new file in the place of the old one, whose log must not be taken for its own."""
    target = Path(app.bare_engine.url.database or "")
    app.bare_engine.dispose()
    with ExitStack() as changes:
        for suffix in ("-wal", "-shm"):
            changes.enter_context(
                kept_files.removed(Path(f"{target}{suffix}"), aside / f"database{suffix}")
            )
        changes.enter_context(kept_files.exchanged(new, target, aside / "database"))
        yield
