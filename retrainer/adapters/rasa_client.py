"""Rasa, asked through its worker process."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from retrainer.adapters import rasa_codec as codec
from retrainer.adapters.files import make_folder, storage_errors, sync_folder, sync_tree
from retrainer.adapters.model_archive import publish, read_metadata, require_safe_archive
from retrainer.adapters.processes import proxies
from retrainer.adapters.rasa_process import Event, RasaProcess
from retrainer.adapters.resource_limits import ResourceLimits
from retrainer.adapters.temporary import TemporaryFolder
from retrainer.adapters.time_limits import TimeLimits
from retrainer.domain.cycle import Finding
from retrainer.domain.evaluation import StoryResult
from retrainer.domain.examples import Example, MustPass
from retrainer.domain.predictions import Prediction
from retrainer.errors import RasaError, RetrainerError
from retrainer.ports import (
    ModelDescription,
    ProgressListener,
    Project,
    ProjectContents,
    Versions,
)


class RasaClient:
    """Implements `retrainer.ports.Rasa`.

    `python` is Rasa's interpreter, `cache` the folder of Rasa's fingerprint cache (one for each
    assistant), `log` the file that the worker's output goes to, `resources` what it may take.
    One request runs at a time; after the worker died the next request starts another.
    """

    def __init__(
        self,
        *,
        python: Path,
        cache: Path,
        log: Path,
        limits: TimeLimits | None = None,
        resources: ResourceLimits | None = None,
    ) -> None:
        self._python, self._cache, self._log = python, cache, log
        self._limits = limits or TimeLimits()
        self._resources = resources or ResourceLimits()
        self._process: RasaProcess | None = None
        self._scratch: TemporaryFolder | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the worker, if one was started, with everything that it started."""
        self._stop()

    def cancel(self) -> None:
        """See `ports.Rasa`."""
        process = self._process
        if process is not None:
            process.cancel()

    def versions(self) -> Versions:
        """See `ports.Rasa`."""
        return codec.versions(self._read("versions"))

    def read_project(self, project: Project) -> ProjectContents:
        """See `ports.Rasa`."""
        return codec.contents(self._read("read_project", project=codec.project_to_json(project)))

    def read_examples(self, files: Sequence[Path]) -> tuple[Example, ...]:
        """See `ports.Rasa`."""
        found = self._read("read_examples", files=[str(file) for file in files])
        return tuple(codec.example(item) for item in found)

    def read_must_pass(self, files: Sequence[Path]) -> tuple[MustPass, ...]:
        """See `ports.Rasa`."""
        found = self._read("read_must_pass", files=[str(file) for file in files])
        return tuple(codec.must_pass(item) for item in found)

    def validate(self, project: Project) -> tuple[Finding, ...]:
        """See `ports.Rasa`."""
        arguments = {"project": codec.project_to_json(project)}
        found = self._ask("validate", arguments, "read")
        return tuple(codec.finding(item) for item in found)

    def write_training_project(
        self, project: Project, held_out: frozenset[str], into: Path
    ) -> tuple[Project, tuple[str, ...]]:
        """See `ports.Rasa`."""
        with storage_errors("writing", into):
            make_folder(into.parent)
        written = self._read(
            "write_training_project",
            project=codec.project_to_json(project),
            held_out=sorted(held_out),
            into=str(into),
        )
        with storage_errors("writing", into):
            sync_tree(into)
            sync_folder(into.parent)
        return codec.project(written["project"]), tuple(written["texts"])

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
        """See `ports.Rasa`."""
        archive = into / f"{name}.tar.gz"
        if archive.exists():
            require_safe_archive(archive)
            return archive
        if finetune is not None:
            require_safe_archive(finetune)
        with storage_errors("writing", archive):
            make_folder(into)
            for unfinished in into.glob(f".{name}.*"):
                shutil.rmtree(unfinished)
            folder = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=into))
        try:
            arguments = {
                "project": codec.project_to_json(project),
                "name": name,
                "into": str(folder),
                **codec.variant_to_json(seed, finetune),
            }
            trained = Path(self._ask("train", arguments, "train", _show(progress)))
            require_safe_archive(trained)
            with storage_errors("writing", archive):
                publish(trained, archive)
        except RetrainerError as error:
            # Rasa leaves half-written entries in its cache for ever; on a full disk, the space
            # that recording this failure needs. A finetuning that it refuses used no cache.
            if finetune is None or type(error) is not RasaError:
                self._stop()
                shutil.rmtree(self._cache, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return archive

    def predict(
        self,
        archive: Path,
        texts: Sequence[str],
        progress: ProgressListener,
        *,
        code: Path | None = None,
    ) -> tuple[Prediction, ...]:
        """See `ports.Rasa`."""
        require_safe_archive(archive)
        answers: list[Mapping[str, Any]] = []

        def listen(event: Event) -> None:
            if event["event"] == "part":
                answers.extend(event["items"])
                _require_count(answers, texts)
            else:
                progress(codec.progress(event))

        arguments = {
            "archive": str(archive.absolute()),
            "texts": list(texts),
            "code": None if code is None else str(code.absolute()),
        }
        self._ask("predict", arguments, "predict", listen)
        if len(answers) < len(texts):
            raise RasaError(f"Rasa gave {len(answers)} answers to {len(texts)} utterances")
        return tuple(codec.prediction(*pair) for pair in zip(texts, answers, strict=True))

    def time_parses(
        self, models: Sequence[tuple[Path, Path | None]], texts: Sequence[str], *, limit: float
    ) -> tuple[tuple[float, ...], ...]:
        """See `ports.Rasa`."""
        for archive, _ in models:
            require_safe_archive(archive)
        asked = {"models": codec.models_to_json(models), "texts": list(texts), "limit": limit}
        return tuple(tuple(seconds) for seconds in self._ask("time_parses", asked, "predict"))

    def check_stories(self, project: Project, files: Sequence[Path]) -> None:
        """See `ports.Rasa`."""
        named = [str(file) for file in files]
        self._read("check_stories", project=codec.project_to_json(project), files=named)

    def test_stories(
        self,
        archive: Path,
        files: Sequence[Path],
        progress: ProgressListener,
        *,
        code: Path | None = None,
    ) -> tuple[StoryResult, ...]:
        """See `ports.Rasa`."""
        require_safe_archive(archive)
        arguments = {
            "archive": str(archive.absolute()),
            "files": [str(file.absolute()) for file in files],
            "code": None if code is None else str(code.absolute()),
        }
        found = self._ask("test_stories", arguments, "predict", _show(progress))
        return tuple(codec.story_result(item) for item in found)

    def describe(self, archive: Path) -> ModelDescription:
        """See `ports.Rasa`; no worker is needed for this."""
        return codec.description(archive, read_metadata(archive))

    def _read(self, operation: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        return self._ask(operation, arguments, "read")

    def _ask(
        self,
        operation: str,
        arguments: Mapping[str, object],
        limit: str,
        listener: Callable[[Event], None] = lambda _: None,
    ) -> Any:  # noqa: ANN401 - JSON
        with self._turn:
            process = self._running()
            try:
                return process.ask(operation, arguments, listener, limit=self._limits.of(limit))
            finally:
                # Cut off in the middle, it would answer to the wrong request.
                if not process.ready:
                    self._stop()

    def _running(self) -> RasaProcess:
        """The worker, started now if there is none."""
        if self._process is None or not self._process.ready:
            self._stop()
            self._scratch = TemporaryFolder("rasa")
            self._process = RasaProcess(
                python=self._python,
                environment=self._environment(),
                log=self._log,
                limits=self._resources,
            )
            try:
                self._process.wait_until_ready(self._limits.of("start"))
            except BaseException:
                self._stop()
                raise
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def _environment(self) -> dict[str, str]:
        environment = {
            # For components that fetch a language model; what runs there is not trusted.
            **proxies(with_passwords=False),
            "RASA_CACHE_DIRECTORY": str(self._cache.absolute()),
            "RASA_TELEMETRY_ENABLED": "false",
            "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        if self._scratch is not None:
            # Rasa unpacks models there; what it leaves when it is killed goes with the folder.
            environment["TMPDIR"] = str(self._scratch.path)
        return environment


def _require_count(answers: Sequence[object], texts: Sequence[str]) -> None:
    if len(answers) > len(texts):
        raise RasaError(f"Rasa gave {len(answers)} answers or more to {len(texts)} utterances")


def _show(progress: ProgressListener) -> Callable[[Event], None]:
    return lambda event: progress(codec.progress(event))
