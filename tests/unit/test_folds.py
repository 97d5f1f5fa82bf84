"""The folds of a cross-validation."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from retrainer.domain.examples import Example, example_key
from retrainer.domain.folds import fold_of, hold_out, undivided
from retrainer.domain.split import in_holdout

LABELS = st.sampled_from(["track_order", "cancel_order", "greet", "goodbye"])
RESPONSES = st.sampled_from([None, None, "faq/hours", "faq/place"])
EXAMPLES = st.lists(
    st.builds(Example, st.text("abcdeXY ", max_size=4), LABELS, response=RESPONSES), max_size=60
)
FOLDS, MINIMUMS = st.integers(2, 20), st.integers(0, 8)
KEYS = st.text("0123456789abcdef", min_size=32, max_size=32)


def keys(examples):
    """The identities of the examples."""
    return {example_key(e.text) for e in examples}


def intents_and_responses(examples):
    """All labels that a model could answer with."""
    return {e.intent for e in examples} | {e.response for e in examples if e.response}


@given(KEYS, FOLDS)
def test_every_key_has_one_fold(key, folds):
    """No text falls between two folds, the first and the last of all hashes included."""
    assert 1 <= fold_of(key, folds) <= folds
    assert fold_of("0" * 32, folds) == 1
    assert fold_of("f" * 32, folds) == folds


@given(KEYS)
def test_the_first_of_five_folds_is_the_holdout_of_a_fifth(key):
    """One stable hash decides on both: who changes the mode moves no example across."""
    assert (fold_of(key, 5) == 1) == in_holdout(key, 0.2)


def test_folds_are_about_as_large_as_each_other():
    """None of them is left with nothing to measure on, or with all of it."""
    sizes = Counter(fold_of(example_key(f"utterance {n}"), 5) for n in range(5000))
    assert sorted(sizes) == [1, 2, 3, 4, 5]
    assert all(900 < size < 1100 for size in sizes.values())


@given(EXAMPLES, FOLDS, MINIMUMS)
def test_every_example_is_held_out_once_or_listed(examples, folds, minimum):
    """Pooled, an utterance counts once; what counts not at all is of an intent that is listed."""
    parts = [hold_out(examples, n + 1, folds=folds, minimum=minimum) for n in range(folds)]
    held_out = Counter(key for part in parts for key in keys(part.held_out))
    assert set(held_out.values()) <= {1}
    whole = undivided(examples, folds=folds, minimum=minimum)
    never = keys(examples) - set(held_out)
    labels = {example_key(e.text): set() for e in examples}
    for example in examples:
        labels[example_key(example.text)] |= {example.intent, example.response}
    assert all(labels[key] & set(whole) for key in never)


@given(EXAMPLES, FOLDS, MINIMUMS)
def test_no_intent_and_no_response_is_ever_left_without_training(examples, folds, minimum):
    """What a model cannot have learned would be held against its recipe in that fold alone."""
    labels = intents_and_responses(examples)
    for fold in range(1, folds + 1):
        training = hold_out(examples, fold, folds=folds, minimum=minimum).training
        assert intents_and_responses(training) == labels


@given(EXAMPLES, FOLDS, MINIMUMS)
def test_what_stays_whole_is_never_held_out(examples, folds, minimum):
    """A small intent is in every training, with all that it has."""
    intents = {e.intent for e in examples}
    small = {i for i in intents if len(keys(e for e in examples if e.intent == i)) < minimum}
    assert small <= set(undivided(examples, folds=folds, minimum=minimum))
    for fold in range(1, folds + 1):
        part = hold_out(examples, fold, folds=folds, minimum=minimum)
        assert not {e.intent for e in part.held_out} & small
