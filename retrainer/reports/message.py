"""What a notifier is given to send."""

from retrainer.ports import CycleReport, Message
from retrainer.reports import words
from retrainer.reports.slack_blocks import to_blocks
from retrainer.reports.text import to_text
from retrainer.reports.values import shorten

_LONGEST_SUMMARY = 500


def render(report: CycleReport) -> Message:
    """The `Renderer` of retrainer: a cycle in all the forms that notifiers send."""
    return Message(
        summary=shorten("\n".join(words.summary(report)), _LONGEST_SUMMARY),
        text=to_text(report),
        blocks=to_blocks(report),
    )
