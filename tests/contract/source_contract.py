"""What every source of training data has to do: subclass, and give the fixtures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from retrainer.errors import ProjectError
from retrainer.ports import DataSource

#: The project that the fixture `source` holds.
PROJECT = {
    "config.yml": "recipe: default.v1\nlanguage: de\n",
    "data/nlu.yml": "nlu:\n- intent: greet\n  examples: |\n    - Grüß Gott\n",
    "data/stories/happy.yml": "stories: []\n",
    "domain.yml": "intents: [greet]\n",
}


#: The same with one more example.
CHANGED = PROJECT["data/nlu.yml"] + "    - Moin\n"


def files_below(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its path with `/`."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in folder.rglob("*")
        if path.is_file()
    }


class SourceContract:
    """The rules; `source` holds `project`, `empty_source` holds nothing.

    `change` adds an example to what `source` holds.
    """

    #: What a pull writes; a source that does not keep files says what it makes of PROJECT.
    project: ClassVar[Mapping[str, str]] = PROJECT

    def test_pull_writes_the_project(self, source: DataSource, tmp_path: Path):
        """Exactly the project's files arrive, byte by byte, and people learn where from."""
        into = tmp_path / "into"
        into.mkdir()
        assert source.pull(into)
        assert files_below(into) == self.project

    def test_pull_again_writes_the_same(self, source: DataSource, tmp_path: Path):
        """A step that runs again after a crash gets the same files."""
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            source.pull(tmp_path / name)
        assert files_below(tmp_path / "first") == files_below(tmp_path / "second")

    def test_looks_are_equal_while_nothing_changes(self, source: DataSource, tmp_path: Path):
        """No cycle begins because somebody looked, or because a cycle pulled."""
        first = source.look()
        assert source.look() == first
        (tmp_path / "into").mkdir()
        source.pull(tmp_path / "into")
        assert source.look() == first
        assert first.token

    def test_a_look_sees_new_data(self, source: DataSource, change: Callable[[], object]):
        """One more example is seen without a pull, and counted where the source can count."""
        before = source.look()
        change()
        after = source.look()
        assert after.token != before.token
        if source.counts_examples:
            assert (before.examples, after.examples) == (1, 2)
        else:
            assert (before.examples, after.examples) == (None, None)

    def test_a_look_changes_nothing(
        self, source: DataSource, change: Callable[[], object], tmp_path: Path
    ):
        """What is pulled after a look is what is there then."""
        source.look()
        before = sorted(tmp_path.rglob("*"))
        source.look()
        assert sorted(tmp_path.rglob("*")) == before
        change()
        (tmp_path / "into").mkdir()
        source.pull(tmp_path / "into")
        assert files_below(tmp_path / "into") != self.project

    def test_nothing_to_look_at_is_an_error(self, empty_source: DataSource):
        """As for a pull."""
        with pytest.raises(ProjectError):
            empty_source.look()

    def test_nothing_to_pull_is_an_error(self, empty_source: DataSource, tmp_path: Path):
        """An empty project is the project's fault, told as such."""
        into = tmp_path / "into"
        into.mkdir()
        with pytest.raises(ProjectError):
            empty_source.pull(into)
