"""Several challengers in a cycle: the best goes on, whatever happens on the way."""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from support.worlds import OWNER, Laboratory, mislabelled, utterances

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.domain.cycle import Status
from retrainer.domain.examples import example_key
from retrainer.domain.selection import chooses
from retrainer.domain.verdict import Outcome
from retrainer.errors import (
    CycleInterrupted,
    LeaseLost,
    PlatformError,
    RasaOutOfMemory,
    RasaTimeout,
    RasaWorkerDied,
    StorageError,
)
from retrainer.pipeline import records
from retrainer.pipeline.runner import run_cycle
from retrainer.pipeline.steps import CYCLE
from retrainer.testing.rasa import FakeRasa, _model

CONFIGS = {
    "config.yml": "pipeline: fake\n",
    "poor.yml": "pipeline: fake\nforgets: 0.97\n",
    "fair.yml": "pipeline: fake\nforgets: 0.9\n",
    "broken.yml": "pipeline: fake\nfails: no such component\n",
}


class PowerCut(BaseException):
    """The process ends here: nothing of retrainer may catch this."""


@pytest.fixture
def lab(tmp_path):
    """A laboratory with several configs, and no champion yet."""
    lab = Laboratory(tmp_path)
    renew(lab, 60)
    return lab


@pytest.fixture
def served(lab):
    """A laboratory whose champion was trained on less."""
    renew(lab, 25)
    lab.champion = lab.run().cycle.challenger
    renew(lab, 60)
    lab.rasa.calls.clear()
    return lab


def renew(lab, last, data=utterances):
    lab.write(data(last))
    for name, content in CONFIGS.items():
        (lab.project / name).write_text(content)


def labels(report):
    return [candidate.label for candidate in report.state.candidates]


def chosen(report):
    (winner,) = (candidate for candidate in report.state.candidates if candidate.chosen)
    return winner


def stored(lab, report):
    """What the uploaded challenger is made of."""
    return _model(lab.platform.fetch(report.cycle.challenger))


def test_the_best_on_the_choosing_half_goes_on(served):
    """Three are trained and measured, and the best one is uploaded, tested and promoted."""
    served.configs = ("poor.yml", "config.yml", "fair.yml")
    report = served.run()
    assert labels(report) == ["poor.yml", "config.yml", "fair.yml"]
    assert chosen(report).label == "config.yml"
    scores = [candidate.score for candidate in report.state.candidates]
    assert max(scores) == chosen(report).score > scores[0]
    assert stored(served, report)["config"] == {"pipeline": "fake"}
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert served.platform.champion == report.cycle.challenger
    assert report.state.model.training_seconds == chosen(report).seconds
    assert records.read_manifest(served.artifacts, report.cycle.challenger).config == "config.yml"


def test_what_chose_is_left_out_of_the_test_and_counted(served):
    """The half that chose the winner must not test it, of the holdout and of test data alike."""
    tests = [{"text": f"track-way-{n} please", "intent": "track"} for n in range(15)]
    (served.project / "test.json").write_text(str(tests).replace("'", '"'))
    served.test_data = ("test.json",)
    whole = served.run(dry_run=True)
    served.configs = ("config.yml", "fair.yml")
    served.rasa.asked.clear()
    report = served.run()
    everything, rest = whole.state.evaluation, report.state.evaluation
    assert rest.left_out.selection > 0
    assert rest.challenger.examples + rest.left_out.selection == everything.challenger.examples
    assert everything.left_out.selection == 0
    selecting = {t["text"] for t in tests if chooses(example_key(t["text"]))}
    times = Counter(text for text in served.rasa.asked if text in {t["text"] for t in tests})
    assert {text for text, n in times.items() if n == 2} >= selecting, "asked of both candidates"
    champion = records.read_predictions(served.artifacts, served.champion)
    challenger = records.read_predictions(served.artifacts, report.cycle.challenger)
    assert not [text for text in challenger if text in selecting]
    assert selecting & champion.keys(), "it answered them when nothing was chosen"


@pytest.mark.parametrize("recipe", [{}, {"configs": ("fair.yml",)}, {"seeds": (7,)}])
def test_with_one_candidate_there_are_no_halves(served, recipe):
    """A single challenger is tested on the whole holdout, as if there were no others to be had."""
    for key, value in recipe.items():
        setattr(served, key, value)
    report = served.run()
    assert report.state.candidates == ()
    assert report.state.evaluation.left_out.selection == 0
    assert served.rasa.calls.count("train") == 1
    manifest = records.read_manifest(served.artifacts, report.cycle.challenger)
    assert manifest.config == recipe.get("configs", ("config.yml",))[0]
    assert (manifest.seed,) == recipe.get("seeds", (None,))
    assert not (served.folder / "records" / "cycles").exists() or not list(
        (served.folder / "records" / "cycles").glob("*")
    )


def test_each_config_is_trained_with_each_seed(served):
    """The candidates are the product, and what differs in the seed alone is another model."""
    served.configs, served.seeds = ("fair.yml", "poor.yml"), (1, 2)
    report = served.run()
    assert labels(report) == [
        "fair.yml, seed 1",
        "fair.yml, seed 2",
        "poor.yml, seed 1",
        "poor.yml, seed 2",
    ]
    assert len({candidate.score for candidate in report.state.candidates}) > 1
    assert records.read_manifest(served.artifacts, report.cycle.challenger).seed in (1, 2)


def test_progress_says_which_candidate_of_how_many(served):
    """Whoever watches sees how far the cycle is."""
    served.configs, served.seeds = ("fair.yml", "poor.yml"), (7,)
    served.run()
    heard = [progress.what for progress in served.listener.heard]
    assert "candidate 2 of 2 (poor.yml, seed 7)" in heard
    assert "candidate 2 of 2 (poor.yml, seed 7): NearestUtterance" in heard


def test_a_candidate_that_fails_is_left_out(served):
    """One that cannot be trained is no reason to go without the others, but is told."""
    served.configs = ("broken.yml", "config.yml", "poor.yml")
    report = served.run()
    assert report.state.candidates[0].skipped == "no such component"
    assert chosen(report).label == "config.yml"
    assert report.state.evaluation.left_out.selection > 0
    assert served.listener.warnings == [
        "candidate 1 of 3 (broken.yml) is left out: no such component"
    ]


def test_the_only_one_that_could_be_trained_is_tested_on_everything(served):
    """Where nobody chose, nothing is spent: the whole holdout is the test."""
    served.configs = ("broken.yml", "config.yml")
    report = served.run()
    assert chosen(report).score is None
    assert report.state.evaluation.left_out.selection == 0
    assert report.state.verdict.outcome is Outcome.PROMOTE


def test_if_all_fail_the_cycle_fails_with_the_first_reason(served):
    """Without a model there is nothing to decide about."""
    (served.project / "worse.yml").write_text("fails: something else\n")
    served.configs = ("broken.yml", "worse.yml")
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "train")
    assert report.error == "no such component"
    assert served.platform.champion == served.champion


class Failing(FakeRasa):
    """Fails with `error` for one config: when it trains, or when its model is asked."""

    def __init__(self, error, config, *, asked=False):
        super().__init__()
        self.error, self.config, self.asked_too = error, config, asked

    def train(self, project, name, into, progress, **variant):
        if project.config.name == self.config and not self.asked_too:
            raise self.error
        return super().train(project, name, into, progress, **variant)

    def predict(self, archive, texts, progress, *, code=None):
        if self.asked_too and "forgets" in _model(archive)["config"]:
            raise self.error
        return super().predict(archive, texts, progress, code=code)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        RasaOutOfMemory("8 GB were used up\n  the last line"),
        RasaTimeout("longer than 1 s"),
        RasaWorkerDied("it died"),
    ],
)
def test_out_of_memory_and_out_of_time_are_failures_of_one(served, error, asked):
    """A network that is too large for the machine leaves the small one in the running."""
    served.rasa = Failing(error, "fair.yml", asked=asked)
    served.configs = ("fair.yml", "config.yml")
    report = served.run()
    assert report.state.candidates[0].skipped == error.message.splitlines()[0]
    assert chosen(report).label == "config.yml"
    assert report.state.verdict.outcome is Outcome.PROMOTE


def test_a_full_disk_is_a_failure_of_the_cycle(served):
    """What would hit the others too is not put down to one of them."""
    served.rasa = Failing(StorageError("disk full"), "fair.yml")
    served.configs = ("fair.yml", "config.yml")
    report = served.run()
    assert (report.cycle.status, report.error) == (Status.FAILED, "disk full")


def test_a_stopped_daemon_does_not_put_it_down_to_the_candidate(served):
    """What is cut off on purpose goes on later, with every candidate still in the running."""
    served.rasa = Failing(RasaWorkerDied("killed"), "config.yml")
    served.configs = ("fair.yml", "config.yml")
    stopped = []

    def stopping():
        return bool(stopped) or served.rasa.calls.count("train") == 1

    with pytest.raises(CycleInterrupted):
        run_cycle(replace(served.world(), stopping=stopping), owner=OWNER)
    served.rasa = FakeRasa()
    report = served.run()
    assert (report.cycle.resumed, report.cycle.status) == (1, Status.COMPLETED)
    assert [candidate.skipped for candidate in report.state.candidates] == [None, None]
    assert served.rasa.calls.count("train") == 1, "the first was trained before"


def test_whoever_lost_the_lease_stops_at_once(served):
    """The process that took the cycle over trains too; this one must not touch its files."""

    class TakenOver(FakeRasa):
        def train(self, project, name, into, progress, **variant):
            archive = super().train(project, name, into, progress, **variant)
            served.clock.advance(timedelta(minutes=5))
            taker = served.store.begin(
                "shop", owner="host/boot/ns/2/2", lease=timedelta(hours=9), trigger=None
            )
            assert taker.cycle.resumed == 1
            return archive

    served.rasa = TakenOver()
    served.configs = ("fair.yml", "config.yml")
    with pytest.raises(LeaseLost):
        served.run()
    assert served.rasa.calls.count("train") == 1


@dataclass
class Effects:
    """Counts what a training does, and cuts the power before or after one of it."""

    cut: int = -1
    after: bool = False
    done: list[str] = field(default_factory=list)

    def around(self, name, act):
        self.done.append(name)
        if len(self.done) == self.cut and not self.after:
            raise PowerCut
        try:
            return act()
        finally:
            if len(self.done) == self.cut:
                raise PowerCut


class CutRasa(FakeRasa):
    """Rasa in a place where the power may fail."""

    effects = Effects()

    def __init__(self):
        super().__init__()
        self.trained = []

    def train(self, project, name, into, progress, **variant):
        train = super().train

        def act():
            is_new = not into.exists()
            archive = train(project, name, into, progress, **variant)
            self.trained += [into.name] if is_new else []
            return archive

        return self.effects.around("train", act)

    def predict(self, archive, texts, progress, *, code=None):
        act = super().predict
        return self.effects.around("predict", lambda: act(archive, texts, progress, code=code))

    def describe(self, archive):
        act = super().describe
        return self.effects.around("describe", lambda: act(archive))


class CutArtifacts(FolderArtifacts):
    """Records in a place where the power may fail."""

    def __init__(self, folder, effects):
        super().__init__(folder)
        self.effects = effects

    def write(self, name, content):
        self.effects.around(
            f"write {name.rpartition('/')[2]}", lambda: FolderArtifacts.write(self, name, content)
        )


def cut_by(lab, effects):
    lab.rasa.effects, lab.artifacts.effects = effects, effects


def run_with_cut(folder, point, *, after):
    """A first cycle of three candidates, cut off at this effect and resumed; 0: not cut off."""
    lab = Laboratory(folder, rasa=CutRasa())
    lab.artifacts = CutArtifacts(folder / "records", Effects())
    renew(lab, 20)
    lab.configs, lab.seeds = ("broken.yml", "fair.yml", "config.yml"), (7,)
    effects = Effects(point, after=after)
    cut_by(lab, effects)
    if point:
        with pytest.raises(PowerCut):
            lab.run(steps=CYCLE[:5])
        lab.clock.advance(timedelta(minutes=2))
        cut_by(lab, Effects())
    report = lab.run(steps=CYCLE[:5])
    tried = [replace(candidate, seconds=0.0) for candidate in report.state.candidates]
    assert report.cycle.resumed == bool(point)
    assert lab.rasa.trained == ["2", "3"], "each of them once"
    assert not list((folder / "cycles").glob("*/candidates"))
    return effects.done, (tried, stored(lab, report))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_power_cut_anywhere_leads_to_the_same_winner(tmp_path, after):
    """Whichever training, measurement or record is cut off, the same candidate goes on."""
    effects, expected = run_with_cut(tmp_path / "uncut", 0, after=after)
    first, last = effects.index("write candidates.json") + 1, effects.index("describe") + 1
    assert effects[first:last].count("write candidates.json") == 6, (
        "3 trained, 2 measured, 1 chosen"
    )
    for point in range(first, last + 1):
        _, found = run_with_cut(tmp_path / f"{point}", point, after=after)
        assert found == expected, f"{after=} {effects[point - 1]}"


def test_a_cut_between_the_link_and_the_tidying_up(served):
    """The winner that is in its place by then stays, and the others go."""
    served.configs = ("poor.yml", "config.yml")

    class Cut(FakeRasa):
        def describe(self, archive):
            raise PowerCut(archive)

    served.rasa = Cut()
    with pytest.raises(PowerCut):
        served.run()
    (folder,) = [each for each in (served.folder / "cycles").iterdir() if each.is_dir()]
    archive = folder / f"{folder.name}.tar.gz"
    (folder / "candidates" / "2").mkdir(parents=True)
    os.link(archive, folder / "candidates" / "2" / archive.name)
    served.clock.advance(timedelta(minutes=2))
    served.rasa = FakeRasa()
    report = served.run()
    assert chosen(report).label == "config.yml"
    assert "train" not in served.rasa.calls
    assert stored(served, report)["config"] == {"pipeline": "fake"}


def test_a_resumed_cycle_tries_what_it_began_with(served):
    """Settings that change meanwhile are for the next cycle: this one's numbers are taken."""
    served.configs = ("poor.yml", "config.yml")
    served.rasa = Failing(PowerCut(), "config.yml")
    with pytest.raises(PowerCut):
        served.run()
    served.clock.advance(timedelta(minutes=2))
    served.rasa, served.configs = FakeRasa(), ("fair.yml", "poor.yml", "config.yml")
    report = served.run()
    assert labels(report) == ["poor.yml", "config.yml"]
    assert served.run().cycle.status is Status.COMPLETED, "other challengers are other inputs"


@pytest.mark.parametrize(
    "change", [{"configs": ("config.yml", "fair.yml")}, {"seeds": (1,)}, {"finetune": True}]
)
def test_other_challengers_are_other_inputs(served, change):
    """A cycle is not skipped when what it would train has changed."""
    served.run()
    assert served.run().cycle.status is Status.SKIPPED
    for key, value in change.items():
        setattr(served, key, value)
    assert served.run().cycle.status is Status.COMPLETED


def test_a_config_that_is_not_there_is_found_before_training(served):
    """A misspelt name is an error, never one candidate less."""
    served.configs = ("config.yml", "confg.yml")
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "validate")
    assert "training.configs: confg.yml is not in the project's snapshot" in report.error


def test_a_champion_is_finetuned_with_the_new_data(served):
    """One more candidate goes on from the champion; what that was trained on it has seen too."""
    old = records.read_manifest(served.artifacts, served.champion)
    data = {intent: texts[5:] for intent, texts in utterances(60).items()}
    served.write(data)
    served.configs, served.finetune = ("poor.yml",), True
    report = served.run()
    winner = chosen(report)
    assert winner.label == f"config.yml, finetuned from {served.champion}"
    manifest = records.read_manifest(served.artifacts, report.cycle.challenger)
    gone = {example_key(text) for texts in utterances(5).values() for text in texts}
    assert gone & set(old.keys)
    assert set(old.keys) < set(manifest.keys)
    assert manifest.finetuned_from == served.champion
    assert manifest.labels.keys() == {"track", "cancel"}


def test_what_the_champion_saw_does_not_choose_a_finetuned_model(served):
    """It knows the champion's training data by heart, which would make it look best."""
    seen = utterances(25)["track"][:20]
    tests = [{"text": text, "intent": "track"} for text in seen]
    (served.project / "test.json").write_text(str(tests).replace("'", '"'))
    known = records.read_manifest(served.artifacts, served.champion).keys
    data = utterances(60)
    data["track"] = [text for text in data["track"] if text not in seen]
    served.write(data)
    served.test_data, served.finetune = ("test.json",), True
    served.rasa.asked.clear()
    report = served.run()
    assert len([c for c in report.state.candidates if c.score is not None]) == 2
    assert not {example_key(text) for text in served.rasa.asked} & (
        set(known) & {example_key(text) for text in seen}
    )


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda lab: lab.write({**utterances(60), "extra": ["one", "more", "intent"]}), "Cannot"),
        (
            lambda lab: (lab.project / "config.yml").write_text("pipeline: other\n"),
            "Cannot finetune",
        ),
        (
            lambda lab: lab.artifacts.delete(f"models/{lab.champion}/manifest.json"),
            "not recorded what",
        ),
        (
            lambda lab: lab.platform.failures.update(fetch=PlatformError("away")),
            "could not be fetched: away",
        ),
    ],
    ids=["labels", "config", "unknown origin", "platform"],
)
def test_what_cannot_be_finetuned_is_left_out_with_the_reason(served, spoil, reason):
    """Finetuning is a try: whatever speaks against it, the others go on."""
    spoil(served)
    served.finetune = True
    platform = served.platform.failures.copy()
    report = served.run()
    own, finetuned = report.state.candidates or ((), ())
    assert own.chosen
    assert reason in finetuned.skipped
    assert any(reason in warning for warning in served.listener.warnings)
    if not platform:
        assert report.cycle.status is Status.COMPLETED
        assert report.state.evaluation.left_out.selection == 0


def test_without_a_champion_nothing_is_finetuned(lab):
    """The first model is trained from scratch, and tested on the whole holdout."""
    lab.finetune = True
    report = lab.run()
    assert report.state.candidates[1].skipped.startswith("there is no champion yet")
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert report.state.evaluation.left_out.selection == 0


def test_a_champion_of_another_config_is_finetuned_with_that(served):
    """Rasa demands the same config, and the seed makes part of it."""
    served.configs, served.seeds = ("fair.yml",), (7,)
    served.run(force=True)
    newest = max(model.name for model in served.platform.models())
    served.platform.champion = newest
    served.configs, served.seeds, served.finetune = (), (), True
    report = served.run()
    assert report.state.candidates[1].label == f"fair.yml, seed 7, finetuned from {newest}"
    assert report.state.candidates[1].skipped is None


def test_without_an_example_to_choose_by_the_first_is_taken(served):
    """Ties go by order, and a tie of nothing too; it is told."""
    served.holdout = 0.0
    served.configs = ("fair.yml", "config.yml")
    report = served.run()
    assert chosen(report).label == "fair.yml"
    assert "no example is left to choose among 2 challengers by" in served.listener.warnings[0]


def test_bad_data_are_bad_for_every_candidate(served):
    """Several tries do not make a bad night a good one."""
    renew(served, 60, mislabelled)
    served.configs, served.seeds = ("config.yml", "fair.yml"), (1, 2, 3)
    report = served.run()
    assert len(report.state.candidates) == 6
    assert report.state.verdict.outcome is Outcome.REJECT
    assert served.platform.champion == served.champion


def test_a_dry_run_chooses_too_and_leaves_nothing(served):
    """What would have been promoted is told; no archive and no record stays."""
    served.configs = ("poor.yml", "config.yml")
    report = served.run(dry_run=True)
    assert chosen(report).label == "config.yml"
    assert records.read_manifest(served.artifacts, report.cycle.challenger) is None
    assert not list((served.folder / "cycles").glob(f"{report.cycle.challenger}*"))
