"""What every notifier has to do: subclass, and give the fixtures."""

from collections.abc import Callable

import pytest
from support import cycle_reports

from retrainer.errors import NotificationError
from retrainer.ports import Notifier


class NotifierContract:
    """The rules; `told` counts what `notifier` delivered, `broken` cannot deliver."""

    @pytest.mark.parametrize("ending", cycle_reports.ENDINGS)
    def test_every_ending_can_be_told(
        self, notifier: Notifier, told: Callable[[], int], ending: str
    ):
        """However a cycle ended, people are told."""
        notifier.notify(cycle_reports.ENDINGS[ending]())
        assert told() == 1

    def test_again_is_told_again(self, notifier: Notifier, told: Callable[[], int]):
        """Delivery is at least once: a second call is a second delivery, not an error."""
        for _ in range(2):
            notifier.notify(cycle_reports.promoted())
        assert told() == 2

    def test_what_cannot_be_delivered_is_a_notification_error(self, broken: Notifier):
        """The outbox tries again what failed as it is meant to fail."""
        with pytest.raises(NotificationError):
            broken.notify(cycle_reports.promoted())
