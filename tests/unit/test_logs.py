"""What stands in the log, for people and for programs, and what never does."""

import contextvars
import io
import json
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from retrainer.adapters.deadline import within
from retrainer.adapters.logs import amend, configure, context
from retrainer.errors import PlatformError
from retrainer.pipeline.heartbeat import Heartbeat

SECRET = 'S3CRET/wörd+"1'
LOG = logging.getLogger("retrainer.test")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Log:
    """What was logged."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        """All of it."""
        return self._stream.getvalue()

    @property
    def lines(self) -> list[str]:
        """Line by line."""
        return self.text.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON of each line."""
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def logged() -> Iterator[Callable[..., Log]]:
    undone: list[Callable[[], None]] = []

    def start(
        kind: str = "json", *, stream: io.StringIO | None = None, secrets: tuple[str, ...] = ()
    ) -> Log:
        root = logging.getLogger()
        for pytests in [h for h in root.handlers if type(h).__module__.startswith("_pytest")]:
            root.removeHandler(pytests)  # it raises what it cannot put into words
        stream = stream or io.StringIO()
        undone.append(configure(kind, stream, secrets, environment={}))
        return Log(stream)

    yield start
    for undo in reversed(undone):
        undo()


def test_a_line_for_programs(logged):
    """A program finds time, level, logger and all that the line belongs to, by name."""
    log = logged()
    before = datetime.now(UTC)
    with context(assistant="shop", cycle=12), context(step="train"):
        LOG.warning("%s is slow", "DIETClassifier")
    (line,) = log.objects
    moment = line.pop("time")
    assert moment.endswith("Z")
    assert before - timedelta(seconds=1) < datetime.fromisoformat(moment) <= datetime.now(UTC)
    assert line == {
        "level": "warning",
        "message": "DIETClassifier is slow",
        "logger": "retrainer.test",
        "assistant": "shop",
        "cycle": 12,
        "step": "train",
    }


def test_a_line_for_people(logged):
    """A person sees the time, what it belongs to, and what is worse than usual."""
    log = logged("human")
    with context(assistant="shop", cycle=12, step="train"):
        LOG.info("DIETClassifier: 12 of 100 epochs")
        LOG.error("it failed", extra={"tip": "try again"})
    with context(assistant="shop"):
        LOG.warning("paused")
    logging.getLogger("urllib3.connection").warning("odd")
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in log.lines] == [
        "shop#12 train: DIETClassifier: 12 of 100 epochs",
        "shop#12 train: error: it failed",
        "  tip: try again",
        "shop: warning: paused",
        "urllib3.connection: warning: odd",
    ]


def test_auto_is_for_people_on_a_terminal_alone(logged):
    """A pipe, a file and journald get JSON, a terminal lines in colour."""
    log = logged("auto")
    terminal = logged("auto", stream=Terminal())
    LOG.warning("hello")
    assert "\x1b[33mwarning:\x1b[0m hello" in terminal.text
    assert log.text == ""
    log = logged("auto")
    LOG.warning("hello")
    assert log.objects[0]["message"] == "hello"


def test_configured_again_it_replaces_what_was_before(logged):
    """A reload writes no line twice, and knows the new secrets."""
    first, second = logged(), logged(secrets=(SECRET,))
    LOG.info("once %s", SECRET)
    assert first.text == ""
    assert [line["message"] for line in second.objects] == ["once ***"]


def test_what_is_logged(logged):
    """Of retrainer all from INFO on; of libraries from WARNING on, by the same handler."""
    log = logged()
    LOG.debug("no")
    LOG.info("yes")
    for name in (
        "urllib3",
        "apscheduler.scheduler",
        "uvicorn.access",
        "alembic",
        "sqlalchemy",
        "x",
    ):
        logging.getLogger(name).info("no")
        logging.getLogger(name).warning(name)
    assert [line["message"] for line in log.objects] == [
        "yes",
        "urllib3",
        "apscheduler.scheduler",
        "uvicorn.access",
        "alembic",
        "sqlalchemy",
        "x",
    ]


def test_warnings_are_lines_of_the_log(logged):
    """A library's warning is no text between the lines of JSON."""
    log = logged()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configured = warnings.showwarning
        warnings.showwarning = configured
        warnings.warn("old news", DeprecationWarning, stacklevel=1)
    (line,) = log.objects
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert line["message"].startswith("old news (DeprecationWarning, ")


def test_an_error_that_was_foreseen_is_no_traceback(logged):
    """Its type, its words and its tip are what a reader needs."""
    log = logged()
    LOG.error("not promoted", exc_info=PlatformError("the server is away", tip="start it"))
    (line,) = log.objects
    assert line["message"] == "not promoted: the server is away"
    assert (line["error"], line["tip"]) == ("PlatformError", "start it")
    assert "traceback" not in line


def test_an_error_that_was_not_foreseen_says_where_it_came_from(logged):
    """A bug has to be found, by its traceback; a person reads it below the line."""
    error = _raised("lost")
    log = logged()
    LOG.error("a bug", exc_info=error)
    people = logged("human")
    LOG.error("a bug", exc_info=error)
    (line,) = log.objects
    assert line["error"] == "KeyError"
    assert "Traceback (most recent call last):" in line["traceback"]
    assert line["traceback"].endswith("KeyError: 'lost'")
    assert people.lines[0].endswith("error: a bug")
    assert "  Traceback (most recent call last):" in people.lines
    assert people.lines[-1] == "  KeyError: 'lost'"


# --- what a line belongs to ------------------------------------------------------------------


def test_the_context_ends_with_its_block(logged):
    """What is logged between two cycles belongs to neither, however the first one ended."""
    log = logged()

    def cycle() -> None:
        with context(assistant="shop"):
            amend(cycle=12, step="train")
            LOG.info("in it")
            amend(step=None)
            LOG.info("after the step")
            raise KeyError

    with pytest.raises(KeyError):
        cycle()
    LOG.info("after it")
    told = [{k: line.get(k) for k in ("assistant", "cycle", "step")} for line in log.objects]
    assert told == [
        {"assistant": "shop", "cycle": 12, "step": "train"},
        {"assistant": "shop", "cycle": 12, "step": None},
        {"assistant": None, "cycle": None, "step": None},
    ]


class _Store:
    """Logs each renewal, as a library below a real store might."""

    def __init__(self) -> None:
        self.renewed = threading.Event()

    def renew(self, *_: object) -> None:
        logging.getLogger("library").warning("renewed by %s", threading.current_thread().name)
        if threading.current_thread().name == "lease":
            self.renewed.set()


def test_every_thread_that_works_for_a_cycle_is_known(logged):
    """The heartbeat's lines and those of a limited call stand with the cycle's own."""
    log = logged()
    with context(assistant="shop", cycle=12, step="train"):
        within(10, lambda: LOG.info("asked"), name="http")
        store = _Store()
        with Heartbeat(store, lease=None, length=timedelta(seconds=0.01)):
            assert store.renewed.wait(10)
        thread = threading.Thread(target=contextvars.copy_context().run, args=(LOG.info, "own"))
        thread.start()
        thread.join()
    assert {line["message"] for line in log.objects} >= {"asked", "renewed by lease", "own"}
    assert {(line["assistant"], line["cycle"], line["step"]) for line in log.objects} == {
        ("shop", 12, "train")
    }


def test_two_cycles_at_once_are_told_apart(logged):
    """Each thread has its own context, whatever the others are at."""
    log = logged()
    together = threading.Barrier(4)

    def cycle(number: int) -> None:
        with context(assistant=f"a{number}", cycle=number):
            for _ in range(20):
                together.wait(10)
                LOG.info("a%s", number)

    threads = [threading.Thread(target=cycle, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.objects) == 80
    assert all(line["assistant"] == line["message"] for line in log.objects)


# --- secrets ---------------------------------------------------------------------------------


def _raised(secret: str) -> Exception:
    def fail(error: Exception, cause: Exception | None = None) -> None:
        raise error from cause

    with pytest.raises(KeyError) as raised:
        fail(KeyError(secret), ValueError(f"cause {secret}"))
    return raised.value


WAYS: dict[str, Callable[[], None]] = {
    "message": lambda: LOG.info(f"it is {SECRET}"),  # noqa: G004 - that is what is tested
    "argument": lambda: LOG.info("it is %s", SECRET),
    "argument as a repr": lambda: LOG.info("it is %r", {"key": SECRET}),
    "URL": lambda: LOG.info("GET https://me:%s@host/x?y=%s", quote(SECRET), quote(SECRET, safe="")),
    "JSON": lambda: LOG.info("sent %s", json.dumps({"x": SECRET})),
    "traceback": lambda: LOG.error("failed", exc_info=_raised(SECRET)),
    "error": lambda: LOG.error("failed", exc_info=PlatformError(SECRET, tip=f"not {SECRET}")),
    "fact": lambda: LOG.info("x", extra={"tip": SECRET, "other": [SECRET]}),
    "context": lambda: contextvars.copy_context().run(_in_context),
    "library": lambda: logging.getLogger("urllib3.x").warning("%s", SECRET),
    "bad arguments": lambda: LOG.info("%d", SECRET),
    "warning": lambda: warnings.showwarning(SECRET, UserWarning, f"/{SECRET}.py", 1),
    "thread": lambda: _end_a_thread(_raised(SECRET)),
}


def _in_context() -> None:
    with context(assistant=SECRET):
        LOG.info("x")


def _end_a_thread(error: Exception) -> None:
    def fail() -> None:
        raise error

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


@pytest.mark.parametrize("kind", ["json", "human"])
@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_in_no_line(logged, way, kind, capfd):
    """However it gets into a record, whoever logs it, a secret does not get out of it."""
    log = logged(kind, secrets=(SECRET,))
    WAYS[way]()
    assert log.lines
    said = log.text + "".join(capfd.readouterr())
    assert not [part for part in ("S3CRET", "rd+", "rd%2B", "w\\u00f6rd") if part in said]
    assert way == "bad arguments" or "***" in said


def test_what_looks_like_a_secret_is_one(logged):
    """Tokens that nobody configured, such as that of a login, are known by where they stand."""
    log = logged()
    LOG.info("GET http://host/x?api_token=abc and https://me:pw@host")
    assert log.objects[0]["message"] == "GET http://host/x?api_token=*** and https://***@host"


# --- bad lines -------------------------------------------------------------------------------


def test_a_line_that_cannot_be_put_into_words_is_named(logged, capfd):
    """Neither the daemon nor the log is the worse for a wrong format; no traceback is printed."""
    log = logged()
    LOG.info("%d apples", "many")
    LOG.info("next")
    first, second = log.objects
    assert re.fullmatch(
        r"a line of test_logs\.py:\d+ could not be put into words: TypeError", first["message"]
    )
    assert second["message"] == "next"
    assert capfd.readouterr() == ("", "")


def test_a_long_line_is_cut(logged):
    """Journald and container runtimes cut long lines, and half an object cannot be read."""
    log = logged()
    LOG.error("ä" * 100_000, exc_info=ValueError("y" * 100_000))
    (line,) = log.objects
    assert len(line["message"]) == 4001
    assert line["traceback"].endswith("yyy")
    assert len(log.text) < 48 * 1024


@pytest.mark.parametrize("kind", ["json", "human"])
def test_what_others_wrote_stays_on_its_line(logged, kind):
    """A message with control signs cannot forge a line, nor move a terminal's cursor."""
    log = logged(kind)
    LOG.info("one\r\n15:00:00 shop: PROMOTED\x1b[2J\u202e\u2028two")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2028]", log.text)
    if kind == "json":
        assert len(log.lines) == 1
    else:
        assert log.lines[1:] == ["  15:00:00 shop: PROMOTED\\x1b[2J\\u202e", "  two"]
