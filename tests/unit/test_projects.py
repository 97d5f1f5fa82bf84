"""Finding config, domain and training data."""

from pathlib import Path

import pytest

from retrainer.adapters.projects import find_project
from retrainer.errors import ProjectError


def write(root: Path, *names: str) -> None:
    """Write files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_the_usual_names(tmp_path: Path):
    """A project as `rasa init` makes it is found without configuration."""
    write(tmp_path, "config.yml", "domain.yml", "data/nlu.yml")
    project = find_project(tmp_path)
    assert project.root == tmp_path
    assert project.config == tmp_path / "config.yml"
    assert project.domain == (tmp_path / "domain.yml",)
    assert project.data == (tmp_path / "data",)


def test_a_domain_may_be_file_and_folder(tmp_path: Path):
    """All parts that exist are used, in the order of the names."""
    write(tmp_path, "config.yml", "domain.yml", "domain/faq/more.yaml", "nlu.json", "data/s.yml")
    project = find_project(tmp_path, data=("data", "nlu.json", "none"))
    assert project.domain == (tmp_path / "domain.yml", tmp_path / "domain")
    assert project.data == (tmp_path / "data", tmp_path / "nlu.json")


def test_yaml_is_yml(tmp_path: Path):
    """Either suffix will do."""
    write(tmp_path, "config.yaml", "domain.yaml", "data/nlu.yaml")
    project = find_project(tmp_path)
    assert project.config.name == "config.yaml"
    assert project.domain == (tmp_path / "domain.yaml",)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["domain.yml", "data/nlu.yml"], r"no config in .*: looked for config\.yml"),
        (["config.yml", "data/nlu.yml"], r"no domain in .*: looked for domain\.yml, domain"),
        (["config.yml", "domain/x.txt", "data/nlu.yml"], "no domain"),
        (["config.yml", "domain.yml"], "no training data in .*: looked for data"),
        (["config.yml", "domain.yml", "data/words.txt"], "no training data"),
        ([], "no config"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, files: list[str], says: str):
    """The message says what is missing, where, and under which names it was looked for."""
    write(tmp_path, *files)
    with pytest.raises(ProjectError, match=says) as failure:
        find_project(tmp_path)
    assert str(tmp_path) in failure.value.message
