"""`retrainer check` on real projects: it finds what would stop a cycle, and changes nothing."""

from pathlib import Path

import pytest
from support.commands import Answer, Workplace, nlu, utterances

pytestmark = [pytest.mark.end_to_end, pytest.mark.rasa]

NAMES = ("good", "warned", "strict", "must-pass", "one-intent", "no-test-data")


def files(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def unused_responses(project: Path, number: int) -> None:
    domain = project / "domain.yml"
    more = "".join(f'  utter_unused_{n}: [{{text: "?"}}]\n' for n in range(number))
    domain.write_text(domain.read_text() + more)


@pytest.fixture(scope="module")
def checked(
    rasa_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workplace, Answer, bool]:
    """An answer for assistants with each kind of project, and whether anything was changed."""
    place = Workplace.make(tmp_path_factory.mktemp("check") / "place", rasa_python, *NAMES)
    unused_responses(place.folder / "warned", 7)
    unused_responses(place.folder / "strict", 1)
    (place.folder / "must-pass" / "must_pass.yml").write_text(nlu({"oder": ["a pizza"]}))
    place.write({"order": utterances()["order"]}, "one-intent")
    config = place.folder / "retrainer.toml"
    config.write_text(
        config.read_text()
        + "[assistants.strict.validation]\nfail_on_warnings = true\n"
        + "[assistants.no-test-data.evaluation]\ntest_data = ['tests/none.yml']\n"
    )
    before = files(place.folder)
    answer = place.run("check", code=None)
    return place, answer, files(place.folder) == before


def test_a_project_that_a_cycle_would_fail_on_fails_the_check(
    checked: tuple[Workplace, Answer, bool],
):
    """The same findings, judged as the cycle judges them, decide the exit code."""
    _, answer, _ = checked
    assert answer.code == 1, str(answer)
    marks = {name: f"✓ assistant {name}:" in answer.out for name in NAMES}
    assert marks == {
        "good": True,
        "warned": True,
        "strict": False,
        "must-pass": False,
        "one-intent": False,
        "no-test-data": False,
    }
    assert "must_pass.yml:5: unknown intent 'oder': no training example has it" in answer.out
    assert "the training data holds 1 intent (order), at least 2 are needed" in answer.out
    assert "evaluation.test_data: tests/none.yml is not in the project's snapshot" in answer.err
    assert len(answer.errors) == 4


def test_nothing_is_changed(checked: tuple[Workplace, Answer, bool]):
    """Neither a database nor a folder nor a log is left behind, and the check says so."""
    place, answer, unchanged = checked
    assert unchanged
    assert "retrainer.db will be made by the first cycle" in answer.out
    assert "retrainer-check-" not in str(answer)
    assert place.run("check", "--quick").out.count("its data was not read") == len(NAMES)
    assert not (place.folder / ".retrainer").exists()


def test_a_flood_of_warnings_is_cut(checked: tuple[Workplace, Answer, bool]):
    """The first five warnings are shown, the others counted."""
    _, answer, _ = checked
    assert "… and 2 more warnings (--all shows them)" in answer.out
    assert answer.out.count("utter_unused_") == 5 + 1


def test_after_a_cycle(place: Workplace):
    """A sound assistant passes with 0, and the check adds nothing to what is there."""
    before = sorted(files(place.folder / ".retrainer"))
    answer = place.run("check", "--all")
    assert "✓ assistant shop: 30 examples of 3 intents" in answer.out
    assert f"{place.champion()} serves" in answer.out
    assert sorted(files(place.folder / ".retrainer")) == before
