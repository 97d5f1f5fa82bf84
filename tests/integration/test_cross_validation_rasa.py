"""Two nights of a tiny assistant, compared fold by fold on real Rasa."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import rasa_projects
from support.warm_rasa import WarmRasa
from support.worlds import Laboratory

from retrainer.adapters import processes
from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.projects import find_project
from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.cycle import Status
from retrainer.domain.examples import example_key
from retrainer.domain.folds import fold_of, hold_out
from retrainer.domain.metrics import measure
from retrainer.domain.predictions import Prediction
from retrainer.domain.rules import Floor, Superiority
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.pipeline.world import World
from retrainer.ports import ProgressListener

pytestmark = pytest.mark.rasa

FOLDS = 3
#: What the second night brings: more of each intent, some of it easily mistaken.
MORE = """
  - intent: greet
    examples: |
      - hello there friend
      - good day
      - hi
      - see who is there
      - good to see you
  - intent: bye
    examples: |
      - see you tomorrow
      - good night
      - bye my friend
      - until later
      - good evening and bye
  - intent: order
    examples: |
      - bring me a [burger](dish)
      - two [pizza](dish) for my friend
      - see that I get [soup](dish)
  - intent: faq/hours
    examples: |
      - until when are you open
      - are you open tomorrow
  - intent: faq/place
    examples: |
      - where can I find you
      - are you in Berlin
"""
POLICY = Policy(
    "test", (NamedRule("floor", Floor("accuracy", 0.1)), NamedRule("better", Superiority()))
)


class FoldsSeen(WarmRasa):
    """The session's worker; keeps what each fold answers, by the name of its model."""

    def __init__(self, rasa: RasaClient) -> None:
        super().__init__(rasa)
        self.answers: dict[str, tuple[Prediction, ...]] = {}

    def predict(
        self,
        archive: Path,
        texts: Sequence[str],
        progress: ProgressListener,
        *,
        code: Path | None = None,
    ) -> Any:
        answers = super().predict(archive, texts, progress, code=code)
        self.answers[archive.name.removesuffix(".tar.gz")] = answers
        return answers


class TinyLaboratory(Laboratory):
    """Whose project is one that Rasa reads."""

    def world(self) -> World:
        """The world, with must-pass utterances in Rasa's format."""
        world = super().world()
        return replace(world, assistant=replace(world.assistant, must_pass=("must_pass.yml",)))


@pytest.fixture(scope="module")
def nights(rasa: RasaClient, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A first model, and a night with more data; the folds of the second."""
    folder = tmp_path_factory.mktemp("folds")
    lab = TinyLaboratory(folder, policy=POLICY, mode="cross_validation", folds=FOLDS)
    root = folder / "tiny"
    project = rasa_projects.write_project(root)
    seen = FoldsSeen(rasa)
    lab.rasa, lab.find_project = seen, find_project  # type: ignore[assignment]
    rasa_projects.write(
        root / "must_pass.yml",
        'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hello\n',
    )
    lab.source = DirectorySource(root, include=("*.yml", "data/*"))
    first = lab.run()
    nlu = rasa_projects.write(root / "data" / "nlu.yml", rasa_projects.NLU.rstrip() + MORE)
    seen.answers.clear()
    second = lab.run()
    examples = rasa.read_project(project).examples
    return SimpleNamespace(
        first=first, second=second, answers=seen.answers, examples=examples, nlu=nlu, root=root
    )


def test_two_recipes_are_compared_on_every_example(nights: SimpleNamespace):
    """Each example is asked once of each recipe, in its fold; and the verdict rests on all."""
    first, second = nights.first, nights.second
    assert [r.cycle.status for r in (first, second)] == [Status.COMPLETED] * 2
    assert first.state.verdict.outcome is Outcome.PROMOTE
    evaluation = second.state.evaluation
    assert evaluation.obstacle == ""
    assert evaluation.champion.model == first.cycle.challenger
    folds = {f"fold-{n}-{side}" for n in range(1, FOLDS + 1) for side in ("challenger", "champion")}
    assert folds <= set(nights.answers)
    held_out = evaluation.left_out.champion_saw + evaluation.challenger.examples
    asked = [p.text for n in range(1, FOLDS + 1) for p in nights.answers[f"fold-{n}-challenger"]]
    assert len(asked) == len(set(asked)) == held_out
    assert held_out > 35
    assert len(evaluation.served) == evaluation.challenger.examples
    for name in folds:
        fold = int(name.split("-")[1])
        assert {fold_of(example_key(p.text), FOLDS) for p in nights.answers[name]} == {fold}


def test_the_recipes_differ(nights: SimpleNamespace):
    """The comparison is of something: the two answer differently, and both sometimes wrongly."""
    evaluation = nights.second.state.evaluation
    totals = evaluation.classified.totals
    assert totals.wins + totals.losses > 0
    assert 0 < evaluation.challenger.metrics["accuracy"] < 1
    assert 0 < evaluation.champion.metrics["accuracy"] < 1


def test_the_figures_are_those_of_rasas_own_cross_validation(
    nights: SimpleNamespace, rasa_python: Path, tmp_path: Path
):
    """`rasa test nlu --cross-validation` on our folds: the same figures, in each fold and pooled."""
    parts = [
        hold_out(nights.examples, n + 1, folds=FOLDS, minimum=5).held_out for n in range(FOLDS)
    ]
    folds, result = tmp_path / "folds.json", tmp_path / "result.json"
    folds.write_text(json.dumps([[e.text for e in part] for part in parts]))
    script = Path(rasa_projects.__file__).with_name("rasa_cross_validate.py")
    words = [rasa_python, script, nights.root / "config.yml", nights.nlu, folds, result]
    environment = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3"}
    processes.run(words, timeout=300, folder=tmp_path, environment=environment)
    theirs = json.loads(result.read_text())

    ours, pooled = [], []
    for number, part in enumerate(parts, start=1):
        said = {p.text: p for p in nights.answers[f"fold-{number}-challenger"]}
        ours.append(measure(part, [said[e.text] for e in part]).metrics)
        pooled += [(example, said[example.text]) for example in part]
    # Rasa puts each fold before those that came earlier.
    for name, figure in (
        ("accuracy", "Accuracy"),
        ("f1_weighted", "F1-score"),
        ("precision_weighted", "Precision"),
    ):
        mine = [metrics[name] for metrics in reversed(ours)]
        assert mine == pytest.approx(theirs["folds"][figure], abs=1e-9)
    figures = measure([e for e, _ in pooled], [p for _, p in pooled])
    assert figures.metrics["accuracy"] == pytest.approx(theirs["pooled"]["accuracy"], abs=1e-9)
    assert figures.metrics["f1_weighted"] == pytest.approx(theirs["pooled"]["f1_score"], abs=1e-9)
    assert figures.metrics["f1_macro"] == pytest.approx(
        theirs["report"]["macro avg"]["f1-score"], abs=1e-9
    )
    assert len({*theirs["folds"]["Accuracy"], figures.metrics["accuracy"]}) > 1
