"""A training whose cycle another process has taken over, and trained for, in the meantime."""

import threading
from pathlib import Path

from support.waiting import wait_until
from support.worker_double import write_interpreter
from support.worlds import MUST_PASS, utterances

from retrainer.adapters.rasa_client import RasaClient
from retrainer.testing.rasa import FakeRasa, find_project, write_project


def test_the_model_that_was_there_first_stays(tmp_path: Path):
    """Its digest may be recorded by now, and be uploaded under: a second one must not replace it."""
    project = find_project(write_project(tmp_path / "project", utterances(25), MUST_PASS))
    other = find_project(write_project(tmp_path / "other", utterances(30), MUST_PASS))
    client = RasaClient(
        python=write_interpreter(tmp_path), cache=tmp_path / "cache", log=tmp_path / "log"
    )
    (tmp_path / "slow").touch()
    archives: list[Path] = []
    with client:
        training = threading.Thread(
            target=lambda: archives.append(
                client.train(project, "model", tmp_path / "work", lambda _: None)
            )
        )
        training.start()
        wait_until((tmp_path / "busy").exists, seconds=30)
        first = FakeRasa().train(other, "model", tmp_path / "work", lambda _: None).read_bytes()
        training.join(30)
    assert archives == [tmp_path / "work" / "model.tar.gz"]
    assert archives[0].read_bytes() == first
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["model.tar.gz"]
