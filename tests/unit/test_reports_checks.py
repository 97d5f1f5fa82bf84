"""Which checks of a verdict people are told of, and how."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support import cycle_reports

from retrainer.domain.verdict import Check, Outcome, Verdict
from retrainer.reports import checks, facts, terminal, words
from retrainer.reports.message import render

found = st.builds(
    Check,
    st.sampled_from(["better", "per_intent", "data, of *all*", "<reuse>"]),
    st.sampled_from([*Outcome, None]),
    st.sampled_from(["one sentence", "another"]),
    blocking=st.booleans(),
    guard=st.booleans(),
    warns=st.booleans(),
)


def everywhere(report):
    """What the plain text, Slack and the terminal say of a cycle, each on one line."""
    message, stream = render(report), io.StringIO()
    Console(file=stream, width=200, highlight=False, _environ={}).print(terminal.summary(report))
    slack = "\n".join(str(b["text"]["text"]) for b in message.blocks if "text" in b)
    return tuple(" ".join(said.split()) for said in (message.text, slack, stream.getvalue()))


@given(st.lists(found, max_size=8), st.sampled_from(Outcome))
def test_every_check_is_told_or_named(every, outcome):
    """None is lost; one that did not pass, or warns, is told with its sentence."""
    verdict = Verdict(outcome, "p", tuple(every))
    told, named = checks.told(verdict), dict(checks.named(verdict))
    rules = [rule for names in named.values() for rule in names]
    assert {check.rule for check in every} == {*rules, *(check.rule for check in told)}
    for check in every:
        must_be_told = check.outcome in {Outcome.HOLD, Outcome.REJECT}
        must_be_told |= check.outcome is Outcome.PROMOTE and check.warns
        assert check in told or not must_be_told
        assert check in told or check.rule in named[check.outcome]


def test_what_decides_comes_first():
    """A blocking rejection before a hold, and both before what is advice."""
    every = (
        Check("advice", Outcome.REJECT, "", blocking=False),
        Check("unclear", Outcome.HOLD, ""),
        Check("good", Outcome.PROMOTE, ""),
        Check("bad", Outcome.REJECT, ""),
    )
    told = checks.told(Verdict(Outcome.REJECT, "p", every))
    assert [check.rule for check in told] == ["bad", "unclear", "advice"]


def test_a_promotion_is_told_with_what_justifies_it():
    """The first check that says how good the model is comes before advice; no guard, no advice."""
    every = (
        Check("cost", Outcome.PROMOTE, "", guard=True),
        Check("shown", Outcome.PROMOTE, "", blocking=False),
        Check("calm", Outcome.REJECT, "", blocking=False),
        Check("better", Outcome.PROMOTE, ""),
        Check("floor", Outcome.PROMOTE, ""),
    )
    verdict = Verdict(Outcome.PROMOTE, "p", every)
    assert [check.rule for check in checks.told(verdict)] == ["better", "calm"]
    assert checks.named(verdict) == ((Outcome.PROMOTE, ("cost", "shown", "floor")),)


def test_a_policy_of_many_rules_stays_readable():
    """Of fourteen rules the one that counts and the one that warns are told, the others named."""
    for said in everywhere(cycle_reports.promoted_by_default()):
        assert "the challenger alone is right on 12 of 360 utterances" in said
        assert "warning: the budget will be spent soon" in said
        assert "known_intents, per_intent, must_pass, negative_flips, suspicious_gain" in said
        assert "per_entity, entities, response_selection, stories, data, actions" in said
        assert "0 test stories are configured" not in said


def test_what_stopped_it_is_told_by_all_of_them():
    """Each rule that a bad night broke has its sentence, and what broke it is listed once."""
    report = cycle_reports.rejected_by_many()
    stopping = report.state.verdict.stopping
    rules = ["better", "known_intents", "per_intent", "must_pass", "stories"]
    assert [check.rule for check in stopping] == rules
    for said in everywhere(report):
        assert [check.rule for check in stopping if check.sentence not in said] == []
        assert said.count("please give me my money back") == 1


def test_failed_stories_are_named_like_failed_utterances():
    """Each with its file, whether the champion passes it, and its first wrong turn; once."""
    report = cycle_reports.rejected_by_many()
    for said in everywhere(report):
        assert "Test stories that failed: 2" in said
        assert said.count("a parcel that is late (tests/test_stories.yml), passed by the") == 1
        assert said.count("(tests/test_stories.yml): turn 1 ('where is it'): understood as") == 1
        assert "small talk" not in said
    assert "<!here>" not in everywhere(report)[1]


def test_a_held_cycle_says_how_to_answer():
    """Whoever reads of it in a chat knows the command, and what would have settled it."""
    report = cycle_reports.held_by_default()
    *_, last = render(report).blocks
    assert "retrainer approve 7 --reason" in last["elements"][0]["text"]
    for said in everywhere(report):
        assert "about 300 utterances would tell a gain" in said


def test_the_champions_optimism_stands_beside_its_score():
    """How much of a displayed score is luck is told in every form, and once in the whole story."""
    report = cycle_reports.promoted_by_default()
    for said in everywhere(report):
        assert said.count("its displayed score is optimistic by +10.00 points") == 1
    stream = io.StringIO()
    Console(file=stream, width=300, highlight=False, _environ={}).print(terminal.full(report))
    assert stream.getvalue().count("its displayed score is optimistic") == 1


def test_the_cost_of_both_models_is_in_the_story():
    """Size and speed are shown where a rule had them measured, also if it passed."""
    known = dict(facts.facts(cycle_reports.promoted_by_default()))
    assert known["cost"] == (
        "champion 24.0 MB, median 4.1 ms, 95 % within 9.2 ms of 50 utterances; "
        "challenger 24.1 MB, median 4.3 ms, 95 % within 9.5 ms of 50 utterances"
    )
    assert "cost" not in dict(facts.facts(cycle_reports.held_by_default()))


def test_every_candidate_has_its_line():
    """What was tried, how it did on the half that chooses, and why one was not in the running."""
    said = facts.remarks(cycle_reports.several_challengers())
    assert said[:5] == (
        "58 examples left out of the comparison: the challenger was chosen by them among several",
        "challenger config.yml, seed 1: understands 0.8123 of the half that chooses",
        "challenger config.yml, seed 2: chosen, understands 0.8391 of the half that chooses",
        "challenger small.yml, seed 1: understands 0.0000 of the half that chooses",
        "challenger config.yml, finetuned from the champion: left out, there is no champion yet",
    )


@pytest.mark.parametrize(
    ("ending", "of", "whose"),
    [
        ("cross_validated", "of each side", "the two models themselves"),
        ("not_compared", "like the challenger", "the model itself"),
    ],
)
def test_figures_of_recipes_are_said_to_be_such(ending, of, whose):
    """Who reads a cross-validation's figures learns that they are of no model that serves."""
    report = getattr(cycle_reports, ending)()
    (said, *_) = facts.remarks(report)
    assert said == (
        f"5 models {of} were trained without a fold each and asked for it: "
        f"these are figures of config and data, not of {whose}"
    )
    assert "116 examples, each held out of one of 5 folds" in words.measured(report)


def test_an_obstacle_is_the_reason_and_no_riddle():
    """That the champion could not be compared is said first, and its figures are not said bad."""
    report = cycle_reports.not_compared()
    assert "it is not recorded what" in words.reason(report)
    for said in everywhere(report):
        assert "could be compared with the champion: it is not recorded what" in said
        assert "its figures are too good" not in said


def test_endless_details_are_cut_and_counted():
    """A check with a thousand further lines leaves room for the others, in every form."""
    report = cycle_reports.held_by_default()
    check = Check("data", Outcome.HOLD, "too many", details=tuple(f"<line {n}>" for n in range(99)))
    verdict = replace(report.state.verdict, checks=(check, *report.state.verdict.checks))
    report = replace(report, state=replace(report.state, verdict=verdict))
    text, slack, shown = everywhere(report)
    assert "<line 9> … and 89 more lines" in text
    assert "&lt;line 4&gt; • … and 94 more lines" in slack
    assert "<line 4> - … and 94 more lines" in shown


def test_a_check_that_warns_is_said_to():
    """It passed, and is not to be skipped over."""
    warning = Check("reuse", Outcome.PROMOTE, "soon", warns=True)
    assert checks.verdict_of(warning) == "passed, warning"
