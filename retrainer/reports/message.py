"""What a notifier is given to send."""

from collections.abc import Sequence

from retrainer.ports import CycleReport, Message
from retrainer.reports import words
from retrainer.reports.slack_blocks import to_blocks
from retrainer.reports.text import to_text
from retrainer.reports.values import shorten

_LONGEST_SUMMARY = 500


def render(report: CycleReport, missed: Sequence[CycleReport] = ()) -> Message:
    """The `Renderer` of retrainer: a cycle in all the forms that notifiers send."""
    first, *others = words.summary(report)
    also = [words.missed_title(missed)] if missed else []
    return Message(
        summary=shorten("\n".join([first, *also, *others]), _LONGEST_SUMMARY),
        text=to_text(report, missed),
        blocks=to_blocks(report, missed),
    )
