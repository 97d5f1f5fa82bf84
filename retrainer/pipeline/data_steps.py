"""The steps that need no model: pull, validate, split."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from retrainer.domain.custom_actions import custom
from retrainer.domain.cycle import (
    Cycle,
    DataSummary,
    Finding,
    Severity,
    Snapshot,
    State,
)
from retrainer.domain.data_quality import count_texts
from retrainer.domain.examples import Example, example_key
from retrainer.domain.folds import undivided
from retrainer.domain.predictions import NLU_FALLBACK
from retrainer.domain.split import Split, distinct, split
from retrainer.errors import ProjectError
from retrainer.pipeline import data_checks, records
from retrainer.pipeline.ledger import note_outside_change
from retrainer.pipeline.world import Assistant, World
from retrainer.ports import Project, Rasa

_SHOWN = 10


def pull(cycle: Cycle, state: State, world: World) -> State:
    """Take a snapshot; if it leads where the last cycle already went, there is nothing to do."""
    note_outside_change(world.desk)
    snapshot = world.snapshots.take(world.source)
    fingerprint = _fingerprint(snapshot, world.assistant)
    same_as = None
    if not cycle.force:
        same_as = world.store.last_with(world.assistant.name, fingerprint)
    return replace(state, snapshot=snapshot, fingerprint=fingerprint, same_as=same_as)


def validate(cycle: Cycle, state: State, world: World) -> State:
    """Read everything with Rasa's own readers, and stop at what would make the cycle pointless."""
    snapshot = snapshot_of(state)
    root = world.snapshots.folder(snapshot)
    with places_in_project(root, snapshot.origin):
        inspection = inspect(root, world.assistant, world.rasa, world.find_project)
        require_sound(inspection.findings, fail_on_warnings=world.assistant.fail_on_warnings)
        _require_sound_data(inspection, world)
    records.write_contents(world.artifacts, cycle.challenger, inspection.contents)
    return replace(state, findings=inspection.findings)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a project holds, and what is wrong with it."""

    contents: records.Contents
    findings: tuple[Finding, ...]


def inspect(
    root: Path, assistant: Assistant, rasa: Rasa, find_project: Callable[[Path], Project]
) -> Inspection:
    """Read the project below `root` with Rasa's own readers; changes nothing.

    Raises:
        ProjectError: it cannot be read; within `places_in_project` as its owner knows it.
        RasaError: Rasa could not do it.
    """
    project = find_project(root)
    read = rasa.read_project(project)
    must_pass = rasa.read_must_pass(_files(root, assistant.must_pass, "must_pass"))
    _files(root, assistant.configs, "training.configs")
    if stories := _files(root, assistant.stories, "evaluation.stories"):
        rasa.check_stories(project, stories)
    test_data = rasa.read_examples(_files(root, assistant.test_data, "evaluation.test_data"))
    intents = sorted({example.intent for example in read.examples if example.intent})
    findings = [
        *_too_few_intents(intents, read.examples),
        *_unknown(read.examples, read.domain_intents, "the domain does not declare it"),
        *_unknown(
            [m.example for m in must_pass], [*intents, NLU_FALLBACK], "no training example has it"
        ),
        *_unknown(test_data, intents, "no training example has it"),
        *data_checks.known_tests(test_data, read.examples),
    ]
    findings += [] if findings else rasa.validate(project)
    return Inspection(
        records.Contents(
            read.examples,
            test_data,
            must_pass,
            domain_intents=read.domain_intents,
            domain_actions=custom(read.domain_actions),
        ),
        tuple(_below(root, finding) for finding in findings),
    )


def _below(root: Path, finding: Finding) -> Finding:
    file = finding.file and finding.file.removeprefix(f"{root}/")
    return replace(finding, file=file, message=finding.message.replace(f"{root}/", ""))


@contextmanager
def places_in_project(root: Path, origin: str) -> Iterator[None]:
    """Name files as they are known in the project: its owner has never seen this copy of it."""
    try:
        yield
    except ProjectError as error:
        message = error.message.replace(f"{root}/", "").replace(str(root), origin)
        raise ProjectError(message, tip=error.tip) from error


def fatal(findings: Sequence[Finding], *, fail_on_warnings: bool) -> tuple[Finding, ...]:
    """Those that make a cycle pointless."""
    return tuple(f for f in findings if fail_on_warnings or f.severity is Severity.ERROR)


def require_sound(findings: Sequence[Finding], *, fail_on_warnings: bool) -> None:
    """Make sure that no finding is fatal.

    Raises:
        ProjectError: with the first of those that are.
    """
    found = fatal(findings, fail_on_warnings=fail_on_warnings)
    if not found:
        return
    more = f"\n… and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise ProjectError(
        f"the project has {_counted(len(found), 'finding')} "
        "that must be mended, 0 are allowed:\n" + "\n".join(map(str, found[:_SHOWN])) + more
    )


def _require_sound_data(inspection: Inspection, world: World) -> None:
    champion = world.platform.active()
    manifest = records.read_manifest(world.artifacts, champion) if champion else None
    contents = inspection.contents
    if manifest is not None and manifest.examples:
        _require_no_great_loss(len(contents.examples), champion, manifest, world)
    data = data_checks.quality(contents, inspection.findings, champion, manifest)
    data_checks.require_trainable(data, world.assistant.policy)


def _require_no_great_loss(
    examples: int, champion: str | None, manifest: records.Manifest, world: World
) -> None:
    """A pull that returned half the data must never train; compared with the champion's data."""
    lost, limit = 1 - examples / manifest.examples, world.assistant.maximum_loss
    if lost > limit:
        raise ProjectError(
            f"the project holds {_counted(examples, 'example')}, {manifest.examples} when "
            f"{champion} was trained: {lost:.0%} are gone, at most {limit:.0%} may be",
            tip="if that is meant, raise `validation.maximum_loss` of this assistant for one run",
        )


def separate(cycle: Cycle, state: State, world: World) -> State:
    """Split off the holdout, write the project to train on, and the manifest of what it holds."""
    contents = records.read_contents(world.artifacts, cycle.challenger)
    assistant = world.assistant
    parts = divide(contents.examples, assistant)
    snapshot = snapshot_of(state)
    project = world.find_project(world.snapshots.folder(snapshot))
    copy, seen = world.rasa.write_training_project(
        project,
        frozenset(example.text for example in parts.held_out),
        working_folder(cycle, world) / "training",
    )
    records.write_training_project(world.artifacts, cycle.challenger, copy)
    keys = {example_key(text) for text in seen}
    labels = Counter(example.intent for example in parts.training if example.intent)
    manifest = records.Manifest(
        snapshot.digest,
        tuple(sorted(keys)),
        examples=len(contents.examples),
        labels=dict(sorted(labels.items())),
        config=project.config_name,
        intents=count_texts(contents.examples),
        actions=contents.domain_actions,
    )
    records.write_manifest(world.artifacts, cycle.challenger, manifest)
    data = DataSummary(
        examples=len(contents.examples),
        intents=len({example.intent for example in contents.examples if example.intent}),
        training=len(parts.training),
        held_out=len(parts.held_out),
        test_files=len(contents.test_data),
        must_pass=len(contents.must_pass),
        whole=parts.whole,
    )
    return replace(state, data=data)


def candidates(contents: records.Contents, assistant: Assistant) -> tuple[Example, ...]:
    """The examples that models may be measured on: holdout and explicit test data, each once."""
    return distinct([*divide(contents.examples, assistant).held_out, *contents.test_data])


def divide(examples: Sequence[Example], assistant: Assistant) -> Split:
    """What the challenger trains on, and what it never sees: nothing for a cross-validation."""
    minimum = assistant.minimum_examples
    if assistant.mode == "holdout":
        return split(examples, fraction=assistant.holdout, minimum=minimum)
    whole = undivided(examples, folds=assistant.folds, minimum=minimum)
    return Split(tuple(examples), held_out=(), whole=whole)


def working_folder(cycle: Cycle, world: World) -> Path:
    """Where the cycle's own files are; gone when it has ended, but for the log beside it."""
    return world.folder / cycle.challenger


def snapshot_of(state: State) -> Snapshot:
    """What `pull` took; LookupError before it did."""
    if state.snapshot is None:
        raise LookupError("the step needs the snapshot that `pull` takes")
    return state.snapshot


def _fingerprint(snapshot: Snapshot, assistant: Assistant) -> str:
    """What the verdict depends on, but for the champion: 64 hexadecimal digits.

    The champion is left out on purpose: after a rollback the same data must not bring the same
    challenger back.
    """
    inputs = {
        "snapshot": snapshot.digest,
        "policy": repr(assistant.policy),
        "must_pass": assistant.must_pass,
        "test_data": assistant.test_data,
        "stories": assistant.stories,
        "mode": [assistant.mode, assistant.folds],
        "holdout": assistant.holdout,
        "minimum_examples": assistant.minimum_examples,
        "challengers": [assistant.configs, assistant.seeds, assistant.finetune],
        "inputs": assistant.inputs,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _files(root: Path, names: Sequence[str], option: str) -> tuple[Path, ...]:
    missing = [name for name in names if not (root / name).exists()]
    if missing:
        raise ProjectError(
            f"{option}: {', '.join(missing)} is not in the project's snapshot",
            tip="the path is relative to the project, and the source's `include` has to cover it",
        )
    return tuple(root / name for name in names)


def _too_few_intents(intents: Sequence[str], examples: Sequence[Example]) -> list[Finding]:
    if len(intents) >= 2:  # noqa: PLR2004 - to tell apart takes two
        return []
    file = next((example.file for example in examples), None)
    found = f" ({intents[0]})" if intents else ""
    return [
        Finding(
            Severity.ERROR,
            f"the training data holds {_counted(len(intents), 'intent')}{found}, "
            "at least 2 are needed",
            file,
        )
    ]


def _unknown(examples: Sequence[Example], known: Sequence[str], why: str) -> list[Finding]:
    first = {example.intent: example for example in reversed(examples) if example.intent}
    return [
        Finding(Severity.ERROR, f"unknown intent {intent!r}: {why}", example.file, example.line)
        for intent, example in sorted(first.items())
        if intent not in known
    ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
