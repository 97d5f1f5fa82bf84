"""A record of the log as one line, for people or for programs; without secrets."""

import json
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from typing import Any

from retrainer.adapters.http.redaction import redacted
from retrainer.adapters.logs.context import current
from retrainer.errors import RetrainerError

#: Characters of a message, and of the end of a traceback, that are kept: journald cuts lines at
#: 48 KiB and containers' logs at 16, and half a JSON object is none.
_MESSAGE, _TRACEBACK = 4000, 6000
_OURS = "retrainer"
_RESET, _DIM, _YELLOW, _RED = "\x1b[0m", "\x1b[2m", "\x1b[33m", "\x1b[31m"
#: What every record has; the rest was said by the caller as `extra`.
_USUAL = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "exc_text"])
#: What sd-daemon(3) calls the levels of logging.
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)


class LineFormatter(logging.Formatter):
    """Collects what there is to say of a record; a subclass writes it down.

    A caller may add facts of its own: `log.error("...", extra={"tip": "start the server"})`.
    Secrets are taken out of each text as it was said, before any sign of it is escaped or cut.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self._clean: Callable[[str], str] = partial(redacted, secrets=tuple(secrets))

    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        """Everything beside time, level, logger and message, that of the context first."""
        found: dict[str, Any] = {**current(), **_extra(record)}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            found["error"] = type(error).__name__
            if isinstance(error, RetrainerError):
                found["tip"] = error.tip
            else:  # one that nobody foresaw
                found["traceback"] = self.formatException(record.exc_info or (None, None, None))
        if record.stack_info:
            found["stack"] = record.stack_info
        return {
            name: value if isinstance(value, int | float) else self._clean(str(value))[-_TRACEBACK:]
            for name, value in found.items()
            if value is not None
        }

    def message(self, record: logging.LogRecord) -> str:
        """What was said; of an error that was foreseen, what it says too."""
        said = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, RetrainerError) and str(error) not in said:
            said = f"{said}: {error}"
        said = self._clean(said)
        return said if len(said) <= _MESSAGE else said[:_MESSAGE] + "…"


class JsonFormatter(LineFormatter):
    """One JSON object a line: time (RFC 3339, UTC), level, message, logger.

    And what there is of assistant, cycle, step, error (its type), tip and traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": self.message(record),
            "logger": record.name,
            **self.facts(record),
        }
        return json.dumps(line)  # in ASCII, so that it is one line for every reader


class HumanFormatter(LineFormatter):
    """`15:04:05 shop#12 train: DIETClassifier: 12 of 100 epochs`, in this machine's time."""

    def __init__(self, secrets: Collection[str] = (), *, colours: bool = False) -> None:
        super().__init__(secrets)
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, with further lines of it below."""
        facts = self.facts(record)
        time = f"{datetime.fromtimestamp(record.created, UTC).astimezone():%H:%M:%S}"
        where = self._where(facts, record)
        first, *more = self.message(record).splitlines() or [""]
        if tip := facts.get("tip"):
            more += str(tip).splitlines() and [f"tip: {tip}"]
        for long in ("traceback", "stack"):
            more += str(facts.get(long, "")).splitlines()
        head = f"{self._coloured(_DIM, time)} {self._coloured(_DIM, where) if where else ''}"
        return "\n".join(
            [f"{head}{self._level(record)}{_printable(first)}"]
            + [f"  {_printable(line)}" for line in more]
        )

    def _where(self, facts: dict[str, Any], record: logging.LogRecord) -> str:
        """`shop#12 train: `, and the name of a logger that is not ours."""
        cycle = f"#{facts['cycle']}" if "cycle" in facts else ""
        words = [f"{facts.get('assistant', '')}{cycle}", str(facts.get("step", ""))]
        said = " ".join(filter(None, words))
        theirs = "" if record.name.partition(".")[0] == _OURS else f"{record.name}: "
        return (f"{_printable(said)}: " if said else "") + theirs

    def _level(self, record: logging.LogRecord) -> str:
        if record.levelno < logging.WARNING:
            return ""
        colour, word = (
            (_RED, "error:") if record.levelno >= logging.ERROR else (_YELLOW, "warning:")
        )
        return f"{self._coloured(colour, word)} "

    def _coloured(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours else text


class JournalFormatter(logging.Formatter):
    """The lines of another format for journald, each with its priority as sd-daemon(3) has it.

    `<4>` before a line is taken off by journald, which then knows it for a warning
    (`journalctl -p warning`); what is left is the line itself. Its native protocol would carry
    fields of our own, by a second socket that may be missing, full or out of order with what else
    stands on standard error: the JSON has the same fields.
    """

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        """The record, with the priority before each line."""
        priority = next(number for level, number in _PRIORITIES if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in self._lines.format(record).split("\n"))


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _USUAL}


def _printable(line: str) -> str:
    """Safe for a terminal: what is not shown as itself is an escape."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line
    )
