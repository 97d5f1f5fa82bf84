"""What is kept of models that live in Rasa X."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retrainer.adapters.rasa_x.health import Health
from retrainer.adapters.rasa_x.listing import Entry
from retrainer.adapters.rasa_x.model_cache import KEPT, ModelCache
from retrainer.adapters.rasa_x.model_records import ModelRecord, ModelRecords
from retrainer.domain.cycle import Model
from retrainer.errors import PlatformError

MODEL = Model("one", "ab" * 32, 7, "3.6.21", datetime(2026, 1, 2, tzinfo=UTC), 1.5)


def test_a_record_comes_back_as_it_was(tmp_path: Path):
    """A record is read as it was written, replaced as a whole, and deleted without complaint."""
    records = ModelRecords(tmp_path / "new")
    assert records.read("one") is None
    for given in ("", "h4sh"):
        records.write(ModelRecord(model=MODEL, hash=given, model_id="id"))
    assert records.read("one") == ModelRecord(model=MODEL, hash="h4sh", model_id="id")
    records.delete("one")
    records.delete("one")
    assert records.read("one") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": {"name": "one"}}'])
def test_a_damaged_record_is_named(tmp_path: Path, content: str):
    """A file that is no record is an error with its path, not a model of nothing."""
    (tmp_path / "one.json").write_text(content, encoding="utf-8")
    with pytest.raises(PlatformError, match=r"one\.json is damaged"):
        ModelRecords(tmp_path).read("one")


def test_a_record_of_another_model_is_not_taken(tmp_path: Path):
    """A record that was renamed by hand does not describe another model."""
    records = ModelRecords(tmp_path)
    records.write(ModelRecord(model=MODEL))
    (tmp_path / "one.json").rename(tmp_path / "two.json")
    with pytest.raises(PlatformError, match="is of another model, one"):
        records.read("two")


class Downloads:
    """Counts what it is asked to fill."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, into: Path) -> None:
        self.count += 1
        into.write_bytes(b"content")


def test_an_archive_is_downloaded_once_for_each_content(tmp_path: Path):
    """What is here already is not asked for again, unless it stands for another content."""
    cache, fill = ModelCache(tmp_path / "new"), Downloads()
    first = cache.get("one", "a", fill)
    assert cache.get("one", "a", fill) == first
    assert fill.count == 1
    assert cache.get("one", "b", fill) != first
    cache.delete("one")
    assert not first.exists()


def test_a_failed_download_leaves_nothing(tmp_path: Path):
    """No partial archive is ever taken for a model."""

    def fail(into: Path) -> None:
        into.write_bytes(b"half")
        raise PlatformError("lost")

    with pytest.raises(PlatformError):
        ModelCache(tmp_path).get("one", "a", fail)
    assert list(tmp_path.iterdir()) == []


def test_few_archives_are_kept(tmp_path: Path):
    """The least recently used go, and so does what a killed process left days ago."""
    cache, fill = ModelCache(tmp_path), Downloads()
    names = [f"m{number}" for number in range(KEPT)]
    for age, name in enumerate(names):
        os.utime(cache.get(name, "a", fill), (age, age))
    old, new = tmp_path / ".scratch-old", tmp_path / ".scratch-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    cache.get("m0", "a", fill)
    cache.get("another", "a", fill)
    kept = {path.name.partition(".")[0] for path in tmp_path.glob("[!.]*")}
    assert kept == {*names, "another"} - {"m1"}
    assert not old.exists()
    assert new.exists()


def test_what_a_server_does_not_say_of_a_model_is_unknown():
    """In 2018 a model is its name and its tags; later fields are read where they are."""
    bare = Entry.from_json({"model": "one", "tags": None})
    assert bare.model == Model("one", "", 0, "", datetime(1970, 1, 1, tzinfo=UTC))
    said = {"model": "one", "tags": ["a"], "trained_at": 1e300, "hash": None, "new": [1]}
    assert Entry.from_json(said) == Entry("one", ("a",))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, None),
        ([], None),
        ({"production": {"version": "3.6.21", "status": 200}}, None),
        ({"production": {"version": "0.0.0", "status": 200}}, "has not reported its version"),
        ({"production": {"status": 200}}, "has not reported its version"),
        ({"production": {"version": "3.6.21", "status": 502}}, "answers 502"),
        (
            {"database_migration": {"status": "pending", "progress_in_percent": 40.0}},
            r"'pending' \(40 %\)",
        ),
    ],
)
def test_health_is_read_with_what_is_missing(said, words):
    """What a server does not say is no hindrance; what it says is."""
    hindrance = Health.from_json(said).hindrance
    if words is None:
        assert hindrance is None
    else:
        assert hindrance is not None
        assert re.search(words, hindrance)
