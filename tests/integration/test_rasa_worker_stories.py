"""Test stories fare as in Rasa's own `rasa test core`."""

import json
import re
import socket
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.rasa_projects import DOMAIN, FAST_PIPELINE, NLU, STORIES, write, write_project

from retrainer.adapters import processes
from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.evaluation import StoryResult
from retrainer.errors import ProjectError, RasaError
from retrainer.ports import Progress, Project

pytestmark = pytest.mark.rasa

PIPELINE = f"{FAST_PIPELINE}- name: RegexEntityExtractor\n  use_lookup_tables: true\n"
ORDER = DOMAIN.replace("actions: [utter_faq]", "actions: [utter_faq, action_order]")
RULES = STORIES.replace("{action: utter_order}", "{action: action_order}, {action: utter_order}")
CONVERSATIONS = """
version: "3.1"
stories:
- story: greets and says goodbye
  steps:
  - user: hello
    intent: greet
  - action: utter_greet
  - user: good bye
    intent: bye
  - action: utter_bye
- story: orders a dish
  steps:
  - user: I want a [pizza](dish)
    intent: order
  - action: action_order
  - action: utter_order
- story: a dish that nobody knows
  steps:
  - user: hello
    intent: greet
  - action: utter_greet
  - user: I want a [salad](dish)
    intent: order
  - action: action_order
  - action: utter_order
- story: taken for somebody else
  steps:
  - user: good bye
    intent: greet
  - action: utter_bye
- story: another answer
  steps:
  - user: hello
    intent: greet
  - action: utter_bye
- story: a turn without words
  steps:
  - intent: bye
  - action: utter_bye
"""
MORE = """
version: "3.1"
stories:
- story: one or the other
  steps:
  - or:
    - intent: greet
    - intent: bye
  - action: utter_greet
- story: twice
  steps:
  - user: hello
    intent: greet
  - action: utter_greet
- story: twice
  steps:
  - user: hello
    intent: bye
  - action: utter_greet
"""
STORY_NAMES = [*re.findall(r"- story: (.*)", CONVERSATIONS + MORE), "one or the other"]


@dataclass(frozen=True)
class Shop:
    """A project with test stories, and a model of it."""

    project: Project
    model: Path

    @property
    def tests(self) -> Path:
        """The folder of its test stories."""
        return self.project.root / "tests"


@pytest.fixture(scope="module")
def shop(rasa: RasaClient, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small model with rules, a custom action and entities."""
    folder = tmp_path_factory.mktemp("shop")
    project = write_project(
        folder / "project", domain=ORDER, stories=RULES, pipeline=PIPELINE, nlu=NLU
    )
    write(project.root / "tests" / "test_conversations.yml", CONVERSATIONS)
    write(project.root / "tests" / "more" / "test_more.yml", MORE)
    write(project.root / "tests" / "notes.yml", "stories:\n- story: not one of Rasa's\n")
    return Shop(project, rasa.train(project, "shop-1", folder, lambda _: None))


@pytest.fixture(scope="module")
def results(rasa: RasaClient, shop: Shop) -> tuple[StoryResult, ...]:
    """How the stories of the whole folder fared."""
    return rasa.test_stories(shop.model, [shop.tests], lambda _: None)


def rasa_test_core(python: Path, shop: Shop, out: Path) -> tuple[Counter[str], Counter[str]]:
    """The names of the stories that failed and that passed, as the real command says."""
    words = [python, "-m", "rasa", "test", "core", "--e2e", "--no-plot", "--successes"]
    words += ["-m", shop.model, "--stories", shop.tests, "--out", out]
    environment = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3"}
    processes.run(words, timeout=300, folder=out.parent, environment=environment)
    report = json.loads((out / "story_report.json").read_text())["conversation_accuracy"]
    failed, passed = (
        Counter(re.findall(r"^- story: ([^(]*) \(", (out / name).read_text(), flags=re.MULTILINE))
        for name in ("failed_test_stories.yml", "successful_test_stories.yml")
    )
    assert (passed.total(), failed.total() + passed.total()) == (report["correct"], report["total"])
    return failed, passed


def names(results: tuple[StoryResult, ...], *, failed: bool) -> Counter[str]:
    """The names of those that failed, or passed, without the number of a repeated one."""
    chosen = (r.name for r in results if (r.problem is not None) is failed)
    return Counter(re.sub(r" \(\d+\)$", "", name) for name in chosen)


def test_verdicts_are_those_of_rasa_test_core(
    rasa_python: Path, shop: Shop, results: tuple[StoryResult, ...], tmp_path: Path
) -> None:
    """The same stories fail and pass as with the real command, alternatives counted one by one."""
    failed, passed = rasa_test_core(rasa_python, shop, tmp_path / "results")
    assert names(results, failed=True) == failed
    assert names(results, failed=False) == passed
    assert {*failed} >= {"a dish that nobody knows", "taken for somebody else", "another answer"}
    assert {*passed} >= {"greets and says goodbye", "orders a dish", "a turn without words"}


def test_what_went_wrong_first_is_said(shop: Shop, results: tuple[StoryResult, ...]) -> None:
    """Of a failed story the turn, the words, and what came instead of what was expected."""
    assert {r.name: r.problem for r in results if r.problem} == {
        "a dish that nobody knows": "turn 2 ('I want a salad'): dish='salad' at 9:14 not found",
        "another answer": "turn 1 ('hello'): utter_greet instead of utter_bye",
        "one or the other": "turn 1 ('/bye'): utter_bye instead of utter_greet",
        "taken for somebody else": "turn 1 ('good bye'): understood as bye instead of greet",
        "twice": "turn 1 ('hello'): understood as greet instead of bye",
    }
    assert {Path(r.file).relative_to(shop.project.root).as_posix() for r in results} == {
        "tests/more/test_more.yml",
        "tests/test_conversations.yml",
    }


def test_the_order_depends_on_the_stories_alone(
    rasa: RasaClient, shop: Shop, results: tuple[StoryResult, ...]
) -> None:
    """Asked again, after other stories were read, each result is where it was; progress is said."""
    said: list[Progress] = []
    (one,) = rasa.test_stories(shop.model, [write_story(shop, "greet")], said.append)
    assert (one.name, one.problem) == ("alone", None)
    assert said == [Progress("testing stories", 1, 1, "stories")]
    again = rasa.test_stories(shop.model, [shop.tests], said.append)
    assert again == results
    assert said[-1] == Progress("testing stories", len(results), len(results), "stories")


def write_story(
    shop: Shop, intent: str, action: str = "utter_greet", step: str = "slot_was_set: []"
) -> Path:
    """A file with one story, outside of the folder of the others."""
    story = f"""
        stories:
        - story: alone
          steps:
          - user: hello
            intent: {intent}
          - {step}
          - action: {action}
        """
    return write(shop.project.root / "other" / "test_one.yml", story)


@pytest.mark.parametrize(
    ("intent", "action", "step", "problem"),
    [
        ("cancel", "utter_greet", "slot_was_set: []", "understood as greet instead of cancel"),
        ("greet", "action_cancel", "slot_was_set: []", "utter_greet instead of action_cancel"),
        ("greet", "utter_greet", "active_loop: cancel_form", "Cannot access action 'cancel_form'"),
        ("greet", "utter_greet", "slot_was_set: [{basket: full}]", None),
    ],
    ids=["intent", "action", "form", "slot"],
)
def test_a_model_may_be_older_than_a_story(
    rasa: RasaClient, shop: Shop, intent: str, action: str, step: str, problem: str | None
) -> None:
    """What the model has never heard of fails this story, not the test; none is left out.

    Without the slot the story is that of another one, which Rasa would not test a second time.
    """
    file = write_story(shop, intent, action, step)
    found = rasa.test_stories(shop.model, [file, shop.tests], lambda _: None)
    assert len(found) == len(STORY_NAMES) + 1
    (one,) = [result for result in found if result.name == "alone"]
    assert one.problem is None if problem is None else problem in (one.problem or "")


def test_a_model_that_stories_cannot_be_tested_with(
    rasa: RasaClient, shop: Shop, tmp_path: Path
) -> None:
    """A slot of no model, a model without dialogue: the reason is said, and the worker lives on."""
    file = write_story(shop, "greet", step="slot_was_set: [basket]")
    with pytest.raises(RasaError, match="slot that the domain does not have") as caught:
        rasa.test_stories(shop.model, [file], lambda _: None)
    assert type(caught.value) is RasaError
    (shop.project.root / "data" / "rules.yml").rename(tmp_path / "rules.yml")
    try:
        nlu = rasa.train(shop.project, "nlu-1", tmp_path, lambda _: None)
    finally:
        (tmp_path / "rules.yml").rename(shop.project.root / "data" / "rules.yml")
    with pytest.raises(RasaError, match=r"nlu-1\.tar\.gz holds no dialogue policies") as caught:
        rasa.test_stories(nlu, [shop.tests], lambda _: None)
    assert type(caught.value) is RasaError
    (answer,) = rasa.predict(nlu, ["hello"], lambda _: None)
    assert answer.intent == "greet"


def test_no_action_server_is_called(rasa: RasaClient, shop: Shop) -> None:
    """The story with a custom action passes without the server that the project names."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        endpoints = f"action_endpoint:\n  url: http://127.0.0.1:{port}/webhook\n"
        write(shop.project.root / "endpoints.yml", endpoints)
        found = rasa.test_stories(shop.model, [shop.tests], lambda _: None, code=shop.project.root)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert StoryResult("orders a dish", f"{shop.tests}/test_conversations.yml") in found


GOOD = "stories:\n- story: fine\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
BROKEN = {
    "not YAML": (b"stories:\n- story: one\n  steps: [\n", "4: not valid YAML"),
    "not UTF-8": (b"stories:\n- story: caf\xe9\n", "2: not UTF-8"),
    "not stories": (b"stories:\n- story: one\n  steps:\n  - intnt: greet\n", "4: "),
    "no steps": (b"stories:\n- story: one\n  steps: []\n", " has no steps"),
    "unknown intent": (GOOD.replace("greet", "gret", 1).encode(), "intent 'gret' in stories"),
    "unknown slot": (GOOD.encode() + b"  - slot_was_set: [basket]\n", "names a slot"),
    "no stories": (b"nlu: []\n", "no test stories, at least 1 is needed"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_stories_that_are_no_good(rasa: RasaClient, tmp_path: Path, case: str) -> None:
    """Before anything is trained the file is named, and the line where it is known."""
    project = write_project(tmp_path / "project")
    content, complaint = BROKEN[case]
    folder = project.root / "tests"
    file = write(folder / "test_one.yml", GOOD)
    rasa.check_stories(project, [folder])
    file.write_bytes(content)
    with pytest.raises(ProjectError) as caught:
        rasa.check_stories(project, [file])
    assert "tests/test_one.yml" in caught.value.message
    assert complaint in caught.value.message
    assert str(project.root) not in caught.value.message


def test_a_file_of_another_name_is_refused(rasa: RasaClient, tmp_path: Path) -> None:
    """Rasa passes over files whose names do not begin with `test_`; here that is said."""
    project = write_project(tmp_path / "project")
    file = write(project.root / "tests" / "stories.yml", GOOD)
    with pytest.raises(ProjectError, match=r"tests/stories\.yml: no test stories") as caught:
        rasa.check_stories(project, [file])
    assert "`test_`" in str(caught.value.tip)


def test_stories_that_are_trained_on_are_refused(rasa: RasaClient, tmp_path: Path) -> None:
    """Rasa trains on all stories of the training data, whatever the name of the file."""
    project = write_project(tmp_path / "project")
    write(project.root / "tests" / "test_one.yml", GOOD)
    seen = write(project.root / "data" / "test_two.yml", GOOD)
    with pytest.raises(ProjectError, match=r"^data/test_two\.yml: 1 of 2 files") as caught:
        rasa.check_stories(project, [project.root / "tests", seen])
    assert "move" in str(caught.value.tip)
