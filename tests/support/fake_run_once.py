"""`retrainer run-once` as a real process, in which Rasa alone is a stand-in; argument: CONFIG."""

import sys
from pathlib import Path

from support.fake_training import FakeTraining

from retrainer.cli.cycles import run_for
from retrainer.cli.output import complain
from retrainer.errors import RetrainerError

if __name__ == "__main__":
    application = FakeTraining.from_config(Path(sys.argv[1]))
    application.require_plugins()
    for name in application.assistants(None):
        try:
            run_for(application, name)
        except RetrainerError as error:
            complain(error)
