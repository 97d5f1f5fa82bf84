"""Rasa itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from retrainer.domain.cycle import Finding
from retrainer.domain.evaluation import StoryResult
from retrainer.domain.examples import Example, MustPass
from retrainer.domain.predictions import Prediction
from retrainer.ports.data import Project


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
    `domain_intents` are the intents that the domain declares, `domain_actions` its custom actions.
    """

    examples: tuple[Example, ...]
    domain_intents: tuple[str, ...]
    domain_actions: tuple[str, ...] = ()


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

    def cancel(self) -> None:
        """Cut off what is under way, which then fails; for another thread to call. Again: nothing.

        The next request starts afresh.
        """
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

    def train(
        self,
        project: Project,
        name: str,
        into: Path,
        progress: ProgressListener,
        *,
        seed: int | None = None,
        finetune: Path | None = None,
    ) -> Path:
        """Train a model; returns the archive `into/NAME.tar.gz`, complete and durable on disk.

        A finished archive of that name is returned without training again. `seed` is what every
        component that takes one is given, None: what the config says; ProjectError if none takes
        one. `finetune` is the archive of a model to go on from; RasaError if its config or its
        labels are others.
        """
        ...

    def predict(
        self,
        archive: Path,
        texts: Sequence[str],
        progress: ProgressListener,
        *,
        code: Path | None = None,
    ) -> tuple[Prediction, ...]:
        """The model's answer to each text, in order; changes nothing.

        `code` is the folder of the project whose own components the model may need.
        """
        ...

    def time_parses(
        self,
        models: Sequence[tuple[Path, Path | None]],
        texts: Sequence[str],
        *,
        limit: float,
    ) -> tuple[tuple[float, ...], ...]:
        """How many seconds each model takes to understand each text; changes nothing.

        A model is an archive, with `code` as in `predict`. They are asked one text at a time and in
        turns, each first without being timed. After `limit` seconds no further text is tried, so all
        have the same number of times, of the first texts.
        """
        ...

    def check_stories(self, project: Project, files: Sequence[Path]) -> None:
        """Make sure that the test stories of files or folders are usable; changes nothing.

        Raises:
            ProjectError: a file cannot be read, holds none or one that no model could pass, or is
                trained on.
        """
        ...

    def test_stories(
        self,
        archive: Path,
        files: Sequence[Path],
        progress: ProgressListener,
        *,
        code: Path | None = None,
    ) -> tuple[StoryResult, ...]:
        """What Rasa's own end-to-end test says of each story of files or folders; runs no action.

        They come in an order that is the same for every model. `code` is as in `predict`.

        Raises:
            RasaError: the model is none that stories can be tested with.
        """
        ...

    def describe(self, archive: Path) -> ModelDescription:
        """What the archive says of itself.

        Raises:
            ModelArchiveError: truncated, unsafe, or not a Rasa model.
        """
        ...
