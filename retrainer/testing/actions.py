"""An action server that lives in memory."""

from retrainer.errors import ServerError


class FakeActionServer:
    """Runs nothing; `names` are what it lists, `failure` what asking it raises, if anything.

    `asked` counts how often it was asked.
    """

    def __init__(self, *names: str) -> None:
        self.names = names
        self.failure: ServerError | None = None
        self.asked = 0

    def actions(self) -> tuple[str, ...]:
        """The names, sorted."""
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return tuple(sorted(set(self.names)))
