"""Several challengers on real Rasa: seeds, a finetuned one, and what Rasa refuses."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.rasa_projects import CONFIG, NLU, write_project
from support.warm_rasa import WarmRasa

from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.cycle import Status
from retrainer.errors import ProjectError, RasaError
from retrainer.pipeline import records
from retrainer.pipeline.runner import run_cycle
from retrainer.ports import CycleReport, Project
from retrainer.store.owner import current_owner
from retrainer.testing.listeners import FakeListener
from retrainer.wiring import Application

pytestmark = pytest.mark.rasa

#: Compiling the network takes longer than training it here, so it runs as it is.
PIPELINE = """
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 5
  entity_recognition: false
  run_eagerly: true
"""
SETTINGS = """
[assistants.shop]
source = {{ type = "directory", path = "project" }}
policy = "easy"
evaluation = {{ holdout = 0.5, minimum_examples = 2 }}
training = {training}
[policies.easy]
floor = {{ rule = "floor", metric = "accuracy", minimum = 0.0 }}
"""


class Shop:
    """An assistant of which two challengers are trained a night: two seeds, then a finetuned one."""

    def __init__(self, folder: Path, rasa: RasaClient) -> None:
        self.folder, self.rasa = folder, rasa
        self.project = write_project(folder / "project", pipeline=PIPELINE)
        self.first = self.run("{ seeds = [7, 8] }")
        data = NLU.replace("- hey\n", "- hey\n      - what a lovely new day\n      - hey ho\n")
        (self.project.data[0] / "nlu.yml").write_text(data)
        self.second = self.run("{ finetune = true }")

    def run(self, training: str) -> CycleReport:
        config = self.folder / "retrainer.toml"
        config.write_text(SETTINGS.format(training=training))
        self.listener = FakeListener()
        self.world = Application.from_config(config).world("shop", self.listener)
        return run_cycle(replace(self.world, rasa=WarmRasa(self.rasa)), owner=current_owner())

    def seeds(self, report: CycleReport) -> dict[str, int | None]:
        """The seed of each component that has one, by the archive of the cycle's challenger."""
        with tarfile.open(self.world.platform.fetch(report.cycle.challenger)) as archive:
            file = archive.extractfile("metadata.json")
            nodes = json.load(file)["train_schema"]["nodes"] if file else {}
        configs = {node["uses"].rpartition(".")[2]: node["config"] for node in nodes.values()}
        return {name: c["random_seed"] for name, c in configs.items() if "random_seed" in c}


@pytest.fixture(scope="module")
def shop(
    rasa: RasaClient, rasa_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RETRAINER_RASA__PYTHON", str(rasa_python))
        yield Shop(tmp_path_factory.mktemp("challengers"), rasa)


def test_the_better_of_two_seeds_goes_on(shop: Shop):
    """Both are measured on the choosing half, and the archive that goes on has the winner's seed."""
    state = shop.first.state
    assert [each.label for each in state.candidates] == ["config.yml, seed 7", "config.yml, seed 8"]
    scores = [each.score for each in state.candidates]
    (winner,) = (each for each in state.candidates if each.chosen)
    assert winner.score == max(scores)
    assert shop.seeds(shop.first) == {"DIETClassifier": winner.seed}
    assert state.evaluation.left_out.selection > 0
    assert state.evaluation.challenger.examples > 0
    assert records.read_manifest(shop.world.artifacts, state.model.name).seed == winner.seed


def test_a_champion_is_finetuned_with_its_own_seed(shop: Shop):
    """Rasa takes it up where the first cycle left it, and it runs for its place like any other."""
    assert shop.second.cycle.status is Status.COMPLETED
    scratch, finetuned = shop.second.state.candidates
    champion = shop.first.cycle.challenger
    (winner,) = (each for each in shop.first.state.candidates if each.chosen)
    assert finetuned.label == f"config.yml, seed {winner.seed}, finetuned from {champion}"
    assert (scratch.skipped, finetuned.skipped) == (None, None)
    assert None not in (scratch.score, finetuned.score)
    assert shop.listener.warnings == []
    old, new = (
        records.read_manifest(shop.world.artifacts, report.cycle.challenger)
        for report in (shop.first, shop.second)
    )
    assert new.finetuned_from == (champion if finetuned.chosen else "")
    assert set(old.keys) <= set(new.keys)


def test_nothing_is_left_of_the_others(shop: Shop):
    """Archives of losers are as large as the winner's."""
    assert list(shop.world.folder.rglob("*.tar.gz")) == []


def test_a_seed_that_no_component_takes_is_refused(
    rasa: RasaClient, project: Project, tmp_path: Path
):
    """Trainings of a model that is the same each time would be for nothing."""
    with pytest.raises(ProjectError, match="none of its components takes a random_seed"):
        rasa.train(project, "seeded", tmp_path / "models", lambda _: None, seed=7)


def test_other_labels_cannot_be_finetuned(rasa: RasaClient, fast_model: Path, tmp_path: Path):
    """Rasa's refusal is an error that the cycle knows, and keeps the worker and its cache."""
    other = write_project(tmp_path / "project", nlu=NLU.replace("intent: bye", "intent: leave"))
    with pytest.raises(RasaError, match="contains new labels"):
        rasa.train(other, "finetuned", tmp_path / "models", lambda _: None, finetune=fast_model)
    assert list((tmp_path / "models").iterdir()) == []


def test_no_config_may_bring_data_of_its_own(rasa: RasaClient, project: Project, tmp_path: Path):
    """Importers could read what is held out, whichever of the configs names them."""
    other = write_project(tmp_path / "project")
    config = other.root / "other.yml"
    importers = "importers:\n- name: MultiProjectImporter\n"
    config.write_text(CONFIG.format(pipeline="- name: WhitespaceTokenizer") + importers)
    with pytest.raises(ProjectError, match=r"other.yml: importers MultiProjectImporter are not"):
        rasa.train(replace(other, config=config), "m", tmp_path / "models", lambda _: None)
    assert project.config.name == "config.yml"
