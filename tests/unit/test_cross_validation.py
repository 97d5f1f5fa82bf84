"""Cycles that compare what the two models are made of, fold by fold."""

import re
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError
from support.worlds import Laboratory, mislabelled, utterances

from retrainer.domain.cycle import Status
from retrainer.domain.examples import example_key
from retrainer.domain.folds import fold_of
from retrainer.domain.rules import Floor, Simple, Superiority
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.errors import CycleInterrupted, ProjectError, RasaError, RasaWorkerDied
from retrainer.pipeline import records
from retrainer.pipeline.runner import run_cycle
from retrainer.settings import AssistantSettings
from retrainer.testing.rasa import FakeRasa
from retrainer.wiring.assistant import assistant_of

FOLDS = 3


class PowerCut(BaseException):
    """The process ends here: nothing of retrainer may catch this."""


class CountingRasa(FakeRasa):
    """Notes which models are trained, on how much and on which texts, and whom it is asked.

    `trouble` is called with the name of each model before it is trained, or asked.
    """

    def __init__(self):
        super().__init__()
        self.trained = {}
        self.answered = {}
        self.recipes = {}
        self.trouble = {}

    def train(self, project, name, into, progress, **variant):
        self.trouble.get("train", str)(name)
        archive = super().train(project, name, into, progress, **variant)
        self.trained.setdefault(name, []).append({e.text for e in self.read_examples(project.data)})
        self.recipes[name] = (project.config_name, variant.get("seed"))
        return archive

    def predict(self, archive, texts, progress, *, code=None):
        name = archive.name.removesuffix(".tar.gz")
        self.trouble.get("predict", str)(name)
        self.answered.setdefault(name, []).extend(texts)
        return super().predict(archive, texts, progress, code=code)

    def forget(self):
        for noted in (self.trained, self.answered, self.calls, self.asked):
            noted.clear()


@pytest.fixture
def lab(tmp_path):
    lab = Laboratory(tmp_path, mode="cross_validation", folds=FOLDS)
    lab.rasa = CountingRasa()
    return lab


@pytest.fixture
def served(lab):
    """A champion serves that was measured on a holdout, and better data has arrived."""
    lab.mode = "holdout"
    lab.champion = lab.run().cycle.challenger
    lab.mode = "cross_validation"
    lab.write(utterances(60))
    lab.rasa.forget()
    return lab


def folds_trained(lab):
    return sorted(name for name in lab.rasa.trained if name.startswith("fold-"))


def every_fold(*sides):
    return sorted(f"fold-{n}-{side}" for n in range(1, FOLDS + 1) for side in sides)


def test_the_challenger_trains_on_every_example(lab):
    """Nothing is kept out of what will serve."""
    report = lab.run()
    texts = {text for of in utterances(25).values() for text in of}
    assert lab.rasa.trained[report.cycle.challenger] == [texts]
    assert (report.state.data.training, report.state.data.held_out) == (50, 0)


def test_every_example_is_asked_once_of_a_model_that_was_trained_without_it(lab):
    """The figures are those of all examples, none of them seen by the model that answered."""
    report = lab.run()
    texts = [text for of in utterances(25).values() for text in of]
    asked = [text for name in folds_trained(lab) for text in lab.rasa.answered[name]]
    assert sorted(asked) == sorted(texts)
    for name in folds_trained(lab):
        (trained_on,) = lab.rasa.trained[name]
        fold = int(name.split("-")[1])
        assert not trained_on & set(lab.rasa.answered[name])
        assert {fold_of(example_key(t), FOLDS) for t in lab.rasa.answered[name]} == {fold}
    evaluation = report.state.evaluation
    assert (evaluation.mode, evaluation.folds) == ("cross_validation", FOLDS)
    assert evaluation.challenger.examples == len(texts)
    assert evaluation.unmeasured == ()


def test_a_first_model_is_judged_by_its_own_folds(lab):
    """Without a champion one recipe is trained, and floors apply to its figures."""
    report = lab.run()
    assert folds_trained(lab) == every_fold("challenger")
    assert report.state.evaluation.champion is None
    assert report.state.evaluation.obstacle == ""
    assert report.state.verdict.outcome is Outcome.PROMOTE


def test_better_data_is_promoted(served):
    """Both recipes answer every example of the new data, and the better one takes over."""
    report = served.run()
    assert folds_trained(served) == every_fold("challenger", "champion")
    evaluation = report.state.evaluation
    assert evaluation.champion.examples == evaluation.challenger.examples == 120
    assert len(evaluation.served) == 120
    assert evaluation.champion.test_set == evaluation.challenger.test_set
    assert evaluation.left_out.champion_saw == evaluation.left_out.challenger_saw == 0
    gain = evaluation.served.totals.gain
    before, after = evaluation.champion.metrics, evaluation.challenger.metrics
    assert gain == pytest.approx(after["accuracy"] - before["accuracy"])
    assert gain > 0
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert served.platform.champion == report.cycle.challenger


def test_the_champions_recipe_is_its_own_data(served):
    """In each fold it is trained on what it was trained on, without the texts of the fold."""
    served.run()
    old = {text for of in utterances(25).values() for text in of}
    for fold in range(1, FOLDS + 1):
        (trained_on,) = served.rasa.trained[f"fold-{fold}-champion"]
        assert trained_on == {t for t in old if fold_of(example_key(t), FOLDS) != fold}


def test_a_recipe_is_the_config_and_the_seed_that_the_model_had(served):
    """Of several configs the one that was chosen makes the model, and so its folds."""
    other = served.project / "other.yml"
    other.write_text("pipeline: other\n")
    served.write(utterances(25))
    champion = served.run(force=True).cycle.challenger
    served.platform.champion = champion
    manifest = records.read_manifest(served.artifacts, champion)
    made = replace(manifest, config="other.yml", seed=7)
    records.write_manifest(served.artifacts, champion, made)
    served.rasa.forget()
    served.run(force=True)
    assert served.rasa.recipes["fold-1-champion"] == ("other.yml", 7)
    assert served.rasa.recipes["fold-1-challenger"] == ("config.yml", None)
    assert folds_trained(served) == every_fold("challenger", "champion")


def test_wrong_labels_are_rejected(served):
    """Data that teaches nonsense is worse on itself than the champion's data is."""
    served.write(mislabelled(25))
    report = served.run()
    assert report.state.verdict.outcome is Outcome.REJECT
    assert served.platform.champion == served.champion


def test_equal_recipes_are_trained_once(served):
    """A cycle that a person forces on unchanged data trains each fold once, and finds no gain."""
    served.write(utterances(25))
    report = served.run(force=True)
    assert folds_trained(served) == every_fold("challenger")
    totals = report.state.evaluation.served.totals
    assert (totals.wins, totals.losses) == (0, 0)
    assert report.state.verdict.outcome is Outcome.REJECT


def test_must_pass_utterances_are_asked_of_the_models_themselves(served):
    """What has to be understood is asked of what would serve, even if it is a training example."""
    text = utterances(25)["track"][0]
    served.write(utterances(60), {text: "cancel"})
    report = served.run()
    evaluation = report.state.evaluation
    for model in (evaluation.challenger, evaluation.champion):
        assert [r.answered for r in model.must_pass] == ["track"]
        assert served.rasa.answered[model.model] == [text]
    assert "must_pass" in {check.rule for check in report.state.verdict.stopping}


def test_explicit_test_data_is_asked_in_the_fold_of_its_text(served):
    """A test file counts too; even what is training data as well is held out when it is asked."""
    known = utterances(60)["track"][0]
    (served.project / "test.json").write_text(
        f'[{{"text": "{known.upper()}", "intent": "track"}},'
        ' {"text": "track-way-3 please", "intent": "track"}]'
    )
    served.test_data = ("test.json",)
    evaluation = served.run().state.evaluation
    assert evaluation.challenger.examples == 121
    assert evaluation.left_out.challenger_saw == 0


def test_an_intent_too_small_to_divide_stays_whole_and_is_listed(served):
    """It is in every training, in no test, and the report names it."""
    tiny = ["something else entirely", "and one more thing"]
    served.write({**utterances(60), "extra": tiny})
    report = served.run()
    assert report.state.data.whole == {"extra": 2}
    assert report.state.evaluation.unmeasured == ("extra",)
    assert report.state.evaluation.challenger.examples == 120
    for fold in range(1, FOLDS + 1):
        (trained_on,) = served.rasa.trained[f"fold-{fold}-challenger"]
        assert set(tiny) <= trained_on


def test_what_the_champion_cannot_do_without_is_not_held_against_it(served):
    """An intent that its own data has in one fold only stays in its training, and out of the test."""
    one = "where is the parcel"
    served.write({**utterances(25), "parcel": [one]})
    served.policy = Policy("any", (NamedRule("any", Floor("accuracy", 0.0)),))
    champion = served.run().cycle.challenger
    assert served.platform.champion == champion
    served.rasa.forget()
    served.write({**utterances(25), "parcel": [one, *(f"parcel number {n}" for n in range(20))]})
    evaluation = served.run().state.evaluation
    assert evaluation.left_out.champion_saw == 1
    assert evaluation.challenger.intents["parcel"].support == 20
    for fold in range(1, FOLDS + 1):
        (trained_on,) = served.rasa.trained[f"fold-{fold}-champion"]
        assert one in trained_on


def without_record(lab):
    lab.artifacts.delete(f"models/{lab.champion}/manifest.json")
    return "it is not recorded what .* was trained on"


def without_snapshot(lab):
    digest = records.read_manifest(lab.artifacts, lab.champion).snapshot
    shutil.rmtree(lab.folder / "snapshots" / digest)
    return "the snapshot .* is gone"


def with_a_changed_snapshot(lab):
    digest = records.read_manifest(lab.artifacts, lab.champion).snapshot
    (lab.folder / "snapshots" / digest / "config.yml").write_text("pipeline: other\n")
    return "the snapshot .* was changed"


def with_another_layout(lab):
    digest = records.read_manifest(lab.artifacts, lab.champion).snapshot
    find_project = lab.find_project

    def find(root):
        if root.name == digest:
            raise ProjectError(f"no config in {root}")
        return find_project(root)

    lab.find_project = find
    return "no config in"


def that_was_finetuned(lab):
    manifest = records.read_manifest(lab.artifacts, lab.champion)
    finetuned = replace(manifest, finetuned_from="another")
    records.write_manifest(lab.artifacts, lab.champion, finetuned)
    return "was finetuned from another, so config and data alone do not make it again"


def that_cannot_be_trained(lab):
    def trouble(name):
        if name == "fold-2-champion":
            raise RasaError("no such component")

    lab.rasa.trouble["train"] = trouble
    return "in fold 2 of 3 .* cannot be trained: no such component"


@pytest.mark.parametrize(
    "spoil",
    [
        without_record,
        without_snapshot,
        with_a_changed_snapshot,
        with_another_layout,
        that_was_finetuned,
        that_cannot_be_trained,
    ],
)
def test_a_champion_whose_recipe_is_not_to_be_had_is_held(served, spoil):
    """No comparison is better than a dishonest one: a person decides, and is told why."""
    why = spoil(served)
    served.policy = Policy(
        "any",
        (
            NamedRule("good_enough", Floor("accuracy", 0.0)),
            NamedRule("better", Superiority()),
            NamedRule("simple", Simple("f1_weighted"), blocking=False),
        ),
    )
    report = served.run(force=True)
    assert report.cycle.status is Status.COMPLETED
    evaluation, verdict = report.state.evaluation, report.state.verdict
    assert (evaluation.served, evaluation.classified, evaluation.flips) == (None, None, ())
    assert evaluation.champion.model == served.champion
    assert evaluation.champion.metrics == {}
    assert evaluation.champion.must_pass
    assert evaluation.left_out.champion_saw == 0
    assert evaluation.challenger.metrics["accuracy"] > 0
    assert evaluation.challenger.examples == 120
    assert re.search(why, evaluation.obstacle)
    assert verdict.outcome is Outcome.HOLD
    outcomes = {check.rule: check.outcome for check in verdict.checks}
    assert outcomes == {
        "comparison": Outcome.HOLD,
        "good_enough": Outcome.PROMOTE,
        "better": Outcome.HOLD,
        "simple": Outcome.HOLD,
    }
    assert evaluation.obstacle in verdict.reason
    assert served.platform.champion == served.champion


def test_a_floor_alone_promotes_nothing_that_could_not_be_compared(served):
    """Even a policy that compares nothing does not replace a champion whose recipe is unknown."""
    without_snapshot(served)
    served.policy = Policy("floor", (NamedRule("good_enough", Floor("accuracy", 0.0)),))
    assert served.run().state.verdict.outcome is Outcome.HOLD


def test_what_says_nothing_of_the_recipe_fails_the_cycle(served):
    """A worker that dies in a training of the champion's is a failure, and no reason to hold."""

    def trouble(name):
        if name == "fold-2-champion":
            raise RasaWorkerDied("killed")

    served.rasa.trouble["train"] = trouble
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "evaluate")
    assert report.error == "killed"


@pytest.mark.parametrize("when", ["train", "predict"])
@pytest.mark.parametrize("where", every_fold("challenger", "champion"))
def test_a_cycle_cut_off_in_any_fold_trains_nothing_twice(served, where, when):
    """What was trained before the power cut is taken from disk, and the verdict is the same."""

    def cut(name):
        if name == where:
            served.rasa.trouble.clear()
            raise PowerCut

    served.rasa.trouble[when] = cut
    with pytest.raises(PowerCut):
        served.run()
    served.clock.advance(timedelta(minutes=2))
    report = served.run()
    assert report.cycle.resumed == 1
    assert folds_trained(served) == every_fold("challenger", "champion")
    assert served.rasa.calls.count("train") == 1 + 2 * FOLDS
    assert report.state.evaluation.served.totals.items == 120
    assert report.state.verdict.outcome is Outcome.PROMOTE


def test_a_finished_fold_is_not_asked_again_either(served):
    """Its answers are in the records of the cycle, and its model is deleted."""

    def cut(name):
        folder = served.folder / "cycles"
        if name == "fold-3-challenger":
            assert not list(folder.glob("*/folds/*/fold-[12]-*.tar.gz"))
            served.rasa.trouble.clear()
            raise PowerCut

    served.rasa.trouble["train"] = cut
    with pytest.raises(PowerCut):
        served.run()
    served.rasa.answered.clear()
    served.clock.advance(timedelta(minutes=2))
    report = served.run()
    assert sorted(n for n in served.rasa.answered if n.startswith("fold-")) == [
        "fold-3-challenger",
        "fold-3-champion",
    ]
    assert not (served.folder / "cycles" / report.cycle.challenger).exists()
    assert not list((served.folder / "records" / "cycles").glob("*"))


def test_another_champion_after_the_power_cut_is_another_recipe(served):
    """Somebody went back to an older model meanwhile: its folds are trained, not those at hand."""
    first = served.champion
    second = served.run().cycle.challenger
    served.write(utterances(90))
    served.rasa.forget()

    def cut(name):
        if name == "fold-3-challenger":
            served.rasa.trouble.clear()
            raise PowerCut

    served.rasa.trouble["train"] = cut
    with pytest.raises(PowerCut):
        served.run()
    assert served.platform.champion == second
    served.platform.champion = first
    served.clock.advance(timedelta(minutes=2))
    evaluation = served.run().state.evaluation
    assert evaluation.champion.model == first
    sizes = {
        len(texts) for fold in (1, 2) for texts in served.rasa.trained[f"fold-{fold}-champion"]
    }
    assert max(sizes) > 50 > min(sizes)
    assert len(served.rasa.trained["fold-1-champion"]) == 2


def test_a_cycle_that_is_told_to_stop_does_so_before_the_next_training(served):
    """It is left where it is, without a failed attempt, and goes on with the next fold."""
    stopping = []

    def stop(name):
        if name == "fold-1-champion":
            stopping.append(name)

    served.rasa.trouble["train"] = stop
    served.clock.advance(timedelta(minutes=1))
    world = replace(served.world(), stopping=lambda: bool(stopping))
    with pytest.raises(CycleInterrupted, match="stopped at evaluate"):
        run_cycle(world, owner="host/boot/ns/1/1")
    assert folds_trained(served) == ["fold-1-challenger", "fold-1-champion"]
    report = served.run()
    assert report.cycle.status is Status.COMPLETED
    assert folds_trained(served) == every_fold("challenger", "champion")


def test_a_training_that_was_cut_off_on_purpose_is_no_fault_of_the_champions(served):
    """Rasa is ended when the process stops; the recipe is not to blame for that."""
    stopping = []

    def stop(name):
        if name == "fold-1-champion":
            stopping.append(name)
            raise RasaError("cut off")

    served.rasa.trouble["train"] = stop
    served.clock.advance(timedelta(minutes=1))
    world = replace(served.world(), stopping=lambda: bool(stopping))
    with pytest.raises(CycleInterrupted):
        run_cycle(world, owner="host/boot/ns/1/1")
    served.rasa.trouble.clear()
    assert served.run().state.evaluation.obstacle == ""


def test_progress_says_which_training_it_is(served):
    """Ten trainings look alike: the fold and whose recipe it is are what tells them apart."""
    served.listener.heard.clear()
    served.run()
    said = list(dict.fromkeys(progress.what for progress in served.listener.heard))
    assert [what for what in said if what.startswith("fold")] == [
        f"fold {n} of {FOLDS}, {side}"
        for n in range(1, FOLDS + 1)
        for side in ("challenger", "champion")
    ]


@pytest.mark.parametrize("change", [{"folds": 4}, {"mode": "holdout"}])
def test_another_way_to_measure_is_a_changed_input(served, change):
    """The verdict depends on it, so unchanged data is no reason to skip the cycle."""
    assert served.run().cycle.status is Status.COMPLETED
    assert served.run().cycle.status is Status.SKIPPED
    for name, value in change.items():
        setattr(served, name, value)
    assert served.run().cycle.status is Status.COMPLETED


def test_the_snapshot_of_the_champion_outlives_many_cycles(served):
    """What the champion is made of is kept as long as it serves, whatever else is swept."""
    served.keep_models = 1
    for night in range(4):
        served.write(mislabelled(25 + night))
        evaluation = served.run().state.evaluation
        assert evaluation.obstacle == ""
        assert evaluation.champion.model == served.champion


def test_the_config_reaches_the_cycle():
    """What a user writes is what is done; five folds where nothing is said of them."""
    settings = AssistantSettings.model_validate(
        {"source": {"type": "directory"}, "evaluation": {"mode": "cross_validation"}}
    )
    assistant = assistant_of("shop", settings, Policy("any"), "3.6.21")
    assert (assistant.mode, assistant.folds) == ("cross_validation", 5)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [("mode", "folds", "'holdout' or 'cross_validation'"), ("folds", 1, "greater than or equal")],
)
def test_a_mode_that_makes_no_sense_is_refused(key, value, problem):
    """One fold would leave nothing to train on, and an unknown mode nothing to guess."""
    wrong = {"source": {"type": "directory"}, "evaluation": {key: value}}
    with pytest.raises(ValidationError, match=problem):
        AssistantSettings.model_validate(wrong)
