"""Conditional requests and ranges, as RFC 9110 has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrainer.web.conditions import UnsatisfiableRange, is_current, part_of

ETAG = '"' + "a" * 64 + '"'


@pytest.mark.parametrize(
    "header", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', f'"other" ,{ETAG} , "x"', "*", " * "]
)
def test_a_client_that_has_the_content_is_told_so(header):
    """Any of the names that the client knows may be the content's; weakness does not matter here."""
    assert is_current(header, ETAG)


@pytest.mark.parametrize(
    "header", [None, "", '"other"', "a" * 64, "5d41402abc4b2a76b9719d911017c592", ETAG[:-1], ","]
)
def test_any_other_name_is_of_other_content(header):
    """The random word of a Rasa server's first pull, or a bare digest, is no name of ours."""
    assert not is_current(header, ETAG)


@given(size=st.integers(1, 300), first=st.integers(0, 400), last=st.integers(0, 400))
def test_a_range_is_the_same_bytes_as_a_slice(size, first, last):
    """`bytes=a-b` are the bytes a to b, both of them; what lies behind the end is cut off."""
    content = list(range(size))
    header = f"bytes={first}-{last}"
    if last < first:
        assert part_of(size, ETAG, header, None) is None
    elif first >= size:
        with pytest.raises(UnsatisfiableRange):
            part_of(size, ETAG, header, None)
    else:
        assert list(part_of(size, ETAG, header, None)) == content[first : last + 1]


@given(size=st.integers(1, 300), number=st.integers(0, 400))
def test_open_ranges_are_the_rest_and_the_end(size, number):
    """`bytes=a-` is all from a, `bytes=-n` the last n."""
    content = list(range(size))
    if number < size:
        assert list(part_of(size, ETAG, f"bytes={number}-", None)) == content[number:]
    if number:
        assert list(part_of(size, ETAG, f"bytes=-{number}", None)) == content[-number:]
    else:
        with pytest.raises(UnsatisfiableRange):
            part_of(size, ETAG, "bytes=-0", None)


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=", "bytes=-", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=5-2", "0-1"],
)
def test_what_is_no_single_range_is_answered_with_everything(header):
    """A server may ignore a range, and must where it does not understand it."""
    assert part_of(100, ETAG, header, None) is None


def test_a_part_is_only_of_the_content_that_the_client_has_the_rest_of():
    """`If-Range` with another name, a weak one or a date asks for everything instead."""
    assert part_of(100, ETAG, "bytes=50-", ETAG) == range(50, 100)
    for other in ('"other"', f"W/{ETAG}", "Sat, 29 Oct 1994 19:43:31 GMT"):
        assert part_of(100, ETAG, "bytes=50-", other) is None
