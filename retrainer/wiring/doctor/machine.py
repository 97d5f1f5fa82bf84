"""The doctor looks at what Rasa may take of the machine, and at who starts retrainer."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from retrainer.adapters.resource_limits import size as in_words
from retrainer.wiring.application import Application
from retrainer.wiring.doctor.diagnosis import Diagnosis, good, warning

#: Where a package, an administrator or a user puts units.
UNITS = (
    Path("/etc/systemd/system"),
    Path("/usr/lib/systemd/system"),
    Path("/lib/systemd/system"),
    Path.home() / ".config/systemd/user",
)
_CRON = Path("/etc/cron.d/retrainer")
#: Less memory than this does not do for training an ordinary assistant.
_LEAST_MEMORY = 2 * 10**9


def interpreter(app: Application) -> Iterator[Diagnosis]:
    """Whether there is a Python with Rasa.

    Raises:
        RasaEnvironmentError: there is none, or not of a supported version.
    """
    found = app.interpreter
    versions = found.versions
    yield good(
        "Rasa's environment", f"{found.python} (Rasa {versions.rasa} on Python {versions.python})"
    )


def limits(app: Application, memory: int | None = None) -> Iterator[Diagnosis]:
    """What Rasa may take, of a machine with so many bytes of memory; None: this one's."""
    what, settings = "Rasa's limits", app.settings.rasa
    machine = _memory() if memory is None else memory
    limit = settings.memory_limit
    if limit is not None and machine and limit > machine:
        yield warning(
            what,
            f"rasa.memory_limit is {in_words(limit)}, the machine has {in_words(machine)}: "
            "the kernel would kill anything before the limit is reached",
            f"set rasa.memory_limit below {in_words(machine)}",
        )
    elif machine and machine < _LEAST_MEMORY:
        yield warning(
            what,
            f"the machine has {in_words(machine)} of memory, a training takes about "
            f"{in_words(_LEAST_MEMORY)}",
            "train on a larger machine",
        )
    memory_words = "no memory limit"
    if limit is not None:
        grouped = app.interpreter.resources.groups is not None
        of = "together" if grouped else "each (no cgroup is delegated to this process)"
        memory_words = f"{in_words(limit)} for its processes {of}"
    yield good(what, f"nice {settings.nice}, disk {settings.io_class}, {memory_words}", minor=True)


def service(_app: Application) -> Iterator[Diagnosis]:
    """Who starts retrainer here, as far as can be seen; only a hint."""
    found = [unit for folder in UNITS for unit in sorted(folder.glob("retrainer*.service"))]
    found += [_CRON] if _CRON.exists() else []
    if found:
        seen = ", ".join(dict.fromkeys(map(str, found)))
    elif "KUBERNETES_SERVICE_HOST" in os.environ or Path("/.dockerenv").exists():
        seen = "a container"
    else:
        seen = "no unit and no cron job of retrainer found; deploy/README.md shows both"
    yield good("service manager", seen, minor=True)


def _memory() -> int:
    """Bytes of memory that this machine has; 0 if it does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^MemTotal:\s+(\d+) kB$", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0
