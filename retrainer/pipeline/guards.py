"""What may stop a promotion beside the model's answers: its data, its actions, its cost."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from retrainer.domain.cost import Cost
from retrainer.domain.custom_actions import CustomActions, custom
from retrainer.domain.cycle import State
from retrainer.domain.evaluation import Evaluation, TestSet
from retrainer.domain.examples import example_key
from retrainer.domain.rules import BoundedCost, ServedActions
from retrainer.domain.verdict import Rule
from retrainer.errors import ModelArchiveError, ModelNotFound, PlatformError, StorageError
from retrainer.pipeline import data_checks, records
from retrainer.pipeline.world import World

if TYPE_CHECKING:
    from retrainer.pipeline.evaluation_step import Subject

#: How many utterances are timed, and for how many seconds.
_TIMED, _SECONDS = 50, 60.0
#: The model's archive cannot be had, which a person has to know and is no failure of the cycle.
_NO_ARCHIVE = (PlatformError, StorageError, ModelNotFound, ModelArchiveError)


def guarded(
    evaluation: Evaluation,
    challenger: "Subject",
    champion: "Subject | None",
    test_set: TestSet,
    state: State,
    contents: records.Contents,
    world: World,
) -> Evaluation:
    """The evaluation with what the guards judge; what takes time only if a rule asks for it."""
    name, trained_on = (champion.name, champion.trained_on) if champion else (None, None)
    evaluation = replace(
        evaluation, data=data_checks.quality(contents, state.findings, name, trained_on)
    )
    if champion is not None and _asks(world, ServedActions):
        evaluation = replace(evaluation, actions=_actions(challenger, champion, world))
    if not _asks(world, BoundedCost):
        return evaluation
    ranked = sorted(test_set.examples, key=lambda example: example_key(example.text))
    texts = [example.text for example in ranked] or [m.example.text for m in contents.must_pass]
    ours, *theirs = _costs([challenger, *([champion] if champion else [])], texts[:_TIMED], world)
    served = evaluation.champion
    return replace(
        evaluation,
        challenger=replace(evaluation.challenger, cost=ours),
        champion=replace(served, cost=theirs[0]) if served and theirs else served,
    )


def _asks(world: World, rule: type[Rule]) -> bool:
    return any(isinstance(named.rule, rule) for named in world.assistant.policy.rules)


def _actions(challenger: "Subject", champion: "Subject", world: World) -> CustomActions:
    actions = CustomActions(_actions_of(challenger, world), _actions_of(champion, world))
    if not actions.new:
        return actions
    if world.action_server is None:
        tip = "set `evaluation.action_server` of the assistant, so that it is asked"
        return replace(actions, problem=tip)
    try:
        return replace(actions, served=world.action_server.actions())
    except PlatformError as error:
        return replace(actions, problem=error.message)


def _actions_of(model: "Subject", world: World) -> tuple[str, ...] | None:
    """As recorded, else as the model's archive says; None if neither is there."""
    if model.trained_on is not None and model.trained_on.actions is not None:
        return model.trained_on.actions
    try:
        archive, _ = model.fetch()
        return custom(world.rasa.describe(archive).actions)
    except _NO_ARCHIVE as error:
        world.listener.warn(f"the custom actions of {model.name} are not known: {error}")
        return None


def _costs(
    models: "Sequence[Subject]", texts: Sequence[str], world: World
) -> tuple[Cost | None, ...]:
    """What each model costs; None of each where one of the archives is not to be had."""
    try:
        fetched = [model.fetch() for model in models]
    except _NO_ARCHIVE as error:
        world.listener.warn(f"the models' size and speed were not measured: {error}")
        return (None,) * len(models)
    seconds = (
        world.rasa.time_parses(fetched, texts, limit=_SECONDS) if texts else ((),) * len(models)
    )
    return tuple(
        Cost.of(archive.stat().st_size, taken)
        for (archive, _), taken in zip(fetched, seconds, strict=True)
    )
