"""What the embedded registry adds to the contract of platforms: its folder."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from support.archives import write_model

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.errors import ModelNotFound, PlatformError, RetrainerError


@pytest.fixture
def registry(tmp_path: Path) -> EmbeddedRegistry:
    """A registry with the models `one` (active) and `two`."""
    registry = EmbeddedRegistry(tmp_path / "registry")
    for day, name in enumerate(("one", "two"), 1):
        registry.upload(*write_model(tmp_path, name, day=day))
    registry.activate("one", expected=None)
    return registry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The registry's folder."""
    return tmp_path / "registry"


def test_the_link_follows_the_pointer(registry: EmbeddedRegistry):
    """`rasa run --model` on the link serves the active model."""
    assert registry.link.read_bytes() == registry.fetch("one").read_bytes()
    registry.activate("two", expected="one")
    assert registry.link.read_bytes() == registry.fetch("two").read_bytes()


def test_activating_again_repairs_the_link(registry: EmbeddedRegistry):
    """A crash between pointer and link is mended when the step runs again."""
    registry.link.unlink()
    registry.activate("one", expected=None)
    assert registry.link.read_bytes() == registry.fetch("one").read_bytes()


def test_confirming_repairs_the_link(registry: EmbeddedRegistry, folder: Path):
    """What `rasa run --model` would serve is the confirmed model, whoever changed the link."""
    registry.link.unlink()
    registry.link.symlink_to(registry.fetch("two"))
    registry.confirm("one")
    assert registry.link.read_bytes() == registry.fetch("one").read_bytes()
    assert not list(folder.glob(".unfinished-*"))
    registry.link.unlink()
    registry.link.write_bytes(b"a copy of an old model")
    registry.confirm("one")
    assert registry.link.read_bytes() == registry.fetch("one").read_bytes()


def test_a_link_that_cannot_be_made_is_not_confirmed(registry: EmbeddedRegistry):
    """The pointer is the truth, but a model that the link does not lead to does not serve."""
    registry.link.unlink()
    (registry.link / "something").mkdir(parents=True)
    registry.activate("two", expected="one")
    assert registry.active() == "two"
    with pytest.raises(
        PlatformError, match=r"champion\.tar\.gz does not lead to .* two"
    ) as failure:
        registry.confirm("two")
    assert "champion.tar.gz" in failure.value.tip
    assert (registry.link / "something").is_dir()


def test_another_object_sees_the_same(registry: EmbeddedRegistry, folder: Path):
    """Everything is in the folder, nothing in memory."""
    again = EmbeddedRegistry(folder)
    assert again.active() == "one"
    assert again.models() == registry.models()


@pytest.mark.parametrize("size", [0, 10])
def test_a_truncated_archive_is_not_fetched(registry: EmbeddedRegistry, size: int):
    """A truncated archive is found before Rasa is asked to load it, with both sizes."""
    archive = registry.fetch("one")
    archive.write_bytes(archive.read_bytes()[:size])
    with pytest.raises(PlatformError, match=f"has {size} bytes, 300 are recorded"):
        registry.fetch("one")


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"model": 1}', b'{"model"', b"\xff", b"[]", b"{}"]
)
def test_a_damaged_pointer_is_named(registry: EmbeddedRegistry, folder: Path, content: bytes):
    """A pointer that says nothing is an error with its path, never `no model is active`."""
    (folder / "champion.json").write_bytes(content)
    for call in (
        registry.active,
        lambda: registry.activate("two", expected="one"),
        lambda: registry.remove("two"),
    ):
        with pytest.raises(PlatformError, match=r"champion\.json") as failure:
            call()
        assert failure.value.tip
    assert len(registry.models()) == 2


@pytest.mark.parametrize("content", [b"", b"{", b'{"name": "one"}', b"\xff"])
def test_a_damaged_record_is_named(registry: EmbeddedRegistry, folder: Path, content: bytes):
    """A truncated `model.json` is named with its path, and nobody else's matter."""
    (folder / "versions" / "two" / "model.json").write_bytes(content)
    assert [model.name for model in registry.models()] == ["one"]
    (sentence,) = registry.damaged()
    assert "two/model.json is not readable" in sentence
    registry.confirm("one")
    for call in (
        lambda: registry.fetch("two"),
        lambda: registry.activate("two", expected="one"),
    ):
        with pytest.raises(PlatformError, match=r"two/model\.json is not readable"):
            call()
    assert registry.active() == "one"
    registry.remove("two")
    assert registry.damaged() == ()


def test_an_unreadable_record_is_named(registry: EmbeddedRegistry, folder: Path):
    """What the operating system refuses to read stops nothing else either."""
    (folder / "versions" / "two" / "model.json").unlink()
    (folder / "versions" / "two" / "model.json").mkdir()
    assert [model.name for model in registry.models()] == ["one"]
    (sentence,) = registry.damaged()
    assert "two/model.json" in sentence


def test_a_record_of_another_model_is_named(registry: EmbeddedRegistry, folder: Path):
    """A folder that was copied or renamed by hand does not pass for another model."""
    (folder / "versions" / "two").rename(folder / "versions" / "three")
    assert [model.name for model in registry.models()] == ["one"]
    (sentence,) = registry.damaged()
    assert "is of another model, two" in sentence


def test_foreign_files_are_named(registry: EmbeddedRegistry, folder: Path):
    """What is not a model is neither used nor deleted, and it is said where it is."""
    (folder / "versions" / "notes.txt").write_text("mine")
    (folder / "versions" / "empty").mkdir()
    assert [model.name for model in registry.models()] == ["one", "two"]
    empty, notes = registry.damaged()
    assert "empty is not a model" in empty
    assert "notes.txt is not a model" in notes


def test_leftovers_of_a_crash_are_swept(registry: EmbeddedRegistry, folder: Path, tmp_path: Path):
    """A half-written model of a killed process is never seen, and gone after the next change."""
    leftover = folder / ".unfinished-abc"
    leftover.mkdir()
    (leftover / "model.tar.gz").write_bytes(b"half")
    (folder / "versions" / ".DS_Store").write_bytes(b"")
    assert [model.name for model in registry.models()] == ["one", "two"]
    registry.upload(*write_model(tmp_path, "three", day=3))
    assert not leftover.exists()
    assert [model.name for model in registry.models()] == ["one", "two", "three"]


@pytest.mark.parametrize(
    "name", ["../one", "/etc", "", ".", "..", ".hidden", "a/b", "a\0b", "x" * 129]
)
def test_no_name_leads_outside(registry: EmbeddedRegistry, folder: Path, tmp_path: Path, name: str):
    """A model's name is one folder's name, and nothing else."""
    model, archive = write_model(tmp_path, "three")
    before = sorted(folder.rglob("*"))
    for call in (
        lambda: registry.upload(
            type(model)(name, model.sha256, 1, "3.6.21", model.trained_at), archive
        ),
        lambda: registry.fetch(name),
        lambda: registry.remove(name),
    ):
        with pytest.raises(ModelNotFound, match="is not a name"):
            call()
    assert sorted(folder.rglob("*")) == before


def test_options_are_strict(tmp_path: Path):
    """A typo or a relative folder in the config fails at start."""
    with pytest.raises(ValidationError, match="floder"):
        EmbeddedRegistry.Options.model_validate({"floder": "/x"})
    with pytest.raises(ValidationError, match="not an absolute path"):
        EmbeddedRegistry.Options.model_validate({"folder": "models"})
    elsewhere = EmbeddedRegistry.Options(folder=tmp_path / "elsewhere")
    registry = EmbeddedRegistry.from_options(elsewhere, folder=tmp_path / "default")
    assert registry.link == tmp_path / "elsewhere" / "champion.tar.gz"


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path):
    """What the operating system refuses is a failure of retrainer's own kind."""
    (tmp_path / "registry").write_text("a file")
    registry = EmbeddedRegistry(tmp_path / "registry")
    with pytest.raises(RetrainerError, match="registry"):
        registry.upload(*write_model(tmp_path, "one"))
