"""A copy of a project that training may see: without the examples that are held out."""

import itertools
import json
import shutil
import tempfile
from pathlib import Path

from . import examples, training_file
from .faults import Fault, project_fault
from .project import Project

_MERGED = "nlu_training.yml"
_NLU, _VERSION = "nlu", "version"
#: Version control and Rasa's cache are no part of a project.
_LEFT_BEHIND = (".git", ".rasa")


def write(project, held_out, into):
    """Write the copy as `into`, whole or not at all.

    Returns the copy's paths and every text that a model trained on it will see.
    """
    if project.root in into.parents:
        raise Fault("{} lies inside of the project that is to be copied".format(into))
    into.parent.mkdir(parents=True, exist_ok=True)
    for leftover in into.parent.glob(".{}.*".format(into.name)):
        shutil.rmtree(str(leftover))
    folder = Path(tempfile.mkdtemp(prefix=".{}.".format(into.name), dir=str(into.parent)))
    try:
        texts, copy = _fill(project, held_out, folder / "project")
        if into.exists():
            shutil.rmtree(str(into))
        (folder / "project").rename(into)
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)
    return {"project": _moved(copy, into).as_json(), "texts": texts}


def _fill(project, held_out, folder):
    data = _load(project)
    examples.forget()
    shutil.copytree(str(project.root), str(folder), ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
    copy = _moved(project, folder)
    for file in examples.nlu_files(copy.data):
        _remove_examples(Path(file))
    kept = [each for each in data.training_examples if each.get("text") not in held_out]
    wanted = _with_examples(data, kept)
    merged = folder / _MERGED
    if merged.exists():
        raise project_fault("{} is a name that retrainer needs".format(_MERGED), _MERGED)
    training_file.write(wanted, merged)
    copy.data = [path for path in copy.data if path.exists()] + [merged]
    written = _load(copy, load=training_file.read)
    _verify(wanted, written)
    return _texts(copy, written), copy


def _load(project, load=examples.remembered):
    """The NLU data as Rasa merges it, but that no message is copied."""
    from rasa.shared.nlu.training_data.training_data import TrainingData

    found = [load(file) for file in examples.nlu_files(project.data)]
    if len(found) == 1:
        return found[0]
    merged = TrainingData().merge(*[_with_examples(data, []) for data in found])
    messages = [message for data in found for message in data.training_examples]
    return _with_examples(merged, TrainingData.sanitize_examples(messages))


def _with_examples(data, messages):
    """The same data with other examples, which are distinct and in order."""
    from rasa.shared.nlu.training_data.training_data import TrainingData

    other = TrainingData(
        entity_synonyms=data.entity_synonyms,
        regex_features=data.regex_features,
        lookup_tables=data.lookup_tables,
        responses=data.responses,
    )
    other.training_examples = messages  # Rasa would compute the digest of each once more
    return other


def _texts(copy, written):
    """Every text of the training: those of the NLU data, and of end-to-end stories."""
    beside = copy.importer(nlu=False).get_nlu_data()
    messages = itertools.chain(written.training_examples, beside.training_examples)
    return sorted({message.get("text") for message in messages} - {None})


def _moved(project, root):
    def moved(path):
        try:
            return root / Path(path).relative_to(project.root)
        except ValueError:
            raise project_fault(
                "lies outside of the project's folder {}".format(project.root), str(path)
            ) from None

    return Project(
        root, moved(project.config), [*map(moved, project.domain)], [*map(moved, project.data)]
    )


def _remove_examples(file):
    """Take the NLU items (with synonyms, expressions, lookup tables) out of a file, keep the rest."""
    from rasa.shared.utils.io import read_yaml_file, write_yaml

    if file.suffix == ".json":
        file.unlink()  # Rasa's JSON formats hold NLU data alone
        return
    keys = examples.top_level_keys(file)
    if _NLU not in keys:
        return
    if keys <= {_NLU, _VERSION}:
        file.unlink()
        return
    content = read_yaml_file(str(file))
    rest = {key: value for key, value in content.items() if key != _NLU}
    write_yaml(rest, str(file), should_preserve_key_order=True)
    if read_yaml_file(str(file)) != rest:
        raise Fault("{} could not be written without its NLU examples".format(file.name))


def _verify(wanted, written):
    """Nothing lost, nothing added, as Rasa reads it."""
    for name, of in (
        ("examples", _examples),
        ("synonyms", lambda data: sorted(map(str, data.entity_synonyms.items()))),
        ("regular expressions", lambda data: _sorted(data.regex_features)),
        ("lookup tables", lambda data: _sorted(data.lookup_tables)),
    ):
        if of is _examples and _plain(wanted) == _plain(written):
            continue  # as a rule they are; sorting takes longer than reading them
        before, after = of(wanted), of(written)
        if before != after:
            differing = sorted(set(before) - set(after)) or sorted(set(after) - set(before))
            raise Fault(
                "the {} did not survive being written by Rasa ({} before, {} after), first: {}".format(
                    name, len(before), len(after), differing[0] if differing else "order"
                ),
                tip="write this entry in another way; Rasa's own writer changes it",
            )


def _plain(data):
    """Everything that makes an example, in the order of the file."""
    return [
        (
            message.get("text"),
            message.get_full_intent(),
            [examples.entity_as_json(entity) for entity in message.get("entities") or ()],
            message.get("metadata"),
        )
        for message in data.nlu_examples
    ]


def _examples(data):
    return _sorted(
        dict(examples.as_json(message), metadata=message.get("metadata"))
        for message in data.nlu_examples
    )


def _sorted(entries):
    return sorted(json.dumps(entry, sort_keys=True, default=str) for entry in entries)
