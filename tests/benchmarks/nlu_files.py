"""NLU files of Rasa, written as JSON, which is YAML too."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def write(path: Path, examples: Mapping[str, Iterable[str]]) -> Path:
    """Write the texts of each intent."""
    items = [
        {"intent": intent, "examples": [{"text": text} for text in texts]}
        for intent, texts in examples.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": "3.1", "nlu": items}, indent=1), encoding="utf-8")
    return path
