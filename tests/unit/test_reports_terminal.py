"""What a person sees on a terminal."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from support import cycle_reports

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


@pytest.mark.parametrize(("width", "columns"), [(80, 6), (120, 8)])
def test_the_history_is_a_line_a_cycle(width, columns):
    """Every cycle has its line, on a narrow terminal without the names of the models."""
    header, *lines = shown(terminal.history_table(cycle_reports.history()), width).splitlines()
    lines = [line for line in lines if line[0].isdecimal()]  # the others are wrapped errors
    assert [line.split()[0] for line in lines] == list("7654321")
    assert len(re.split(r"\s{2,}", header.strip())) == columns
    by_number = {line.split()[0]: line for line in lines}
    assert re.search(r"REJECTED +4 min 05 s +F1 0.8391 -> 0.7702", by_number["3"])
    assert re.search(r"SKIPPED +0.4 s +same as cycle 3", by_number["4"])
    assert re.search(r"would HOLD +4 min 05 s", by_number["6"])
    assert ("helpdesk-20261117-010000-3" in by_number["3"]) == (width == 120)


def test_an_empty_history_says_so():
    """Nothing to list is told, not an empty table."""
    assert shown(terminal.history_table([])) == "no cycles"
