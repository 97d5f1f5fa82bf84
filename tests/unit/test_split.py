"""Which examples are kept out of every training."""

import random

from hypothesis import given
from hypothesis import strategies as st

from retrainer.domain.examples import Example, example_key
from retrainer.domain.split import distinct, in_holdout, split

LABELS = st.sampled_from(["track_order", "cancel_order", "greet", "goodbye"])
EXAMPLES = st.lists(st.builds(Example, st.text("abcdeXY ", max_size=4), LABELS), max_size=60)
FRACTIONS = st.floats(0, 1)
MINIMUMS = st.integers(0, 8)


def keys(examples):
    """The identities of the examples."""
    return {example_key(e.text) for e in examples}


def many(intent: str, count: int) -> list[Example]:
    """That many different examples of an intent."""
    return [Example(f"{intent} {number}", intent) for number in range(count)]


@given(EXAMPLES, FRACTIONS, MINIMUMS)
def test_every_example_is_on_exactly_one_side(examples, fraction, minimum):
    """Nothing is lost and no text, however written, is both trained on and tested on."""
    parts = split(examples, fraction=fraction, minimum=minimum)
    assert not keys(parts.training) & keys(parts.held_out)
    both = sorted((*parts.training, *parts.held_out), key=repr)
    assert both == sorted(examples, key=repr)


@given(EXAMPLES, FRACTIONS, MINIMUMS, st.randoms(use_true_random=False))
def test_order_does_not_matter(examples, fraction, minimum, shuffler: random.Random):
    """Reordering a data file moves no example across."""
    shuffled = list(examples)
    shuffler.shuffle(shuffled)
    before = split(examples, fraction=fraction, minimum=minimum)
    after = split(shuffled, fraction=fraction, minimum=minimum)
    assert keys(before.held_out) == keys(after.held_out)
    assert before.whole == after.whole


@given(EXAMPLES, EXAMPLES, FRACTIONS, MINIMUMS)
def test_other_examples_do_not_matter(examples, others, fraction, minimum):
    """New data never moves an old example of a split intent between training and holdout."""
    before = split(examples, fraction=fraction, minimum=minimum)
    after = split([*examples, *others], fraction=fraction, minimum=minimum)
    small = keys(e for e in (*examples, *others) if e.label in {**before.whole, **after.whole})
    assert keys(before.held_out) - small == (keys(after.held_out) & keys(examples)) - small


@given(EXAMPLES, FRACTIONS, FRACTIONS, MINIMUMS)
def test_a_larger_fraction_only_adds(examples, one, other, minimum):
    """Raising the fraction keeps the old holdout, except of intents it would use up."""
    small, large = sorted((one, other))
    before = split(examples, fraction=small, minimum=minimum)
    after = split(examples, fraction=large, minimum=minimum)
    used_up = keys(e for e in examples if e.label in after.whole)
    assert keys(before.held_out) - used_up <= keys(after.held_out)


@given(st.text(), FRACTIONS, FRACTIONS)
def test_membership_is_monotone_in_the_fraction(text, one, other):
    """An example of a small holdout is in every larger one, of 0 none are, of 1 all are."""
    small, large = sorted((one, other))
    key = example_key(text)
    assert in_holdout(key, large) or not in_holdout(key, small)
    assert not in_holdout(key, 0)
    assert in_holdout(key, 1)


@given(EXAMPLES, FRACTIONS, MINIMUMS)
def test_small_intents_stay_whole(examples, fraction, minimum):
    """An intent below the minimum loses no example to the holdout, and is listed with its size."""
    parts = split(examples, fraction=fraction, minimum=minimum)
    for label in {e.label for e in examples}:
        size = len(keys(e for e in examples if e.label == label))
        held = [e for e in parts.held_out if e.label == label]
        if size < minimum:
            assert parts.whole[label] == size
        if label in parts.whole:
            assert not held


@given(EXAMPLES, FRACTIONS, MINIMUMS)
def test_every_intent_keeps_something_to_train_on(examples, fraction, minimum):
    """The holdout never takes an intent's last training example."""
    parts = split(examples, fraction=fraction, minimum=minimum)
    assert {e.label for e in parts.training} == {e.label for e in examples}


@given(st.lists(st.text(min_size=1), min_size=1, unique_by=example_key), FRACTIONS)
def test_a_single_intent_of_distinct_texts_follows_the_hash(texts, fraction):
    """The holdout is exactly what the hash says, unless it would be everything."""
    parts = split([Example(t, "greet") for t in texts], fraction=fraction, minimum=1)
    chosen = [t for t in texts if in_holdout(example_key(t), fraction)]
    assert [e.text for e in parts.held_out] == (chosen if len(chosen) < len(texts) else [])


def test_the_first_digits_of_the_key_decide():
    """The key read as a number from 0 to 1 lies below the fraction, for ever."""
    assert in_holdout("7fffffffffff" + "f" * 20, 0.5)
    assert not in_holdout("800000000000" + "0" * 20, 0.5)


def test_an_intent_of_just_the_minimum_is_split():
    """The minimum is the least number of examples that gives some to the holdout."""
    examples = many("track_order", 20)
    assert split(examples, fraction=0.5, minimum=20).held_out
    assert not split(examples, fraction=0.5, minimum=21).held_out


def test_the_share_held_out_is_the_fraction():
    """Of 20,000 examples a fifth is held out, within three standard deviations."""
    parts = split(many("track_order", 20_000), fraction=0.2, minimum=5)
    assert abs(len(parts.held_out) - 4_000) < 3 * (20_000 * 0.2 * 0.8) ** 0.5


def test_the_minimum_counts_distinct_texts():
    """Repeating one utterance does not make an intent large enough to split."""
    examples = [Example("hello", "greet"), *(Example("Hello ", "greet") for _ in range(9))]
    assert split(examples, fraction=0.2, minimum=2).whole == {"greet": 1}


def test_a_text_of_a_small_intent_is_kept_under_every_label():
    """A text that a small intent needs in training is not tested under another label either."""
    large = many("track_order", 50)
    held = split(large, fraction=0.5, minimum=5).held_out[0]
    parts = split([*large, Example(held.text, "greet")], fraction=0.5, minimum=5)
    assert example_key(held.text) in keys(parts.training)
    assert example_key(held.text) not in keys(parts.held_out)


def test_repeated_examples_count_once():
    """The first of equal examples stays; the same text under another label is another example."""
    first, again = Example("Hello", "greet", line=1), Example(" hello", "greet", line=2)
    other = Example("hello", "goodbye", line=3)
    assert distinct([first, again, other]) == (first, other)


def test_a_retrieval_intent_is_split_as_an_intent():
    """Many responses with few examples each are a large intent; no response loses all of its own."""
    examples = [
        Example(f"question {response} in words {n}", "faq", response=f"faq/{response}")
        for response in range(40)
        for n in range(4)
    ]
    parts = split(examples, fraction=0.2, minimum=5)
    assert 16 <= len(parts.held_out) <= 48
    assert {e.response for e in parts.training} == {e.response for e in examples}
    alone = [Example("only once", "faq", response="faq/x"), *examples]
    kept = split(alone, fraction=0.9, minimum=5)
    assert "faq/x" in {e.response for e in kept.training}
