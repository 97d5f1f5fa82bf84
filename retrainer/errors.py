"""Every failure that retrainer intends, and the exit code of each.

A class's docstring is its default message.
A message says what was seen, what was expected and what to do next.
Anything that is not a `RetrainerError` is a bug in retrainer.
"""

import inspect
from datetime import datetime

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_REJECTED = 10
EXIT_HELD = 11
EXIT_SKIPPED = 12
EXIT_BUSY = 75
EXIT_CONFIGURATION = 78


class RetrainerError(Exception):
    """Something went wrong."""

    exit_code: int = EXIT_FAILED

    def __init__(self, message: str | None = None, *, tip: str | None = None) -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or type(self).__name__)
        #: One line that says what to do next; shown below the message.
        self.tip = tip
        super().__init__(self.message)


class ConfigurationError(RetrainerError):
    """The configuration is not usable."""

    exit_code = EXIT_CONFIGURATION


class ProjectError(RetrainerError):
    """The assistant's project (config, domain, training data) is not usable."""


class RasaError(RetrainerError):
    """Rasa could not do what was asked of it."""


class RasaEnvironmentError(RasaError):
    """There is no usable Rasa interpreter."""

    exit_code = EXIT_CONFIGURATION


class RasaWorkerDied(RasaError):
    """The Rasa worker ended in the middle of its work."""


class RasaOutOfMemory(RasaError):
    """Rasa needed more memory than it may have."""


class RasaTimeout(RasaError):
    """Rasa did not finish within its time limit."""


class ModelArchiveError(RetrainerError):
    """A model archive is truncated, unsafe or not a Rasa model."""


class ModelNotFound(RetrainerError):
    """There is no model of that name."""


class ModelConflict(RetrainerError):
    """A model of that name exists already, with other content."""


class ChampionMoved(RetrainerError):
    """Somebody else changed the active model meanwhile."""


class PlatformError(RetrainerError):
    """The platform that stores and serves the models did not do what was asked of it."""


class PlatformNotReady(PlatformError):
    """The platform cannot take or serve a model now; nothing was changed."""


class OutcomeUnknown(PlatformError):
    """It is not known whether the active model was changed."""


class ServerError(PlatformError):
    """A server did not answer, or not as asked."""

    def __init__(
        self, message: str | None = None, *, tip: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message, tip=tip)
        #: The HTTP status; None when there was no answer, or not in time.
        self.status = status


class NoThreadLeft(RetrainerError):
    """The system gives this process no further thread: it is at its limit of tasks or memory."""

    def __init__(self) -> None:
        super().__init__(
            "the system gives this process no further thread: it is at its limit of tasks or memory",
            tip="end what uses so many, or raise TasksMax= of the service",
        )


class StorageError(RetrainerError):
    """A file could not be written."""


class DatabaseError(RetrainerError):
    """The database could not be used."""


class SchemaError(DatabaseError):
    """The database has another schema than this version of retrainer needs."""

    exit_code = EXIT_CONFIGURATION


class CycleRunning(RetrainerError):
    """Another cycle of this assistant is running."""

    exit_code = EXIT_BUSY


class NothingToDo(RetrainerError):
    """No cycle was asked for, and none was interrupted."""


class CyclePostponed(RetrainerError):
    """The cycle waits for the hours in which its assistant may be changed."""

    exit_code = EXIT_BUSY

    def __init__(self, message: str | None = None, *, until: datetime) -> None:
        super().__init__(message)
        #: When it may go on, aware UTC.
        self.until = until


class CycleInterrupted(RetrainerError):
    """The cycle was told to stop; it goes on from here at the next start."""

    exit_code = EXIT_BUSY


class AssistantPaused(RetrainerError):
    """The assistant is paused."""

    exit_code = EXIT_BUSY


class LeaseLost(RetrainerError):
    """Another process took this cycle over; this one stops without touching anything."""

    exit_code = EXIT_BUSY


class BackupError(RetrainerError):
    """The backup could not be made or restored."""


class CycleNotFound(RetrainerError):
    """There is no such cycle."""


class NotAwaitingApproval(RetrainerError):
    """The cycle does not wait for a person's answer."""


class VerdictAgainst(RetrainerError):
    """The verdict on the model was not to promote it."""


class NotificationError(RetrainerError):
    """A notification could not be delivered."""

    def __init__(
        self,
        message: str | None = None,
        *,
        tip: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, tip=tip)
        #: Seconds that the receiver asked to wait; None when it did not say.
        self.retry_after = retry_after


class IncomparableReports(RetrainerError):
    """Champion and challenger were measured on different examples."""
