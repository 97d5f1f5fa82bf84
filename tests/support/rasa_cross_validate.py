"""Run Rasa's own cross-validation, on given folds.

To be run by Rasa's interpreter: CONFIG NLU_FILE FOLDS_FILE RESULT_FILE. The folds are a JSON list
of lists: the texts that each of them holds out.
"""

import asyncio
import json
import sys

from rasa.nlu import test
from rasa.shared.nlu.training_data.loading import load_data
from rasa.shared.nlu.training_data.training_data import TrainingData

config, nlu_file, folds_file, result_file = sys.argv[1:]
with open(folds_file, encoding="utf-8") as file:  # noqa: PTH123 - Python 3.8
    held_out = json.load(file)


def part(data, keep):
    """The training data with some of its examples."""
    return TrainingData(
        training_examples=[each for each in data.intent_examples if keep(each.get("text"))],
        entity_synonyms=data.entity_synonyms,
        regex_features=data.regex_features,
        lookup_tables=data.lookup_tables,
        responses=data.responses,
    )


def generate_folds(n, data):
    """The given folds instead of drawn ones."""
    assert n == len(held_out)
    for texts in map(set, held_out):
        yield (
            part(data, lambda text, texts=texts: text not in texts),
            part(data, lambda text, texts=texts: text in texts),
        )


test.generate_folds = generate_folds
intents, entities, _ = asyncio.run(
    test.cross_validate(
        load_data(nlu_file),
        len(held_out),
        config,
        disable_plotting=True,
        report_as_dict=True,
        output=result_file + ".d",
    )
)
pooled = {name: intents.evaluation[name] for name in ("accuracy", "f1_score", "precision")}
with open(result_file, "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
    json.dump(
        {"folds": intents.test, "pooled": pooled, "report": intents.evaluation["report"]}, file
    )
