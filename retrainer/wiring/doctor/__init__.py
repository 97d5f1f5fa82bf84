"""The doctor: looks at everything that a cycle needs, and says what to do where it is ill."""

from collections.abc import Iterator, Sequence
from functools import partial

from retrainer.wiring.application import Application
from retrainer.wiring.doctor import (
    database,
    files,
    http,
    machine,
    operation,
    policies,
    projects,
    schedules,
)
from retrainer.wiring.doctor.diagnosis import Check, Diagnosis, Level, good, run

__all__ = ["Check", "Diagnosis", "Level", "checks", "run"]

_DATABASE = frozenset({"database"})
#: Without these a cycle fails before it comes to the assistant's project.
_BASICS = frozenset({"state folder", "database", "notifiers", "Rasa's environment"})


def checks(app: Application, names: Sequence[str], *, quick: bool) -> Iterator[Check]:
    """What to look at, of these assistants; `quick` does without starting Rasa.

    Nothing is changed by any of them.
    """
    yield Check("configuration", partial(files.config_file, app))
    yield Check("credentials", partial(files.credentials, app))
    yield Check("state folder", partial(files.state_folder, app))
    yield Check("database", partial(database.database, app), seconds=60)
    yield Check("disk", partial(files.room, app, names))
    yield Check("notifiers", partial(_notifiers, app))
    yield Check("http", partial(http.http, app))
    yield Check("Rasa's environment", partial(machine.interpreter, app))
    yield Check("Rasa's limits", partial(machine.limits, app))
    yield Check("service manager", partial(machine.service, app))
    yield Check("time zones", partial(schedules.zones, app))
    yield Check("schedules", partial(schedules.schedules, app, names))
    yield Check("policies", partial(policies.policies, app, names))
    yield Check("daemon", partial(operation.operation, app, names), _DATABASE, seconds=60)
    for name in names:
        what = f"assistant {name}"
        yield Check(what, partial(projects.project, app, name, quick=quick), _BASICS, None)
        champion = partial(operation.champion, app, name)
        yield Check(f"champion of {name}", champion, _BASICS | {what}, seconds=60)


def _notifiers(app: Application) -> Iterator[Diagnosis]:
    """Whether they take their options; nobody is told anything."""
    yield good("notifiers", ", ".join(app.notifiers) or "none configured")
