"""The doctor looks at one assistant: its platform, its source, and its project as Rasa reads it."""

from collections.abc import Iterator

from retrainer.adapters.temporary import TemporaryFolder
from retrainer.errors import ProjectError
from retrainer.pipeline import data_steps
from retrainer.reports.values import counted
from retrainer.wiring.application import Application
from retrainer.wiring.doctor.diagnosis import Diagnosis, failure, good


def project(app: Application, name: str, *, quick: bool) -> Iterator[Diagnosis]:
    """Whether a cycle would get to its training; `quick` does without starting Rasa.

    Raises:
        RetrainerError: it would not.
    """
    what = f"assistant {name}"
    platform = app.platform(name)
    platform.require_ready(app.interpreter.versions.rasa)
    active = platform.active()
    serves = f"{active} serves" if active else "no champion yet"
    with TemporaryFolder("check") as folder:
        root = folder / "project"
        root.mkdir()
        origin = "; ".join(map(str, app.source(name).pull(root)))
        find_project, assistant = app.project_finder(name), app.assistant(name)
        with data_steps.places_in_project(root, origin):
            if quick:
                find_project(root)
                yield good(what, f"{origin} (its data was not read), {serves}")
                return
            with app.rasa(name, folder=folder) as rasa:
                found = data_steps.inspect(root, assistant, rasa, find_project)
    fatal = data_steps.fatal(found.findings, fail_on_warnings=assistant.fail_on_warnings)
    if fatal:
        error = ProjectError(
            f"{counted(len(fatal), 'finding')} above must be mended, 0 are allowed",
            tip="a cycle would fail in its step `validate`",
        )
        yield failure(what, error, found.findings)
        return
    examples = found.contents.examples
    intents = {example.intent for example in examples if example.intent}
    observed = (
        f"{counted(len(examples), 'example')} of {counted(len(intents), 'intent')}, "
        f"{len(data_steps.candidates(found.contents, assistant))} to measure on, "
        f"{counted(len(found.findings), 'warning')}, {serves}"
    )
    yield good(what, observed, details=found.findings)
