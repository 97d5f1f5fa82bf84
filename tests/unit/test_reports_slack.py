"""Slack's limits hold whatever a report holds."""

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import cycle_reports
from support.slack_server import problem_with

from retrainer.domain.cycle import Status
from retrainer.domain.verdict import Check, Outcome, Verdict
from retrainer.reports.message import render
from retrainer.reports.slack_blocks import MOST_CHARACTERS, to_blocks

#: Pieces that are longer escaped than they look, end a line, call somebody, or belong together.
PIECES = ["&", "<", ">", "`", "*", "\n", "\x1b[31m", "\ud800", "<!channel>", "e\u0301", "\u202e"]
PIECES += ["👩‍👩‍👧‍👦", "word ", "[bold]", "ж", "\\", '"', "\x00", "a" * 200]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.tuples(st.sampled_from(PIECES), st.integers(1, 3_500)).map(lambda t: t[0] * t[1]),
)
outcomes = st.sampled_from([*Outcome, None])
checks = st.builds(
    Check,
    texts,
    outcomes,
    texts,
    blocking=st.booleans(),
    details=st.lists(texts, max_size=3).map(tuple),
)


def report_with(text, number, checked, outcome, ended):
    """A report in which everything that anybody else wrote is this text, often."""
    measured = cycle_reports.evaluation(failed=tuple(f"{n}{text}" for n in range(number)))
    flips = [replace(f, text=text, champion=text, challenger=text) for f in measured.flips]
    measured = replace(measured, flips=tuple(flips * number), unmeasured=(text,) * number)
    verdict = Verdict(outcome, text, (*checked, Check("last", outcome, text)))
    report = ended()
    state = replace(
        report.state,
        evaluation=measured,
        verdict=verdict,
        champion=text,
        data=replace(cycle_reports.data(), whole={f"{n}{text}": n for n in range(number)}),
    )
    return replace(report, state=state, error=text or None, tip=text)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    text=texts,
    number=st.integers(0, 15),
    checked=st.lists(checks, max_size=5),
    outcome=st.sampled_from(Outcome),
    ended=st.sampled_from(list(cycle_reports.ENDINGS.values())),
)
@example("&" * 4_000, 200, [], Outcome.REJECT, cycle_reports.rejected)
@example("a\u0301" * 4_000, 200, [], Outcome.HOLD, cycle_reports.held)
@example("\u0301" * 2_000, 3, [], Outcome.HOLD, cycle_reports.failed)
def test_slack_takes_every_message(text, number, checked, outcome, ended):
    """No report makes a message that Slack would refuse."""
    report = report_with(text, number, checked, outcome, ended)
    message = render(report, [report] * number)
    assert problem_with({"text": message.summary, "blocks": list(message.blocks)}) is None
    assert len(message.summary) <= 500
    assert not re.search(r"&(?!(amp|lt|gt);)", str(message.blocks))  # no escape is cut in two
    str(message.blocks).encode()  # and no half of a surrogate pair is in it


def test_a_thousand_flips_are_cut_and_counted():
    """A long list is cut, and how many were left out is said."""
    measured = cycle_reports.evaluation()
    flips = tuple(replace(measured.flips[0], text=f"utterance {n}") for n in range(1000))
    report = cycle_reports.promoted()
    state = replace(report.state, evaluation=replace(measured, flips=flips))
    blocks = to_blocks(replace(report, state=state))
    assert "`utterance 9`" in str(blocks)
    assert "utterance 10`" not in str(blocks)
    assert "… and 990 more" in str(blocks)


def test_every_check_is_told_even_if_there_are_many():
    """Twenty checks that failed all arrive with their sentences, in as many sections as it takes."""
    report = cycle_reports.rejected()
    checked = tuple(
        Check(f"rule_{n}", Outcome.REJECT, f"sentence {n} " + "with words " * 15) for n in range(20)
    )
    state = replace(report.state, verdict=Verdict(Outcome.REJECT, "many", checked))
    said = str(to_blocks(replace(report, state=state)))
    assert [n for n in range(20) if f"sentence {n} " not in said] == []


def test_one_endless_check_leaves_room_for_the_rest():
    """What follows a giant list is still told."""
    report = cycle_reports.rejected()
    checked = tuple(Check("rule", Outcome.REJECT, "x" * 5_000) for _ in range(100))
    state = replace(report.state, verdict=Verdict(Outcome.REJECT, "giant", checked))
    blocks = to_blocks(replace(report, state=state))
    said = str(blocks)
    assert "please give me my money back" in said
    assert "Worse: 2 utterances" in said
    assert "… and 9" in said
    assert len(said) < 2 * MOST_CHARACTERS
    assert "see more: retrainer show 7" in str(blocks[-1])


def test_markup_in_an_utterance_stays_text():
    """A user's words are shown as code: no bold, no mention, no end of the code before its end."""
    report = cycle_reports.promoted()
    flip = replace(report.state.evaluation.flips[0], text="`*bold*` <@U1> & more")
    measured = replace(report.state.evaluation, flips=(flip,))
    blocks = to_blocks(replace(report, state=replace(report.state, evaluation=measured)))
    assert "`'*bold*' &lt;@U1&gt; &amp; more`: track_order 0.64 -&gt; cancel_order" in str(
        [block["text"]["text"] for block in blocks if "text" in block]
    ).replace('\\"', '"').replace("\\'", "'")


@pytest.mark.parametrize("ending", cycle_reports.ENDINGS)
def test_the_header_says_how_it_ended(ending):
    """The first line names the assistant and the ending, the last how to see more."""
    report = cycle_reports.ENDINGS[ending]()
    first, *_, last = to_blocks(report)
    assert first["text"]["text"].startswith("helpdesk: ")
    assert "see more: retrainer show 7" in last["elements"][0]["text"]
    if report.cycle.status in {Status.FAILED, Status.ABANDONED}:
        assert report.error.splitlines()[0] in str(to_blocks(report))
        assert report.tip in str(to_blocks(report))


def test_missed_cycles_are_a_line_each_and_then_counted():
    """After an outage the newest cycle is told in full, the others in short, and none is hidden."""
    missed = [
        replace(build(), cycle=replace(build().cycle, number=number))
        for number, build in enumerate([*cycle_reports.ENDINGS.values()] * 20, start=100)
    ]
    last = 100 + len(missed) - 1
    message = render(cycle_reports.rejected(), missed)
    for said in (str(message.blocks), message.text):
        assert f"While you could not be told: {len(missed)} more cycles, the newest first" in said
        assert f"#{last} helpdesk: RUNNING" in said
        assert f"#{last - 2} 2026-11-21 01:04 UTC helpdesk: FAILED in step train: the Rasa" in said
        assert f"… and {len(missed) - 10} more" in said
        assert "please give me my money back" in said
    assert f"While you could not be told: {len(missed)} more cycles" in message.summary
    assert message.summary.startswith("helpdesk: REJECTED")
    assert len(message.blocks) <= 50
