"""The NLU file that training reads, written so that Rasa reads it quickly.

Examples stand in blocks of text wherever these say the same. As lists, with a node of YAML for
each text, Rasa takes twenty times as long to read them: minutes for a hundred thousand examples.
"""

import itertools
import json
import re
from collections import OrderedDict
from io import StringIO
from pathlib import Path

#: Rasa takes what looks like an escape (`\u`, as in `C:\users`) for one, and may fail at it, where
#: all of a file is ASCII. This file never is.
_REMARK = "# Without the examples that are held out …"
#: What a line of a block can hold as it is.
_LINE = re.compile(
    "(?! )"
    "[\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+"
    "(?<! )"
)
_LABEL = re.compile(r"[\w/. -]+")


def write(data, file):
    """Write the training data, its examples in their order."""
    from rasa.shared.constants import LATEST_TRAINING_DATA_FORMAT_VERSION
    from rasa.shared.nlu.training_data.formats.rasa_yaml import RasaYAMLWriter

    rest = RasaYAMLWriter.process_synonyms(data)
    rest += RasaYAMLWriter.process_regexes(data)
    rest += RasaYAMLWriter.process_lookup_tables(data)
    with Path(file).open("w", encoding="utf-8", newline="\n") as out:
        out.write('{}\nversion: "{}"\n'.format(_REMARK, LATEST_TRAINING_DATA_FORMAT_VERSION))
        out.write("nlu:\n" if data.nlu_examples or rest else "nlu: []\n")
        # Neighbours of the same label and the same metadata of their intent belong together.
        for (label, _, plain), entries in itertools.groupby(map(_entry, data.nlu_examples), _kind):
            if plain:
                out.write(
                    "- intent: {}\n  examples: |\n".format(json.dumps(label, ensure_ascii=False))
                )
                out.writelines("    - {}\n".format(text) for _, text, _ in entries)
            else:
                out.write(_by_rasa([_list(label, list(entries))]))
        if rest:
            out.write(_by_rasa(rest))


def read(file):
    """Rasa's training data of a file that was written here, its schema taken for granted."""
    from rasa.shared.nlu.training_data.formats.rasa_yaml import RasaYAMLReader

    class Reader(RasaYAMLReader):
        def validate(self, _string):
            """It takes as long as all the rest, and training does it again."""

    return Reader().read(file)


def _entry(message):
    """Label, annotated text and metadata of an example."""
    from rasa.shared.nlu.training_data.formats.readerwriter import TrainingDataWriter

    text = message.get("text")
    if message.get("entities"):
        text = TrainingDataWriter.generate_message(message.as_dict_nlu())
    return message.get_full_intent(), text, message.get("metadata") or {}


def _kind(entry):
    label, text, metadata = entry
    plain = (
        not metadata
        and isinstance(label, str)
        and _LABEL.fullmatch(label)
        and _LINE.fullmatch(text)
    )
    of_intent = json.dumps(metadata.get("intent"), sort_keys=True, default=str)
    return label, of_intent, bool(plain)


def _list(label, entries):
    """An item with a list of texts, as Rasa's writer takes it; YAML quotes each as it needs it."""
    item = OrderedDict(intent=label)
    _, _, metadata = entries[0]
    if "intent" in metadata:
        item["metadata"] = metadata["intent"]
    item["examples"] = [_in_list(text, metadata) for _, text, metadata in entries]
    return item


def _in_list(text, metadata):
    example = OrderedDict(text=text)
    if "example" in metadata:
        example["metadata"] = metadata["example"]
    return example


def _by_rasa(items):
    from rasa.shared.utils.io import write_yaml

    written = StringIO()
    write_yaml(items, written, should_preserve_key_order=True)
    return written.getvalue()
