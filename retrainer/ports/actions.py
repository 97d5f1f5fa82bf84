"""The server that runs an assistant's custom actions."""

from typing import Protocol


class ActionServer(Protocol):
    """Asked only what it runs; nothing is ever run."""

    def actions(self) -> tuple[str, ...]:
        """The names of the actions that it runs; changes nothing.

        Raises:
            ServerError: it did not answer, or with something else.
        """
        ...
