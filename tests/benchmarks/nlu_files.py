"""NLU files of Rasa. Each intent is a line of JSON, which is YAML too."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def write(path: Path, examples: Mapping[str, Iterable[str]]) -> Path:
    """Write the texts of each intent; returns the path."""
    lines = ['version: "3.1"', "nlu:"]
    for intent, texts in examples.items():
        item = {"intent": intent, "examples": [{"text": text} for text in texts]}
        lines.append(f"- {json.dumps(item)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path
