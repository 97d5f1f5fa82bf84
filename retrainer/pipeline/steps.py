"""The steps of a cycle, in their order."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from retrainer.domain.cycle import Cycle, Promotion, State
from retrainer.pipeline import (
    data_steps,
    evaluation_step,
    model_steps,
    promotion_steps,
    records,
)
from retrainer.pipeline.world import World


def _nothing(cycle: Cycle, world: World) -> None:
    """There is nothing to undo."""


def _no_promotion(cycle: Cycle, state: State, world: World) -> Promotion | None:
    """The step changes no champion."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: may run again after a crash, so a second `act` finds or repeats the first's work.

    `undo` takes back what a started step may have done; it never touches the champion.
    `promotion` is what the ledger has to say of the step.
    """

    name: str
    act: Callable[[Cycle, State, World], State]
    undo: Callable[[Cycle, World], None] = _nothing
    promotion: Callable[[Cycle, State, World], Promotion | None] = _no_promotion


def forget(cycle: Cycle, world: World) -> None:
    """Delete what the cycle wrote down and built; the log beside its folder stays."""
    remove_working_folder(cycle, world)
    if world.platform.active() != cycle.challenger:
        world.artifacts.delete(records.model_name(cycle.challenger))


def remove_working_folder(cycle: Cycle, world: World) -> None:
    """Delete what only the running cycle needs; after a power cut too nothing of it is there."""
    shutil.rmtree(data_steps.working_folder(cycle, world), ignore_errors=True)
    with suppress(FileNotFoundError):
        descriptor = os.open(world.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    world.artifacts.delete(records.cycle_name(cycle.challenger))


def remove_model(cycle: Cycle, world: World) -> None:
    """Delete the challenger from the platform, unless a person made it the champion meanwhile."""
    if world.platform.active() != cycle.challenger:
        world.platform.remove(cycle.challenger)


CYCLE: tuple[Step, ...] = (
    Step("pull", data_steps.pull),
    Step("validate", data_steps.validate, undo=forget),
    Step("split", data_steps.separate, undo=forget),
    Step("train", model_steps.train, undo=forget),
    Step("upload", model_steps.upload, undo=remove_model),
    Step("evaluate", evaluation_step.evaluate),
    Step("decide", model_steps.decide),
    Step("promote", promotion_steps.promote, promotion=promotion_steps.promotion),
    Step("confirm", promotion_steps.confirm),
)

#: From here on a cycle goes forward only: its effect is what users get.
POINT_OF_NO_RETURN = "promote"
