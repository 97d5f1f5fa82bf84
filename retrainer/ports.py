"""What the pipeline needs of the world: one Protocol each.

Every method with an effect says what happens when it is called twice, since every step of a
cycle may run again after a crash. Failures are `RetrainerError`s; adapters translate their own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from retrainer.domain.cycle import (
    Cycle,
    Finding,
    Model,
    Promotion,
    Snapshot,
    State,
    Status,
    Trigger,
)
from retrainer.domain.examples import Example, MustPass
from retrainer.domain.predictions import Prediction


class Clock(Protocol):
    """The one place where the pipeline learns the time."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...


# --- training data ---------------------------------------------------------------------------


class DataSource(Protocol):
    """Where an assistant's project (config, domain, training data) comes from."""

    def pull(self, into: Path) -> str:
        """Write the project's files below the empty folder `into`; returns the origin, for people.

        Called again with another empty folder it writes the same files, if they have not changed.

        Raises:
            ProjectError: the project is missing, empty or not readable.
        """
        ...


@dataclass(frozen=True, slots=True)
class Project:
    """A project on disk, in Rasa's terms. All paths absolute."""

    root: Path
    config: Path
    domain: tuple[Path, ...]
    data: tuple[Path, ...]


# --- Rasa ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that went on inside a step, for the live view.

    `done` of `total` are in `unit` (epochs, utterances); `what` is for example a component.
    """

    what: str
    done: int | None = None
    total: int | None = None
    unit: str = ""


ProgressListener = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of an environment that Rasa runs in."""

    python: str
    rasa: str
    libraries: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProjectContents:
    """What a project says, read by Rasa.

    `examples` come in Rasa's order, with file and line where known.
    `domain_intents` are the intents that the domain declares.
    """

    examples: tuple[Example, ...]
    domain_intents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a model archive says of itself."""

    rasa_version: str
    trained_at: datetime
    model_id: str
    intents: tuple[str, ...]
    actions: tuple[str, ...]
    components: tuple[str, ...]


class Rasa(Protocol):
    """Rasa itself: one warm process that serves a whole cycle, started by the first call.

    Every method may raise RasaWorkerDied, RasaTimeout or RasaError, and ProjectError where the
    project is at fault (with file and line where known).
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process, if one was started, with everything that it started."""
        ...

    def versions(self) -> Versions:
        """Which Python, Rasa and libraries."""
        ...

    def read_project(self, project: Project) -> ProjectContents:
        """All labelled examples of the project and the domain's intents; changes nothing."""
        ...

    def read_examples(self, files: Sequence[Path]) -> tuple[Example, ...]:
        """All labelled examples of NLU files or folders of them; changes nothing."""
        ...

    def read_must_pass(self, files: Sequence[Path]) -> tuple[MustPass, ...]:
        """As `read_examples`, with the optional `metadata: {minimum_confidence: 0.8}`."""
        ...

    def validate(self, project: Project) -> tuple[Finding, ...]:
        """The findings of `rasa data validate`; changes nothing."""
        ...

    def write_training_project(
        self, project: Project, held_out: frozenset[str], into: Path
    ) -> tuple[Project, tuple[str, ...]]:
        """Write a copy of the project without the NLU examples whose exact text is held out.

        Returns the copy and every text that a model trained on it will see (end-to-end stories
        included). `into` is replaced as a whole, so a second call gives the same copy.
        """
        ...

    def train(self, project: Project, name: str, into: Path, progress: ProgressListener) -> Path:
        """Train a model; returns the archive `into/NAME.tar.gz`, complete and durable on disk.

        A finished archive of that name is returned without training again.
        """
        ...

    def predict(
        self, archive: Path, texts: Sequence[str], progress: ProgressListener
    ) -> tuple[Prediction, ...]:
        """The model's answer to each text, in order; changes nothing."""
        ...

    def describe(self, archive: Path) -> ModelDescription:
        """What the archive says of itself.

        Raises:
            ModelArchiveError: truncated, unsafe, or not a Rasa model.
        """
        ...


# --- where models live -----------------------------------------------------------------------


class Platform(Protocol):
    """Where an assistant's models are stored and made active."""

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model under its name; a second upload of the same content does nothing.

        Raises:
            ModelConflict: another content has that name.
        """
        ...

    def models(self) -> tuple[Model, ...]:
        """All stored models, oldest first."""
        ...

    def fetch(self, name: str) -> Path:
        """The archive of a stored model, on this machine, for reading only.

        Raises:
            ModelNotFound: there is none of that name.
        """
        ...

    def active(self) -> str | None:
        """Name of the model that serves; None before the first activation."""
        ...

    def activate(self, name: str, *, expected: str | None) -> None:
        """Make a stored model the active one, atomically; does nothing if it is active already.

        Raises:
            ModelNotFound: there is none of that name.
            ChampionMoved: neither `name` nor `expected` is active.
        """
        ...

    def confirm(self, name: str) -> None:
        """Make sure that this model really serves now.

        Raises:
            PlatformError: it does not.
        """
        ...

    def remove(self, name: str) -> None:
        """Delete a stored model; does nothing if it is gone already.

        Raises:
            PlatformError: the model is active.
        """
        ...


# --- people ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CycleReport:
    """A cycle as people are told of it, everywhere the same."""

    cycle: Cycle
    state: State
    ended_at: datetime | None = None
    #: What went wrong, for a failed or abandoned cycle.
    error: str | None = None
    tip: str | None = None
    #: The step that the error happened in.
    failed_step: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A cycle in words; the same words and numbers in each form.

    `summary` is at most 500 characters on a few lines, `text` the whole story in plain text.
    `blocks` are for Slack (Block Kit), within its limits.
    """

    summary: str
    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()


Renderer = Callable[[CycleReport], Message]


class Notifier(Protocol):
    """Somebody who is told how a cycle ended."""

    def notify(self, report: CycleReport) -> None:
        """Tell; called again it tells again (delivery is at least once).

        Raises:
            NotificationError: not delivered; `retry_after` seconds if the receiver said so.
        """
        ...


# --- memory ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a cycle, until it is lost to another owner.

    `owner` names host, boot, process and its start, so that the same machine can tell a dead
    owner from a slow one.
    """

    cycle: Cycle
    owner: str


@dataclass(frozen=True, slots=True)
class Journal:
    """What is recorded of a cycle so far: the state, the done steps, the starts of each step."""

    state: State
    done: tuple[str, ...]
    attempts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PendingNotification:
    """A row of the outbox that is due; `attempts` so far."""

    number: int
    notifier: str
    report: CycleReport
    attempts: int


class RunStore(Protocol):
    """The record of every cycle. Each method is one transaction."""

    def begin(
        self,
        assistant: str,
        trigger: Trigger,
        *,
        owner: str,
        lease: timedelta,
        dry_run: bool = False,
        force: bool = False,
    ) -> Lease:
        """Start a cycle, or take up the interrupted one of this assistant.

        An interrupted cycle is a running one whose owner is dead or whose lease ran out; taking it
        up counts in `resumed`, and its own `dry_run`, `force` and trigger stay.

        Raises:
            CycleRunning: the assistant's cycle is being worked on by a live owner.
        """
        ...

    def renew(self, lease: Lease, until: timedelta) -> None:
        """Keep the lease for `until` from now.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def load(self, cycle: Cycle) -> Journal:
        """What is recorded of the cycle so far."""
        ...

    def step_started(self, lease: Lease, step: str) -> None:
        """Record that a step begins; again: a further attempt at the same step.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def step_done(
        self,
        lease: Lease,
        step: str,
        before: State,
        after: State,
        promotion: Promotion | None = None,
    ) -> None:
        """Record what the step added to the state, and the promotion that it made, together.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def step_failed(self, lease: Lease, step: str, error: str) -> None:
        """Record why a step failed.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def finish(
        self,
        lease: Lease,
        status: Status,
        state: State,
        *,
        notifiers: Sequence[str],
        error: str | None = None,
        tip: str | None = None,
        failed_step: str | None = None,
    ) -> CycleReport:
        """End the cycle and queue a notification for each notifier, in one transaction.

        Raises:
            LeaseLost: another owner has the cycle.
        """
        ...

    def last_with(self, assistant: str, fingerprint: str) -> int | None:
        """Number of the assistant's newest concluded cycle, if it had these inputs.

        Concluded: completed, or skipped for the same inputs; never a dry run or a failure.
        """
        ...

    def record_promotion(self, promotion: Promotion) -> None:
        """Append to the ledger; an equal newest row (same assistant and model) is not repeated."""
        ...

    def promotions(self, assistant: str, limit: int | None = None) -> tuple[Promotion, ...]:
        """The ledger, newest first."""
        ...

    def due_notifications(self) -> tuple[PendingNotification, ...]:
        """What has not been delivered and may be tried now, oldest first."""
        ...

    def delivered(self, number: int) -> None:
        """Mark a notification as delivered; again: nothing."""
        ...

    def not_delivered(self, number: int, error: str, retry_after: float | None) -> None:
        """Count a failed attempt and put the next one off, with growing delay (seconds)."""
        ...


class ArtifactStore(Protocol):
    """Small files that outlive a cycle, by name (`/` separates folders)."""

    def write(self, name: str, content: bytes) -> None:
        """Store atomically and durably; an earlier content of that name is replaced."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content; None when there is none."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with all in it; nothing if it is gone already."""
        ...


class SnapshotStore(Protocol):
    """Content-addressed copies of an assistant's project."""

    def take(self, source: DataSource) -> Snapshot:
        """Pull and keep; the same content is kept once."""
        ...

    def folder(self, snapshot: Snapshot) -> Path:
        """Where the snapshot's files are, for reading only.

        Raises:
            StorageError: it is gone or was changed.
        """
        ...

    def sweep(self, keep: Sequence[str]) -> None:
        """Delete all snapshots but those of these digests."""
        ...


class CycleListener(Protocol):
    """Somebody who watches a cycle while it runs, such as the live view of a terminal."""

    def begun(self, cycle: Cycle, steps: Sequence[str], done: Sequence[str]) -> None:
        """A cycle begins, or goes on after the steps that are done."""
        ...

    def step(self, name: str) -> None:
        """The next step begins."""
        ...

    def progress(self, progress: Progress) -> None:
        """Something goes on inside the step."""
        ...

    def ended(self, report: CycleReport) -> None:
        """The cycle ended."""
        ...
