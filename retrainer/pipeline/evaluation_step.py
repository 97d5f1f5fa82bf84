"""The step that measures champion and challenger on the same examples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retrainer.domain.comparison import Predictions, compare, report, unseen
from retrainer.domain.cycle import Cycle, Snapshot, State
from retrainer.domain.evaluation import PlatformFigures, Report, TestSet
from retrainer.domain.must_pass import assess_must_pass
from retrainer.domain.predictions import Prediction
from retrainer.domain.selection import spent
from retrainer.errors import PlatformError, StorageError
from retrainer.pipeline import records
from retrainer.pipeline.cross_validation import (
    HeldOutAnswers,
    challengers_recipe,
    champions_recipe,
    cross_validate,
)
from retrainer.pipeline.data_steps import candidates, snapshot_of, working_folder
from retrainer.pipeline.guards import guarded
from retrainer.pipeline.ledger import newest
from retrainer.pipeline.reuse import count_use
from retrainer.pipeline.story_tests import story_results
from retrainer.pipeline.world import World


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the two models that are measured.

    `trained_on` is None for a model of unknown origin. `fetch` gives the model's archive and the
    project whose own components it may need; an archive may be a long download, so it is called
    only if something has to be asked.
    """

    name: str
    trained_on: records.Manifest | None
    fetch: Callable[[], tuple[Path, Path]]

    @property
    def saw(self) -> frozenset[str]:
        """The `example_key` of every text that it is known to have been trained on."""
        return frozenset(self.trained_on.keys if self.trained_on else ())


def evaluate(cycle: Cycle, state: State, world: World) -> State:
    """Measure champion and challenger on the same examples, which neither was trained on."""
    contents = records.read_contents(world.artifacts, cycle.challenger)
    serving, changed = world.platform.active(), newest(world.desk)
    challenger = _challenger(cycle, state, world)
    champion = _champion(serving, state, world) if serving else None
    if world.assistant.mode == "cross_validation":
        measured = _on_every_fold(cycle, contents, challenger, champion, world)
    else:
        measured = _on_the_holdout(contents, state, challenger, champion, world)
    test_set, after, before = measured.test_set, measured.after, measured.before
    evaluation = compare(
        test_set,
        challenger=_measured(challenger, test_set, after, contents, state, world),
        after=after,
        champion=_measured(champion, test_set, before, contents, state, world)
        if champion
        else None,
        before=before,
        champion_known=champion is None or champion.trained_on is not None,
        intents={example.intent for example in contents.examples if example.intent},
    )
    choosing = spent(candidates(contents, world.assistant), state.candidates)
    evaluation = count_use(
        evaluation, test_set, before or {}, choosing=choosing, cycle=cycle, world=world
    )
    return replace(
        state,
        champion=serving,
        champion_since=changed.at if changed else None,
        evaluation=replace(
            guarded(evaluation, challenger, champion, test_set, state, contents, world),
            mode=world.assistant.mode,
            folds=world.assistant.folds if world.assistant.mode == "cross_validation" else 0,
            obstacle=measured.obstacle,
        ),
    )


def _on_the_holdout(
    contents: records.Contents,
    state: State,
    challenger: Subject,
    champion: Subject | None,
    world: World,
) -> HeldOutAnswers:
    """The answers of the two models themselves, to what neither was trained on."""
    measurable = candidates(contents, world.assistant)
    test_set = unseen(
        measurable,
        challenger_saw=challenger.saw,
        champion_saw=champion.saw if champion else frozenset(),
        spent=spent(measurable, state.candidates),
    )
    texts = [e.text for e in test_set.examples] + [m.example.text for m in contents.must_pass]
    after = answers(challenger, texts, world)
    before = answers(champion, texts, world) if champion else None
    return HeldOutAnswers(test_set, after, before)


def _on_every_fold(
    cycle: Cycle,
    contents: records.Contents,
    challenger: Subject,
    champion: Subject | None,
    world: World,
) -> HeldOutAnswers:
    """The answers of what the two models are made of, to every example."""
    if challenger.trained_on is None:
        raise LookupError("a challenger has the record of what it was trained on")
    new = challengers_recipe(challenger.trained_on, contents.examples, world)
    old = champions_recipe(champion.name, champion.trained_on, world) if champion else None
    if isinstance(old, str):
        alone = cross_validate(cycle, world, new, None, contents.test_data)
        return replace(alone, obstacle=old)
    return cross_validate(cycle, world, new, old, contents.test_data)


def answers(subject: Subject, texts: Sequence[str], world: World) -> dict[str, Prediction]:
    """The model's prediction for each text; only what was never asked before is asked."""
    known = records.read_predictions(world.artifacts, subject.name)
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    if missing:
        archive, code = subject.fetch()
        predicted = world.rasa.predict(archive, missing, world.listener.progress, code=code)
        known |= {p.text: p for p in predicted}
        records.write_predictions(world.artifacts, subject.name, known)
    return known


def _measured(
    subject: Subject,
    test_set: TestSet,
    predictions: Predictions | None,
    contents: records.Contents,
    state: State,
    world: World,
) -> Report:
    """Everything that is measured of one model by itself; no figures without predictions."""
    trained_on = subject.trained_on
    knows = tuple(sorted(trained_on.labels)) if trained_on and trained_on.labels else None
    if predictions is None:
        size = len(test_set.examples)
        measured = Report(subject.name, test_set.digest, size, metrics={}, knows=knows)
    else:
        measured = report(subject.name, test_set, predictions, knows=knows)
    # The model's own answers: in a cross-validation the predictions are those of its folds.
    own = answers(subject, [must.example.text for must in contents.must_pass], world)
    must_pass = tuple(assess_must_pass(m, own[m.example.text]) for m in contents.must_pass)
    stories = story_results(subject.name, subject.fetch, state, world)
    measured = replace(measured, must_pass=must_pass, stories=stories)
    if not state.uploaded:
        return measured
    return replace(measured, platform=_platform_figures(subject.name, world))


def _platform_figures(model: str, world: World) -> PlatformFigures | None:
    """What the platform measures by itself; ours count, so its failure is no reason to fail."""
    try:
        return world.platform.evaluation(model)
    except (PlatformError, StorageError) as error:
        world.listener.warn(f"the platform did not evaluate {model}: {error}")
        return None


def _challenger(cycle: Cycle, state: State, world: World) -> Subject:
    trained_on = records.read_manifest(world.artifacts, cycle.challenger)
    if trained_on is None:  # without it no comparison would be known to be honest
        raise StorageError(
            f"the record of what {cycle.challenger} was trained on is gone",
            tip="`retrainer run-once` starts afresh",
        )

    def fetch() -> tuple[Path, Path]:
        local = archive_path(cycle, world)
        archive = local if local.exists() else world.platform.fetch(cycle.challenger)
        return archive, world.snapshots.folder(snapshot_of(state))

    return Subject(cycle.challenger, trained_on, fetch)


def _champion(name: str, state: State, world: World) -> Subject:
    trained_on = records.read_manifest(world.artifacts, name)

    def fetch() -> tuple[Path, Path]:
        code = _code(trained_on, world) or world.snapshots.folder(snapshot_of(state))
        return world.platform.fetch(name), code

    return Subject(name, trained_on, fetch)


def archive_path(cycle: Cycle, world: World) -> Path:
    """Where the challenger's archive is until it is stored."""
    return working_folder(cycle, world) / f"{cycle.challenger}.tar.gz"


def _code(manifest: records.Manifest | None, world: World) -> Path | None:
    """The project that the model was trained in; None if it is not known or not kept."""
    if manifest is None:
        return None
    try:
        return world.snapshots.folder(Snapshot(manifest.snapshot, files=(), origin=""))
    except StorageError:
        return None
