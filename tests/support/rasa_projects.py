"""Tiny Rasa projects, written for one test each."""

from pathlib import Path
from textwrap import dedent

from retrainer.ports import Project

#: A pipeline that makes a real model in a second or two.
FAST_PIPELINE = """
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: LogisticRegressionClassifier
- name: FallbackClassifier
  threshold: 0.4
  ambiguity_threshold: 0.05
"""

#: The starter pipeline of Rasa. Compiling a network that labels entities with roles and groups
#: takes longer than all of this training, so it runs as it is.
DIET_PIPELINE = """
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 4
- name: DIETClassifier
  epochs: 25
  learning_rate: 0.005
  random_seed: 7
  run_eagerly: true
- name: EntitySynonymMapper
- name: ResponseSelector
  epochs: 4
  random_seed: 7
  retrieval_intent: faq
  run_eagerly: true
- name: FallbackClassifier
  threshold: 0.8
"""

#: A network that is compiled, as by default.
COMPILED_PIPELINE = """
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 3
  random_seed: 7
  entity_recognition: false
"""

DOMAIN = """
version: "3.1"
intents: [greet, bye, order, faq]
entities:
  - dish
  - city:
      roles: [from, to]
      groups: ["1"]
responses:
  utter_greet: [{text: "Hello"}]
  utter_bye: [{text: "Bye"}]
  utter_order: [{text: "Ordered"}]
  utter_faq/hours: [{text: "From nine to five"}]
  utter_faq/place: [{text: "In the main street"}]
actions: [utter_faq]
"""

STORIES = """
version: "3.1"
rules:
  - rule: greet
    steps: [{intent: greet}, {action: utter_greet}]
  - rule: bye
    steps: [{intent: bye}, {action: utter_bye}]
  - rule: order
    steps: [{intent: order}, {action: utter_order}]
  - rule: faq
    steps: [{intent: faq}, {action: utter_faq}]
"""

NLU = """
version: "3.1"
nlu:
  - intent: greet
    examples: |
      - hello
      - hi there
      - good morning
      - hey
      - hello my friend
      - good evening to you
  - intent: bye
    examples: |
      - bye
      - good bye
      - see you later
      - until tomorrow
      - farewell my friend
  - intent: order
    examples: |
      - I want a [pizza](dish)
      - bring me two [burgers]{"entity": "dish", "value": "burger"} please
      - order [soup](dish) for me
      - from [Berlin]{"entity": "city", "role": "from"} to [Paris]{"entity": "city", "role": "to"}
      - deliver [pasta](dish) to [Rome]{"entity": "city", "role": "to", "group": "1"}
      - a [pizza](dish) from [Naples]{"entity": "city", "role": "from"}
      - I would like [soup](dish) and a [pizza](dish)
  - intent: faq/hours
    examples: |
      - when are you open
      - what are your opening hours
      - at what time do you close
  - intent: faq/place
    examples: |
      - where are you
      - what is your address
      - in which street can I find you
  - synonym: burger
    examples: |
      - burgers
      - hamburger
  - regex: time
    examples: |
      - [0-9]+ o'clock
  - lookup: dish
    examples: |
      - pizza
      - soup
      - burger
"""

CONFIG = """
recipe: default.v1
assistant_id: tiny
language: en
pipeline:
{pipeline}
policies:
- name: RulePolicy
- name: MemoizationPolicy
"""


def write_project(
    root: Path,
    *,
    nlu: str = NLU,
    domain: str = DOMAIN,
    stories: str = STORIES,
    pipeline: str = FAST_PIPELINE,
) -> Project:
    """A complete project of four intents, one of them with responses to select from."""
    data = root / "data"
    data.mkdir(parents=True)
    write(root / "config.yml", CONFIG.format(pipeline=pipeline.strip()))
    write(root / "domain.yml", domain)
    write(data / "nlu.yml", nlu)
    write(data / "rules.yml", stories)
    return Project(root, root / "config.yml", (root / "domain.yml",), (data,))


def write(file: Path, content: str) -> Path:
    """Write a text without its common indentation and first line break."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dedent(content).lstrip("\n"), encoding="utf-8")
    return file
