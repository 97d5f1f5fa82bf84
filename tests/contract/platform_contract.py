"""What every platform has to do: subclass, and give a `platform` fixture."""

from pathlib import Path

import pytest
from support.archives import write_model

from retrainer.errors import (
    ChampionMoved,
    ModelArchiveError,
    ModelConflict,
    ModelNotFound,
    PlatformError,
)
from retrainer.ports import Platform


class PlatformContract:
    """The rules; each test gets a new `platform` without a model."""

    #: A platform that looks into archives takes `write_rasa_model` instead.
    write_model = staticmethod(write_model)

    def test_a_new_platform_is_empty(self, platform: Platform):
        """Before the first upload there is no model, and none is active."""
        assert platform.models() == ()
        assert platform.damaged() == ()
        assert platform.active() is None

    def test_upload_keeps_everything(self, platform: Platform, tmp_path: Path):
        """What is stored is what was uploaded, description and content."""
        model, archive = self.write_model(tmp_path, "one")
        platform.upload(model, archive)
        assert platform.models() == (model,)
        assert platform.fetch("one").read_bytes() == archive.read_bytes()
        assert platform.active() is None

    def test_the_stored_model_is_a_copy(self, platform: Platform, tmp_path: Path):
        """What happens to the uploaded file later does not change what is stored."""
        model, archive = self.write_model(tmp_path, "one")
        content = archive.read_bytes()
        platform.upload(model, archive)
        archive.write_bytes(b"changed")
        assert platform.fetch("one").read_bytes() == content

    def test_upload_again_does_nothing(self, platform: Platform, tmp_path: Path):
        """A step that runs again after a crash adopts what it stored before."""
        model, archive = self.write_model(tmp_path, "one")
        platform.upload(model, archive)
        platform.upload(model, archive)
        assert platform.models() == (model,)

    def test_a_name_belongs_to_one_content(self, platform: Platform, tmp_path: Path):
        """A stored model is never replaced by another one of its name."""
        first, archive = self.write_model(tmp_path, "one")
        platform.upload(first, archive)
        with pytest.raises(ModelConflict):
            platform.upload(*self.write_model(tmp_path, "one", b"other content"))
        assert platform.models() == (first,)
        assert platform.fetch("one").read_bytes() == archive.read_bytes()

    def test_upload_of_a_changed_archive_is_refused(self, platform: Platform, tmp_path: Path):
        """What was measured is what is stored: the content has to be the described one."""
        model, archive = self.write_model(tmp_path, "one")
        archive.write_bytes(archive.read_bytes()[:-1])
        with pytest.raises(ModelArchiveError):
            platform.upload(model, archive)
        assert platform.models() == ()

    def test_upload_of_a_missing_archive_is_refused(self, platform: Platform, tmp_path: Path):
        """An archive that is gone is named as such."""
        model, archive = self.write_model(tmp_path, "one")
        archive.unlink()
        with pytest.raises(ModelArchiveError):
            platform.upload(model, archive)
        assert platform.models() == ()

    def test_models_come_oldest_first(self, platform: Platform, tmp_path: Path):
        """The order is that of training, not that of upload or name."""
        for name, day in (("a", 3), ("b", 1), ("c", 2)):
            platform.upload(*self.write_model(tmp_path, name, day=day))
        assert [model.name for model in platform.models()] == ["b", "c", "a"]

    def test_activate_moves_the_pointer(self, platform: Platform, tmp_path: Path):
        """The model that was made active is active, and stays so when asked for again."""
        for name in ("one", "two"):
            platform.upload(*self.write_model(tmp_path, name))
        platform.activate("one", expected=None)
        assert platform.active() == "one"
        platform.activate("two", expected="one")
        platform.activate("two", expected="one")
        assert platform.active() == "two"
        platform.confirm("two")

    def test_activate_notices_who_moved_the_champion(self, platform: Platform, tmp_path: Path):
        """A promotion decided against one champion never replaces another."""
        for name in ("one", "two", "three"):
            platform.upload(*self.write_model(tmp_path, name))
        platform.activate("one", expected=None)
        for expected in (None, "three"):
            with pytest.raises(ChampionMoved):
                platform.activate("two", expected=expected)
        assert platform.active() == "one"

    @staticmethod
    def damage(platform: Platform, name: str) -> None:
        """Change a stored archive behind the platform's back, its size staying the same."""
        archive = platform.fetch(name)
        archive.write_bytes(archive.read_bytes()[::-1])

    def test_a_damaged_model_is_never_made_active(self, platform: Platform, tmp_path: Path):
        """What cannot serve does not get the chance: the champion goes on serving."""
        for name in ("one", "two"):
            platform.upload(*self.write_model(tmp_path, name))
        platform.activate("one", expected=None)
        self.damage(platform, "two")
        with pytest.raises(PlatformError, match="damaged"):
            platform.activate("two", expected="one")
        assert platform.active() == "one"
        platform.confirm("one")

    def test_a_damaged_champion_is_not_confirmed(self, platform: Platform, tmp_path: Path):
        """A model whose content is not the one uploaded does not pass for it, and can be left."""
        for name in ("one", "two"):
            platform.upload(*self.write_model(tmp_path, name))
        platform.activate("one", expected=None)
        self.damage(platform, "one")
        with pytest.raises(PlatformError, match="damaged"):
            platform.confirm("one")
        platform.activate("two", expected="one")
        platform.confirm("two")

    def test_unknown_models_are_not_found(self, platform: Platform, tmp_path: Path):
        """Nothing but a stored model can be fetched or made active."""
        platform.upload(*self.write_model(tmp_path, "one"))
        platform.activate("one", expected=None)
        for name in ("none", "../one", "", "one/../one"):
            with pytest.raises(ModelNotFound):
                platform.fetch(name)
            with pytest.raises(ModelNotFound):
                platform.activate(name, expected="one")
        assert platform.active() == "one"

    def test_confirm_fails_for_what_does_not_serve(self, platform: Platform, tmp_path: Path):
        """A model that is stored only, or not at all, does not serve."""
        for name in ("one", "two"):
            platform.upload(*self.write_model(tmp_path, name))
        with pytest.raises(PlatformError):
            platform.confirm("one")
        platform.activate("one", expected=None)
        with pytest.raises(PlatformError):
            platform.confirm("two")

    def test_remove_deletes(self, platform: Platform, tmp_path: Path):
        """A removed model is gone, removing it again is no error, and its name is free."""
        platform.upload(*self.write_model(tmp_path, "one"))
        platform.remove("one")
        platform.remove("one")
        assert platform.models() == ()
        with pytest.raises(ModelNotFound):
            platform.fetch("one")
        other, archive = self.write_model(tmp_path, "one", b"other content")
        platform.upload(other, archive)
        assert platform.models() == (other,)

    def test_the_active_model_is_never_removed(self, platform: Platform, tmp_path: Path):
        """Users are never left without the model that serves them."""
        model, archive = self.write_model(tmp_path, "one")
        platform.upload(model, archive)
        platform.activate("one", expected=None)
        with pytest.raises(PlatformError):
            platform.remove("one")
        assert platform.models() == (model,)
        platform.confirm("one")
