"""What the steps of a cycle may touch: one assistant's ports and plain values, nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from retrainer.domain.evaluation import Mode
from retrainer.domain.verdict import Policy
from retrainer.ports import (
    ActionServer,
    ArtifactStore,
    Clock,
    CycleListener,
    DataSource,
    Platform,
    Project,
    Rasa,
    RunStore,
    SnapshotStore,
)


@dataclass(frozen=True, slots=True)
class Assistant:
    """What a user configured for one assistant, as plain values.

    `must_pass`, `test_data` and `stories` are paths inside the project; `holdout` is a share, 0 to 1, and so
    is `maximum_loss`: of the examples that the champion's project held. A cross-validation of so
    many `folds` keeps nothing out of the challenger.
    A challenger is trained with each of `configs` (paths inside the project; none: the project's
    config) and each of `seeds` (none: as the config has it), and one more with `finetune`.
    `inputs` names whatever else the verdict depends on (Rasa's version, where config, domain and
    data lie in the project), so that a change of it is not taken for "nothing changed".
    """

    name: str
    policy: Policy
    must_pass: tuple[str, ...] = ()
    test_data: tuple[str, ...] = ()
    stories: tuple[str, ...] = ()
    mode: Mode = "holdout"
    folds: int = 5
    holdout: float = 0.2
    minimum_examples: int = 5
    fail_on_warnings: bool = False
    maximum_loss: float = 1.0
    configs: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    finetune: bool = False
    inputs: str = ""
    keep_models: int = 10
    keep_age: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Desk:
    """What it takes to change an assistant's champion, and to write down who did."""

    assistant: str
    clock: Clock
    platform: Platform
    store: RunStore


def _unguarded() -> None:
    """Nobody else can be at work."""


def _at_once(now: datetime) -> datetime:
    """There are no hours in which it may not."""
    return now


def _never() -> bool:
    """Nobody asks it to stop."""
    return False


@dataclass(frozen=True, slots=True)
class World:
    """The assistant's ports.

    `folder` holds the working folders of cycles; `find_project` finds config, domain and data
    below a folder.
    """

    assistant: Assistant
    clock: Clock
    source: DataSource
    snapshots: SnapshotStore
    find_project: Callable[[Path], Project]
    rasa: Rasa
    platform: Platform
    artifacts: ArtifactStore
    store: RunStore
    folder: Path
    listener: CycleListener
    #: Which ends of a cycle each notifier is told of (see `pipeline.conclusion.event`).
    notifiers: Mapping[str, frozenset[str]]
    #: Runs the custom actions; None if it is not to be asked.
    action_server: ActionServer | None = None
    #: Raises LeaseLost if the cycle was taken over; called right before the champion changes.
    fence: Callable[[], None] = _unguarded
    #: The first moment from the given one on in which the champion may change.
    promotion_opens: Callable[[datetime], datetime] = _at_once
    #: Whether the process wants to end: the cycle is to be left where it is.
    stopping: Callable[[], bool] = _never

    @property
    def desk(self) -> Desk:
        """The part of the world that changes the champion."""
        return Desk(self.assistant.name, self.clock, self.platform, self.store)
