"""What the guards ask of real Rasa: custom actions, and the time that an utterance takes."""

from pathlib import Path
from statistics import median

import pytest
from support.rasa_projects import DOMAIN, NLU, write_project

from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.custom_actions import custom
from retrainer.domain.split import distinct
from retrainer.errors import ModelArchiveError
from retrainer.pipeline.data_checks import quality
from retrainer.pipeline.records import Contents
from retrainer.ports import Project

pytestmark = pytest.mark.rasa

TEXTS = ["hello there", "bye", "bring me soup", "when do you open", "where is your shop"]
ACTIONS = """actions:
  - utter_faq
  - utter_bye
  - action_pay
  - action_ship: {send_domain: true}
  - action_session_start
"""


def test_custom_actions_of_project_and_model(rasa: RasaClient, tmp_path: Path) -> None:
    """Before the training and in the archive they are the same, however the domain writes them."""
    domain = DOMAIN.replace("actions: [utter_faq]\n", ACTIONS)
    project = write_project(tmp_path / "project", domain=domain)
    found = rasa.read_project(project).domain_actions
    assert found == ("action_pay", "action_session_start", "action_ship")
    archive = rasa.train(project, "paying", tmp_path, lambda _: None)
    assert custom(rasa.describe(archive).actions) == found


def test_a_domain_without_custom_actions(rasa: RasaClient, project: Project) -> None:
    """Responses, forms and what Rasa brings along are no business of an action server."""
    assert rasa.read_project(project).domain_actions == ()


def test_models_are_timed_in_turns(rasa: RasaClient, fast_model: Path, diet_model: Path) -> None:
    """Each model has a time for each text, and a network takes longer than a regression."""
    fast, network = rasa.time_parses([(fast_model, None), (diet_model, None)], TEXTS, limit=60)
    assert len(fast) == len(network) == len(TEXTS)
    assert 0 < median(fast) < median(network) < 5
    again = rasa.time_parses([(diet_model, None), (fast_model, None)], TEXTS, limit=60)
    assert median(again[0]) > median(again[1])


def test_timing_ends_in_time(rasa: RasaClient, fast_model: Path, diet_model: Path) -> None:
    """When the time is up no further text is tried, and both models have the same number."""
    models = [(fast_model, None), (diet_model, None)]
    assert [len(taken) for taken in rasa.time_parses(models, TEXTS * 1000, limit=0.0)] == [1, 1]
    assert rasa.time_parses(models, [], limit=1.0) == ((), ())


def test_an_archive_that_is_none_is_named(rasa: RasaClient, tmp_path: Path) -> None:
    """What cannot be a model is refused before Rasa unpacks it."""
    archive = tmp_path / "none.tar.gz"
    archive.write_bytes(b"nothing")
    with pytest.raises(ModelArchiveError, match=r"none\.tar\.gz"):
        rasa.time_parses([(archive, None)], TEXTS, limit=1.0)


def test_conflicts_and_duplicates_reach_the_rule(rasa: RasaClient, tmp_path: Path) -> None:
    """Rasa drops what repeats letter by letter, and leaves the rest to be counted."""
    more = "  - intent: bye\n    examples: |\n      - hello\n      - Bye\n      - bye\n"
    project = write_project(tmp_path / "project", nlu=NLU + more)
    read = rasa.read_project(project)
    found = quality(Contents(distinct(read.examples), (), ()), (), None, None)
    assert (found.conflicts, found.conflicting[0].text) == (1, "hello")
    found = quality(Contents(read.examples, (), ()), (), None, None)
    assert (found.examples, found.duplicates) == (26, 1)
