"""The step that measures champion and challenger on the same examples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retrainer.domain.comparison import Predictions, compare, report, unseen
from retrainer.domain.cycle import Cycle, Snapshot, State
from retrainer.domain.evaluation import PlatformFigures, Report, TestSet
from retrainer.domain.predictions import Prediction
from retrainer.errors import PlatformError, StorageError
from retrainer.pipeline import records
from retrainer.pipeline.data_steps import candidates, snapshot_of, working_folder
from retrainer.pipeline.ledger import newest
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
    test_set = unseen(
        candidates(contents, world.assistant),
        challenger_saw=challenger.saw,
        champion_saw=champion.saw if champion else frozenset(),
    )
    texts = [e.text for e in test_set.examples] + [m.example.text for m in contents.must_pass]
    after = answers(challenger, texts, world)
    before = answers(champion, texts, world) if champion else {}
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
    return replace(
        state,
        champion=serving,
        champion_since=changed.at if changed else None,
        evaluation=evaluation,
    )


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
    predictions: Predictions,
    contents: records.Contents,
    state: State,
    world: World,
) -> Report:
    """Everything that is measured of one model by itself."""
    trained_on = subject.trained_on
    measured = report(
        subject.name,
        test_set,
        predictions,
        contents.must_pass,
        knows=tuple(trained_on.labels) if trained_on and trained_on.labels else None,
    )
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
