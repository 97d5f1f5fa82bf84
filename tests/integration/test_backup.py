"""What a restore refuses, and that it then changes nothing; what a backup never holds."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from contract.run_store_contract import DECIDED, begin, promotion, run_step
from support.archives import write_model

from retrainer.adapters import backup_archive
from retrainer.adapters.backup_archive import Manifest
from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.kept_files import KeptFolder, exchanged, take
from retrainer.domain.cycle import State, Status
from retrainer.errors import BackupError, DatabaseError, RetrainerError, SchemaError, StorageError
from retrainer.store import schema
from retrainer.store.history import list_cycles
from retrainer.wiring import Application
from retrainer.wiring.backup import back_up, restore

CANARY = "canary-secret-of-the-config"
CONFIG = f"""
[assistants.helpdesk]
source = {{ type = "directory", path = "project" }}
[http.tokens.ann]
token = "{CANARY}"
"""
Change = Callable[[Path], None]


def application(folder: Path) -> Application:
    """An installation with one assistant, in a folder of its own."""
    folder.mkdir()
    config = folder / "retrainer.toml"
    config.write_text(CONFIG)
    return Application.from_config(config, {})


def fill(app: Application, model: str) -> None:
    """One cycle, one model that serves, one record and one snapshot."""
    lease = begin(app.store)
    run_step(app.store, lease, "pull", State(), DECIDED)
    app.store.finish(lease, Status.COMPLETED, notifiers=("slack",))
    registry = EmbeddedRegistry(app.state_dir / "assistants" / "helpdesk" / "registry")
    registry.upload(*write_model(app.config.parent, model))
    registry.activate(model, expected=registry.active())
    app.store.record_promotion(replace(promotion(model), cycle=lease.cycle.number))
    app.artifacts("helpdesk").write(f"models/{model}/manifest.json", model.encode())
    app.artifacts("helpdesk").write("holdout/uses.json", b'{"last":"first"}')
    snapshot = app.state_dir / "assistants" / "helpdesk" / "snapshots" / ("a" * 64)
    snapshot.mkdir(parents=True, exist_ok=True)
    (snapshot / ".hidden.yml").write_text(model)


def contents(app: Application) -> dict[str, object]:
    """Everything that counts of an application's state."""
    state = app.state_dir / "assistants"
    files = [path for path in state.rglob("*") if path.is_file() and path.name != ".lock"]
    found = {str(path.relative_to(state)): path.read_bytes() for path in files}
    rows = [(row.cycle, row.verdict) for row in list_cycles(app.engine)]
    return {**found, "rows": rows, "ledger": app.store.promotions("helpdesk")}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Application]:
    """An application with something to lose."""
    app = application(tmp_path / "here")
    fill(app, "first")
    yield app
    app.engine.dispose()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Application]:
    """Another one, with nothing yet."""
    app = application(tmp_path / "there")
    yield app
    app.bare_engine.dispose()


@pytest.fixture
def file(here: Application, tmp_path: Path) -> Path:
    """A backup of the first."""
    return back_up(here, tmp_path / "backups" / "retrainer.tar.gz").file


def repack(file: Path, change: Change, **facts: object) -> None:
    """Change what is in a backup, so that all its digests are right again."""
    folder = file.parent / "unpacked"
    folder.mkdir()
    manifest = backup_archive.unpack(file, folder)
    change(folder)
    facts = dict(manifest) | {"files": {}} | facts
    backup_archive.pack(folder, file, Manifest.model_validate(facts))


def test_all_of_it_comes_back(here: Application, there: Application, file: Path):
    """Cycles, ledger, models with their pointer and link, records, snapshots: every byte."""
    restored = restore(there, file, force=False)
    assert restored.champions == {"helpdesk": "first"}
    assert contents(there) == contents(here)
    assert "helpdesk/records/holdout/uses.json" in contents(there)
    registry = EmbeddedRegistry(there.state_dir / "assistants" / "helpdesk" / "registry")
    assert registry.link.resolve() == registry.fetch("first").resolve()
    begin(there.store)
    assert [p.name for p in there.state_dir.iterdir()] == ["assistants", "retrainer.db"] or {
        p.name for p in there.state_dir.iterdir()
    } <= {"assistants", "retrainer.db", "retrainer.db-wal", "retrainer.db-shm"}


def test_a_second_backup_replaces_the_first(here: Application, there: Application, file: Path):
    """The same name may be used every night; what is half written is never seen under it."""
    fill(here, "second")
    back_up(here, file)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    restore(there, file, force=False)
    assert contents(there) == contents(here)


def test_nothing_is_deleted_unasked(here: Application, there: Application, file: Path):
    """What is there already is named, and stays; with `force` it is replaced as a whole."""
    fill(here, "second")
    before = contents(here)
    with pytest.raises(BackupError, match=r"something already.*registry.*retrainer\.db") as caught:
        restore(here, file, force=False)
    assert "--force" in caught.value.tip
    assert contents(here) == before
    restore(here, file, force=True)
    restore(there, file, force=False)
    assert contents(here) == contents(there) != before


def test_models_alone_are_something_too(there: Application, file: Path):
    """A new database beside old models is not taken for nothing."""
    models = there.state_dir / "assistants" / "helpdesk" / "registry" / "versions" / "old"
    models.mkdir(parents=True)
    with pytest.raises(BackupError, match="something already"):
        restore(there, file, force=False)
    assert models.is_dir()


def test_a_damaged_database_can_be_replaced(here: Application, file: Path):
    """The very case that backups are made for."""
    before = contents(here)
    here.engine.dispose()
    (here.state_dir / "retrainer.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseError):
        restore(here, file, force=False)
    restore(here, file, force=True)
    assert contents(here) == before


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_backup_that_is_cut_off(there: Application, file: Path, share: float):
    """A file that was not copied as a whole is refused, and nothing is made."""
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BackupError, match=r"whole|no backup"):
        restore(there, file, force=False)
    assert not list(there.state_dir.glob("*"))


def test_a_changed_byte_is_found(here: Application, there: Application, file: Path):
    """Anywhere in it, also where a decompressor would not notice."""
    with gzip.open(file) as stream:
        content = stream.read()
    for place in range(600, len(content) - 11_000, len(content) // 20):
        changed = bytearray(content)
        changed[place] ^= 0x41
        file.write_bytes(gzip.compress(bytes(changed), 1))
        try:
            restore(there, file, force=True)
        except BackupError:
            assert not list(there.state_dir.glob("*"))
        else:  # it was in the padding between two files
            assert contents(there) == contents(here)
            there.engine.dispose()


def write_archive(file: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """An archive of just these members."""
    with tarfile.open(file, "w:gz") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""):
    """A member of any kind."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def manifest_of(contents: dict[str, bytes], **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    """A manifest that announces these files."""
    announced = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    }
    document = {
        "retrainer": "1",
        "made_at": "2026-01-01T00:00:00Z",
        "schema_revision": "0001",
        "cycles": 0,
        "files": announced,
    }
    return member("manifest.json", json.dumps(document | facts).encode())


GOOD = "assistants/helpdesk/records/models/a"


@pytest.mark.parametrize(
    "members",
    [
        [],
        [member(GOOD, b"x")],
        [manifest_of({}), member(GOOD, b"x")],
        [manifest_of({GOOD: b"x"})],
        [manifest_of({GOOD: b"x"}), member(GOOD, b"y")],
        [manifest_of({GOOD: b"x"}), member(GOOD, b"xx")],
        [manifest_of({GOOD: b"x"}), member(GOOD, b"x"), member(GOOD, b"x")],
        [manifest_of({GOOD: b"x"}), member("../" * 9 + "x", b"x")],
        [manifest_of({GOOD: b""}), member(GOOD, kind=tarfile.SYMTYPE, link="/etc/passwd")],
        [manifest_of({GOOD: b""}), member(GOOD, kind=tarfile.LNKTYPE, link="/etc/passwd")],
        [manifest_of({GOOD: b""}), member(GOOD, kind=tarfile.FIFOTYPE)],
        [manifest_of({GOOD: b""}), member(GOOD, kind=tarfile.CHRTYPE)],
        [manifest_of({"../x": b"x"}), member("../x", b"x")],
        [manifest_of({"/tmp/x": b"x"}), member("/tmp/x", b"x")],
        [manifest_of({"assistants/a/records/../../../x": b"x"})],
        [manifest_of({"assistants/a/records/./x": b"x"})],
        [manifest_of({"assistants/../records/x": b"x"})],
        [manifest_of({"assistants/a/secrets/x": b"x"})],
        [manifest_of({"retrainer.toml": b"x"})],
        [manifest_of({"assistants/a/records/" + "x" * 1000: b"x"})],
        [manifest_of({}, format=2)],
        [manifest_of({}, surprise=1)],
        [manifest_of({}, schema_revision="../1")],
        [manifest_of({}, made_at="yesterday")],
        [manifest_of({}, files={GOOD: {"size": 10**18, "sha256": "0" * 64}}), member(GOOD)],
        [manifest_of({}, files={GOOD: {"size": -1, "sha256": "0" * 64}})],
        [member("manifest.json", b"[" * 100_000)],
        [member("manifest.json", b"\xff\xfe")],
    ],
)
def test_a_hostile_archive(tmp_path: Path, there: Application, members: list):
    """Whatever it holds, nothing of it is written anywhere but in a folder that is deleted."""
    file = tmp_path / "hostile.tar.gz"
    write_archive(file, members)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BackupError):
        restore(there, file, force=True)
    assert [path for path in sorted(tmp_path.rglob("*")) if path != there.state_dir] == before


def test_a_header_that_asks_for_gigabytes(tmp_path: Path, there: Application):
    """A bomb of a few kilobytes is refused before it is unpacked into memory."""
    info = tarfile.TarInfo("pax")
    info.size, info.type = 5 * 10**9, tarfile.XHDTYPE
    file = tmp_path / "bomb.tar.gz"
    file.write_bytes(gzip.compress(info.tobuf() + bytes(10**6)))
    with pytest.raises(BackupError, match="header of 5000"):
        restore(there, file, force=True)


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", "nonsense", "[" * 10_000, '{"number": 1}', "null", "\x00"]
)
def test_rows_that_are_none(here: Application, file: Path, line: str):
    """A table that cannot be read is refused, and all that was there before stays."""

    def change(folder: Path) -> None:
        with (folder / "database" / "cycles.jsonl").open("a") as table:
            table.write(line + "\n")

    repack(file, change)
    fill(here, "second")
    before = contents(here)
    with pytest.raises(BackupError, match=r"line 2 of cycles\.jsonl"):
        restore(here, file, force=True)
    assert contents(here) == before


def test_rows_that_the_database_refuses(here: Application, file: Path):
    """Rows that refer to missing ones, or hold what a column cannot, change nothing either."""

    def change(folder: Path) -> None:
        (folder / "database" / "cycles.jsonl").write_text("")

    repack(file, change)
    before = contents(here)
    with pytest.raises(DatabaseError):
        restore(here, file, force=True)
    assert contents(here) == before


def test_a_newer_schema(there: Application, file: Path):
    """A backup of a newer version is refused, with what to install."""
    repack(file, lambda _: None, schema_revision="9999", retrainer="99.1")
    with pytest.raises(SchemaError, match=r"made by retrainer 99\.1.*9999") as caught:
        restore(there, file, force=True)
    assert "install the newer version" in caught.value.tip
    assert not list(there.state_dir.glob("*"))


def test_an_older_schema(here: Application, there: Application, file: Path):
    """A backup of an older version is upgraded on its way in."""

    def as_it_was(folder: Path) -> None:
        tables = folder / "database"
        for new in ("assistants", "requests", "approvals"):
            (tables / f"{new}.jsonl").unlink()
        for name, column in (("cycles", "resume_at"), ("outbox", "claimed_by")):
            rows = list(map(json.loads, (tables / f"{name}.jsonl").read_text().splitlines()))
            for row in rows:
                del row[column]
            (tables / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    repack(file, as_it_was, schema_revision="0001")
    restore(there, file, force=False)
    assert schema.current(there.bare_engine).revision == schema.HEAD
    assert contents(there) == contents(here)
    assert there.agenda.pending() == ()


def test_a_database_of_a_newer_version_stays(there: Application, file: Path):
    """Even `force` does not replace what only a newer version can judge."""
    there.engine.dispose()
    with there.bare_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE retrainer_schema SET version_num = '9999'")
    with pytest.raises(SchemaError, match="newer"):
        restore(there, file, force=True)


def test_no_secret_is_in_it(file: Path):
    """Neither the configuration nor what it holds is ever part of a backup."""
    with gzip.open(file) as stream:
        content = stream.read()
    assert b"helpdesk" in content
    assert CANARY.encode() not in content
    assert b"retrainer.toml" not in content


def test_a_backup_needs_a_file_name(here: Application, tmp_path: Path):
    """A folder is refused with a name that would do; a database is not made for a backup."""
    with pytest.raises(BackupError, match="is a folder") as caught:
        back_up(here, tmp_path)
    assert "backup.tar.gz" in caught.value.tip
    empty = application(tmp_path / "empty")
    with pytest.raises(SchemaError, match="empty"):
        back_up(empty, tmp_path / "x.tar.gz")
    empty.bare_engine.dispose()


def test_an_exchange_is_taken_back(tmp_path: Path):
    """If anything fails later, each folder is again what it was, or not there."""
    new, target, aside = tmp_path / "new", tmp_path / "target", tmp_path / "aside"
    for existed in (True, False):
        new.mkdir()
        (new / "new").touch()
        if existed:
            target.mkdir()
            (target / "old").touch()
        with suppress(KeyboardInterrupt), exchanged(new, target, aside):
            assert [path.name for path in target.iterdir()] == ["new"]
            raise KeyboardInterrupt
        assert [path.name for path in tmp_path.rglob("old")] == (["old"] if existed else [])
        assert target.exists() == existed
        if existed:
            (target / "old").unlink()
            target.rmdir()


def test_a_file_that_goes_while_it_is_taken(tmp_path: Path):
    """A snapshot that is deleted meanwhile is left out as a whole; of records only the file."""
    folder = tmp_path / "kept"
    for entry in ("one", "two"):
        (folder / entry).mkdir(parents=True)
        (folder / entry / "a").write_text("a")
        (folder / entry / "b").symlink_to("a")
    (folder / "two" / "c").mkdir()
    (folder / ".lock").touch()
    take(KeptFolder("x/records", folder), tmp_path / "stage")
    found = sorted(p.name for p in (tmp_path / "stage").rglob("*") if p.is_file())
    assert found == ["a", "a"], "neither locks nor links"
    assert (tmp_path / "stage/x/records/one/a").stat().st_ino == (folder / "one/a").stat().st_ino


def test_no_room_for_a_backup(here: Application, tmp_path: Path):
    """A place that cannot be written to is named, and an earlier backup is not touched."""
    (tmp_path / "a file").touch()
    with pytest.raises((StorageError, RetrainerError), match="a file"):
        back_up(here, tmp_path / "a file" / "backup.tar.gz")
    assert not (here.state_dir / "staging").exists()
