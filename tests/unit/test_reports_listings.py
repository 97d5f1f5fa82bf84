"""Lists on a terminal: the history, the models, the ledger."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from support import cycle_reports

from retrainer.domain.cycle import Model, Promotion, PromotionReason
from retrainer.reports import listings
from retrainer.reports.rows import StoredModel


def shown(content, width=80):
    """The content as a console of that width prints it, without trailing spaces."""
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, _environ={}).print(content)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


@pytest.mark.parametrize(("width", "columns"), [(80, 6), (120, 8)])
def test_the_history_is_a_line_a_cycle(width, columns):
    """Every cycle has its line, on a narrow terminal without the names of the models."""
    header, *lines = shown(listings.history_table(cycle_reports.history()), width).splitlines()
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
    assert shown(listings.history_table([])) == "no cycles"


def model(name: str, size: int) -> Model:
    return Model(name, "c" * 64, size, "3.6.21", cycle_reports.STARTED, 54.2)


def stored() -> list[StoredModel]:
    lines = {line.cycle.number: line for line in cycle_reports.history()}
    return [
        StoredModel("helpdesk", model("helpdesk-20261117-010000-3", 24_100_000), False, lines[3]),
        StoredModel("helpdesk", model("helpdesk-20261116-010000-2", 170_000), True, lines[2]),
        StoredModel("helpdesk", model("from-elsewhere", 900), False, None),
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_the_models_are_a_line_each(width):
    """What stands in each line: the name, who serves, the verdict, F1 and the size."""
    title, header, *lines = shown(listings.models_table("helpdesk", stored()), width).splitlines()
    assert title == "helpdesk: 3 models"
    assert ("trained (UTC)" in header) == (width == 120)
    assert max(map(len, lines)) <= width
    assert re.match(r"helpdesk-20261117-010000-3 +REJECTED +0.7702 +24.1 MB", lines[0])
    assert re.match(r"helpdesk-20261116-010000-2 +champion +PROMOTED +0.8391 +170 kB", lines[1])
    assert re.match(r"from-elsewhere +- +1 kB", lines[2])


def promotion(**changes: object) -> Promotion:
    made = Promotion(
        assistant="helpdesk",
        previous="helpdesk-20261116-010000-2",
        model="helpdesk-20261117-010000-3",
        reason=PromotionReason.GATE,
        actor="retrainer",
        at=cycle_reports.STARTED,
        note="policy default: f1_weighted 0.84 exceeds 0.81",
        cycle=3,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "by verdict, cycle 3: policy default: f1_weighted 0.84"),
        (
            {"reason": PromotionReason.PERSON, "actor": "ada", "note": "it is good", "cycle": None},
            "promoted by ada: it is good",
        ),
        (
            {"reason": PromotionReason.ROLLBACK, "note": "not confirmed"},
            "rolled back by retrainer, cycle 3: not confirmed",
        ),
        (
            {"reason": PromotionReason.OUTSIDE, "actor": "unknown", "note": "", "cycle": None},
            "outside of retrainer, by unknown",
        ),
    ],
)
def test_the_ledger_says_what_changed_and_why(changes, why):
    """Each change has its time, both models, the reason and the note."""
    text = shown(listings.ledger_table([promotion(**changes)]))
    assert "2026-11-21 01:00" in text
    assert "helpdesk-20261117-010000-3 in place of helpdesk-20261116-010000-2" in " ".join(
        text.split()
    )
    assert why in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_person_s_note_is_not_markup():
    """Brackets and control characters in a note are shown, not obeyed."""
    text = shown(listings.ledger_table([promotion(note="[red]x[/] \x1b[2J", previous=None)]))
    assert r"[red]x[/] \x1b[2J" in text
    assert "the first one" in text
