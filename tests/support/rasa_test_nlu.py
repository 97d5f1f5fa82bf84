"""Run the real `rasa test nlu`, and keep every answer that the model gave meanwhile.

To be run by Rasa's interpreter: MODEL NLU_FILE RESULTS_FOLDER ANSWERS_FILE.
"""

import copy
import json
import sys

import rasa.__main__
from rasa.core.processor import MessageProcessor

model, nlu_file, results, answers_file = sys.argv[1:]
answers = []
parse_message = MessageProcessor.parse_message


async def remember(self, message, *args, **kwargs):
    """Parse one message, as Rasa does."""
    parsed = await parse_message(self, message, *args, **kwargs)
    answers.append(copy.deepcopy(parsed))
    return parsed


MessageProcessor.parse_message = remember
sys.argv = ["rasa", "test", "nlu", "--no-plot", "-m", model, "-u", nlu_file, "--out", results]
rasa.__main__.main()
with open(answers_file, "w", encoding="utf-8") as file:  # noqa: PTH123 - Python 3.8
    json.dump(
        answers, file, default=lambda value: value.item() if hasattr(value, "item") else str(value)
    )
