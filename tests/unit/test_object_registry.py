"""The registry in object storage, where storages and other processes misbehave."""

import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from support.archives import write_model
from support.object_places import FaultyStorage

from retrainer.adapters.object_storage import champion, copies
from retrainer.adapters.object_storage.champion import ChampionPointer, Place
from retrainer.adapters.object_storage.models import LEFTOVER
from retrainer.adapters.object_storage.providers import Location
from retrainer.adapters.object_storage.registry import ObjectRegistry
from retrainer.errors import (
    ChampionMoved,
    ModelNotFound,
    PlatformError,
    PlatformNotReady,
    ServerError,
)
from retrainer.testing.clock import FakeClock


@pytest.fixture
def storage(tmp_path: Path) -> FaultyStorage:
    """A storage in a folder, without a fault yet."""
    return FaultyStorage(Location(f"file://{tmp_path}/models"))


@pytest.fixture
def clock() -> FakeClock:
    """The real time, standing still."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def registry(storage: FaultyStorage, clock: FakeClock, tmp_path: Path) -> ObjectRegistry:
    """A registry with the models one, two and three; none is active."""
    registry = ObjectRegistry(storage, tmp_path / "copies", clock=clock)
    for name in ("one", "two", "three"):
        registry.upload(*write_model(tmp_path, name))
    return registry


def test_of_two_who_promote_at_once_one_wins(registry: ObjectRegistry, storage: FaultyStorage):
    """Who is overtaken between looking and writing is told, and the winner stays."""
    registry.activate("one", expected=None)
    storage.before_create = partial(registry.activate, "three", expected="one")
    with pytest.raises(ChampionMoved, match="three became active"):
        registry.activate("two", expected="one")
    assert registry.active() == "three"


def test_where_objects_are_overwritten_the_last_one_wins(storage: FaultyStorage, tmp_path: Path):
    """Without conditional writes the pointer still moves, and a quicker process is noticed."""
    storage.overwrites = True
    with pytest.raises(PlatformNotReady, match=r"two promotions at once") as caught:
        ObjectRegistry(storage, tmp_path / "copies").require_ready("3.6.21")
    assert "conditional_writes = false" in str(caught.value.tip)
    registry = ObjectRegistry(storage, tmp_path / "copies", conditional_writes=False)
    registry.require_ready("3.6.21")
    for name in ("one", "two"):
        registry.upload(*write_model(tmp_path, name))
    registry.activate("one", expected=None)
    place = ChampionPointer(storage, conditional=False).place()
    registry.activate("two", expected="one")
    with pytest.raises(ChampionMoved):
        ChampionPointer(storage, conditional=False).move(place, "one")
    assert registry.active() == "two"


def test_being_ready_changes_nothing_that_is_seen(registry: ObjectRegistry):
    """It may be asked at any time, with a champion and without."""
    registry.require_ready("3.6.21")
    assert registry.active() is None
    registry.activate("one", expected=None)
    registry.require_ready("3.6.21")
    registry.require_ready("3.6.21")
    assert registry.active() == "one"
    registry.activate("two", expected="one")


def test_a_lost_answer_is_no_lost_promotion(registry: ObjectRegistry, storage: FaultyStorage):
    """What was written although the connection broke is found out by reading it."""
    storage.lost_answers = True
    registry.activate("one", expected=None)
    registry.activate("two", expected="one")
    assert registry.active() == "two"


def test_old_moves_are_swept_and_never_taken_for_free(
    registry: ObjectRegistry, storage: FaultyStorage
):
    """A process that slept while its number was used and swept has lost all the same."""
    names = ("one", "two")
    for number in range(champion.KEPT + 3):
        registry.activate(names[number % 2], expected=registry.active())
    kept = storage.names("champion")
    assert len(kept) == champion.KEPT
    assert kept[-1] == f"champion/{champion.KEPT + 3:08}.json"
    active = registry.active()
    with pytest.raises(ChampionMoved):
        ChampionPointer(storage).move(Place(1, "one"), "three")
    assert registry.active() == active


def test_a_listing_that_disagrees_is_told(registry: ObjectRegistry, storage: FaultyStorage):
    """What is listed and cannot be read is not taken for no champion."""
    registry.activate("one", expected=None)
    storage.hidden = frozenset({"champion/00000001.json"})
    with pytest.raises(PlatformError, match=r"00000001.json is listed, but cannot be read"):
        registry.active()


def test_a_damaged_pointer_is_told(registry: ObjectRegistry, storage: FaultyStorage):
    """What does not name a model is not taken for no champion."""
    registry.activate("one", expected=None)
    for content in (b"", b"{}", b'{"model": 1, "id": "x"}', b"\xff"):
        storage.write("champion/00000001.json", content)
        with pytest.raises(PlatformError, match="does not say which model is active"):
            registry.active()
    storage.write("champion/README.txt", b"put here by somebody")
    storage.delete("champion/00000001.json")
    assert registry.active() is None


def test_what_arrives_otherwise_is_not_stored(
    registry: ObjectRegistry, storage: FaultyStorage, tmp_path: Path
):
    """An archive is read back before it is recorded; a network that spoils it is found out."""
    storage.spoil = lambda path: path.write_bytes(path.read_bytes()[::-1])
    model, archive = write_model(tmp_path, "four", b"four, and not the same backwards")
    with pytest.raises(PlatformError, match="when it is read back: it is not stored"):
        registry.upload(model, archive)
    assert "four" not in {found.name for found in registry.models()}
    storage.spoil = None
    registry.upload(model, archive)
    assert registry.fetch("four").read_bytes() == archive.read_bytes()


def test_without_a_record_there_is_no_model(registry: ObjectRegistry, storage: FaultyStorage):
    """An upload that was cut off is neither listed, nor damaged, nor to be had."""
    storage.write("versions/half/model.tar.gz", b"half a mod")
    assert {model.name for model in registry.models()} == {"one", "two", "three"}
    assert registry.damaged() == ()
    with pytest.raises(ModelNotFound):
        registry.fetch("half")
    with pytest.raises(ModelNotFound):
        registry.activate("half", expected=None)


def test_what_killed_uploads_left_is_swept_once_it_is_old(
    registry: ObjectRegistry, storage: FaultyStorage, clock: FakeClock, tmp_path: Path
):
    """A young archive without a record may be an upload of another process."""
    place = "versions/half/model.tar.gz"
    storage.write(place, b"half a mod")
    storage.write("versions/notes.txt", b"put here by somebody")
    registry.upload(*write_model(tmp_path, "four"))
    assert storage.read(place) is not None
    clock.advance(LEFTOVER + timedelta(minutes=1))
    registry.upload(*write_model(tmp_path, "five"))
    assert storage.read(place) is None
    assert storage.read("versions/notes.txt") is not None
    assert {m.name for m in registry.models()} == {"one", "two", "three", "four", "five"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not readable"),
        (b"{}", "is not readable: model: Field required"),
        (b'{"model": {"name": "two"}, "mark": ""}', "is not readable"),
        (None, "is of another model, two"),
    ],
)
def test_a_damaged_record_is_told_and_stops_nothing_else(
    registry: ObjectRegistry, storage: FaultyStorage, content: bytes | None, said: str
):
    """One record that cannot be read hides no other model."""
    content = storage.read("versions/two/model.json") if content is None else content
    storage.write("versions/one/model.json", content)
    assert {model.name for model in registry.models()} == {"two", "three"}
    (sentence,) = registry.damaged()
    assert said in sentence
    with pytest.raises(PlatformError, match=said):
        registry.activate("one", expected=None)
    registry.activate("two", expected=None)


def test_an_archive_that_is_gone_is_told(registry: ObjectRegistry, storage: FaultyStorage):
    """An object that somebody deleted meanwhile is named, and its model serves no more."""
    registry.activate("one", expected=None)
    storage.delete("versions/one/model.tar.gz")
    for call in (
        partial(registry.confirm, "one"),
        partial(registry.fetch, "one"),
    ):
        with pytest.raises(PlatformError, match=r"one/model\.tar\.gz is gone: it is damaged"):
            call()
    assert [model.name for model in registry.models()] == ["three", "two"]
    assert len(registry.damaged()) == 1
    registry.activate("two", expected="one")


def test_a_shortened_archive_is_told(registry: ObjectRegistry, storage: FaultyStorage):
    """The size alone gives it away."""
    storage.write("versions/one/model.tar.gz", b"short")
    with pytest.raises(PlatformError, match="has 5 bytes, 300 are recorded: it is damaged"):
        registry.activate("one", expected=None)


def test_copies_are_checked_before_they_are_used(registry: ObjectRegistry, tmp_path: Path):
    """A copy that was changed on this machine is fetched again."""
    copy = registry.fetch("one")
    content, inode = copy.read_bytes(), copy.stat().st_ino
    assert registry.fetch("one").stat().st_ino == inode
    copy.write_bytes(content[::-1])
    assert registry.fetch("one").read_bytes() == content
    registry.remove("one")
    assert not copy.exists()
    assert list((tmp_path / "copies").iterdir()) == []


def test_few_copies_are_kept(registry: ObjectRegistry, tmp_path: Path):
    """The copies used last stay; what killed processes left goes, what others fetch stays."""
    folder = tmp_path / "copies"
    folder.mkdir()
    old, young = folder / ".unfinished-old", folder / ".unfinished-young"
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (0, 0))
    for number in range(copies.KEPT + 2):
        name = f"model-{number}"
        registry.upload(*write_model(tmp_path, name))
        os.utime(registry.fetch(name), (number, number))
        os.utime(registry.fetch("model-0"))
    kept = {path.name for path in folder.iterdir()} - {young.name}
    assert len(kept) == copies.KEPT
    assert {"model-0.tar.gz", f"model-{copies.KEPT + 1}.tar.gz"} <= kept


def test_a_failed_fetch_leaves_no_copy(
    registry: ObjectRegistry, storage: FaultyStorage, tmp_path: Path
):
    """A copy is published whole or not at all."""
    storage.write("versions/one/model.tar.gz", b"changed".ljust(300))
    with pytest.raises(PlatformError, match="has the SHA-256"):
        registry.fetch("one")
    assert list((tmp_path / "copies").iterdir()) == []


def test_who_loses_the_race_for_a_name_adopts_it(
    registry: ObjectRegistry, storage: FaultyStorage, tmp_path: Path
):
    """Two uploads of the same model at once both succeed, and there is one model."""
    upload = partial(registry.upload, *write_model(tmp_path, "four"))
    storage.before_create = upload
    upload()
    assert [model.name for model in registry.models()].count("four") == 1


def test_a_lost_answer_leaves_a_model_that_is_adopted(
    registry: ObjectRegistry, storage: FaultyStorage, tmp_path: Path
):
    """A step that failed after all was written finds its work when it runs again."""
    upload = partial(registry.upload, *write_model(tmp_path, "four"))
    storage.lost_answers = True
    with pytest.raises(ServerError):
        upload()
    storage.lost_answers = False
    upload()
    registry.activate("four", expected=None)


def test_looking_whether_it_is_ready_leaves_nothing(storage: FaultyStorage, tmp_path: Path):
    """`retrainer check` changes nothing, also where there is no champion yet."""
    ObjectRegistry(storage, tmp_path / "copies").require_ready("3.6.21")
    storage.overwrites = True
    with pytest.raises(PlatformNotReady):
        ObjectRegistry(storage, tmp_path / "copies").require_ready("3.6.21")
    assert storage.names() == ()
