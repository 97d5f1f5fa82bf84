"""The challengers of a cycle: one as a rule, or several of which the best goes on.

What goes on has the challenger's name and place, so nothing after the training is another.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from retrainer.domain.comparison import unseen
from retrainer.domain.cycle import Cycle, State
from retrainer.domain.examples import Example
from retrainer.domain.metrics import measure
from retrainer.domain.selection import Candidate, best, choosing_half
from retrainer.errors import (
    ModelArchiveError,
    ModelNotFound,
    PlatformError,
    ProjectError,
    RasaError,
    RetrainerError,
    StorageError,
)
from retrainer.pipeline import records
from retrainer.pipeline.data_steps import candidates, snapshot_of, working_folder
from retrainer.pipeline.evaluation_step import archive_path
from retrainer.pipeline.world import World
from retrainer.ports import Progress, ProgressListener, Project

#: What one candidate may fail with, while another may do.
_OF_ONE = (RasaError, ProjectError, ModelArchiveError)


def train(cycle: Cycle, state: State, world: World) -> tuple[Candidate, ...]:
    """Train all that is configured, and put the best at `archive_path`; what was tried, if several.

    How far it is is written down after each, so a resumed cycle trains and measures none again.

    Raises:
        RetrainerError: none could be trained, for the reason of the first.
    """
    tried = records.read_candidates(world.artifacts, cycle.challenger) or _planned(cycle, world)
    if len(tried) > 1:
        return _Contest(cycle, state, world, tried).run()
    folder = working_folder(cycle, world)
    _train(tried[0], folder, cycle, world, world.listener.progress)
    _record_recipe(tried[0], cycle, world)
    return ()


class _Contest:
    """Several candidates, in the order in which equals are preferred."""

    def __init__(
        self, cycle: Cycle, state: State, world: World, tried: Sequence[Candidate]
    ) -> None:
        self._cycle, self._state, self._world = cycle, state, world
        self._tried = list(tried)
        self._error: RetrainerError | None = None

    def run(self) -> tuple[Candidate, ...]:
        """Train, choose, publish."""
        if not any(candidate.chosen for candidate in self._tried):
            for number in self._running():
                self._train(number)
            self._score()
            self._choose()
        (winner,) = (n for n, candidate in enumerate(self._tried) if candidate.chosen)
        _record_recipe(self._tried[winner], self._cycle, self._world)
        self._publish(winner)
        return tuple(self._tried)

    def _running(self) -> list[int]:
        return [n for n, candidate in enumerate(self._tried) if candidate.skipped is None]

    def _train(self, number: int) -> None:
        self._world.fence()
        started = self._world.clock.monotonic()
        try:
            self._archive(number)
        except _OF_ONE as error:
            self._leave_out(number, error)
        else:
            seconds = self._world.clock.monotonic() - started
            self._note(number, seconds=self._tried[number].seconds or seconds)

    def _archive(self, number: int) -> Path:
        """The archive of this candidate; trained, if it is not there yet."""
        return _train(
            self._tried[number],
            self._folder / str(number + 1),
            self._cycle,
            self._world,
            self._progress(number),
        )

    def _score(self) -> None:
        """Measure on the choosing half, if there is a choice."""
        running = self._running()
        examples = self._examples(running) if len(running) > 1 else ()
        if len(running) > 1 and not examples:
            self._world.listener.warn(
                f"no example is left to choose among {len(running)} challengers by, "
                "at least 1 is needed: the first is taken"
            )
        for number in running if examples else ():
            if self._tried[number].score is None:
                self._measure(number, examples)

    def _measure(self, number: int, examples: Sequence[Example]) -> None:
        self._world.fence()
        code = self._world.snapshots.folder(snapshot_of(self._state))
        texts = [example.text for example in examples]
        try:
            predictions = self._world.rasa.predict(
                self._archive(number), texts, self._progress(number), code=code
            )
        except _OF_ONE as error:
            self._leave_out(number, error)
        else:
            self._note(number, score=measure(examples, predictions).metrics["served_accuracy"])

    def _examples(self, running: Sequence[int]) -> tuple[Example, ...]:
        """What may choose: the half for it, without what any of them was trained on."""
        seen = {
            key
            for number in running
            for key in _manifest(self._tried[number], self._cycle, self._world).keys
        }
        contents = records.read_contents(self._world.artifacts, self._cycle.challenger)
        half = choosing_half(candidates(contents, self._world.assistant))
        labelled = [example for example in half if example.intent]
        return unseen(labelled, challenger_saw=seen, champion_saw=frozenset()).examples

    def _choose(self) -> None:
        self._world.fence()
        winner = best(self._tried)
        if winner is None:
            reason = next(each.skipped for each in self._tried if each.skipped)
            raise self._error or RasaError(reason)
        self._note(winner, chosen=True)

    def _publish(self, winner: int) -> None:
        """Give the winner the challenger's place, durably, and delete the others."""
        target = archive_path(self._cycle, self._world)
        if not target.exists():
            _link(self._archive(winner), target)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _leave_out(self, number: int, error: RetrainerError) -> None:
        """Go on without it, unless it was cut off on purpose, or with the cycle."""
        if self._world.stopping():
            raise error
        self._world.fence()
        self._error = self._error or error
        self._note(number, skipped=error.message.splitlines()[0])
        self._world.listener.warn(f"{self._name(number)} is left out: {error}")

    def _note(self, number: int, **changes: object) -> None:
        self._tried[number] = replace(self._tried[number], **changes)  # type: ignore[arg-type]
        records.write_candidates(self._world.artifacts, self._cycle.challenger, tuple(self._tried))

    def _progress(self, number: int) -> ProgressListener:
        name = self._name(number)
        self._world.listener.progress(Progress(name))

        def listen(progress: Progress) -> None:
            self._world.listener.progress(replace(progress, what=f"{name}: {progress.what}"))

        return listen

    def _name(self, number: int) -> str:
        return f"candidate {number + 1} of {len(self._tried)} ({self._tried[number].label})"

    @property
    def _folder(self) -> Path:
        return working_folder(self._cycle, self._world) / "candidates"


def _planned(cycle: Cycle, world: World) -> tuple[Candidate, ...]:
    """What the settings ask for; several are written down, so that a resumed cycle tries the same."""
    assistant = world.assistant
    own = records.read_training_project(world.artifacts, cycle.challenger).config_name
    recipes = product(assistant.configs or (own,), assistant.seeds or (None,))
    planned = tuple(Candidate(config, seed) for config, seed in recipes)
    if assistant.finetune:
        planned += (_finetuned(own, world),)
    if len(planned) > 1:
        records.write_candidates(world.artifacts, cycle.challenger, planned)
    return planned


def _finetuned(own: str, world: World) -> Candidate:
    """One that goes on from the champion, with its config and seed: Rasa demands the same."""
    champion = world.platform.active()
    manifest = records.read_manifest(world.artifacts, champion) if champion else None
    if champion and manifest:
        return Candidate(manifest.config or own, manifest.seed, champion)
    reason = (
        f"it is not recorded what {champion} was trained on, so nothing is known to be new to it"
        if champion
        else "there is no champion yet that could be finetuned"
    )
    candidate = Candidate(own, finetuned_from=champion or "", skipped=reason)
    world.listener.warn(f"the candidate {candidate.label} is left out: {reason}")
    return candidate


def _train(
    candidate: Candidate, into: Path, cycle: Cycle, world: World, progress: ProgressListener
) -> Path:
    """Its archive in the folder; a finished one is not trained again."""
    project = records.read_training_project(world.artifacts, cycle.challenger)
    finished = (into / f"{cycle.challenger}.tar.gz").exists()
    return world.rasa.train(
        _with_config(project, candidate.config),
        cycle.challenger,
        into,
        progress,
        seed=candidate.seed,
        finetune=None if finished else _fetched(candidate, world),
    )


def _with_config(project: Project, name: str) -> Project:
    config = project.root / name
    if not config.is_file():
        raise ProjectError(f"{name} is not in the project")
    return replace(project, config=config)


def _fetched(candidate: Candidate, world: World) -> Path | None:
    """The archive of the model to go on from."""
    if not candidate.finetuned_from:
        return None
    try:
        return world.platform.fetch(candidate.finetuned_from)
    except (PlatformError, ModelNotFound, StorageError) as error:
        raise RasaError(
            f"{candidate.finetuned_from} could not be fetched: {error}", tip=error.tip
        ) from error


def _manifest(candidate: Candidate, cycle: Cycle, world: World) -> records.Manifest:
    """What it was trained on; with what the champion was, if it goes on from there."""
    name = cycle.challenger
    own = _recorded(name, world)
    before = _recorded(candidate.finetuned_from, world).keys if candidate.finetuned_from else ()
    return replace(
        own,
        keys=tuple(sorted({*own.keys, *before})),
        config=candidate.config,
        seed=candidate.seed,
        finetuned_from=candidate.finetuned_from or "",
    )


def _recorded(model: str, world: World) -> records.Manifest:
    manifest = records.read_manifest(world.artifacts, model)
    if manifest is None:
        raise StorageError(
            f"the record of what {model} was trained on is gone",
            tip="`retrainer run-once` starts afresh",
        )
    return manifest


def _record_recipe(candidate: Candidate, cycle: Cycle, world: World) -> None:
    """Complete the challenger's manifest, which so far says what every candidate trained on."""
    manifest = _manifest(candidate, cycle, world)
    if manifest != _recorded(cycle.challenger, world):
        records.write_manifest(world.artifacts, cycle.challenger, manifest)


def _link(archive: Path, target: Path) -> None:
    """Give the archive a second name, durably; one that is there by now stays."""
    try:
        try:
            os.link(archive, target)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            archive.replace(target)
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(
            f"writing {target} failed: {error.strerror}", tip=f"free space below {target.parent}"
        ) from error
