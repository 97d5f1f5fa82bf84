"""The machine form of a cycle: an interface."""

import json
from dataclasses import replace

import pytest
from support import cycle_reports

from retrainer.domain.cycle import Promotion, PromotionReason
from retrainer.reports.json_report import to_json

KEYS = {
    "": "format result headline cycle error same_as fingerprint snapshot data findings model "
    "candidates champion promoted confirmed promotions answer verdict evaluation",
    "cycle": "number assistant trigger started_at status dry_run force resumed challenger ended_at "
    "seconds",
    "snapshot": "digest files origin origins",
    "data": "examples intents training held_out test_files must_pass whole",
    "findings": "severity message file line",
    "model": "name sha256 size rasa_version trained_at training_seconds",
    "promoted": "from to",
    "verdict": "outcome policy checks reason",
    "verdict.checks": "rule outcome sentence observed limit blocking details guard warns",
    "evaluation": "challenger champion left_out champion_known flips unmeasured served classified "
    "entities responses extractions mode folds obstacle reuse data actions",
    "evaluation.left_out": "challenger_saw champion_saw selection",
    "evaluation.flips": "text intent champion champion_confidence challenger challenger_confidence "
    "regression",
    "evaluation.champion": "model test_set examples metrics intents entities must_pass knows "
    "stories cost platform",
    "evaluation.champion.intents.greet": "precision recall f1 support confused_with",
    "evaluation.champion.must_pass": "text expected answered confidence problem",
}


def at(document, path):
    """What stands at a path of keys; the first item of a list."""
    for key in filter(None, path.split(".")):
        document = document[key]
        document = document[0] if isinstance(document, list) else document
    return document


@pytest.mark.parametrize("path", KEYS)
def test_the_keys_are_an_interface(path):
    """Programs rely on every key: one that is renamed or lost breaks this test on purpose."""
    assert set(at(to_json(cycle_reports.promoted()), path)) == set(KEYS[path].split())


@pytest.mark.parametrize("ending", cycle_reports.ENDINGS)
def test_every_ending_is_json(ending):
    """Every report can be written as strict JSON and read back the same."""
    document = to_json(cycle_reports.ENDINGS[ending]())
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    assert json.loads(text) == document
    assert set(document) == set(KEYS[""].split())


def test_the_numbers_are_not_rounded():
    """Programs get the figures as they were measured; what is no number is null."""
    document = to_json(cycle_reports.held())
    assert document["evaluation"]["challenger"]["metrics"]["f1_weighted"] == 0.8391
    assert document["evaluation"]["champion"]["metrics"]["f1_weighted"] is None
    assert document["verdict"]["outcome"] == "hold"
    assert document["verdict"]["reason"].startswith("f1_weighted was not measured on 116 examples")


def test_a_failure_names_its_step():
    """Programs learn in which step, why and what to do."""
    document = to_json(cycle_reports.failed())
    assert document["result"] == "FAILED"
    assert document["error"]["step"] == "train"
    assert document["error"]["message"] == cycle_reports.failed().error
    assert document["cycle"]["seconds"] == 245
    assert document["cycle"]["started_at"] == "2026-11-21T01:00:00+00:00"
    assert to_json(cycle_reports.promoted())["error"] is None


def test_half_a_surrogate_pair_does_not_break_the_output():
    """What a chat channel mangled is escaped, since no encoding could write it."""
    report = cycle_reports.promoted()
    flip = replace(report.state.evaluation.flips[0], text="oh \ud83d")
    measured = replace(report.state.evaluation, flips=(flip,))
    document = to_json(replace(report, state=replace(report.state, evaluation=measured)))
    assert document["evaluation"]["flips"][0]["text"] == "oh \\ud83d"
    json.dumps(document, ensure_ascii=False).encode()


def test_the_promotions_are_there_when_they_are_known():
    """`show` has read the ledger, `run-once` has not: a list, and null."""
    report = cycle_reports.promoted()
    made = Promotion(
        "shop", None, "shop-1", PromotionReason.GATE, "retrainer", report.cycle.started_at
    )
    assert to_json(report)["promotions"] is None
    assert to_json(report, ())["promotions"] == []
    (row,) = to_json(report, (made,))["promotions"]
    assert set(row) == {"assistant", "from", "to", "reason", "actor", "note", "cycle", "at"}
    assert (row["from"], row["to"], row["reason"]) == (None, "shop-1", "gate")
