"""A cycle in the log of the daemon, and in the status of its service."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support import cycle_reports
from support.worlds import Laboratory

from retrainer.adapters.logs import configure, context
from retrainer.daemon.listener import LogListener
from retrainer.domain.cycle import Trigger
from retrainer.ports import Progress

STEPS = ["pull", "train"]


class Night:
    """A listener with a clock of its own, and what it said."""

    def __init__(self, stream: io.StringIO) -> None:
        self.seconds = 0.0
        self.statuses: list[str] = []
        self._stream = stream
        self.listener = LogListener(self.statuses.append, now=lambda: self.seconds)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log, without their time."""
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [line for line in lines if line.pop("time")]

    @property
    def said(self) -> list[tuple[str, str]]:
        """Step and message of each line."""
        return [(line.get("step", ""), line["message"]) for line in self.lines]


@pytest.fixture
def night() -> Iterator[Night]:
    stream = io.StringIO()
    undo = configure("json", stream, environment={})
    with context(assistant="helpdesk"):
        yield Night(stream)
    undo()


def test_a_whole_cycle(night):
    """Its begin, each step with its duration, and its end with verdict, reason and both F1."""
    report = cycle_reports.promoted()
    night.listener.begun(report.cycle, STEPS, [])
    night.listener.step("pull")
    night.seconds = 4.0
    night.listener.step("train")
    night.seconds = 251.0
    night.listener.warn("the disk is nearly full")
    night.listener.ended(report)
    assert night.said[:-1] == [
        ("", "the cycle begins, asked for by the schedule"),
        ("pull", "begins"),
        ("pull", "done in 4.0 s"),
        ("train", "begins"),
        ("train", "the disk is nearly full"),
        ("train", "done in 4 min 07 s"),
    ]
    end = night.lines[-1]
    because, figures = end.pop("message").split("; ")[-2:]
    assert because.startswith("because ")
    assert figures.startswith("weighted F1 0.8123 -> 0.8391 (+2.68 points) on 116 unseen examples")
    assert end == {
        "level": "info",
        "logger": "retrainer.daemon.listener",
        "assistant": "helpdesk",
        "cycle": 7,
        "status": "completed",
        "verdict": "promote",
        "f1_before": 0.8123,
        "f1_after": 0.8391,
    }
    assert {(line["assistant"], line["cycle"]) for line in night.lines} == {("helpdesk", 7)}


def test_a_cycle_that_goes_on(night):
    """A cycle that was interrupted says after which steps it goes on."""
    report = replace(cycle_reports.promoted(), cycle=cycle_reports.cycle(resumed=1))
    night.listener.begun(report.cycle, STEPS, ["pull", "validate"])
    night.listener.begun(report.cycle, STEPS, [])
    assert [message for _, message in night.said] == [
        "the cycle goes on after pull, validate",
        "the cycle goes on after its start",
    ]


@pytest.mark.parametrize(
    ("trigger", "asked"),
    [
        (Trigger.MANUAL, "a person"),
        (Trigger.SCHEDULE, "the schedule"),
        (Trigger.DATA, "new data"),
        (Trigger.HOOK, "another program"),
    ],
)
def test_who_asked(night, trigger, asked):
    """Who reads the log sees what a cycle was for."""
    night.listener.begun(cycle_reports.cycle(trigger=trigger, dry_run=True), STEPS, [])
    assert night.said == [("", f"the cycle begins, asked for by {asked}, a dry run")]


def test_a_cycle_that_failed(night):
    """The step that failed is said to have; then the error, all of it, and what to do."""
    report = cycle_reports.failed()
    night.listener.begun(report.cycle, STEPS, [])
    night.listener.step("train")
    night.seconds = 61.0
    night.listener.ended(report)
    assert night.said[-2] == ("train", "failed after 1 min 01 s")
    end = night.lines[-1]
    headline, *details = end["message"].splitlines()
    assert headline == (
        "helpdesk: FAILED in step train: the Rasa worker was killed by signal 9 (out of memory?)"
    )
    assert details
    assert (end["level"], end["status"], end["failed_step"]) == ("error", "failed", "train")
    assert end["tip"] == report.tip
    assert "verdict" not in end


@pytest.mark.parametrize(
    ("ending", "level"),
    [
        ("rejected", "info"),
        ("held", "warning"),
        ("abandoned", "warning"),
        ("skipped", "info"),
        ("dry_run", "info"),
    ],
)
def test_what_a_person_has_to_look_at_stands_out(night, ending, level):
    """`journalctl -p warning` shows what asks for a person, and no quiet night."""
    night.listener.ended(cycle_reports.ENDINGS[ending]())
    assert [line["level"] for line in night.lines] == [level]


def test_progress_is_a_few_lines_and_many_statuses(night):
    """A log has a tenth a line, the status of the service what goes on now."""
    night.listener.begun(cycle_reports.cycle(), STEPS, [])
    night.listener.step("train")
    for epoch in range(101):
        night.seconds = epoch * 2.0
        night.listener.progress(Progress("DIETClassifier", epoch, 100, "epochs"))
    assert night.said[2:4] == [
        ("train", "DIETClassifier: 0 of 100 epochs"),
        ("train", "DIETClassifier: 10 of 100 epochs"),
    ]
    assert len(night.said) == 2 + 11
    assert night.statuses[0] == "helpdesk#7 train"
    assert night.statuses[13] == "helpdesk#7 train: DIETClassifier: 12 of 100 epochs"
    assert len(night.statuses) == 1 + 101


def test_a_status_is_told_once_a_second_at_most(night):
    """Utterances by the thousand do not keep the service manager busy."""
    night.listener.begun(cycle_reports.cycle(), STEPS, [])
    night.listener.step("evaluate")
    for done in range(5000):
        night.seconds = done / 500
        night.listener.progress(Progress("model", done, None, "utterances"))
    assert len(night.statuses) == 11


def test_a_real_cycle_is_logged_from_its_begin_to_its_end(night, tmp_path):
    """What the pipeline says of itself is what stands in the log, in its order."""
    laboratory = Laboratory(tmp_path, listener=night.listener)
    laboratory.run()
    steps = [step for step, message in night.said if message == "begins"]
    assert steps[:2] == ["pull", "validate"]
    assert steps[-1] == "confirm"
    ended = [step for step, message in night.said if re.match("done in ", message)]
    assert ended == steps
    assert "PROMOTED" in night.said[-1][1]
    assert {(line["assistant"], line["cycle"]) for line in night.lines} == {("shop", 1)}
