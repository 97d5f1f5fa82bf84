"""Counting what an export of Rasa X holds."""

import json

import pytest
from support.rasa_projects import NLU

from retrainer.adapters.rasa_x.nlu_exports import Export, scan_json, scan_yaml
from retrainer.errors import ProjectError

ALL = frozenset({"regex", "lookup", "synonym"})


def written(tmp_path, text):
    file = tmp_path / "nlu"
    file.write_text(text, encoding="utf-8")
    return file


def test_examples_of_intents_are_counted(tmp_path):
    """Only the examples of intents count; regexes, lookups and synonyms are noticed."""
    assert scan_yaml(written(tmp_path, NLU)) == Export(24, ALL)


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("nlu:\n- intent: a\n  examples: |\n    - one\n    - - two\n\n    - three\n", 3),
        (
            "nlu:\n  - intent: a\n    examples: |\n      - one\n  - intent: b\n    examples: |\n      - x\n",
            2,
        ),
        (
            "nlu:\n- intent: a\n  examples:\n  - text: |\n      - one\n    metadata: {a: 1}\n  - text: x\n",
            2,
        ),
        ("nlu:\n- examples: |\n    - one\n", 0),
        ("nlu:\n- intent: a\n  examples: |\n    - one\n    - tw", 2),
        ("version: '3.1'\nnlu: []\n", 0),
    ],
)
def test_each_way_to_write_examples_is_known(tmp_path, text, examples):
    """As block of text, as list with metadata, indented or not."""
    assert scan_yaml(written(tmp_path, text)).examples == examples


@pytest.mark.parametrize("text", ["", "<html>", "stories:\n- story: x\n", '{"a": 1}'])
def test_what_is_no_nlu_data_is_refused(tmp_path, text):
    """A file without `nlu:` is not trained on; the message shows how it begins."""
    with pytest.raises(ProjectError, match=r"no YAML with `nlu:`, or not all of it"):
        scan_yaml(written(tmp_path, text))


def test_json_of_old_is_counted(tmp_path):
    """Rasa's JSON has a list for each kind."""
    data = {"common_examples": [{"text": "a"}, {"text": "b"}], "lookup_tables": [{"name": "x"}]}
    text = json.dumps({"rasa_nlu_data": {**data, "regex_features": [], "entity_synonyms": None}})
    assert scan_json(written(tmp_path, text)) == Export(2, frozenset({"lookup"}))
    for broken in (text[:-5], "[]", "null", '{"rasa_nlu_data": []}', "[" * 100_000):
        with pytest.raises(ProjectError, match="no JSON with `rasa_nlu_data`"):
            scan_json(written(tmp_path, broken))
