"""The nights of the bundled assistant on real Rasa: promoted twice, rejected, held, skipped."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from support.warm_rasa import WarmRasa

from retrainer.adapters.rasa_client import RasaClient
from retrainer.cli.approvals import approve_cycle
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
        approve_cycle(self.application, "4", actor="ada", reason="the new examples are right")
        self.reports.append(self.run(5))

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
    """Two are promoted, the bad one is not, the unclear one by a person, the last is none."""
    assert [report.cycle.status for report in nights.reports] == [
        *[Status.COMPLETED] * 4,
        Status.SKIPPED,
    ]
    first, second, bad, unclear = [report.state for report in nights.reports[:4]]
    assert [s.verdict.outcome for s in (first, second, bad, unclear)] == [
        Outcome.PROMOTE,
        Outcome.PROMOTE,
        Outcome.REJECT,
        Outcome.HOLD,
    ]
    world = nights.world()
    assert world.platform.active() == unclear.model.name
    ledger = [(p.previous, p.model, p.actor) for p in world.store.promotions("shop")]
    assert [row[:2] for row in ledger] == [
        (second.model.name, unclear.model.name),
        (first.model.name, second.model.name),
        (None, first.model.name),
    ]
    assert ledger[0][2] == "ada"


def test_an_unclear_night_says_what_it_would_take(nights: Nights):
    """Too few utterances differ: the number that would settle it is named."""
    verdict = nights.reports[3].state.verdict
    assert [check.rule for check in verdict.stopping] == ["better"]
    assert "utterances would tell a gain of" in verdict.reason


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
    rejecting = [check.rule for check in bad.verdict.stopping]
    assert rejecting == ["better", "known_intents", "per_intent", "must_pass"]


def test_no_model_is_asked_the_same_twice(nights: Nights):
    """Answers are kept with the model, so a champion costs only what is new to it."""
    for model, texts in nights.rasa.asked.items():
        assert len(texts) == len(set(texts)), model
