"""The steps that make and judge a model: train, upload, evaluate, decide."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from retrainer.domain import verdict as verdicts
from retrainer.domain.cycle import Cycle, Model, Snapshot, State
from retrainer.domain.evaluation import (
    Evaluation,
    PlatformFigures,
    find_flips,
    report,
    unseen,
)
from retrainer.domain.predictions import Prediction
from retrainer.errors import ModelNotFound, PlatformError, StorageError
from retrainer.pipeline import records
from retrainer.pipeline.data_steps import candidates, snapshot_of, working_folder
from retrainer.pipeline.ledger import newest
from retrainer.pipeline.world import World


def train(cycle: Cycle, state: State, world: World) -> State:
    """Train the challenger; a finished model of its name is not trained again.

    A platform that could not take the model is asked first: training may take hours.
    """
    world.platform.require_ready(world.rasa.versions().rasa)
    started = world.clock.monotonic()
    archive = world.rasa.train(
        records.read_training_project(world.artifacts, cycle.challenger),
        cycle.challenger,
        working_folder(cycle, world),
        world.listener.progress,
    )
    description = world.rasa.describe(archive)
    with archive.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    model = Model(
        name=cycle.challenger,
        sha256=digest,
        size=archive.stat().st_size,
        rasa_version=description.rasa_version,
        trained_at=description.trained_at,
        training_seconds=world.clock.monotonic() - started,
    )
    return replace(state, model=model)


def upload(cycle: Cycle, state: State, world: World) -> State:
    """Store the challenger on the platform; a dry run leaves no trace there."""
    if cycle.dry_run:
        return state
    world.platform.upload(_model(state), archive_path(cycle, world))
    return replace(state, uploaded=True)


def evaluate(cycle: Cycle, state: State, world: World) -> State:
    """Measure champion and challenger on the same examples, which neither was trained on."""
    contents = records.read_contents(world.artifacts, cycle.challenger)
    champion, changed = world.platform.active(), newest(world.desk)
    trained_on = _manifest(cycle, world)
    champion_trained_on = records.read_manifest(world.artifacts, champion) if champion else None
    test_set = unseen(
        candidates(contents, world.assistant),
        challenger_saw=frozenset(trained_on.keys),
        champion_saw=frozenset(champion_trained_on.keys if champion_trained_on else ()),
    )
    texts = [e.text for e in test_set.examples] + [m.example.text for m in contents.must_pass]
    code = world.snapshots.folder(snapshot_of(state))
    after = answers(
        cycle.challenger, texts, world, lambda: (_challenger_archive(cycle, world), code)
    )
    challenger = report(cycle.challenger, test_set, after, contents.must_pass)
    if state.uploaded:
        challenger = replace(challenger, platform=_platform_figures(cycle.challenger, world))
    intents = {example.intent for example in contents.examples if example.intent}
    evaluation = Evaluation(
        challenger=challenger,
        left_out=test_set.left_out,
        unmeasured=tuple(sorted(intents - challenger.intents.keys())),
    )
    if champion is not None:
        before = answers(
            champion,
            texts,
            world,
            lambda: (world.platform.fetch(champion), _code(champion_trained_on, world) or code),
        )
        measured = report(champion, test_set, before, contents.must_pass)
        if state.uploaded:
            measured = replace(measured, platform=_platform_figures(champion, world))
        evaluation = replace(
            evaluation,
            champion=measured,
            champion_known=champion_trained_on is not None,
            flips=find_flips(test_set, before, after),
        )
    return replace(
        state,
        champion=champion,
        champion_since=changed.at if changed else None,
        evaluation=evaluation,
    )


def answers(
    model: str, texts: Sequence[str], world: World, fetch: Callable[[], tuple[Path, Path]]
) -> dict[str, Prediction]:
    """The model's prediction for each text; only what was never asked before is asked.

    `fetch` gives the model's archive and the project whose own components it may need. It is
    called only if something has to be asked: an archive may be a long download.
    """
    known = records.read_predictions(world.artifacts, model)
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    if missing:
        archive, code = fetch()
        predicted = world.rasa.predict(archive, missing, world.listener.progress, code=code)
        known |= {p.text: p for p in predicted}
        records.write_predictions(world.artifacts, model, known)
    return known


def _platform_figures(model: str, world: World) -> PlatformFigures | None:
    """What the platform measures by itself; ours count, so its failure is no reason to fail."""
    try:
        return world.platform.evaluation(model)
    except (PlatformError, StorageError) as error:
        world.listener.warn(f"the platform did not evaluate {model}: {error}")
        return None


def decide(cycle: Cycle, state: State, world: World) -> State:
    """Apply the policy."""
    del cycle  # every step has the same parameters
    if state.evaluation is None:
        raise LookupError("the step needs the evaluation")
    return replace(state, verdict=verdicts.decide(state.evaluation, world.assistant.policy))


def archive_path(cycle: Cycle, world: World) -> Path:
    """Where the challenger's archive is until it is stored."""
    return working_folder(cycle, world) / f"{cycle.challenger}.tar.gz"


def _challenger_archive(cycle: Cycle, world: World) -> Path:
    local = archive_path(cycle, world)
    return local if local.exists() else world.platform.fetch(cycle.challenger)


def _code(manifest: records.Manifest | None, world: World) -> Path | None:
    """The project that the model was trained in; None if it is not known or not kept."""
    if manifest is None:
        return None
    try:
        return world.snapshots.folder(Snapshot(manifest.snapshot, files=(), origin=""))
    except StorageError:
        return None


def _manifest(cycle: Cycle, world: World) -> records.Manifest:
    """What the challenger was trained on; without it no comparison would be known to be honest."""
    manifest = records.read_manifest(world.artifacts, cycle.challenger)
    if manifest is None:
        raise StorageError(
            f"the record of what {cycle.challenger} was trained on is gone",
            tip="`retrainer run-once` starts afresh",
        )
    return manifest


def _model(state: State) -> Model:
    if state.model is None:
        raise ModelNotFound("the step needs the model that `train` makes")
    return state.model
