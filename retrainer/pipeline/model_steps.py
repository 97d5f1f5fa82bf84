"""The steps that make a model and decide about it: train, upload, decide."""

import hashlib
from dataclasses import replace

from retrainer.domain import verdict as verdicts
from retrainer.domain.cycle import Cycle, Model, State
from retrainer.errors import ModelNotFound
from retrainer.pipeline import challengers
from retrainer.pipeline.evaluation_step import archive_path
from retrainer.pipeline.world import World


def train(cycle: Cycle, state: State, world: World) -> State:
    """Train the challenger, or several to choose one of; what is finished is not trained again.

    A platform that could not take the model is asked first: training may take hours.
    """
    world.platform.require_ready(world.rasa.versions().rasa)
    started = world.clock.monotonic()
    tried = challengers.train(cycle, state, world)
    seconds = next((c.seconds for c in tried if c.chosen), world.clock.monotonic() - started)
    archive = archive_path(cycle, world)
    description = world.rasa.describe(archive)
    with archive.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    model = Model(
        name=cycle.challenger,
        sha256=digest,
        size=archive.stat().st_size,
        rasa_version=description.rasa_version,
        trained_at=description.trained_at,
        training_seconds=seconds,
    )
    return replace(state, model=model, candidates=tried)


def upload(cycle: Cycle, state: State, world: World) -> State:
    """Store the challenger on the platform; a dry run leaves no trace there."""
    if cycle.dry_run:
        return state
    world.platform.upload(_model(state), archive_path(cycle, world))
    return replace(state, uploaded=True)


def decide(cycle: Cycle, state: State, world: World) -> State:
    """Apply the policy."""
    del cycle  # every step has the same parameters
    if state.evaluation is None:
        raise LookupError("the step needs the evaluation")
    return replace(state, verdict=verdicts.decide(state.evaluation, world.assistant.policy))


def _model(state: State) -> Model:
    if state.model is None:
        raise ModelNotFound("the step needs the model that `train` makes")
    return state.model
