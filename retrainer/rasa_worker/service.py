"""The loop of the worker: a request a line in, events a line each out.

A request is `{"operation": ..., "arguments": {...}}`. It is answered by any number of
`{"event": "progress" | "part", ...}` and then one `{"event": "result", "value": ...}` or
`{"event": "error", "kind": ..., "message": ..., "tip": ...}`.
The first event of all is `{"event": "ready"}`, or an error if this is no environment for us.
"""

import json
import logging
import os
import sys
import traceback
from contextlib import suppress

from . import environment, lifeline, printed
from .faults import RASA, Fault, translate


class Events:
    """Where events go; one JSON object a line."""

    def __init__(self, descriptor):
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="\n")

    def send(self, event, **fields):
        """Send one event at once."""
        self._file.write(json.dumps(dict(fields, event=event)) + "\n")
        self._file.flush()

    def progress(self, what, done=None, total=None, unit=""):
        """Say what goes on; `done` of `total` are in `unit`."""
        self.send("progress", what=what, done=done, total=total, unit=unit)


def main(requests, events):
    """Serve until the request pipe is closed; both are file descriptors."""
    lifeline.follow(requests, events)
    for descriptor in (requests, events):
        os.set_inheritable(descriptor, False)
    out = Events(events)
    _quieten()
    try:
        environment.versions()
    except Fault as fault:
        out.send("error", kind=fault.kind, message=fault.message, tip=fault.tip)
        return
    out.send("ready")
    with os.fdopen(requests, encoding="utf-8") as lines:
        for line in lines:
            request = json.loads(line)
            _answer(request["operation"], request["arguments"], out)


def _answer(operation, arguments, out):
    from . import operations

    try:
        value = operations.TABLE[operation](out, **arguments)
    except SystemExit as stop:
        # Rasa ends the process after it printed what was wrong.
        said = printed.last_words() or "Rasa stopped with exit code {}".format(stop.code)
        out.send("error", kind=RASA, message=said, tip=None)
    except Exception as error:  # noqa: BLE001 - the outer edge of this process
        with suppress(OSError):  # the log may be on the disk that is full
            traceback.print_exc()
        fault = translate(error, operations.readable)
        out.send("error", kind=fault.kind, message=fault.message, tip=fault.tip)
    else:
        out.send("result", value=value)
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()


def _quieten():
    """Log warnings, and of Rasa's training its progress; not a line for each message parsed."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("rasa.engine.training").setLevel(logging.INFO)
    try:
        import structlog
    except ImportError:  # Rasa 3.5 may be without
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=True,
    )
