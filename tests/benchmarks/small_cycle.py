"""One cycle of a small assistant: `retrainer run-once`, or a script of Rasa's commands."""

import json
import shutil
from pathlib import Path
from statistics import median

import unchanged_night
from measurement import (
    BENCHMARKS,
    FOLDER,
    REPOSITORY,
    RETRAINER,
    Comparison,
    Figure,
    Run,
    measure,
    say,
)
import sys

REPETITIONS = 2
_FOLDER = FOLDER / "small_cycle"
_DEMO = REPOSITORY / "retrainer" / "demo"
_STATE = Path(".retrainer/assistants/shop")
_CONFIG = """\
[assistants.shop]
must_pass = ["must_pass.yml"]
source = { type = "directory", path = "assistant" }
"""
_TEST_STORIES = """\
version: "3.1"
stories:
- story: a refund that takes long
  steps:
  - user: |
      hello
    intent: greet
  - action: utter_greet
  - user: |
      where is my refund
    intent: refund_status
  - action: utter_refund_status
- story: somebody to talk to
  steps:
  - user: |
      I want to talk to a human
    intent: talk_to_human
  - action: utter_talk_to_human
"""
