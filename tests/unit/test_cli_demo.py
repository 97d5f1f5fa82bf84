"""The demo is a claim about retrainer, and says so when it does not hold."""

import pytest
from support import cycle_reports

from retrainer.cli.demo import DemoFailed, require_end
from retrainer.errors import EXIT_FAILED


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (cycle_reports.promoted, "PROMOTED"),
        (cycle_reports.rejected, "REJECTED"),
        (cycle_reports.held, "HELD"),
        (cycle_reports.skipped, "SKIPPED"),
    ],
)
def test_a_night_that_ends_as_it_should(ending, expected):
    """Each of the ends that the demo shows is recognised."""
    require_end(1, ending(), expected)


@pytest.mark.parametrize(
    "ending", [cycle_reports.failed, cycle_reports.held, cycle_reports.skipped]
)
def test_a_night_that_does_not(ending):
    """Any other end fails the demo, with what was seen and what was expected."""
    with pytest.raises(
        DemoFailed, match=r"night 2 ended (FAILED|HELD|SKIPPED), .* PROMOTED"
    ) as caught:
        require_end(2, ending(), "PROMOTED")
    assert caught.value.exit_code == EXIT_FAILED
