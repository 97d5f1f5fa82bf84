"""Which files of a folder are a project."""

import os
from pathlib import Path

import pytest
from contract.source_contract import files_below
from pydantic import ValidationError

from retrainer.adapters.directory_source import DirectorySource
from retrainer.errors import ProjectError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three files."""
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    for name in ("config.yml", "domain.yml", "data/nlu.yml"):
        (project / name).write_text(name)
    return project


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Where to pull."""
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("data", ["data/a.txt", "data/b/c.yml", "data/b/d/c.yml"]),
        ("data/*", ["data/a.txt"]),
        ("data/**", ["data/a.txt", "data/b/c.yml", "data/b/d/c.yml"]),
        ("data/**/*.yml", ["data/b/c.yml", "data/b/d/c.yml"]),
        ("**/c.yml", ["data/b/c.yml", "data/b/d/c.yml"]),
        ("data/?/*.yml", ["data/b/c.yml"]),
        ("./data/a.txt", ["data/a.txt"]),
        ("data/a[.]txt", []),
        ("data/.*", ["data/.hidden"]),
        ("d*/a.txt", ["data/a.txt"]),
    ],
)
def test_patterns(tmp_path: Path, into: Path, pattern: str, taken: list[str]):
    """`*` and `?` stay in a folder, `**` is any number of them, hidden files are asked for."""
    for name in (
        "keep",
        "data/a.txt",
        "data/.hidden",
        "data/b/c.yml",
        "data/b/d/c.yml",
        "data/.git/x.yml",
    ):
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    DirectorySource(tmp_path / "p", include=("keep", pattern)).pull(into)
    assert sorted(files_below(into)) == sorted([*taken, "keep"])


def test_what_belongs_to_a_project(project: Path, into: Path):
    """Without configuration everything that a cycle reads is taken, and nothing that it makes."""
    wanted = ["domain/faq.yaml", "data/words.txt", "data/a/old.json", "components/tokenizer.py"]
    wanted += ["tests/test_stories.yml", "must_pass.yml", "config.yaml"]
    unwanted = ["models/m.tar.gz", ".rasa/cache/x.yml", "credentials.yml", "endpoints.yml"]
    for name in [*wanted, *unwanted]:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    DirectorySource(project).pull(into)
    expected = ["config.yml", "data/nlu.yml", "domain.yml", *wanted]
    assert sorted(files_below(into)) == sorted(expected)


def test_exclude_wins(project: Path, into: Path):
    """What is excluded is left out, a folder with all that is in it."""
    (project / "data" / "old").mkdir()
    (project / "data" / "old" / "nlu.yml").write_text("old")
    DirectorySource(project, exclude=("data/old", "domain.*")).pull(into)
    assert sorted(files_below(into)) == ["config.yml", "data/nlu.yml"]


def test_content_is_copied_byte_by_byte(project: Path, into: Path):
    """Nothing is decoded: what is wrong with a file is for Rasa to say."""
    (project / "data" / "nlu.yml").write_bytes(b"\xff\r\n\0")
    DirectorySource(project).pull(into)
    assert (into / "data" / "nlu.yml").read_bytes() == b"\xff\r\n\0"


def test_links_are_followed(project: Path, into: Path, tmp_path: Path):
    """A linked file or folder belongs to the project as if it lay there."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "faq.yml").write_text("faq")
    (project / "data" / "shared").symlink_to(tmp_path / "shared")
    (project / "data" / "one.yml").symlink_to(tmp_path / "shared" / "faq.yml")
    options = DirectorySource.Options(path=Path("project"), linked_folders=(Path("shared"),))
    DirectorySource.from_options(options, folder=tmp_path, cache=tmp_path / "cache").pull(into)
    assert files_below(into)["data/shared/faq.yml"] == "faq"
    assert not (into / "data" / "one.yml").is_symlink()


@pytest.mark.parametrize("target", [".", "..", "../..", "deep/..", "loop"])
def test_a_loop_of_links_is_an_error(project: Path, into: Path, target: str):
    """A link to a folder that it lies in ends with an error, not with endless copies."""
    (project / "data" / "deep").mkdir()
    (project / "data" / "loop").symlink_to(target)
    with pytest.raises(ProjectError, match="data/loop"):
        DirectorySource(project).pull(into)


def test_a_link_to_nowhere_is_an_error(project: Path, into: Path):
    """A file that is gone is named, and so is that a link led to it."""
    (project / "data" / "gone.yml").symlink_to("nowhere.yml")
    with pytest.raises(ProjectError, match=r"gone\.yml is not readable: .* leads nowhere"):
        DirectorySource(project).pull(into)


def test_a_pipe_is_refused(project: Path, into: Path):
    """Reading a pipe might never end."""
    os.mkfifo(project / "data" / "pipe.yml")
    with pytest.raises(ProjectError, match=r"pipe\.yml is not an ordinary file"):
        DirectorySource(project).pull(into)


def test_a_name_that_is_not_text_is_refused(project: Path, into: Path):
    """A name that is not UTF-8 could not be recorded."""
    Path(os.fsdecode(os.fsencode(project) + b"/data/\xff.yml")).write_text("")
    with pytest.raises(ProjectError, match="not UTF-8"):
        DirectorySource(project).pull(into)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["data", "data/nlu.yml"])
def test_unreadable_is_an_error(project: Path, into: Path, name: str):
    """A file or folder without the right to read it is named."""
    (project / name).chmod(0)
    try:
        with pytest.raises(ProjectError, match=f"{name} is not readable: Permission denied"):
            DirectorySource(project).pull(into)
    finally:
        (project / name).chmod(0o700)


def test_a_missing_folder_is_an_error(tmp_path: Path, into: Path, project: Path):
    """The message says what is wrong with the configured path."""
    with pytest.raises(ProjectError, match="none does not exist"):
        DirectorySource(tmp_path / "none").pull(into)
    with pytest.raises(ProjectError, match=r"config\.yml is not a folder"):
        DirectorySource(project / "config.yml").pull(into)


def test_nothing_that_matches_is_an_error(project: Path, into: Path):
    """The message says where and what was looked for."""
    with pytest.raises(ProjectError, match=r"0 files .*project match.*nothing/\*\.yml"):
        DirectorySource(project, include=("nothing/*.yml",)).pull(into)


def test_the_snapshots_are_not_taken_up_in_themselves(project: Path):
    """A state folder inside the project does not grow into its own snapshots."""
    into = project / "data" / "state" / "snapshots" / "new"
    for folder in (into, into.parent / "earlier"):
        folder.mkdir(parents=True)
    (into.parent / "earlier" / "nlu.yml").write_text("earlier")
    DirectorySource(project).pull(into)
    assert sorted(files_below(into)) == ["config.yml", "data/nlu.yml", "domain.yml"]


@pytest.mark.parametrize("pattern", ["/etc/*", "../*.yml", "data/../../x", "", "."])
def test_patterns_stay_in_the_project(pattern: str):
    """A pattern that leads outside fails at start."""
    with pytest.raises(ValidationError, match="relative to the project's folder"):
        DirectorySource.Options.model_validate({"path": "p", "include": [pattern]})
