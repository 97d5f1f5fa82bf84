"""The command line as real processes, on real Rasa projects of a few lines."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.rasa_projects import CONFIG, write

#: Seconds that a cycle of the tiny project may take on a busy machine.
TIMEOUT = 180

PIPELINE = """
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: LogisticRegressionClassifier
"""

DOMAIN = """
version: "3.1"
intents: [greet, bye, order]
responses:
  utter_greet: [{text: "Hello"}]
  utter_bye: [{text: "Bye"}]
  utter_order: [{text: "Ordered"}]
"""

RULES = """
version: "3.1"
rules:
  - rule: greet
    steps: [{intent: greet}, {action: utter_greet}]
  - rule: bye
    steps: [{intent: bye}, {action: utter_bye}]
  - rule: order
    steps: [{intent: order}, {action: utter_order}]
"""

MUST_PASS = {"order": ["order me a red pizza"]}

#: Any model of these projects is promoted, unless it fails a must-pass utterance.
ASSISTANT = """
[assistants.{name}]
must_pass = ["must_pass.yml"]
policy = "easy"
source = {{ type = "directory", path = "{name}" }}
"""
POLICY = """
[policies.easy]
good_enough = { rule = "floor", metric = "f1_weighted", minimum = 0.2 }
must_pass = { rule = "must_pass" }
"""

_WORDS = {"greet": "hello dear {}", "bye": "good bye {} until later", "order": "order a {} pizza"}
_COLOURS = [
    "red",
    "blue",
    "green",
    "black",
    "white",
    "pink",
    "brown",
    "grey",
    "violet",
    "golden",
    "silver",
    "orange",
]


def utterances(colours: int = 10) -> dict[str, list[str]]:
    """So many utterances of each of three intents, which any classifier can tell apart."""
    return {
        intent: [sentence.format(colour) for colour in _COLOURS[:colours]]
        for intent, sentence in _WORDS.items()
    }


def nlu(intents: Mapping[str, list[str]]) -> str:
    """Training data in Rasa's format."""
    lines = ['version: "3.1"', "nlu:"]
    for intent, texts in intents.items():
        lines += [f"- intent: {intent}", "  examples: |", *(f"    - {text}" for text in texts)]
    return "\n".join(lines) + "\n"


def write_shop(project: Path) -> None:
    """A project of three intents that trains in a second."""
    write(project / "config.yml", CONFIG.format(pipeline=PIPELINE.strip()))
    write(project / "domain.yml", DOMAIN)
    write(project / "data" / "nlu.yml", nlu(utterances()))
    write(project / "data" / "rules.yml", RULES)
    write(project / "must_pass.yml", nlu(MUST_PASS))


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"

    @property
    def errors(self) -> list[str]:
        """The messages of the errors."""
        return [
            line.removeprefix("error: ")
            for line in self.err.splitlines()
            if line.startswith("error: ")
        ]


@dataclass
class Workplace:
    """A folder with a configuration, projects and what retrainer keeps, and its command line."""

    folder: Path
    rasa_python: Path
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = (sys.executable, "-m", "retrainer")

    @classmethod
    def make(cls, folder: Path, rasa_python: Path, *assistants: str) -> "Workplace":
        """A new one, with these assistants; `shop` alone by default."""
        names = assistants or ("shop",)
        for name in names:
            write_shop(folder / name)
        made = cls(folder, rasa_python)
        made.configure("".join(ASSISTANT.format(name=name) for name in names) + POLICY)
        return made

    def copy(self, folder: Path) -> "Workplace":
        """The same, elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Workplace(folder, self.rasa_python)

    def configure(self, content: str) -> None:
        """Replace the configuration."""
        (self.folder / "retrainer.toml").write_text(content)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command, in a process group of its own."""
        kept = {n: v for n, v in os.environ.items() if not n.startswith("RETRAINER_")}
        extra = {
            "RETRAINER_RASA__PYTHON": str(self.rasa_python),
            "COLUMNS": "500",
            "OMP_NUM_THREADS": "1",  # threads that wait for each other take ten times as long
            "PYTHONWARNINGS": "error",
        }
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.folder,
            env=kept | extra | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int | None = 0, timeout: float = TIMEOUT) -> Answer:
        """Run a command to its end; an exit code other than `code` fails the test."""
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
            process.wait()
        answer = Answer(process.returncode, out, err)
        assert "Traceback" not in err, str(answer)
        assert code is None or answer.code == code, str(answer)
        return answer

    def documents(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """What a command with --json says."""
        return [json.loads(line) for line in self.run(*arguments, code=code).out.splitlines()]

    def history(self) -> list[dict[str, Any]]:
        """The cycles, newest first."""
        return self.documents("history", "--json")

    def champion(self, assistant: str = "shop") -> str | None:
        """Which model serves, by the registry's own pointer."""
        pointer = self.state(assistant) / "registry" / "champion.json"
        return json.loads(pointer.read_text())["model"] if pointer.exists() else None

    def state(self, assistant: str = "shop") -> Path:
        """The folder of what is kept of an assistant."""
        return self.folder / ".retrainer" / "assistants" / assistant

    def logs(self, assistant: str = "shop") -> list[Path]:
        """The logs of the Rasa workers, one for each that was started, oldest first."""
        return sorted((self.state(assistant) / "cycles").glob("*.log"), key=os.path.getmtime)

    def write(self, intents: Mapping[str, list[str]], assistant: str = "shop") -> None:
        """Replace an assistant's training data."""
        write(self.folder / assistant / "data" / "nlu.yml", nlu(intents))

    def workers(self) -> list[int]:
        """Processes that work on something in this folder, other than its command lines."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes()
                dead = b"State:\tZ" in (process / "status").read_bytes()
            except OSError:
                continue
            if not dead and f"RASA_CACHE_DIRECTORY={self.folder}/".encode() in environment:
                found.append(int(process.name))
        return found

    def wait_for_line(self, process: subprocess.Popen[str], word: str) -> None:
        """Read what a command prints about its progress, until a line holds the word."""
        deadline = time.monotonic() + TIMEOUT
        assert process.stderr is not None
        while (line := process.stderr.readline()) and time.monotonic() < deadline:
            if word in line:
                return
        raise AssertionError(f"no line with {word!r} came")


def kill_all(process: subprocess.Popen[str]) -> None:
    """End a command and what is left of its process group; for the end of a test."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
