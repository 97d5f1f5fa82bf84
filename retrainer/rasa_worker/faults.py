"""Failures that the service is told of, and Rasa's own exceptions as such."""

import errno
import os
import re
import shutil
from contextlib import contextmanager

#: What stands for an error class of the service, in the events.
PROJECT, RASA, ENVIRONMENT, STORAGE, ARCHIVE, MEMORY = (
    "project",
    "rasa",
    "environment",
    "storage",
    "archive",
    "memory",
)


#: The disk, its quota or the largest file allowed is full, or nothing may be written at all.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


_NO_MEMORY = re.compile(
    "std::bad_alloc|MemoryError|[Cc]annot allocate memory|can't start new thread"
    "|OOM when allocating|[Ff]ailed to allocate memory"
)


class Fault(Exception):
    """A failure with a sentence for people; `kind` says which error it is in the service."""

    def __init__(self, message, kind=RASA, tip=None):
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.tip = tip


def project_fault(message, file=None, line=None, tip=None):
    """A fault of the project, with the place in front where it is known (lines from 1)."""
    place = "{}:{}: ".format(file, line) if file and line else "{}: ".format(file) if file else ""
    return Fault(place + message, PROJECT, tip)


@contextmanager
def blamed(file):
    """Within, a YAML error is one of this file; Rasa leaves the name out in places."""
    from rasa.shared.exceptions import YamlException

    try:
        yield
    except YamlException as error:
        error.filename = error.filename or str(file)
        raise


def translate(error, show=str):
    """The fault that stands for any exception out of Rasa; `show` makes a path readable."""
    if isinstance(error, Fault):
        return error
    if out_of_memory(error):  # asked for first, since what follows imports Rasa
        cause = root_cause(error)
        said = [type(cause).__name__, *str(cause).strip().splitlines()]
        return Fault(said[-1].strip()[:300], MEMORY)
    known = _yaml_fault(error, show)
    if known is not None:
        return known
    cause = root_cause(error)
    full = _out_of_space(cause)
    if full is not None:
        return Fault(
            full,
            STORAGE,
            "free space where the models and the state are kept, then run the same again",
        )
    text = str(cause).strip() or type(cause).__name__
    from rasa.shared.exceptions import RasaException

    if isinstance(cause, RasaException):
        return Fault(text, RASA)
    return Fault("{}: {}".format(type(cause).__name__, text), RASA)


def _out_of_space(cause):
    """What could not be written, in a sentence, if it was for want of space; else None."""
    if isinstance(cause, shutil.Error):  # of a whole folder: (from, to, what went wrong) for each
        for _, target, problem in cause.args[0]:
            for code in _FULL:
                if os.strerror(code) in problem:
                    return "{}: {}".format(os.strerror(code), target)
    elif isinstance(cause, OSError) and cause.errno in _FULL:
        return "{}{}".format(cause.strerror, ": " + str(cause.filename) if cause.filename else "")
    return None


def out_of_memory(error):
    """Whether no more memory was to be had: for Python, for TensorFlow or for a library."""
    cause = root_cause(error)
    return (
        isinstance(cause, MemoryError)
        or type(cause).__name__ == "ResourceExhaustedError"
        or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)
        # What TensorFlow compiles wraps errors as text, the loader of libraries as its own.
        or _NO_MEMORY.search(str(cause)) is not None
    )


def root_cause(error):
    """What was raised first: Rasa wraps the errors of its components."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _yaml_fault(error, show):
    """A fault with file and line for what Rasa says of a YAML file; None for other errors."""
    from rasa.shared.exceptions import YamlException, YamlSyntaxException
    from rasa.shared.utils.validation import YamlValidationException

    unread = root_cause(error)
    mark = getattr(unread, "problem_mark", None)  # of the YAML reader itself
    if mark is not None and not isinstance(error, YamlException):
        return project_fault("not valid YAML: " + unread.problem, show(mark.name), mark.line + 1)
    if not isinstance(error, YamlException):
        return None
    file = show(error.filename) if error.filename else None
    if isinstance(error, YamlSyntaxException):
        problem, mark = error.underlying_yaml_exception, None
        if problem is not None:
            mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
        what = getattr(problem, "problem", None) or str(problem or "unreadable")
        return project_fault("not valid YAML: " + what, file, mark.line + 1 if mark else None)
    if isinstance(error, YamlValidationException) and error.validation_errors:
        return _schema_fault(error, file)
    return project_fault(str(error), file)


def _schema_fault(error, file):
    first = error.validation_errors[0]
    # Rasa's own search for the line; private, so its absence only costs the line.
    find_line = getattr(error, "_line_number_for_path", None)
    line = find_line(error.content, first.path) if find_line else None
    more = len(error.validation_errors) - 1
    message = str(first) + (" (and {} more)".format(more) if more else "")
    return project_fault(message, file, line)
