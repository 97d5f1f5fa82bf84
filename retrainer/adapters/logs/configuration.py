"""One handler for everything that is logged in this process."""

import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Literal, TextIO

from retrainer.adapters.logs.formats import HumanFormatter, JournalFormatter, JsonFormatter
from retrainer.adapters.logs.stream import PatientStream

LogFormat = Literal["auto", "human", "json"]

_OURS = "retrainer"
#: Libraries that would say more, or by handlers of their own.
_THIRD_PARTY = ("alembic", "apscheduler", "sqlalchemy", "urllib3", "uvicorn")
_log = logging.getLogger(__name__)


def configure(
    format: LogFormat,  # noqa: A002 - the name of the option
    stream: TextIO | None = None,
    secrets: Iterable[str] = (),
    *,
    environment: Mapping[str, str] = os.environ,
) -> Callable[[], None]:
    """Send all that is logged to the stream (standard error), and none of the secrets with it.

    "auto" is for people on a terminal, JSON elsewhere. Where the environment says that the stream
    is journald's (JOURNAL_STREAM), each line has its priority. Of retrainer everything from INFO on
    is logged, of libraries from WARNING on, and so are Python's warnings and what ends a thread.
    Called again, as after a reload with other secrets, it replaces what it did before.

    Returns what takes it all back.
    """
    stream = stream or sys.stderr
    coloured = stream.isatty() and "NO_COLOR" not in environment
    known = frozenset(filter(None, secrets))
    lines: logging.Formatter
    if format == "json" or (format == "auto" and not stream.isatty()):
        lines = JsonFormatter(known)
    else:
        lines = HumanFormatter(known, colours=coloured)
    handler = _Handler(
        stream, JournalFormatter(lines) if _is_journal(stream, environment) else lines
    )

    root, undo = logging.getLogger(), ExitStack()
    previous = [old for old in root.handlers if isinstance(old, _Handler)]
    root.addHandler(handler)
    for old in previous:
        root.removeHandler(old)
        old.close()
    undo.callback(handler.close)
    undo.callback(root.removeHandler, handler)
    levels = {
        "": logging.WARNING,
        _OURS: logging.INFO,
        **dict.fromkeys(_THIRD_PARTY, logging.WARNING),
    }
    for name, level in levels.items():
        logger = logging.getLogger(name)
        undo.callback(logger.setLevel, logger.level)
        logger.setLevel(level)
    _capture_warnings(undo)
    undo.callback(setattr, threading, "excepthook", threading.excepthook)
    threading.excepthook = _thread_ended
    undo.callback(setattr, sys, "unraisablehook", sys.unraisablehook)
    sys.unraisablehook = _nobody_to_raise_to
    return undo.close


class _Handler(logging.StreamHandler[PatientStream]):
    """Never prints a line or a failure of its own by another way than its stream."""

    def __init__(self, stream: TextIO, lines: logging.Formatter) -> None:
        super().__init__(PatientStream(stream, self._lost))
        self.setFormatter(lines)

    def flush(self) -> None:
        """Wait for nobody: this is called after each line."""

    def close(self) -> None:
        """Give what waits to be written a moment."""
        self.stream.close()
        super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say which line could not be put into words, without its arguments."""
        kind = getattr(sys.exc_info()[0], "__name__", "an error")
        place = f"{record.filename}:{record.lineno}"
        self.stream.write(self._warning(f"a line of {place} could not be put into words: {kind}"))

    def _lost(self, number: int) -> str:
        return self._warning(f"lines of the log that could not be written, and are lost: {number}")

    def _warning(self, words: str) -> str:
        """A line that nobody logged."""
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, words, (), None)
        return self.format(record) + self.terminator


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether JOURNAL_STREAM names the stream by its device and inode; it is inherited by others."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError, io.UnsupportedOperation):
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _capture_warnings(undo: ExitStack) -> None:
    """As `logging.captureWarnings`, on one line and without a line of source code."""

    def shown(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del file, line
        logging.getLogger("py.warnings").warning(
            "%s (%s, %s:%s)", message, category.__name__, filename, lineno
        )

    undo.callback(setattr, warnings, "showwarning", warnings.showwarning)
    warnings.showwarning = shown


def _thread_ended(ending: threading.ExceptHookArgs) -> None:
    """What Python would print as it is, secrets included."""
    if ending.exc_value is None or isinstance(ending.exc_value, SystemExit):
        return
    name = ending.thread.name if ending.thread else "?"
    _log.error("the thread %s ended by an error", name, exc_info=ending.exc_value)


def _nobody_to_raise_to(failure: "sys.UnraisableHookArgs") -> None:
    """As above, where an object was deleted or a callback called."""
    _log.error("an error had nobody to be raised to", exc_info=failure.exc_value or False)
