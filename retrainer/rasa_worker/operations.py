"""What the worker can be asked to do: a thin layer over the modules that do it."""

import os
from pathlib import Path

from . import environment, printed
from .project import Project

_root = None


def versions(_out):
    """Which Python, Rasa and libraries."""
    return environment.versions()


def read_project(_out, project):
    """All labelled examples and the domain's intents."""
    return _enter(project).contents()


def read_examples(_out, files):
    """All labelled examples of files or folders."""
    from . import examples

    return [example for example, _ in examples.read([Path(file) for file in files])]


def read_must_pass(_out, files):
    """All must-pass utterances of files or folders."""
    from . import examples

    return examples.read_must_pass([Path(file) for file in files])


def validate(_out, project):
    """What `rasa data validate` finds."""
    from . import validation

    return validation.findings(_enter(project))


def write_training_project(_out, project, held_out, into):
    """Write the copy without the held-out texts."""
    from . import training_project

    return training_project.write(_enter(project), frozenset(held_out), Path(into))


def train(out, project, name, into):
    """Train into an existing folder; returns the archive."""
    from . import training

    return training.train(_enter(project), name, Path(into), out)


def predict(out, archive, texts, code):
    """Send predictions in parts; returns their number."""
    from . import prediction

    return prediction.predict(Path(archive), texts, None if code is None else Path(code), out)


TABLE = {
    function.__name__: function
    for function in (
        versions,
        read_project,
        read_examples,
        read_must_pass,
        validate,
        write_training_project,
        train,
        predict,
    )
}


def readable(path):
    """A path of the project as people know it: relative to the project's folder."""
    try:
        return str(Path(path).relative_to(_root)) if _root else str(path)
    except ValueError:
        return str(path)


def _enter(project):
    """Stand where `rasa train` would."""
    global _root  # noqa: PLW0603 - as process-wide as the working directory it goes with
    found = Project.of(project)
    _root = found.root
    os.chdir(str(found.root))
    printed.remember()
    return found
