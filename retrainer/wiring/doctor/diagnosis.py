"""What a check of the doctor finds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from retrainer.adapters.deadline import within
from retrainer.domain.cycle import Finding
from retrainer.errors import EXIT_OK, RetrainerError

#: Seconds that one check may take, unless it has limits of its own.
SECONDS = 10.0


class Level(StrEnum):
    """How bad it is: an error keeps a cycle from its training, a warning does not."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was looked at, what was seen, and what to do about it.

    `fix` is a command or a line of the configuration. What is `minor` nobody has to read as long
    as it is well. `details` are what Rasa finds wrong with a project.
    """

    what: str
    level: Level
    observed: str
    fix: str | None = None
    minor: bool = False
    details: tuple[Finding, ...] = ()
    exit_code: int = EXIT_OK


def good(
    what: str, observed: str, *, minor: bool = False, details: Sequence[Finding] = ()
) -> Diagnosis:
    """All is well."""
    return Diagnosis(what, Level.OK, observed, minor=minor, details=tuple(details))


def warning(what: str, observed: str, fix: str) -> Diagnosis:
    """Somebody should look at it."""
    return Diagnosis(what, Level.WARNING, observed, fix)


def failure(what: str, error: RetrainerError, details: Sequence[Finding] = ()) -> Diagnosis:
    """A cycle would fail of this error."""
    return Diagnosis(
        what,
        Level.ERROR,
        error.message,
        error.tip,
        details=tuple(details),
        exit_code=error.exit_code,
    )


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; `look` says what it finds, or raises a RetrainerError.

    It is left out if one that it `needs` has failed. `seconds` None: it limits itself.
    """

    what: str
    look: Callable[[], Iterable[Diagnosis]]
    needs: frozenset[str] = frozenset()
    seconds: float | None = SECONDS

    def run(self) -> Sequence[Diagnosis]:
        """What it finds, in time."""
        try:
            if self.seconds is None:
                return tuple(self.look())
            return within(self.seconds, lambda: tuple(self.look()), name="check")
        except RetrainerError as error:
            return (failure(self.what, error),)
        except TimeoutError:
            return (
                warning(
                    self.what,
                    f"no answer within {self.seconds:g} s",
                    "run `retrainer check` again when less is going on; see what it waits for",
                ),
            )
        except OSError as error:
            return (
                warning(
                    self.what,
                    f"it could not be looked at: {error}",
                    "run `retrainer check` as the user that the service runs as",
                ),
            )


def run(checks: Iterable[Check], begun: Callable[[str], None]) -> Iterator[Diagnosis]:
    """Make the checks one after the other; `begun` hears of each."""
    failed: set[str] = set()
    for check in checks:
        if check.needs & failed:
            failed.add(check.what)
            continue
        begun(check.what)
        found = check.run()
        if any(diagnosis.level is Level.ERROR for diagnosis in found):
            failed.add(check.what)
        yield from found
