"""One project of several sources."""

from pathlib import Path

import pytest

from retrainer.adapters.merged_source import MergedSource
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError
from retrainer.testing.sources import FakeSource


def pull(into: Path, **files: dict[str, str]) -> tuple[Origin, ...]:
    """Pull sources of these files by name."""
    into.mkdir()
    sources = {name: FakeSource(held, origin=f"at {name}") for name, held in files.items()}
    return MergedSource(sources).pull(into)


def held(folder: Path) -> dict[str, str]:
    """Every file below the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_source_gives_its_files(tmp_path):
    """The project is all that the sources hold, folders merged, and each says where it is from."""
    into = tmp_path / "project"
    origins = pull(
        into,
        chats={"data/nlu.yml": "1", "domain.yml": "2"},
        code={"config.yml": "3", "data/rules.yml": "4"},
    )
    assert held(into) == {
        "data/nlu.yml": "1",
        "domain.yml": "2",
        "config.yml": "3",
        "data/rules.yml": "4",
    }
    assert [(origin.source, origin.place) for origin in origins] == [
        ("chats", "at chats"),
        ("code", "at code"),
    ]


def test_nothing_is_left_beside_the_project(tmp_path):
    """What each source wrote for itself is gone afterwards."""
    pull(tmp_path / "project", chats={"data/nlu.yml": "1"}, code={"config.yml": "3"})
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("data/nlu.yml", "data/nlu.yml", "data/nlu.yml comes from two sources, a and b"),
        ("data", "data/nlu.yml", "data/nlu.yml comes from two sources, a (there data) and b"),
        ("data/x/nlu.yml", "data", "data comes from two sources, a (there data/x/nlu.yml) and b"),
    ],
)
def test_a_file_of_two_sources_is_an_error(tmp_path, first, second, said):
    """None silently wins, neither where a file of the one is a folder of the other."""
    with pytest.raises(ProjectError) as caught:
        pull(tmp_path / "project", a={first: "1"}, b={second: "1"})
    assert str(caught.value) == f"{said}, and may come from one only"
    assert "sources.b.exclude" in caught.value.tip
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_names_of_inner_sources_stay(tmp_path):
    """A source that is itself put together has named its parts already."""
    inner = MergedSource({"chats": FakeSource({"a.yml": "1"})})
    (tmp_path / "project").mkdir()
    (origin,) = MergedSource({"outer": inner}).pull(tmp_path / "project")
    assert origin.source == "chats"


def test_a_source_that_fails_stops_the_pull(tmp_path):
    """Half a project is none."""

    class Empty:
        def pull(self, into: Path) -> tuple[Origin, ...]:
            raise ProjectError(f"nothing for {into.name[:5]}")

    (tmp_path / "project").mkdir()
    with pytest.raises(ProjectError, match="nothing"):
        MergedSource({"a": FakeSource({"a.yml": "1"}), "b": Empty()}).pull(tmp_path / "project")
