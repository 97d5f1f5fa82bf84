"""A copy of a project that training may see: without the examples that are held out."""

import itertools
import json
import shutil
import tempfile
from collections import OrderedDict
from pathlib import Path

from . import examples
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
    shutil.copytree(str(project.root), str(folder), ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
    copy = _moved(project, folder)
    for file in examples.nlu_files(copy.data):
        _remove_examples(Path(file))
    wanted = data.filter_training_examples(lambda message: message.get("text") not in held_out)
    merged = folder / _MERGED
    if merged.exists():
        raise project_fault("{} is a name that retrainer needs".format(_MERGED), _MERGED)
    _dump(wanted, merged)
    copy.data = [path for path in copy.data if path.exists()] + [merged]
    _verify(wanted, _load(copy))
    return _texts(copy), copy


def _load(project):
    """The NLU data as Rasa merges it."""
    from rasa.shared.nlu.training_data.training_data import TrainingData

    files = examples.nlu_files(project.data)
    return TrainingData().merge(*[examples.load(file) for file in files])


def _texts(copy):
    """Every text of the training, end-to-end stories included."""
    data = copy.importer().get_nlu_data()
    return sorted({message.get("text") for message in data.training_examples} - {None})


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
    content = read_yaml_file(str(file))
    rest = {key: value for key, value in content.items() if key != _NLU}
    if len(rest) == len(content):
        return
    if set(rest) <= {_VERSION}:
        file.unlink()
        return
    write_yaml(rest, str(file), should_preserve_key_order=True)
    if read_yaml_file(str(file)) != rest:
        raise Fault("{} could not be written without its NLU examples".format(file.name))


def _dump(data, file):
    """Write with Rasa's writer, in the order that the examples have."""
    from rasa.shared.constants import LATEST_TRAINING_DATA_FORMAT_VERSION
    from rasa.shared.nlu.training_data.formats.rasa_yaml import RasaYAMLWriter
    from rasa.shared.utils.io import write_yaml
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    # The writer alone would give the metadata of an intent's first block to all its examples.
    items = [_intent(label, list(group)) for (label, _), group in _blocks(data.nlu_examples)]
    items += RasaYAMLWriter.process_synonyms(data)
    items += RasaYAMLWriter.process_regexes(data)
    items += RasaYAMLWriter.process_lookup_tables(data)
    version = DoubleQuotedScalarString(LATEST_TRAINING_DATA_FORMAT_VERSION)
    content = OrderedDict([(_VERSION, version), (_NLU, items)])
    write_yaml(content, str(file), should_preserve_key_order=True)


def _blocks(messages):
    """Neighbours of the same label and the same metadata of their intent belong together."""

    def block(message):
        metadata = (message.get("metadata") or {}).get("intent")
        return message.get_full_intent(), json.dumps(metadata, sort_keys=True, default=str)

    return itertools.groupby(messages, key=block)


def _intent(label, messages):
    """One item of the file; with a list of texts, since YAML quotes these as they need it."""
    item = OrderedDict(intent=label)
    metadata = messages[0].get("metadata") or {}
    if "intent" in metadata:
        item["metadata"] = metadata["intent"]
    item["examples"] = [_example(message) for message in messages]
    return item


def _example(message):
    from rasa.shared.nlu.training_data.formats.readerwriter import TrainingDataWriter

    example = OrderedDict(text=TrainingDataWriter.generate_message(message.as_dict_nlu()))
    metadata = message.get("metadata") or {}
    if "example" in metadata:
        example["metadata"] = metadata["example"]
    return example


def _verify(wanted, written):
    """Nothing lost, nothing added, as Rasa reads it."""
    for name, of in (
        ("examples", _examples),
        ("synonyms", lambda data: sorted(data.entity_synonyms.items())),
        ("regular expressions", lambda data: _sorted(data.regex_features)),
        ("lookup tables", lambda data: _sorted(data.lookup_tables)),
    ):
        before, after = of(wanted), of(written)
        if before != after:
            differing = [item for item in before if item not in after] or [
                item for item in after if item not in before
            ]
            raise Fault(
                "the {} did not survive being written by Rasa ({} before, {} after), first: {}".format(
                    name, len(before), len(after), differing[0] if differing else "order"
                ),
                tip="write this entry in another way; Rasa's own writer changes it",
            )


def _examples(data):
    return _sorted(
        dict(examples.as_json(message), metadata=message.get("metadata"))
        for message in data.nlu_examples
    )


def _sorted(entries):
    return sorted(json.dumps(entry, sort_keys=True, default=str) for entry in entries)
