"""The NLU file that training reads: quick to read for Rasa, and nothing is lost in it."""

from pathlib import Path

import pytest
from support.rasa_projects import NLU, write_project

from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.examples import Example
from retrainer.ports import Project

pytestmark = pytest.mark.rasa

MIXED = r"""
  - intent: bye
    examples: |
      - größer
      - C:\users\me
      - \u0041 is no A
      - over  and out
  - intent: bye
    examples:
      - text: "one\ntwo"
      - text: plain again
"""


def written(rasa: RasaClient, project: Project, held_out: set[str], into: Path) -> str:
    """The file that training reads."""
    rasa.write_training_project(project, frozenset(held_out), into)
    return (into / "nlu_training.yml").read_text(encoding="utf-8")


def same(examples: tuple[Example, ...]) -> list[tuple[object, ...]]:
    """Examples in their order, wherever they stand."""
    return [(e.text, e.label, e.entities) for e in examples]


def test_examples_stand_in_blocks_of_text(rasa: RasaClient, tmp_path: Path) -> None:
    """A node of YAML for each text takes Rasa minutes where blocks take seconds."""
    text = written(rasa, write_project(tmp_path / "project"), {"hello"}, tmp_path / "copy")
    assert '- intent: "greet"\n  examples: |\n    - hi there\n' in text
    assert "    - I want a [pizza](dish)\n" in text
    assert "- text:" not in text


def test_what_a_block_cannot_hold_stands_in_a_list(rasa: RasaClient, tmp_path: Path) -> None:
    """An odd example costs no other its block, and the order stays."""
    project = write_project(tmp_path / "project", nlu=NLU + MIXED)
    text = written(rasa, project, set(), tmp_path / "copy")
    assert text.count("- text:") == 1
    assert "    - plain again\n" in text
    copied = rasa.read_examples([tmp_path / "copy" / "nlu_training.yml"])
    assert same(copied) == same(rasa.read_project(project).examples)


def test_a_backslash_is_no_escape(rasa: RasaClient, tmp_path: Path) -> None:
    """Rasa reads files that are all ASCII with other eyes; the file is read the same all the same."""
    project = write_project(tmp_path / "project", nlu=NLU + MIXED)
    text = written(rasa, project, {"größer"}, tmp_path / "copy")
    assert r"    - C:\users\me" in text
    texts = {e.text for e in rasa.read_examples([tmp_path / "copy" / "nlu_training.yml"])}
    assert {r"C:\users\me", r"\u0041 is no A"} <= texts
    assert "größer" not in texts


def test_a_file_that_changed_meanwhile_is_read_anew(rasa: RasaClient, tmp_path: Path) -> None:
    """What was read before is not split again if it is not the same any more."""
    project = write_project(tmp_path / "project")
    rasa.read_project(project)
    file = project.root / "data" / "nlu.yml"
    file.write_text(file.read_text().replace("good morning", "top of the morning"))
    text = written(rasa, project, set(), tmp_path / "copy")
    assert "top of the morning" in text
    assert "good morning" not in text
