"""What the HTTP side needs of the daemon that it stands beside."""

from datetime import datetime
from typing import Protocol

from retrainer.wiring import Application


class DaemonHealth(Protocol):
    """How the daemon is; may be asked from any thread."""

    @property
    def owner(self) -> str:
        """The name of its process."""
        ...

    @property
    def looked_at(self) -> datetime | None:
        """When it last looked what is due, aware; None before the first look."""
        ...

    @property
    def problem(self) -> str | None:
        """What has kept it from looking since."""
        ...

    @property
    def leader(self) -> str | None:
        """The owner that leads; None before the first look."""
        ...

    @property
    def standby(self) -> bool:
        """Whether it waits for the leader to end."""
        ...


class DaemonView(Protocol):
    """The daemon as the HTTP side sees it."""

    @property
    def application(self) -> Application:
        """The configuration that it follows now: it may be read again while it runs."""
        ...

    @property
    def health(self) -> DaemonHealth:
        """How it is."""
        ...

    def wake(self) -> None:
        """Look what is due now rather than later."""
        ...
