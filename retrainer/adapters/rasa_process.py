"""The Rasa worker as a process: started, asked, limited in time, and never left behind."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from retrainer.adapters import processes
from retrainer.adapters.files import storage_errors
from retrainer.adapters.last_lines import read_last_lines
from retrainer.adapters.resource_limits import ResourceLimits, size
from retrainer.errors import (
    ModelArchiveError,
    ProjectError,
    RasaEnvironmentError,
    RasaError,
    RasaOutOfMemory,
    RasaTimeout,
    RasaWorkerDied,
    RetrainerError,
    StorageError,
)

Event = dict[str, Any]

_ERRORS: Mapping[str, type[RetrainerError]] = {
    "project": ProjectError,
    "rasa": RasaError,
    "environment": RasaEnvironmentError,
    "storage": StorageError,
    "archive": ModelArchiveError,
    "memory": RasaOutOfMemory,
}
_SETUP_TIP = "run `retrainer rasa setup`, or name another interpreter in the config as rasa.python"
_LOG_LINES = 15
#: Seconds between two looks at whether the process still lives, and at the memory that it has.
_LOOK = 0.25
_EVENTS = frozenset({"ready", "progress", "part", "result", "error"})
#: Bytes of one event. A hundred thousand examples are 30 MB; what the project's own components
#: write into the pipe must not fill the service's memory.
_LONGEST_EVENT = 500 * 1000**2


class RasaProcess:
    """One running worker. Its log goes to a file, its answers come through a pipe of their own.

    The worker ends by itself when this process does, since it watches the request pipe.
    """

    def __init__(
        self,
        *,
        python: Path,
        environment: Mapping[str, str],
        log: Path,
        limits: ResourceLimits | None = None,
    ) -> None:
        self._log = log
        self._allowance = (limits or ResourceLimits()).allowance()
        self._buffer = bytearray()
        self._busy = False
        self._process: subprocess.Popen[bytes] | None = None
        request_end, self._requests = os.pipe()
        self._events, event_end = os.pipe()
        os.set_blocking(self._requests, False)
        script = resources.files("retrainer") / "rasa_worker" / "__main__.py"
        pipes = (str(request_end), str(event_end))
        command = [str(python), "-X", "utf8", str(script), self._allowance.argument, *pipes]
        processes.conceal()
        try:
            with storage_errors("writing", log):
                log.parent.mkdir(parents=True, exist_ok=True)
                sink = log.open("ab")
            with sink:
                self._process = processes.start(
                    command,
                    environment=environment,
                    out=sink,
                    errors=sink,
                    keep_open=(request_end, event_end),
                )
        except OSError as error:
            raise RasaEnvironmentError(
                f"the Rasa interpreter {python} could not be started: {error.strerror}",
                tip=_SETUP_TIP,
            ) from error
        finally:
            os.close(request_end)
            os.close(event_end)
            if self._process is None:
                self._close_pipes()
                self._allowance.release()

    def wait_until_ready(self, limit: tuple[float, str]) -> None:
        """Wait for the worker's first word; `limit` as in `ask`.

        Raises:
            RasaEnvironmentError: this interpreter has no Rasa, or one that is not supported.
            RasaTimeout: no word within the limit.
        """
        seconds, key = limit
        try:
            first = self._next_event(time.monotonic() + seconds)
        except TimeoutError as error:
            raise RasaTimeout(
                f"the Rasa worker did not start within {seconds:g} s{self._last_words()}",
                tip=f"raise {key}, or look at {self._log} for what takes so long",
            ) from error
        except EOFError as error:
            ending = self._ending()
            self._require_memory("start", f": it {ending}")
            raise RasaEnvironmentError(
                f"the Rasa worker did not start: it {ending}{self._last_words()}", tip=_SETUP_TIP
            ) from error
        if first["event"] == "error":
            raise _error(first)

    def ask(
        self,
        operation: str,
        arguments: Mapping[str, object],
        listener: Callable[[Event], None],
        *,
        limit: tuple[float, str],
    ) -> Any:  # noqa: ANN401 - JSON
        """Ask one thing and return the value of its result; the events before go to the listener.

        `limit` is in seconds, of the whole, with the config key that says so.

        Raises:
            RasaTimeout: it took longer.
            RasaWorkerDied: the process ended meanwhile.
            RetrainerError: what the worker itself says went wrong.
        """
        doing = operation.replace("_", " ")
        allowed, limit_key = limit
        started = time.monotonic()
        line = json.dumps({"operation": operation, "arguments": dict(arguments)}) + "\n"
        self._busy = True
        try:
            return self._converse(line.encode(), listener, started + allowed)
        except TimeoutError as error:
            raise RasaTimeout(
                f"Rasa took longer than its limit of {allowed:g} s to {doing}{self._last_words()}",
                tip=f"raise {limit_key}, or look at {self._log} for what takes so long",
            ) from error
        except (EOFError, BrokenPipeError) as error:
            seconds, ending = time.monotonic() - started, self._ending()
            self._require_memory(doing, f" after {seconds:.0f} s: it {ending}")
            raise RasaWorkerDied(
                f"the Rasa worker {ending}, {seconds:.0f} s after it was asked to "
                f"{doing}{self._last_words()}",
                tip=f"its whole log is {self._log}",
            ) from error

    @property
    def ready(self) -> bool:
        """Whether the process lives and nothing is left of an earlier request."""
        return self._alive() and not self._busy

    def cancel(self) -> None:
        """Kill the process from another thread; whoever waits for it finds out, and tidies up."""
        process = self._process
        if process is not None:
            processes.signal_group(process, signal.SIGKILL)

    def kill(self) -> None:
        """End the process with everything that it started; nothing if it is gone."""
        process, self._process = self._process, None
        if process is not None:
            processes.kill_group(process)
            self._close_pipes()
            self._allowance.release()

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _converse(self, request: bytes, listener: Callable[[Event], None], deadline: float) -> Any:  # noqa: ANN401 - JSON
        self._send(request, deadline)
        while True:
            event = self._next_event(deadline)
            match event["event"]:
                case "result":
                    self._busy = False
                    return event["value"]
                case "error":
                    error = _error(event)
                    # Libraries that got no memory raise anything; they are not trusted any more.
                    if isinstance(error, RasaOutOfMemory) or (
                        type(error) is RasaError and self._allowance.is_used_up
                    ):
                        doing = json.loads(request)["operation"].replace("_", " ")
                        raise self._out_of_memory(doing, f": {error.message}")
                    self._busy = False
                    raise error
                case _:
                    listener(event)

    def _close_pipes(self) -> None:
        for descriptor in (self._requests, self._events):
            with suppress(OSError):
                os.close(descriptor)

    def _send(self, content: bytes, deadline: float) -> None:
        rest = memoryview(content)
        while rest:
            self._wait_for(self._requests, select.POLLOUT, deadline)
            rest = rest[os.write(self._requests, rest[: select.PIPE_BUF]) :]

    def _next_event(self, deadline: float) -> Event:
        looked_at = 0  # an event of many examples comes in hundreds of pieces
        while (end := self._buffer.find(b"\n", looked_at)) < 0:
            looked_at = len(self._buffer)
            self._wait_for(self._events, select.POLLIN, deadline)
            content = os.read(self._events, 1 << 16)
            if not content:
                raise EOFError
            self._buffer += content
            if len(self._buffer) > _LONGEST_EVENT:
                raise _not_understood(f"more than {size(_LONGEST_EVENT)} in one line")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict) or event.get("event") not in _EVENTS:
            raise _not_understood(repr(line[:80]))
        return event

    def _wait_for(self, descriptor: int, what: int, deadline: float) -> None:
        """Wait until the pipe can be used; TimeoutError when time is up, EOFError when it died."""
        poll = select.poll()
        poll.register(descriptor, what)
        while (left := deadline - time.monotonic()) > 0:
            if self._process is not None:
                self._allowance.look(self._process.pid)
            if poll.poll(1000 * min(_LOOK, left)):
                return
            # What the worker started may hold the pipe open after the worker itself has ended.
            if not self._alive() and not poll.poll(0):
                raise EOFError
        raise TimeoutError

    def _ending(self) -> str:
        """How it ended, as a phrase."""
        if self._process is None:
            return "was stopped"
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        if code >= 0:
            return f"ended with exit code {code}"
        name = signal.Signals(-code).name
        hint = " (usually the kernel's out-of-memory killer)" if code == -signal.SIGKILL else ""
        return f"was killed by {name}{hint}"

    def _require_memory(self, doing: str, how: str) -> None:
        """Raise if the worker is gone because it got no more memory."""
        code = self._process.poll() if self._process is not None else None
        log = read_last_lines(self._log, _LOG_LINES)
        if code is not None and self._allowance.ended_it(code, log):
            raise self._out_of_memory(doing, how)

    def _out_of_memory(self, doing: str, how: str) -> RasaOutOfMemory:
        return RasaOutOfMemory(
            f"{self._allowance.reached} when it was asked to {doing}{how}{self._last_words()}",
            tip=f"{self._allowance.tip}; its whole log is {self._log}",
        )

    def _last_words(self) -> str:
        lines = read_last_lines(self._log, _LOG_LINES)
        return "".join(f"\n  {line}" for line in lines)


def _error(event: Event) -> RetrainerError:
    kind = _ERRORS.get(str(event.get("kind")), RasaError)
    tip = event.get("tip")
    return kind(str(event.get("message")), tip=None if tip is None else str(tip))


def _not_understood(what: str) -> RasaError:
    return RasaError(
        f"the Rasa worker said what is not understood: {what}",
        tip="do components of the project write to file descriptors that are not theirs?",
    )
