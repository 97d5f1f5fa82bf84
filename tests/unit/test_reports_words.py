"""The words of a cycle."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import cycle_reports
from support.cycle_reports import CHAMPION

from retrainer.domain.verdict import Check, Outcome
from retrainer.reports import checks, facts, values, words
from retrainer.reports.text import to_text

CHALLENGER = "helpdesk-20261121-010000-7"


@pytest.mark.parametrize(
    ("ending", "headline"),
    [
        ("promoted", f"helpdesk: PROMOTED {CHALLENGER}, in place of {CHAMPION}"),
        ("first_model", f"helpdesk: PROMOTED {CHALLENGER}, the first model"),
        ("rejected", f"helpdesk: REJECTED {CHALLENGER}, {CHAMPION} keeps serving"),
        ("held", f"helpdesk: HELD {CHALLENGER}, a person has to look; {CHAMPION} keeps serving"),
        ("dry_run", f"helpdesk: dry run, would PROMOTE {CHALLENGER}, in place of {CHAMPION}"),
        ("skipped", "helpdesk: SKIPPED, nothing has changed since cycle 4"),
        (
            "failed",
            "helpdesk: FAILED in step train: the Rasa worker was killed by signal 9 (out of memory?)",
        ),
        ("abandoned", "helpdesk: ABANDONED: interrupted 4 times, 3 are allowed"),
        ("running", "helpdesk: RUNNING"),
    ],
)
def test_the_headline_says_what_happened(ending, headline):
    """One line says how the cycle ended and which model serves."""
    assert words.headline(cycle_reports.ENDINGS[ending]()) == headline


@pytest.mark.parametrize(
    ("ending", "line"),
    [
        ("promoted", "0.8123 -> 0.8391 (+2.68 points) on 116 unseen examples"),
        ("held", "not measured -> 0.8391 on 116 unseen examples"),
        ("unknown_champion", "0.8123 -> 0.8391 (+2.68 points) on 116 examples"),
    ],
)
def test_the_f1_line_says_on_what(ending, line):
    """Both figures, their difference, and on how many examples that neither model saw."""
    left_out = "3 left out because a model had seen them"
    said = words.measured(cycle_reports.ENDINGS[ending]())
    assert said == f"weighted F1 {line}, {left_out}"


def test_without_a_champion_there_is_one_figure():
    """A first model is measured alone, and a cycle that did not get so far not at all."""
    alone = "weighted F1 0.8391 on 116 unseen examples"
    assert words.measured(cycle_reports.first_model()) == alone
    assert words.measured(cycle_reports.failed()) is None


def test_an_unknown_champion_is_said_to_be_one():
    """Figures that may be too good for the champion are never shown without a warning."""
    (first, *_) = facts.remarks(cycle_reports.unknown_champion())
    assert first.startswith(f"it is not recorded what {CHAMPION} was trained on")


def test_what_was_not_measured_is_named():
    """Intents too small to split, and those without a test example, are listed."""
    remarks = facts.remarks(cycle_reports.promoted())
    assert "2 intents too small to split, all examples train: deny (4), thanks (3)" in remarks
    assert "2 intents not measured for want of test examples: deny, thanks" in remarks
    assert "and 1 more" in facts.remarks(cycle_reports.promoted(), most=1)[0]


def test_the_reason_counts_the_other_checks():
    """Who reads the first reason learns that it is not the only one."""
    assert words.reason(cycle_reports.rejected()).endswith("asked for (and 2 more checks)")
    assert words.reason(cycle_reports.promoted()) == "every blocking check passed"
    assert words.reason(cycle_reports.failed()) is None


def test_the_text_holds_every_sentence():
    """The plain text repeats the sentence of each check and each detail, word by word, once."""
    report = cycle_reports.rejected()
    text = to_text(report)
    for check in report.state.verdict.checks:
        assert text.count(f"{check.rule}: {check.sentence}") == 1
    lost = "cancel_order: F1 0.8125 -> 0.4800 (-33.25 points) on 19 test utterances, p = 0.0469"
    assert text.count(lost) == 1
    assert text.count("please give me my money back") == 1


def test_an_advisory_check_is_said_to_be_one():
    """What does not decide is not shown as if it did."""
    assert checks.verdict_of(Check("x", Outcome.REJECT, "")) == "FAILED"
    assert checks.verdict_of(Check("x", Outcome.REJECT, "", blocking=False)) == "FAILED, advisory"
    assert checks.verdict_of(Check("x", None, "")) == "not applied"


def test_a_failure_tells_the_end_of_the_log_and_the_tip():
    """All lines of the error and what to do next are in the text, safe for a terminal."""
    text = to_text(cycle_reports.failed())
    assert "  | last lines of its log:\n" in text
    assert "tip: give the machine more memory" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (245, "4 min 05 s"),
        (7403, "2 h 03 min"),
        (100_000, "27 h 46 min"),
    ],
)
def test_a_duration_reads_well(seconds, said):
    """Tenths while they matter, then seconds, then minutes."""
    assert values.duration(seconds) == said


def test_no_change_has_no_minus():
    """A difference that rounds to nothing is not shown as a loss."""
    assert values.change(0.5, 0.5 - 1e-12) == "+0.00"
    assert values.change(0.5, 0.4321) == "-6.79"
    assert values.change(None, 0.5) == "-"


@given(st.text(), st.integers(1, 50))
def test_shortened_is_never_longer(text, longest):
    """Cutting keeps the limit, keeps short texts whole and marks the cut."""
    short = values.shorten(text, longest)
    assert len(short) <= longest
    assert short == text or short.endswith("…")


def test_an_accent_stays_on_its_letter():
    """A cut between a letter and its accent would show another letter."""
    assert values.shorten("ae\u0301bc", 3) == "a…"


@given(st.text(st.characters()))
def test_printable_is_one_safe_line(text):
    """No control character, line break or half of a surrogate pair is left; the rest stays."""
    safe = values.printable(text)
    assert "\x1b" not in safe
    assert len(safe.splitlines()) <= 1
    safe.encode()
    assert values.printable(safe) == safe


def test_the_history_tells_why():
    """A line without figures says what came between."""
    stories = {line.cycle.number: words.history_story(line) for line in cycle_reports.history()}
    assert stories == {
        1: "F1 0.7911",
        2: "F1 0.7911 -> 0.8391",
        3: "F1 0.8391 -> 0.7702; stopped by better, must_pass, per_intent and 2 more",
        4: "same as cycle 3",
        5: "train: killed by signal 9",
        6: "F1 0.8391 -> 0.8400",
        7: "",
    }


def test_a_cycle_that_runs_has_not_ended():
    """A report that is asked for too early is told as such."""
    assert words.elapsed(cycle_reports.running()) == "has not ended"
    report = cycle_reports.promoted()
    later = replace(report, ended_at=report.cycle.started_at + timedelta(hours=3))
    assert words.elapsed(later) == "took 3 h 00 min"


def test_words_are_cheap():
    """Words and plain text are made without loading Rich, Slack's client, numpy or pydantic."""
    code = (
        "import sys, retrainer.reports.message, retrainer.reports.json_report; "
        "print([m for m in ('rich', 'slack_sdk', 'numpy', 'scipy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=True)
    assert done.stdout == b"[]\n"
