"""What every action server has to do: subclass, and give the fixtures."""

import pytest

from retrainer.errors import ServerError
from retrainer.ports import ActionServer


class ActionServerContract:
    """The rules; `server` runs `action_pay` and `validate_form`, `away` does not answer."""

    def test_it_lists_what_it_runs(self, server: ActionServer):
        """Each name once, in alphabetical order, however often it is asked."""
        for _ in range(2):
            assert server.actions() == ("action_pay", "validate_form")

    def test_one_that_is_away_is_a_server_error(self, away: ActionServer):
        """Whoever asks can tell that it is not known from that there is none."""
        with pytest.raises(ServerError):
            away.actions()
