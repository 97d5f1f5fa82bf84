"""What the guards judge: Hypothesis strategies for data, actions and cost, and for their rules."""

from hypothesis import strategies as st

from retrainer.domain.cost import Cost
from retrainer.domain.custom_actions import CustomActions
from retrainer.domain.data_quality import Conflict, DataQuality, EarlierData
from retrainer.domain.rules import BoundedCost, ServedActions, SoundData

_INTENTS = st.sampled_from(["track_order", "cancel_order", "greet"])
_SHARES = st.floats(0, 1)
_COUNTS = st.dictionaries(_INTENTS, st.integers(0, 40))
_NAMES = st.none() | st.sets(st.sampled_from(["action_pay", "action_ask", "validate_form"])).map(
    lambda names: tuple(sorted(names))
)
#: What a time or a limit may turn out to be.
_SECONDS = (
    st.none() | st.just(0.0) | st.floats(1e-4, 10) | st.sampled_from([float("nan"), float("inf")])
)
_LIMITS = st.none() | st.floats(0, 1000)


def qualities() -> st.SearchStrategy[DataQuality | None]:
    """Any data, with and without that of a champion."""
    earlier = st.builds(EarlierData, st.just("champion"), st.integers(0, 100), _COUNTS)
    return st.none() | st.builds(
        DataQuality,
        examples=st.integers(0, 100),
        texts=st.integers(0, 100),
        intents=_COUNTS,
        duplicates=st.integers(0, 20),
        conflicts=st.integers(0, 20),
        conflicting=st.lists(st.just(Conflict("hello", ("bye", "greet"))), max_size=2).map(tuple),
        errors=st.integers(0, 2),
        warnings=st.integers(0, 2),
        champion=st.none() | earlier,
    )


def costs() -> st.SearchStrategy[Cost | None]:
    """Any cost, measured or not."""
    return st.none() | st.builds(Cost, st.integers(0, 10**9), _SECONDS, _SECONDS)


def custom_actions() -> st.SearchStrategy[CustomActions | None]:
    """Any actions, known or not."""
    return st.none() | st.builds(CustomActions, _NAMES, _NAMES, _NAMES, st.just("nobody was asked"))


def guards() -> st.SearchStrategy[object]:
    """Any guard of data, actions or cost, with any limits."""
    sound = st.builds(
        SoundData,
        *([_SHARES] * 5),
        minimum_examples=st.integers(1, 30),
        fail_on_warnings=st.booleans(),
    )
    limits = st.tuples(*([_LIMITS] * 5)).filter(lambda given: any(g is not None for g in given))
    return st.one_of(sound, st.just(ServedActions()), limits.map(lambda given: BoundedCost(*given)))
