"""The crash matrix: a daemon killed, or its power cut, before, inside and after every step.

Real daemon processes, real SIGKILL, real databases and registry; training alone is a stand-in, for
speed. A daemon that answers a request ends at the point, and the next one has to make it good.
"""

from collections.abc import Iterator

import pytest
from support.crash_cases import POINTS, Original, originals
from support.crash_points import Crash, Kind

pytestmark = pytest.mark.end_to_end

DIALECTS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
KINDS = (Kind.KILLED, Kind.POWER, Kind.POWER_CONTENTS)


@pytest.fixture(scope="module", params=DIALECTS)
def original(request: pytest.FixtureRequest) -> Iterator[Original]:
    """What every case is a copy of."""
    with originals(request.param) as made:
        yield made


def test_the_matrix_is_whole():
    """Every step is there, each with its three moments; whoever adds a step finds this count."""
    assert len(KINDS) * len(POINTS) * len(DIALECTS) == 216


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize(("step", "moment"), POINTS)
def test_a_crash_loses_and_doubles_nothing(original: Original, step: str, moment: str, kind: Kind):
    """The next daemon brings the cycle to the end that it would have had, and leaves no trace."""
    original.play(Crash(step, moment, original.efforts[step]), kind)
