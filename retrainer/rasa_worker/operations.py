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


def train(out, project, name, into, seed=None, finetune=None):
    """Train into an existing folder, perhaps with a seed or from a model; returns the archive."""
    from . import training

    return training.train(_enter(project), name, Path(into), out, seed=seed, finetune=finetune)


def predict(out, archive, texts, code):
    """Send predictions in parts; returns their number."""
    from . import prediction

    return prediction.predict(Path(archive), texts, None if code is None else Path(code), out)


def time_parses(_out, models, texts, limit):
    """Seconds that each model, a pair of archive and code, takes for each text."""
    from . import prediction

    pairs = [(Path(archive), None if code is None else Path(code)) for archive, code in models]
    return prediction.time_parses(pairs, texts, limit)


def check_stories(_out, project, files):
    """A fault where test stories are no good."""
    from . import stories

    stories.check(_enter(project), [Path(file) for file in files])


def test_stories(out, archive, files, code):
    """What Rasa's own story test says of each story."""
    from . import stories

    folder = None if code is None else Path(code)
    return stories.test(Path(archive), [Path(file) for file in files], folder, out)


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
        time_parses,
        check_stories,
        test_stories,
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
