"""Every operation of the Rasa worker, on real Rasa."""

import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from support.rasa_projects import DOMAIN, NLU, STORIES, write, write_project
from support.waiting import assert_gone, wait_until

from retrainer.adapters import processes
from retrainer.adapters.rasa_client import RasaClient
from retrainer.adapters.time_limits import TimeLimits
from retrainer.domain.cycle import Severity
from retrainer.domain.examples import Entity
from retrainer.errors import ModelArchiveError, ProjectError, RasaError, RasaTimeout, RasaWorkerDied
from retrainer.ports import Progress, Project

pytestmark = pytest.mark.rasa


def silent(_: Progress) -> None:
    """Nobody watches."""


def test_versions(rasa: RasaClient) -> None:
    """The environment is described by what is installed in it."""
    versions = rasa.versions()
    assert versions.rasa.startswith("3.")
    assert versions.python.startswith("3.")
    assert "rasa-sdk" in versions.libraries


def test_examples_come_with_their_place(rasa: RasaClient, project: Project) -> None:
    """Each example knows the file and the line that it stands in."""
    contents = rasa.read_project(project)
    lines = (project.root / "data" / "nlu.yml").read_text().splitlines()
    assert len(contents.examples) == 24
    for example in contents.examples:
        assert example.file == "data/nlu.yml"
        assert example.line is not None
        assert example.text.split()[0] in lines[example.line - 1]
    assert set(contents.domain_intents) == {"greet", "bye", "order", "faq"}


def test_examples_have_entities_and_responses(rasa: RasaClient, project: Project) -> None:
    """Roles, groups, values and full retrieval intents are read."""
    by_text = {e.text: e for e in rasa.read_project(project).examples}
    assert by_text["bring me two burgers please"].entities == (Entity("dish", "burger", 13, 20),)
    assert by_text["deliver pasta to Rome"].entities[1] == Entity(
        "city", "Rome", 17, 21, role="to", group="1"
    )
    assert by_text["when are you open"].intent == "faq"
    assert by_text["when are you open"].response == "faq/hours"


def test_lines_of_every_way_to_write_examples(rasa: RasaClient, tmp_path: Path) -> None:
    """A list of texts, a block of them and a repeated example have right lines."""
    file = write(
        tmp_path / "nlu.yml",
        """
        # a comment
        nlu:
        - intent: greet
          metadata: {minimum_confidence: 0.5}
          examples:
          - text: |
              hello [you](who)
          - text: hi
            metadata: {minimum_confidence: 0.8}
        - intent: bye
          examples: |

            - bye
            - see you
            - bye
        """,
    )
    found = rasa.read_must_pass([file])
    assert [(m.example.text, m.example.line, m.minimum_confidence) for m in found] == [
        ("hello you", 7, 0.5),
        ("hi", 8, 0.8),
        ("bye", 13, 0.0),
        ("see you", 14, 0.0),
    ]
    assert found[0].example.entities == (Entity("who", "you", 6, 9),)


def test_must_pass_utterances_have_roles_groups_and_refusals(
    rasa: RasaClient, tmp_path: Path
) -> None:
    """What the Rasa project annotates is asked for in full, and the fallback may be asked for."""
    file = write(
        tmp_path / "must.yml",
        """
        nlu:
        - intent: order
          examples: |
            - from [Bonn]{"entity": "city", "role": "from"} to [Rome]{"entity": "city", "role": "to"}
            - [pasta]{"entity": "dish", "group": "1", "value": "noodles"}
        - intent: nlu_fallback
          examples: |
            - colourless green ideas
        """,
    )
    route, order, refused = rasa.read_must_pass([file])
    assert route.example.entities == (
        Entity("city", "Bonn", 5, 9, role="from"),
        Entity("city", "Rome", 13, 17, role="to"),
    )
    assert order.example.entities == (Entity("dish", "noodles", 0, 5, group="1"),)
    assert (refused.example.intent, refused.minimum_confidence) == ("nlu_fallback", 0.0)


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [("{minimum_confidence: 80}", "0 to 1"), ("{minimum_confidense: 0.8}", "minimum_confidence")],
)
def test_must_pass_metadata_is_checked(
    rasa: RasaClient, tmp_path: Path, metadata: str, complaint: str
) -> None:
    """A wish that would have no effect is refused, with its place."""
    content = f"nlu:\n- intent: greet\n  metadata: {metadata}\n  examples: |\n    - hello\n"
    file = write(tmp_path / "must.yml", content)
    with pytest.raises(ProjectError, match=complaint) as caught:
        rasa.read_must_pass([file])
    assert f"{file}:5" in caught.value.message


def test_must_pass_utterances_are_never_skipped(rasa: RasaClient, tmp_path: Path) -> None:
    """Rasa skips a line without a dash; of a must-pass file none may be lost silently."""
    file = write(
        tmp_path / "must.yml", "nlu:\n- intent: greet\n  examples: |\n    hello\n    - hi\n"
    )
    with pytest.raises(ProjectError, match="hello"):
        rasa.read_must_pass([file])


BROKEN = {
    "not YAML": ("data/nlu.yml", b"nlu:\n- intent: greet\n  examples: |\n  - hi\n: : :\n", 4),
    "not UTF-8": ("data/nlu.yml", b"nlu:\n- intent: greet\n  examples: |\n    - h\xe9llo\n", 4),
    "not an NLU file": ("data/nlu.yml", b"nlu:\n- intent: greet\n  exampels: |\n    - hi\n", 2),
    "domain not YAML": ("domain.yml", b"intents:\n- greet\n- [bye\n", 4),
    "domain not UTF-8": ("domain.yml", b"intents:\n- gr\xe9et\n", 2),
    "domain of wrong shape": ("domain.yml", b"intents:\n- greet\nresponses: 3\n", 1),
    "config not YAML": ("config.yml", b"pipeline:\n- name: [\n", 3),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_named_with_the_line(rasa: RasaClient, tmp_path: Path, case: str) -> None:
    """A file that cannot be read is the project's fault, and its place is said."""
    file, content, line = BROKEN[case]
    project = write_project(tmp_path / "project")
    (project.root / file).write_bytes(content)
    for ask in (rasa.read_project, rasa.validate):
        with pytest.raises(ProjectError) as caught:
            ask(project)
        assert caught.value.message.startswith(f"{file}:{line}: ")


def test_domain_that_is_not_there(rasa: RasaClient, project: Project) -> None:
    """A missing file is named; Rasa itself would go on with an empty domain."""
    with pytest.raises(ProjectError, match=r"missing\.yml"):
        rasa.read_project(replace(project, domain=(project.root / "missing.yml",)))


def test_validation_of_a_good_project(rasa: RasaClient, project: Project) -> None:
    """A project that `rasa data validate` accepts has no errors."""
    assert [f for f in rasa.validate(project) if f.severity is Severity.ERROR] == []


def test_validation_finds_what_rasa_warns_of(rasa: RasaClient, tmp_path: Path) -> None:
    """Warnings carry the place where the example stands."""
    nlu = NLU.replace("      - hello\n", "      - hello\n      - see you later\n") + (
        "  - intent: lost\n    examples: |\n      - where am I\n"
    )
    project = write_project(tmp_path / "project", nlu=nlu)
    lines = (project.root / "data" / "nlu.yml").read_text().splitlines()
    warnings = {f.message: f for f in rasa.validate(project) if f.severity is Severity.WARNING}
    (twice,) = [f for m, f in warnings.items() if "'see you later' was found labeled" in m]
    (lost,) = [f for m, f in warnings.items() if "labeled with intent 'lost'" in m]
    for finding, text in ((twice, "see you later"), (lost, "where am I")):
        assert finding.file == "data/nlu.yml"
        assert finding.line is not None
        assert text in lines[finding.line - 1]


@pytest.mark.parametrize(
    ("domain", "stories", "complaint"),
    [
        (DOMAIN, STORIES.replace("action: utter_bye", "action: action_bye"), "action_bye"),
        (DOMAIN + "forms: {booking: {required_slots: [when]}}\n", STORIES, "form slot 'when'"),
        ('version: "3.1"\n', 'version: "3.1"\n', "empty domain"),
    ],
)
def test_validation_fails_where_rasa_fails(
    rasa: RasaClient, tmp_path: Path, domain: str, stories: str, complaint: str
) -> None:
    """What makes `rasa data validate` fail is an error, not a warning."""
    nlu = NLU if "intents" in domain else 'version: "3.1"\n'
    project = write_project(tmp_path / "project", domain=domain, stories=stories, nlu=nlu)
    errors = [f.message for f in rasa.validate(project) if f.severity is Severity.ERROR]
    assert any(complaint in message for message in errors)


def test_training_project_lacks_what_is_held_out(
    rasa: RasaClient, project: Project, tmp_path: Path
) -> None:
    """The copy has every example but those held out, and all that goes with them."""
    out = frozenset({"hi there", "a pizza from Naples", "where are you"})
    before = rasa.read_project(project).examples
    copy, texts = rasa.write_training_project(project, out, tmp_path / "copy")
    after = rasa.read_project(copy).examples
    expected = [replace(e, file=None, line=None) for e in before if e.text not in out]
    assert [replace(e, file=None, line=None) for e in after] == expected
    assert set(texts) == {e.text for e in expected}
    written = "".join(path.read_text() for path in copy.root.rglob("*.yml"))
    for kept in ("synonym: burger", "hamburger", "regex: time", "lookup: dish", "rule: faq"):
        assert kept in written
    for text in out:
        assert f"text: {text}\n" not in written


def test_training_project_keeps_what_else_a_file_holds(rasa: RasaClient, tmp_path: Path) -> None:
    """Stories, responses and metadata survive where NLU examples are taken out of their file."""
    mixed = NLU + (
        "  - intent: bye\n    metadata: {mood: sad}\n    examples: |\n      - adieu\n"
        'responses:\n  utter_faq/more:\n    - text: "More"\n'
        "stories:\n  - story: told\n    steps:\n      - user: |\n          tell me a story\n"
        "      - action: utter_greet\n"
    )
    project = write_project(tmp_path / "project", nlu=mixed)
    copy, texts = rasa.write_training_project(project, frozenset({"hello"}), tmp_path / "copy")
    kept = (copy.root / "data" / "nlu.yml").read_text()
    assert "nlu:" not in kept
    assert "utter_faq/more" in kept
    assert "story: told" in kept
    assert "tell me a story" in texts, "an end-to-end story is trained on too"
    merged = (copy.root / "nlu_training.yml").read_text()
    assert merged.count("mood: sad") == 1
    assert "text: hello\n" not in merged
    assert "text: adieu\n" in merged


ODD = r"""
  - intent: greet
    examples: |
      - say "hi" to 'me': now
      - a \ b \n c \" d
      - brackets [ alone ( and ) ] here, 50% {off} {"a": 1}
      - - dash # hash
      - 	tab	inside
      - emoji ☀ é 漢字
      - /greet
      - [a b]{"entity": "dish", "value": "c \"d\" e"}
      - ${HOME} and $PATH
      - 12
      - null
  - intent: greet
    metadata: {mood: glad}
    examples:
      - text: |
          two
          lines
        metadata: {line: 2}
      - text: "one \t line"
"""


def test_training_project_keeps_odd_texts(rasa: RasaClient, tmp_path: Path) -> None:
    """Whatever YAML or Rasa give a meaning to comes back as it was."""
    project = write_project(tmp_path / "project", nlu=NLU + ODD)
    before = rasa.read_project(project).examples
    assert len(before) == 24 + 13
    assert all(example.line for example in before)
    copy, _ = rasa.write_training_project(project, frozenset({"hello"}), tmp_path / "copy")
    after = rasa.read_project(copy).examples
    assert [(e.text, e.label, e.entities) for e in after] == [
        (e.text, e.label, e.entities) for e in before if e.text != "hello"
    ]


def test_training_project_is_replaced_as_a_whole(
    rasa: RasaClient, project: Project, tmp_path: Path
) -> None:
    """A second call gives the same copy, without what an earlier or a killed one left."""
    into = tmp_path / "copy"
    first, texts = rasa.write_training_project(project, frozenset({"hello"}), into)
    (into / "rubbish.yml").write_text("nlu: []\n")
    (tmp_path / ".copy.killed").mkdir()
    content = (into / "nlu_training.yml").read_bytes()
    assert rasa.write_training_project(project, frozenset({"hello"}), into) == (first, texts)
    assert not (into / "rubbish.yml").exists()
    assert (into / "nlu_training.yml").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


def test_importers_of_the_users_own_are_refused(rasa: RasaClient, tmp_path: Path) -> None:
    """They may bring examples that could not be held out."""
    project = write_project(tmp_path / "project")
    with project.config.open("a") as config:
        config.write("importers:\n- name: MultiProjectImporter\n")
    with pytest.raises(ProjectError, match=r"config\.yml: importers MultiProjectImporter"):
        rasa.write_training_project(project, frozenset(), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_training_reports_its_progress_and_uses_the_cache(
    rasa: RasaClient, fast_model: Path, project: Project, tmp_path: Path
) -> None:
    """Components are named; what has not changed comes from Rasa's cache."""
    seen: list[Progress] = []
    archive = rasa.train(project, "again", tmp_path, seen.append)
    assert archive == tmp_path / "again.tar.gz"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.tar.gz"]
    assert Progress("LogisticRegressionClassifier (from cache)") in seen
    assert rasa.describe(archive).model_id != rasa.describe(fast_model).model_id


def test_epochs_are_reported(compiled_training: tuple[Path, list[Progress]]) -> None:
    """The live view can show how far a network's training is."""
    epochs = [p for p in compiled_training[1] if p.unit == "epochs"]
    assert epochs == [Progress("DIETClassifier", n, 3, "epochs") for n in (1, 2, 3)]


def test_a_finished_archive_is_not_trained_again(
    rasa: RasaClient, fast_model: Path, project: Project
) -> None:
    """A second call returns the first one's archive, and does not even ask Rasa."""
    written = fast_model.stat().st_mtime_ns
    elsewhere = replace(project, config=project.root / "no such file")
    assert rasa.train(elsewhere, "fast-1", fast_model.parent, silent) == fast_model
    assert fast_model.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("pipeline", "stories", "complaint"),
    [
        ("- name: NoSuchComponent", STORIES, "NoSuchComponent"),
        ("- name: CountVectorsFeaturizer", STORIES, "Tokenizer"),
        (
            "- name: WhitespaceTokenizer",
            STORIES.replace("{action: utter_bye}", "{slot_was_set: [{nowhere: 1}]}"),
            "nowhere",
        ),
    ],
)
def test_rasas_own_words_when_it_cannot_train(
    rasa: RasaClient, tmp_path: Path, pipeline: str, stories: str, complaint: str
) -> None:
    """Raised or printed before an exit, Rasa's reason is in the error, and nothing is left."""
    project = write_project(tmp_path / "project", pipeline=pipeline, stories=stories)
    with pytest.raises(RasaError, match=complaint):
        rasa.train(project, "broken", tmp_path / "models", silent)
    assert list((tmp_path / "models").iterdir()) == []
    assert rasa.versions(), "the worker is still there"


CHATTY = """
import os
from typing import List
print("garbage on standard output", flush=True)
os.write(1, b'{"event": "result"}\\xff\\n')
from rasa.engine.graph import GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.tokenizers.whitespace_tokenizer import WhitespaceTokenizer
from rasa.shared.nlu.training_data.message import Message

@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class Chatty(WhitespaceTokenizer):
    def process(self, messages: List[Message]) -> List[Message]:
        assert len(messages) == 1, "components of others get one message at a time"
        return super().process(messages)
"""


def test_components_of_the_project_are_found_and_may_print(
    rasa: RasaClient, tmp_path: Path
) -> None:
    """They are imported from the project's folder, which stays as it was."""
    project = write_project(
        tmp_path / "project",
        pipeline="- name: chatty.Chatty\n- name: CountVectorsFeaturizer\n- name: LogisticRegressionClassifier",
    )
    write(project.root / "chatty.py", CHATTY)
    archive = rasa.train(project, "chatty", tmp_path / "models", silent)
    answers = rasa.predict(archive, ["hello", "bye", "good morning"], silent, code=project.root)
    assert [a.intent for a in answers] == ["greet", "bye", "greet"]
    assert not (project.root / "__pycache__").exists()


SHOUTING = """
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.tokenizers.whitespace_tokenizer import WhitespaceTokenizer
from {package}.words import EXTRA

@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class Shouting(WhitespaceTokenizer):
    def tokenize(self, message, attribute):
        message.set(attribute, message.get(attribute) + EXTRA)
        return super().tokenize(message, attribute)
"""


def write_shouting(root: Path, extra: str) -> Project:
    """A project whose tokenizer adds words to every utterance, from a package without __init__."""
    pipeline = (
        "- name: parts.shouting.Shouting\n- name: CountVectorsFeaturizer\n"
        "- name: LogisticRegressionClassifier"
    )
    project = write_project(root, pipeline=pipeline)
    write(root / "parts" / "shouting.py", SHOUTING.format(package="parts"))
    write(root / "parts" / "words.py", f"EXTRA = {extra!r}\n")
    return project


def test_components_of_a_model_are_those_of_its_own_project(
    rasa_python: Path, rasa: RasaClient, tmp_path: Path
) -> None:
    """A new worker that adopts finished models finds each one's own code, and leaves no traces."""
    models, nothing = tmp_path / "models", ""
    before = write_shouting(tmp_path / "before", nothing)
    after = write_shouting(tmp_path / "after", " bye bye bye farewell see you later until tomorrow")
    archive = rasa.train(before, "shouting", models, silent)
    with RasaClient(python=rasa_python, cache=tmp_path / "cache", log=tmp_path / "log") as another:
        assert another.train(before, "shouting", models, silent) == archive
        for code, intent in ((before, "greet"), (after, "bye"), (before, "greet")):
            (answer,) = another.predict(archive, ["hello"], silent, code=code.root)
            assert answer.intent == intent, code.root.name
    assert not list(tmp_path.rglob("__pycache__"))


def test_components_that_are_not_there(rasa: RasaClient, tmp_path: Path) -> None:
    """Without the folder of its project the model's component is named as what is missing."""
    project = write_shouting(tmp_path / "project", "")
    archive = rasa.train(project, "shouting", tmp_path / "models", silent)
    with pytest.raises(RasaError, match=r"parts"):
        rasa.predict(archive, ["hello"], silent)


def test_description_of_a_model(rasa: RasaClient, fast_model: Path) -> None:
    """The archive says what it was trained for, without being loaded."""
    described = rasa.describe(fast_model)
    assert set(described.intents) == {"greet", "bye", "order", "faq"}
    assert described.rasa_version == rasa.versions().rasa
    assert "LogisticRegressionClassifier" in described.components
    assert described.actions == ("utter_faq",)
    assert described.trained_at.tzinfo is not None


def test_a_truncated_archive_never_reaches_rasa(
    rasa: RasaClient, fast_model: Path, tmp_path: Path
) -> None:
    """Half a model is refused, not loaded."""
    half = tmp_path / "half.tar.gz"
    half.write_bytes(fast_model.read_bytes()[:-1000])
    with pytest.raises(ModelArchiveError):
        rasa.predict(half, ["hello"], silent)
    with pytest.raises(ModelArchiveError):
        rasa.describe(half)


def test_progress_of_predictions(rasa: RasaClient, fast_model: Path) -> None:
    """Utterances are counted up to the last one, and answered in order."""
    texts = [f"hello {number}" for number in range(600)]
    seen: list[Progress] = []
    answers = rasa.predict(fast_model, texts, seen.append)
    assert [answer.text for answer in answers] == texts
    assert [p.done for p in seen] == [256, 512, 600]
    assert rasa.predict(fast_model, [], silent) == ()


SLEEPY = """
import os, subprocess, time
print("about to sleep", flush=True)
child = subprocess.Popen(["sleep", "600"])
open(os.path.join(os.path.dirname(__file__), "pids"), "w").write(f"{os.getpid()} {child.pid}\\n")
time.sleep(600)
"""


@pytest.fixture
def sleepy(tmp_path: Path) -> Project:
    """A project whose training never ends, with a process of its own."""
    project = write_project(tmp_path / "project", pipeline="- name: sleepy.Sleepy")
    write(project.root / "sleepy.py", SLEEPY)
    return project


def pids_of(sleepy: Project) -> list[int]:
    """The worker and what its training started, as soon as both run."""
    file = sleepy.root / "pids"
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"), seconds=60)
    return [int(pid) for pid in file.read_text().split()]


def test_a_training_over_its_limit_is_ended(
    rasa_python: Path, sleepy: Project, tmp_path: Path
) -> None:
    """The worker and what it started are gone, nothing half is left, the config key is named."""
    limits = TimeLimits(
        train=15, keys=TimeLimits().keys | {"train": "assistants.tiny.training.time_limit"}
    )
    with RasaClient(
        python=rasa_python, cache=tmp_path / "cache", log=tmp_path / "log", limits=limits
    ) as rasa:
        with pytest.raises(RasaTimeout, match="15 s to train") as caught:
            rasa.train(sleepy, "sleepy", tmp_path / "models", silent)
        assert "assistants.tiny.training.time_limit" in str(caught.value.tip)
        assert_gone(pids_of(sleepy))
        assert list((tmp_path / "models").iterdir()) == []
        assert rasa.versions(), "the next request has a new worker"


PARENT = """
import sys
from pathlib import Path
from retrainer.adapters.rasa_client import RasaClient
from retrainer.ports import Project
python, root = map(Path, sys.argv[1:])
with RasaClient(python=python, cache=root / "cache", log=root / "log") as rasa:
    project = Project(root, root / "config.yml", (root / "domain.yml",), (root / "data",))
    rasa.train(project, "sleepy", root / "models", print)
"""


def test_nothing_outlives_a_killed_parent(rasa_python: Path, sleepy: Project) -> None:
    """Kill -9 of the service in the middle of a training ends the worker and its children."""
    command = [sys.executable, "-c", PARENT, str(rasa_python), str(sleepy.root)]
    parent = processes.start(command)
    try:
        pids = pids_of(sleepy)
        parent.kill()
        assert_gone(pids)
    finally:
        processes.kill_group(parent)


def test_a_worker_killed_in_the_middle(rasa_python: Path, sleepy: Project, tmp_path: Path) -> None:
    """The signal is named, the out-of-memory killer suspected, and the log's end shown."""
    with RasaClient(python=rasa_python, cache=tmp_path / "cache", log=tmp_path / "log") as rasa:
        killer = threading.Thread(target=lambda: os.kill(pids_of(sleepy)[0], signal.SIGKILL))
        killer.start()
        with pytest.raises(RasaWorkerDied, match=r"SIGKILL.*out-of-memory.*to train") as caught:
            rasa.train(sleepy, "sleepy", tmp_path / "models", silent)
        killer.join()
        assert "about to sleep" in caught.value.message
        assert_gone(pids_of(sleepy))
