"""A stand-in for the Rasa worker's process: speaks its protocol, and starts in no time.

`write_interpreter` makes a program that `retrainer` takes for Rasa's interpreter. While the file
`slow` is in its folder, a request takes a while, and its begin is noted in the file `busy`.
"""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from retrainer.ports import Project
from retrainer.testing.rasa import FakeRasa

_ROOT = Path(__file__).parents[2]
_SLOWLY = 0.5


def write_interpreter(folder: Path) -> Path:
    """The program, in that folder."""
    program = folder / "python"
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH={_ROOT}:{_ROOT / 'tests'} PYTHONDONTWRITEBYTECODE=1 "
        f'exec {sys.executable} -m support.worker_double {folder} "$5" "$6"\n'
    )
    program.chmod(0o755)
    return program


class Worker:
    """Answers as the worker does, by what FakeRasa knows."""

    def __init__(self, folder: Path, requests: int, events: int) -> None:
        self._folder, self._rasa = folder, FakeRasa()
        self._requests, self._events = os.fdopen(requests), os.fdopen(events, "w")

    def serve(self) -> None:
        """Answer until nobody asks any more."""
        self._send("ready")
        for line in self._requests:
            request = json.loads(line)
            if (self._folder / "slow").exists():
                (self._folder / "busy").touch()
                time.sleep(_SLOWLY)
            value = getattr(self, request["operation"])(**request["arguments"])
            self._send("result", value=value)

    def versions(self) -> dict[str, Any]:
        """Which versions these are."""
        return asdict(self._rasa.versions())

    def read_project(self, project: dict[str, Any]) -> dict[str, Any]:
        """What the project holds."""
        return asdict(self._rasa.read_project(_project(project)))

    def read_examples(self, files: list[str]) -> list[dict[str, Any]]:
        """The examples of these files."""
        return [asdict(each) for each in self._rasa.read_examples([Path(f) for f in files])]

    def read_must_pass(self, files: list[str]) -> list[dict[str, Any]]:
        """The must-pass utterances of these files."""
        return [asdict(each) for each in self._rasa.read_must_pass([Path(f) for f in files])]

    def validate(self, project: dict[str, Any]) -> list[dict[str, Any]]:
        """What is wrong with it: nothing."""
        del project
        return []

    def write_training_project(
        self, project: dict[str, Any], held_out: list[str], into: str
    ) -> dict[str, Any]:
        """The copy to train on."""
        copy, texts = self._rasa.write_training_project(
            _project(project), frozenset(held_out), Path(into)
        )
        return {"project": json.loads(json.dumps(asdict(copy), default=str)), "texts": texts}

    def train(self, project: dict[str, Any], name: str, into: str) -> str:
        """The model's archive; each training that ends is a line of the file `trainings`."""
        archive = self._rasa.train(_project(project), name, Path(into), lambda _: None)
        with (self._folder / "trainings").open("a") as ended:
            ended.write(f"{name}\n")
        return str(archive)

    def predict(self, archive: str, texts: list[str], code: str | None) -> None:
        """The answers, as a part."""
        del code
        answers = self._rasa.predict(Path(archive), texts, lambda _: None)
        self._send("part", items=[asdict(answer) for answer in answers])

    def _send(self, event: str, **fields: object) -> None:
        self._events.write(json.dumps({"event": event, **fields}, default=str) + "\n")
        self._events.flush()


def _project(fields: dict[str, Any]) -> Project:
    return Project(
        Path(fields["root"]),
        Path(fields["config"]),
        tuple(map(Path, fields["domain"])),
        tuple(map(Path, fields["data"])),
    )


if __name__ == "__main__":
    Worker(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])).serve()
