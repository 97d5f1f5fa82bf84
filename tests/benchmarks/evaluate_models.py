"""Measure models on an NLU file as a cycle does: RECORDS_FOLDER NLU_FILE NAME=ARCHIVE...

Prints the weighted F1 of each, as JSON. What a model was asked before is read from the records.
"""

import json
import sys
import tempfile
from pathlib import Path

from measurement import rasa_python

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.comparison import report
from retrainer.domain.evaluation import TestSet
from retrainer.pipeline import records


def main() -> None:
    """Evaluate all models in one worker."""
    folder, nlu_file, *models = sys.argv[1:]
    artifacts = FolderArtifacts(Path(folder))
    scores = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        RasaClient(
            python=rasa_python(), cache=Path(scratch) / "cache", log=Path(scratch) / "log"
        ) as rasa,
    ):
        test_set = TestSet(rasa.read_examples([Path(nlu_file)]))
        for name, _, archive in (model.partition("=") for model in models):
            known = records.read_predictions(artifacts, name)
            texts = dict.fromkeys(example.text for example in test_set.examples)
            if missing := [text for text in texts if text not in known]:
                asked = rasa.predict(Path(archive), missing, lambda _: None)
                known |= {prediction.text: prediction for prediction in asked}
                records.write_predictions(artifacts, name, known)
            scores[name] = report(name, test_set, known).metrics["f1_weighted"]
    sys.stdout.write(json.dumps(scores) + "\n")


if __name__ == "__main__":
    main()
