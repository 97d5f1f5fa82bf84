"""States as rows of changed fields."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.evaluations import evaluations

from retrainer.domain.cycle import DataSummary, Finding, Model, Snapshot, State
from retrainer.domain.evaluation import Flip
from retrainer.domain.verdict import Check, Outcome, Verdict
from retrainer.errors import DatabaseError, SchemaError
from retrainer.store.states import difference, merge

text = st.text(max_size=8)
number = st.floats()
verdicts = st.builds(
    Verdict,
    st.sampled_from(Outcome),
    text,
    st.lists(
        st.builds(
            Check,
            text,
            st.none() | st.sampled_from(Outcome),
            text,
            st.none() | number,
            st.none() | number,
            st.booleans(),
            st.lists(text, max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
with_flips = st.tuples(evaluations(), st.lists(st.from_type(Flip), max_size=2)).map(
    lambda pair: replace(pair[0], flips=tuple(pair[1]))
)
states = st.builds(
    State,
    fingerprint=st.none() | text,
    same_as=st.none() | st.integers(1, 2**31),
    snapshot=st.none() | st.from_type(Snapshot),
    findings=st.lists(st.from_type(Finding), max_size=2).map(tuple),
    data=st.none() | st.from_type(DataSummary),
    model=st.none()
    | st.builds(Model, trained_at=st.datetimes(timezones=st.just(UTC)), training_seconds=number),
    uploaded=st.booleans(),
    champion=st.none() | text,
    evaluation=st.none() | with_flips,
    verdict=st.none() | verdicts,
    promoted=st.none() | st.tuples(st.none() | text, text),
    confirmed=st.booleans(),
)


def plain(state: State) -> str:
    """All values of a state, NaN being like itself; aware times are equal whatever their zone."""

    def other(value: object) -> object:
        if isinstance(value, Mapping):
            return dict(value)
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()

    return json.dumps(asdict(state), default=other)


def as_stored(delta: dict | None) -> dict | None:
    """The change after a stay in a JSON column, which must not hold NaN."""
    return json.loads(json.dumps(delta, allow_nan=False))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(states, max_size=4))
def test_the_changes_add_up_to_the_state(passed: list[State]):
    """Whatever states a cycle passes through, the rows of its steps restore the last one."""
    deltas = [as_stored(difference(a, b)) for a, b in pairwise([State(), *passed])]
    restored = merge(deltas, 1)
    assert plain(restored) == plain(passed[-1] if passed else State())


def test_restored_values_are_of_the_domain():
    """Enumerations, tuples and dataclasses come back as such."""
    verdict = Verdict(Outcome.HOLD, "p", (Check("r", Outcome.HOLD, "s", details=("d",)),))
    model = Model(
        "m", "a" * 64, 1, "3.6.21", datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    )
    state = State(verdict=verdict, model=model, promoted=(None, "m"))
    assert merge([as_stored(difference(State(), state))], 1) == state


def test_only_what_changed_is_kept():
    """A row holds the fields that its step changed; resetting one is a change."""
    before = State(fingerprint="f", champion="c")
    assert difference(before, replace(before)) is None
    assert difference(before, replace(before, champion=None)) == {"champion": None}


@pytest.mark.parametrize(
    ("delta", "place"),
    [
        ({"mood": "good"}, "mood"),
        ({"snapshot": {"digest": "d", "files": [], "origin": "o", "mood": 1}}, "snapshot.mood"),
        ({"verdict": {"outcome": "perhaps", "policy": "p", "checks": []}}, "verdict.outcome"),
        ({"model": {"name": "m"}}, "model"),
    ],
)
def test_what_a_newer_version_wrote_is_refused(delta: dict, place: str):
    """Unknown fields and values stop with the cycle and the place, not with a traceback."""
    with pytest.raises(SchemaError, match=f"cycle 12 .*{place}") as caught:
        merge([delta], 12)
    assert isinstance(caught.value, DatabaseError)
    assert "newest" in caught.value.tip
