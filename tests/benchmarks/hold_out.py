"""Split a project as a cycle does: PROJECT HELD_OUT_FILE TRAINING_FOLDER.

Prints the paths of the training data that is left, as JSON.
"""

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import nlu_files
from measurement import rasa_python

from retrainer.adapters.projects import find_project
from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.split import distinct, split
from retrainer.settings.model import EvaluationSettings


def main() -> None:
    """Write both sides of the split."""
    project, held_out_file, training = map(Path, sys.argv[1:])
    with (
        tempfile.TemporaryDirectory() as scratch,
        RasaClient(
            python=rasa_python(), cache=Path(scratch) / "cache", log=Path(scratch) / "log"
        ) as rasa,
    ):
        found = find_project(project)
        examples = rasa.read_project(found).examples
        rule = EvaluationSettings()
        parts = split(examples, fraction=rule.holdout, minimum=rule.minimum_examples)
        texts = frozenset(example.text for example in parts.held_out)
        copy, _ = rasa.write_training_project(found, texts, training.absolute())
    held_out = defaultdict(list)
    for example in distinct(parts.held_out):
        held_out[example.label].append(example.text)
    nlu_files.write(held_out_file, held_out)
    sys.stdout.write(json.dumps([str(path) for path in copy.data]) + "\n")


if __name__ == "__main__":
    main()
