"""Labelled utterances and their identity."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrainer.domain.examples import Example, example_key, normalise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where is my parcel", "where is my PARCEL"),
        ("where is my parcel", "  where  is\tmy\nparcel "),
        ("order \uff11\uff12", "order 12"),  # full-width digits
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("a b", "a\u00a0b"),
    ],
)
def test_differences_that_people_do_not_see_are_none(one, other):
    """Case, width, composition and white space do not make two utterances of one."""
    assert example_key(one) == example_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("cancel it", "cancel it!"), ("resume", "r\u00e9sum\u00e9"), ("ab", "a b"), ("", ".")],
)
def test_differences_that_people_see_are_kept(one, other):
    """Punctuation, accents and word boundaries do distinguish utterances."""
    assert example_key(one) != example_key(other)


@given(st.text())
def test_composition_of_characters_does_not_matter(text):
    """An editor that saves decomposed characters does not move examples out of the holdout."""
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(text)


@given(st.text())
def test_surrounding_space_does_not_matter(text):
    """Indentation in a file does not change who an example is."""
    assert example_key(f" \t{text}\n ") == example_key(text)


def test_the_key_is_the_same_for_ever():
    """A key that changed with a release would let training examples into the holdout."""
    assert example_key("Where is my parcel?") == "c34ddb857c34aefae3edbd8971be2d60"
    assert len(example_key("")) == 32


def test_the_label_is_the_finest_one():
    """A retrieval intent is judged by its response, not by its group."""
    assert Example("when do you open", "faq").label == "faq"
    assert Example("when do you open", "faq", response="faq/opening").label == "faq/opening"
