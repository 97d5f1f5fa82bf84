"""A cycle in MLflow's terms."""

import json
import math
import re
from dataclasses import replace

import pytest
from support import cycle_reports

from retrainer.adapters.mlflow import content
from retrainer.domain.cycle import Origin, Status

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_parameters_say_what_the_cycle_worked_with():
    """Two runs can be compared by their inputs."""
    assert content.parameters(cycle_reports.promoted()) == {
        "trigger": "schedule",
        "forced": "False",
        "snapshot": "3fa9c2d1e0ab" + "0" * 52,
        "origin": "/srv/helpdesk",
        "examples": "580",
        "intents": "8",
        "training_examples": "464",
        "held_out_examples": "116",
        "must_pass_utterances": "12",
        "rasa_version": "3.6.21",
        "test_examples": "116",
        "test_set": "ab" * 16,
        "policy": "default",
    }


def test_metrics_are_of_both_models():
    """The figures that the verdict rests on, and how long it took."""
    figures = content.metrics(cycle_reports.rejected())
    assert figures["challenger.f1_weighted"] == 0.7702
    assert figures["champion.f1_weighted"] == 0.8123
    assert figures["challenger.must_pass_failed"] == 2
    assert figures["champion.must_pass_failed"] == 0
    assert (figures["flips.regressions"], figures["flips.improvements"]) == (2, 3)
    assert (figures["cycle.seconds"], figures["training.seconds"]) == (245, 54.2)


def test_metrics_are_of_the_comparison_too():
    """What the verdict was given on can be drawn over months: pairs, stories, speed."""
    figures = content.metrics(cycle_reports.rejected_by_many())
    paired = ("utterances", "only_challenger_right", "only_champion_right")
    assert [figures[f"paired.{name}"] for name in paired] == [360, 2, 40]
    assert figures["challenger.stories_failed"] == 2
    assert figures["champion.stories_failed"] == 1
    timed = content.metrics(cycle_reports.promoted_by_default())
    assert timed["challenger.parse_p95.seconds"] == 0.0095
    assert timed["champion.parse_median.seconds"] == 0.0041
    assert "challenger.stories_failed" not in timed


@pytest.mark.parametrize("ending", cycle_reports.ENDINGS)
def test_mlflow_takes_every_name(ending):
    """Names of rules, entities and intents, which may hold anything, are no names of metrics."""
    names = [*content.metrics(cycle_reports.ENDINGS[ending]())]
    assert [name for name in names if not re.fullmatch(r"[a-z0-9_.]{1,250}", name)] == []


def test_a_figure_that_is_no_number_is_left_out():
    """A missing measurement must not look like a bad one, or stop the rest."""
    figures = content.metrics(cycle_reports.held())
    assert "champion.f1_weighted" not in figures
    assert all(map(math.isfinite, figures.values()))
    first = content.metrics(cycle_reports.first_model())
    assert not [name for name in first if name.startswith("champion")]


def test_tags_find_the_run():
    """Verdict, models and the cycle are there to be searched for."""
    tags = content.tags(cycle_reports.rejected(), "in words")
    assert tags["retrainer.cycle"] == tags["retrainer.challenger"] == "helpdesk-20261121-010000-7"
    assert tags["retrainer.verdict"] == "reject"
    assert tags["retrainer.number"] == "7"
    assert tags["retrainer.champion"] == tags["retrainer.champion_after"] == cycle_reports.CHAMPION
    assert tags["mlflow.note.content"] == "in words"
    assert "mlflow.source.git.commit" not in tags


def test_the_commit_is_mlflows_own_tag():
    """MLflow shows it beside the run."""
    report = cycle_reports.promoted()
    origins = (Origin("https://chat"), Origin("https://git/x", revision=COMMIT))
    snapshot = replace(report.state.snapshot, origins=origins)
    report = replace(report, state=replace(report.state, snapshot=snapshot))
    assert content.tags(report, "")["mlflow.source.git.commit"] == COMMIT


@pytest.mark.parametrize("ending", cycle_reports.ENDINGS)
def test_every_ending_fits(ending):
    """However a cycle ended: short texts, no empty ones, a known status, a report without NaN."""
    report = cycle_reports.ENDINGS[ending]()
    texts = {**content.parameters(report), **content.tags(report, "words " * 200)}
    assert all(0 < len(text) <= 500 for text in texts.values())
    assert content.RUN_STATUS[report.cycle.status]
    document = json.loads(content.as_json(report), parse_constant=pytest.fail)
    assert document["cycle"]["number"] == 7


def test_every_status_has_one_of_mlflow():
    """A cycle that failed is a run that failed."""
    assert set(content.RUN_STATUS) == set(Status)


def test_text_that_is_no_text_is_kept_readable():
    """Half of a surrogate pair, as a broken chat sends it, stops neither tags nor the report."""
    report = replace(cycle_reports.failed(), error="broken \ud83d here")
    assert content.tags(report, "")["retrainer.error"] == "broken \\ud83d here"
    assert b"broken \\ud83d here" in content.as_json(report)


@pytest.mark.parametrize(
    ("confirmed", "serving"),
    [(True, "helpdesk-20261121-010000-7"), (False, cycle_reports.CHAMPION)],
)
def test_the_champion_is_what_serves(confirmed, serving):
    """A promotion that was taken back leaves the one before."""
    state = replace(cycle_reports.promoted().state, confirmed=confirmed)
    assert content.serving(state) == serving


def test_a_cycle_that_did_not_get_so_far_knows_no_champion():
    """What is not known moves no alias."""
    assert content.serving(cycle_reports.failed().state) is None
