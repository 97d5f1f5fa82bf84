"""What the demonstrations share: a folder, retrainer's command line, and words for who watches."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parents[2]
_MARK = ".retrainer-demonstration"
#: Seconds that one command may take: a cycle with real Rasa, on a busy machine.
_LIMIT = 900


class DemonstrationFailed(Exception):
    """Something did not come out as the demonstration says."""


def demonstrate(play: Callable[[], None]) -> None:
    """Play; a failure ends the process with 1 and one line that says what it was."""
    try:
        play()
    except (DemonstrationFailed, AssertionError, TimeoutError, subprocess.SubprocessError) as error:
        sys.exit(f"\nThe demonstration failed: {error}")


def rasa_interpreter() -> Path:
    """The interpreter of the Rasa environment that `make setup` made, or the one that is named."""
    named = os.environ.get("RETRAINER_RASA__PYTHON")
    python = Path(named or ROOT / ".venv-rasa" / "bin" / "python")
    if not python.exists():
        sys.exit(f"there is no {python}: run this by `make`, which sets Rasa up")
    return python


class Stage:
    """A folder of its own with a `retrainer.toml`; what an earlier demonstration left is replaced.

    `environment` are the variables of every command, such as tokens.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder.absolute()
        self._environment = dict(environment)
        self.console = Console(highlight=False)
        if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
            sys.exit(f"{folder} holds other files, and a demonstration needs a folder of its own")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / _MARK).touch()

    def title(self, text: str) -> None:
        """Say what comes next."""
        self.console.rule(f"[bold]{text}[/]", align="left")

    def say(self, text: str) -> None:
        """Say what is to be seen."""
        self.console.print(text, markup=False, soft_wrap=True)

    def annotate(self, night: int, project: Path) -> None:
        """Put the bundled assistant into a folder (night 1), or what annotators changed since."""
        name = "assistant" if night == 1 else f"nights/{night}"
        with as_file(files("retrainer.demo") / name) as changed:
            shutil.copytree(changed, project, dirs_exist_ok=True)

    def configure(self, content: str) -> None:
        """Write the configuration."""
        (self.folder / "retrainer.toml").write_text(content, encoding="utf-8")

    def retrainer(self, *arguments: str, code: int = 0) -> None:
        """Show a command and run it.

        Raises:
            DemonstrationFailed: it ended with another exit code.
        """
        self.console.print(f"[dim]$[/] [bold]retrainer {shlex.join(arguments)}[/]")
        done = subprocess.run(self._command(*arguments), check=False, timeout=_LIMIT, **self._where)
        if done.returncode != code:
            raise DemonstrationFailed(
                f"`retrainer {shlex.join(arguments)}` ended with {done.returncode}, "
                f"{code} was expected"
            )

    @contextmanager
    def running(self, *arguments: str) -> Iterator[None]:
        """A command that runs beside all else, until the end of the block."""
        self.console.print(f"[dim]$[/] [bold]retrainer {shlex.join(arguments)} &[/]")
        with (self.folder / f"{arguments[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                self._command(*arguments), stdout=log, stderr=log, **self._where
            )
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def require(self, seen: object, expected: object, what: str) -> None:
        """Make sure that something came out as it should.

        Raises:
            DemonstrationFailed: it did not.
        """
        if seen != expected:
            raise DemonstrationFailed(f"{what}: {seen!r}, {expected!r} was expected")

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "retrainer", "-c", "retrainer.toml", *arguments]

    @property
    def _where(self) -> dict[str, object]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith("RETRAINER_")}
        rasa = {"RETRAINER_RASA__PYTHON": str(rasa_interpreter())}
        return {"cwd": self.folder, "env": kept | rasa | self._environment}
