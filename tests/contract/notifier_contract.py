"""What every notifier has to do: subclass, and give the fixtures."""

from collections.abc import Callable, Collection

import pytest
from support import cycle_reports

from retrainer.errors import NotificationError
from retrainer.ports import Notifier, SummaryNotifier


class NotifierContract:
    """The rules; `told` counts what `notifier` delivered, `broken` cannot deliver."""

    #: The endings that it has something to say of; the others are passed over without an error.
    TELLS_OF: Collection[str] = tuple(cycle_reports.ENDINGS)
    #: What is delivered when the same report comes twice; 1 where it can be known again.
    TWICE = 2
    #: Whether it is for people, who get one message after an outage.
    SUMMARISES = False

    @pytest.mark.parametrize("ending", cycle_reports.ENDINGS)
    def test_every_ending_can_be_told(
        self, notifier: Notifier, told: Callable[[], int], ending: str
    ):
        """However a cycle ended, people are told, if that ending is for them."""
        notifier.notify(cycle_reports.ENDINGS[ending]())
        assert told() == (1 if ending in self.TELLS_OF else 0)

    def test_again_is_told_again(self, notifier: Notifier, told: Callable[[], int]):
        """Delivery is at least once: a second call is a second delivery or nothing, not an error."""
        for _ in range(2):
            notifier.notify(cycle_reports.promoted())
        assert told() == self.TWICE

    def test_a_summary_is_one_delivery(self, notifier: Notifier, told: Callable[[], int]):
        """However many cycles were missed, people get one message; records are kept of each."""
        assert isinstance(notifier, SummaryNotifier) == self.SUMMARISES
        if isinstance(notifier, SummaryNotifier):
            every = [build() for build in cycle_reports.ENDINGS.values()]
            notifier.notify_summary(cycle_reports.rejected(), every * 20)
            assert told() == 1

    def test_a_summary_that_cannot_be_delivered_is_a_notification_error(self, broken: Notifier):
        """As for a single cycle."""
        if isinstance(broken, SummaryNotifier):
            with pytest.raises(NotificationError):
                broken.notify_summary(cycle_reports.promoted(), [cycle_reports.failed()])

    def test_what_cannot_be_delivered_is_a_notification_error(self, broken: Notifier):
        """The outbox tries again what failed as it is meant to fail."""
        with pytest.raises(NotificationError):
            broken.notify(cycle_reports.promoted())
