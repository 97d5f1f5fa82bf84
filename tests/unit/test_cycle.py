"""A cycle and its names."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from retrainer.domain.cycle import Cycle, Finding, Severity, Trigger, require_name


def test_the_challengers_name_follows_from_the_cycle():
    """A resumed cycle finds its own work: assistant, start in UTC and number make the name."""
    started = datetime(2024, 3, 1, 0, 30, 5, tzinfo=timezone(timedelta(hours=2)))
    cycle = Cycle(7, "shop", Trigger.SCHEDULE, started)
    assert cycle.challenger == "shop-20240229-223005-7"
    again = Cycle(7, "shop", Trigger.SCHEDULE, started.astimezone(UTC), resumed=3)
    assert again.challenger == cycle.challenger


@pytest.mark.parametrize(
    ("file", "line", "shown"),
    [
        ("data/nlu.yml", 12, "data/nlu.yml:12: two labels"),
        ("data/nlu.yml", None, "data/nlu.yml: two labels"),
        (None, 12, "two labels"),
        (None, None, "two labels"),
    ],
)
def test_a_finding_says_its_place_as_compilers_do(file, line, shown):
    """File and line come first where they are known, so that an editor can jump there."""
    assert str(Finding(Severity.ERROR, "two labels", file, line)) == shown


@pytest.mark.parametrize("name", ["shop", "a", "1-shop_2", "s" * 63])
def test_usable_names_pass(name):
    """A name of up to 63 of a-z, 0-9, - and _ is returned as it is."""
    assert require_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Shop", "-shop", "_s", "a/b", "..", "a b", "s" * 64, "shop\n"]
)
def test_names_that_are_unsafe_in_paths_are_refused(name):
    """A name that could leave its folder, or differ by case alone, is refused by showing it."""
    with pytest.raises(ValueError, match="not a usable name") as refusal:
        require_name(name)
    assert repr(name) in str(refusal.value)
