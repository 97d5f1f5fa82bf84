"""Labelled examples of NLU files: Rasa reads them, and we find the line of each."""

import hashlib
import warnings
from collections import OrderedDict, defaultdict, deque
from pathlib import Path

from .encoding import require_utf8
from .faults import blamed, project_fault

_MINIMUM = "minimum_confidence"
#: What `remembered` has read, by file: the digest of its content, and Rasa's training data.
_read = {}


def nlu_files(paths):
    """Rasa's choice among files and folders, in its order."""
    from rasa.shared import data

    return data.get_data_files([str(path) for path in paths], data.is_nlu_file)


def load(file):
    """Rasa's training data of one file."""
    from rasa.shared.nlu.training_data.loading import load_data

    with blamed(file):
        return load_data(file)


def remembered(file):
    """As `load`, but a file that was read before and is the same is not read again.

    The data is shared, so it is not to be changed; and what Rasa warned of is not said again.
    """
    digest = hashlib.sha256(Path(file).read_bytes()).digest()
    known, data = _read.get(file, (None, None))
    if known != digest:
        data = load(file)
        _read[file] = (digest, data)
    return data


def forget():
    """Let go of what `remembered` keeps in memory."""
    _read.clear()


def read(paths, show=str, load=load):
    """Pairs of example and metadata, as Rasa merges the files: each distinct message once."""
    require_utf8(paths, show)
    found = OrderedDict()
    for file in nlu_files(paths):
        lines = _lines(file)
        for message in load(file).nlu_examples:
            if not message.get("intent"):
                continue
            place = lines[(message.get_full_intent(), message.get("text"))]
            line = place.popleft() if place else None
            found.setdefault(
                message.fingerprint(), (as_json(message, show(file), line), message.get("metadata"))
            )
    return list(found.values())


def read_must_pass(paths):
    """Must-pass utterances; here a warning of Rasa's (it skips what it does not like) is a fault."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pairs = read(paths)
    for warning in caught:
        # A blank line between examples is skipped too, and nothing is lost with it.
        if "skipped" in str(warning.message) and "symbol: \n" not in str(warning.message):
            raise project_fault(" ".join(str(warning.message).split()))
    return [
        {"example": example, "minimum_confidence": _minimum(example, metadata or {})}
        for example, metadata in pairs
    ]


def as_json(message, file=None, line=None):
    """An example in the service's terms."""
    return {
        "text": message.get("text"),
        "intent": message.get("intent"),
        "response": message.get("intent_response_key"),
        "entities": [entity_as_json(entity) for entity in message.get("entities") or []],
        "file": file,
        "line": line,
    }


def entity_as_json(entity):
    """An annotated or extracted entity in the service's terms."""
    return {
        "type": entity.get("entity"),
        "value": str(entity.get("value")),
        "start": entity.get("start", 0),
        "end": entity.get("end", 0),
        "role": entity.get("role"),
        "group": entity.get("group"),
    }


def _minimum(example, metadata):
    """The example's own minimum confidence, else its intent's, else 0."""
    minimum = 0.0
    for level in ("intent", "example"):
        wishes = metadata.get(level) or {}
        if not isinstance(wishes, dict) or set(wishes) - {_MINIMUM}:
            raise project_fault(
                "metadata {!r} of a must-pass utterance: only {} is known".format(wishes, _MINIMUM),
                example["file"],
                example["line"],
            )
        minimum = wishes.get(_MINIMUM, minimum)
    if isinstance(minimum, bool) or not isinstance(minimum, (int, float)) or not 0 <= minimum <= 1:
        raise project_fault(
            "{} is {!r}, it has to be a number from 0 to 1".format(_MINIMUM, minimum),
            example["file"],
            example["line"],
        )
    return float(minimum)


def _lines(file):
    """Maps (label, text) to the lines, from 1, where the file has that example."""
    from rasa.shared.nlu.training_data.entities_parser import replace_entities

    lines = defaultdict(deque)
    for label, annotated, line in _raw_examples(file):
        text = annotated.strip("\n\r ")
        lines[(label, replace_entities(text) if "[" in text else text)].append(line)
    return lines


def top_level_keys(file):
    """The keys of a YAML file, without making values of what is below them."""
    from ruamel.yaml.nodes import MappingNode

    root = _composed(file)
    return {name.value for name, _ in root.value} if isinstance(root, MappingNode) else set()


def _composed(file):
    """The nodes of a YAML file, with their places."""
    from ruamel.yaml import YAML

    with Path(file).open(encoding="utf-8") as stream:
        return YAML(typ="safe").compose(stream)


def _raw_examples(file):
    """(label, annotated text, line) of what looks like an example; nothing for other formats."""
    from ruamel.yaml.nodes import ScalarNode, SequenceNode

    if not file.endswith((".yml", ".yaml")):
        return
    items = _value(_composed(file), "nlu")
    for item in items.value if isinstance(items, SequenceNode) else ():
        label, examples = _value(item, "intent"), _value(item, "examples")
        if not isinstance(label, ScalarNode):
            continue
        if isinstance(examples, SequenceNode):
            for entry in examples.value:
                text = _value(entry, "text")
                if isinstance(text, ScalarNode):
                    yield label.value.strip(), text.value, _first_line(text)
        elif isinstance(examples, ScalarNode):
            # Only in a literal block is a line of the value a line of the file.
            step = 1 if examples.style == "|" else 0
            for number, row in enumerate(examples.value.splitlines()):
                if row.startswith("-"):
                    yield label.value.strip(), row[1:], _first_line(examples) + number * step


def _first_line(node):
    return node.start_mark.line + (2 if node.style in ("|", ">") else 1)


def _value(node, key):
    """The node under a key of a mapping node; None where there is none."""
    from ruamel.yaml.nodes import MappingNode

    if isinstance(node, MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value
    return None
