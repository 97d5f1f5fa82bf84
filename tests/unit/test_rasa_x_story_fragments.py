"""Putting the stories of Rasa X together."""

import pytest
import yaml

from retrainer.adapters.rasa_x.story_fragments import of_kind, together
from retrainer.errors import ProjectError

WHOLE = (
    'version: "3.1"\nstories:\n- story: yes and no\n  steps:\n  - intent: no\n  - action: utter_a\n'
)
INDENTED = "stories:\n  - story: two\n    steps:\n      - intent: greet\nversion: '2.0'\n"
BARE = "- story: three\n  steps:\n  - user: |\n      on\n      off\n    intent: greet\n"
MARKDOWN = """## four
* greet
  - utter_greet <!-- a remark -->
> check_a
* inform{"city": "Rome", "number": 2} OR affirm
  - slot{"city": "Rome"}
  - form{"name": "order_form"}
  - form{"name": null}
"""


def test_fragments_become_one_document():
    """Whole documents, indented ones and bare items keep their words; nothing is interpreted."""
    text = together("stories", [WHOLE, INDENTED, BARE, "\n"])
    assert "  - intent: no\n" in text, "`no` is an intent, not a boolean"
    read = yaml.load(text, Loader=yaml.BaseLoader)
    assert [story["story"] for story in read["stories"]] == ["yes and no", "two", "three"]
    assert read["stories"][2]["steps"][0]["user"] == "on\noff\n"


def test_nothing_is_a_document_too():
    """An assistant without rules has an empty list of them."""
    assert yaml.safe_load(together("rules", [])) == {"version": "3.1", "rules": None}


def test_markdown_is_converted():
    """Intents with entities, actions, slots, forms, checkpoints and OR."""
    (story,) = yaml.safe_load(together("stories", [MARKDOWN]))["stories"]
    assert story == {
        "story": "four",
        "steps": [
            {"intent": "greet"},
            {"action": "utter_greet"},
            {"checkpoint": "check_a"},
            {
                "or": [
                    {"intent": "inform", "entities": [{"city": "Rome"}, {"number": 2}]},
                    {"intent": "affirm"},
                ]
            },
            {"slot_was_set": [{"city": "Rome"}]},
            {"active_loop": "order_form"},
            {"active_loop": None},
        ],
    }


@pytest.mark.parametrize(
    "line", ['* inform{"city": }', "* greet: hello there", "- reset{1}", "utter", '- act{"a": 1}']
)
def test_markdown_that_is_not_understood_is_named(line):
    """A story that would change its meaning is refused, with its line and a way out."""
    with pytest.raises(ProjectError, match="line 2 of a story in Markdown cannot be") as caught:
        together("stories", [f"## a\n{line}\n"])
    assert "`parts`" in caught.value.tip


def test_what_is_no_story_is_refused():
    """A fragment that is something else is shown."""
    with pytest.raises(ProjectError, match="begins with 'hello'"):
        together("stories", ["hello"])


def test_rules_tests_and_stories_are_told_apart():
    """What is a test must not be trained on."""
    listed = [
        {"story": "a", "is_rule": False, "is_test": False},
        {"story": "b", "is_rule": True, "is_test": False},
        {"story": "c", "is_rule": False, "is_test": True},
        {"story": "d"},
    ]
    assert of_kind(listed, rules=False) == ["a", "d"]
    assert of_kind(listed, rules=True) == ["b"]
    assert of_kind(listed, rules=False, tests=True) == ["c"]
    with pytest.raises(ProjectError, match="hold something else"):
        of_kind(["a"], rules=False)
