"""Four nights of the bundled assistant on real Rasa: promoted, promoted, rejected, skipped."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from support.warm_rasa import WarmRasa

from retrainer.adapters.rasa_client import RasaClient
from retrainer.cli.demo import CONFIG
from retrainer.domain.cycle import Status
from retrainer.domain.examples import example_key
from retrainer.domain.verdict import Outcome
from retrainer.pipeline import records
from retrainer.pipeline.runner import run_cycle
from retrainer.pipeline.world import World
from retrainer.ports import CycleReport
from retrainer.store.owner import current_owner
from retrainer.testing.listeners import FakeListener
from retrainer.wiring import Application

pytestmark = pytest.mark.rasa


class Nights:
    """The assistant of the demo, its world, and what came of each night."""

    def __init__(self, folder: Path, rasa: RasaClient) -> None:
        self.project, self.rasa = folder / "assistant", WarmRasa(rasa)
        (folder / "retrainer.toml").write_text(CONFIG)
        with as_file(files("retrainer.demo") / "assistant") as assistant:
            shutil.copytree(assistant, self.project)
        self.application = Application.from_config(folder / "retrainer.toml")
        self.reports = [self.run(night) for night in (1, 2, 3, 4)]

    def world(self) -> World:
        world = self.application.world("shop", FakeListener())
        return replace(world, rasa=self.rasa)

    def run(self, night: int) -> CycleReport:
        with as_file(files("retrainer.demo") / "nights" / str(night)) as changed:
            if changed.is_dir():
                shutil.copytree(changed, self.project, dirs_exist_ok=True)
        return run_cycle(self.world(), owner=current_owner())


@pytest.fixture(scope="module")
def nights(
    rasa: RasaClient, rasa_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nights]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RETRAINER_RASA__PYTHON", str(rasa_python))
        yield Nights(tmp_path_factory.mktemp("nights"), rasa)


def test_the_story(nights: Nights):
    """The first model and the better one are promoted, the bad one is not, the fourth is none."""
    assert [report.cycle.status for report in nights.reports] == [
        *[Status.COMPLETED] * 3,
        Status.SKIPPED,
    ]
    first, second, bad = [report.state for report in nights.reports[:3]]
    assert [s.verdict.outcome for s in (first, second, bad)] == [
        Outcome.PROMOTE,
        Outcome.PROMOTE,
        Outcome.REJECT,
    ]
    world = nights.world()
    assert world.platform.active() == second.model.name
    ledger = [(p.previous, p.model) for p in world.store.promotions("shop")]
    assert ledger == [(first.model.name, second.model.name), (None, first.model.name)]


def test_a_better_model_is_better_on_what_neither_saw(nights: Nights):
    """Both are measured on the same examples, and no example that either was trained on."""
    second = nights.reports[1].state
    before, after = second.evaluation.champion, second.evaluation.challenger
    assert before.test_set == after.test_set
    assert after.metrics["f1_weighted"] > before.metrics["f1_weighted"]
    assert after.examples > 20
    world = nights.world()
    must_pass = {example_key(result.text) for result in after.must_pass}
    for model in (before.model, after.model):
        trained_on = set(records.read_manifest(world.artifacts, model).keys)
        asked = {example_key(text) for text in nights.rasa.asked[model]}
        assert len(asked - must_pass) >= after.examples
        assert not trained_on & (asked - must_pass)


def test_the_bad_night_says_what_broke(nights: Nights):
    """Must-pass utterances that failed and utterances that flipped are named."""
    bad = nights.reports[2].state
    assert [result for result in bad.evaluation.challenger.must_pass if result.problem]
    assert [flip for flip in bad.evaluation.flips if flip.regression]
    assert "must_pass" in {
        check.rule for check in bad.verdict.checks if check.outcome is Outcome.REJECT
    }


def test_no_model_is_asked_the_same_twice(nights: Nights):
    """Answers are kept with the model, so a champion costs only what is new to it."""
    for model, texts in nights.rasa.asked.items():
        assert len(texts) == len(set(texts)), model
