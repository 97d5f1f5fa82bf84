"""NLU data in Markdown as YAML."""

import pytest
import yaml

from retrainer.adapters.rasa_x.nlu_markdown import to_yaml
from retrainer.errors import ProjectError

MARKDOWN = """<!-- from Rasa X -->
## intent:greet
- hello
* no <!-- a remark -->

## intent: faq/hours
+ when in [Rome]{"entity": "city", "role": "to"}
- the [big one](size:large)

## synonym:large
- big one
## regex:zip
- [0-9]{5}
## lookup:city
- Rome
"""


def converted(tmp_path, text):
    (tmp_path / "nlu.md").write_text(text, encoding="utf-8")
    to_yaml(tmp_path / "nlu.md", tmp_path / "nlu.yml")
    return yaml.safe_load((tmp_path / "nlu.yml").read_text(encoding="utf-8"))


def test_every_kind_is_converted(tmp_path):
    """Intents, synonyms, regexes and lookup tables; the words of examples stay as they are."""
    assert converted(tmp_path, MARKDOWN)["nlu"] == [
        {"intent": "greet", "examples": "- hello\n- no\n"},
        {
            "intent": "faq/hours",
            "examples": '- when in [Rome]{"entity": "city", "role": "to"}\n'
            "- the [big one](size:large)\n",
        },
        {"synonym": "large", "examples": "- big one\n"},
        {"regex": "zip", "examples": "- [0-9]{5}\n"},
        {"lookup": "city", "examples": "- Rome\n"},
    ]


@pytest.mark.parametrize("line", ["data/cities.txt", "## story", "- too early"])
def test_what_is_not_understood_is_named(tmp_path, line):
    """Nothing is dropped in silence."""
    text = line if line == "- too early" else f"## lookup:city\n{line}\n"
    with pytest.raises(ProjectError, match="of the NLU data in Markdown cannot be converted"):
        converted(tmp_path, text)
