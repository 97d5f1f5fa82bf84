"""What a person sees on a terminal."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from support import cycle_reports

from retrainer.domain.cycle import Promotion, PromotionReason
from retrainer.reports import terminal, words

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def shown(content, width=80, **options):
    """The content as a console of that width prints it, without trailing spaces."""
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, _environ={}, **options).print(content)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("ending", cycle_reports.ENDINGS)
def test_nothing_is_wider_than_the_terminal(ending, width):
    """Every line of every ending fits, the long ones are wrapped and not cut."""
    report = cycle_reports.ENDINGS[ending]()
    for content in (terminal.summary(report), terminal.full(report, cycle_reports.steps())):
        assert max(map(len, shown(content, width).splitlines())) <= width


@pytest.mark.parametrize("ending", cycle_reports.ENDINGS)
def test_the_terminal_says_what_everybody_is_told(ending):
    """Headline, reason and F1 are those of Slack and logs; so is how to see more, and the tip."""
    report = cycle_reports.ENDINGS[ending]()
    text = " ".join(shown(terminal.summary(report), 120).split())
    wanted = [*words.summary(report), words.see_more(report), report.tip or ""]
    assert [line for line in wanted if line not in text] == []


@pytest.mark.parametrize("width", [80, 120])
def test_the_whole_story_is_there(width):
    """Checks with their sentences, both models' figures, intents, flips and steps are all shown."""
    report = cycle_reports.rejected()
    text = " ".join(shown(terminal.full(report, cycle_reports.steps()), width).split())
    for check in report.state.verdict.checks:
        assert check.sentence in text
    assert "f1_weighted 0.8123 0.7702 -4.21" in text
    assert "cancel_order 19 0.8100 0.5755 -23.45" in text
    assert '"please give me my money back" (refund_status)' in text
    assert '"track it" cancel_order 0.64 -> track_order 0.48' in text
    assert "train done 54 s attempt 2" in text
    assert "580 examples of 8 intents: 464 to train on, 116 held out" in text


def test_the_most_changed_intent_comes_first():
    """A person looks at what moved, in either direction."""
    text = shown(terminal.full(cycle_reports.rejected()))
    places = [text.index(f"\n  {i} ") for i in ("cancel_order", "track_order", "greet")]
    assert places == sorted(places)


def test_a_user_s_words_are_not_markup():
    """Square brackets, emoji names and control characters in an utterance are shown, not obeyed."""
    report = cycle_reports.promoted()
    flip = replace(
        report.state.evaluation.flips[0], text="[red]hi[/] :smile: \x1b[2J\r\n\ud800 [/x]"
    )
    measured = replace(report.state.evaluation, flips=(flip,))
    report = replace(report, state=replace(report.state, evaluation=measured))
    text = shown(terminal.full(report), 120, force_terminal=True)
    assert r'"[red]hi[/] :smile: \x1b[2J\r\n\ud800 [/x]"' in ANSI.sub("", text)
    assert "\x1b[2J" not in text


def test_colour_carries_nothing_alone():
    """Without colours, or in a pipe, the words are the same as on a terminal."""
    content = terminal.full(cycle_reports.rejected())
    plain = shown(content)
    coloured = shown(content, force_terminal=True, color_system="truecolor")
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain
    assert ANSI.sub("", coloured).split() == plain.split()


def test_a_long_utterance_is_cut_in_the_tables():
    """A pasted page does not push everything else off the screen."""
    report = cycle_reports.promoted()
    flip = replace(report.state.evaluation.flips[0], text="very " * 500)
    measured = replace(report.state.evaluation, flips=(flip,) * 200)
    report = replace(report, state=replace(report.state, evaluation=measured))
    text = shown(terminal.summary(report))
    assert text.count("very") < 500
    assert "… and 195 more" in text


def test_the_changes_of_the_champion_are_there():
    """A cycle that promoted and was rolled back shows both rows of the ledger."""
    report = cycle_reports.promoted()
    made = Promotion(
        "helpdesk",
        cycle_reports.CHAMPION,
        report.cycle.challenger,
        PromotionReason.GATE,
        "retrainer",
        report.cycle.started_at,
        "policy default: better",
        report.cycle.number,
    )
    back = replace(
        made, reason=PromotionReason.ROLLBACK, model=made.previous, previous=made.model, note="hm"
    )
    text = " ".join(shown(terminal.full(report, (), (made, back)), 120).split())
    assert f"{made.model} in place of {made.previous} by verdict, cycle 7: policy default" in text
    assert f"{made.previous} in place of {made.model} rolled back by retrainer, cycle 7: hm" in text


def test_examples_of_test_files_are_counted_as_examples():
    """580 examples of one test file are not 580 test files."""
    report = cycle_reports.promoted()
    data = replace(report.state.data, test_files=580)
    report = replace(report, state=replace(report.state, data=data))
    text = " ".join(shown(terminal.full(report), 120).split())
    assert "116 held out, 580 examples of test files" in text
