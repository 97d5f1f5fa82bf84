"""A real Rasa server (`rasa run`), in a process group of its own, until the block ends.

    with rasa_server(python, folder, model=archive, endpoints=pulling(url, every=1)) as server:
        wait_until(lambda: server.status().get("model_file") == "second.tar.gz", seconds=30)

It takes about 30 s to start, so a test module starts one and shares it.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import requests

from retrainer.adapters.processes import kill_group, start

#: Seconds that a start may take on a busy machine.
START = 180.0


@dataclass(frozen=True, slots=True)
class RasaServer:
    """A server that answers; `log` is what it printed."""

    url: str
    log: Path
    process: Popen[bytes]
    token: str = ""

    def status(self) -> dict[str, Any]:
        """What it says of the loaded model, `model_file` and `model_id`; empty without one."""
        params = {"token": self.token} if self.token else None
        answer = requests.get(self.url + "/status", params=params, timeout=30)
        if answer.status_code == 409:
            return {}
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content

    def kill(self) -> None:
        """End it at once, as a machine that fails does."""
        kill_group(self.process)


def pulling(url: str, *, token: str = "", every: int = 1) -> str:
    """An `endpoints.yml` that pulls models from this address, every so many seconds; 0: once."""
    lines = ["models:", f"  url: {url}", f"  wait_time_between_pulls: {every}"]
    return "\n".join([*lines, f"  token: {token}"] if token else lines) + "\n"


@contextmanager
def rasa_server(
    python: Path,
    folder: Path,
    *,
    model: Path | None = None,
    endpoints: str = "",
    arguments: Sequence[str] = (),
    token: str = "",
) -> Iterator[RasaServer]:
    """Start a server in a folder of its own, and wait until it answers.

    `python` is Rasa's interpreter, `endpoints` the content of `endpoints.yml`; without `model` it
    starts with none, and with what `endpoints` has it pull.

    Raises:
        AssertionError: it ended, or did not answer within `START` seconds; with the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    (folder / "endpoints.yml").write_text(endpoints, encoding="utf-8")
    (folder / "credentials.yml").write_text("rest:\n", encoding="utf-8")
    port = free_port()
    command = [str(python), "-m", "rasa", "run", "--enable-api", "--interface", "127.0.0.1"]
    command += ["--port", str(port), "--model", str(model or "models")]
    command += ["--endpoints", "endpoints.yml", "--credentials", "credentials.yml", *arguments]
    command += ["--auth-token", token] if token else []
    log = folder / "rasa.log"
    with log.open("wb") as out:
        process = start(
            command, environment=_environment(python), folder=folder, out=out, errors=out
        )
    try:
        server = RasaServer(f"http://127.0.0.1:{port}", log, process, token)
        _wait_until_answering(server)
        yield server
    finally:
        kill_group(process)


def _environment(python: Path) -> dict[str, str]:
    return {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "RASA_TELEMETRY_ENABLED": "false",
        "SANIC_WORKERS": "1",
        "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def _wait_until_answering(server: RasaServer) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and server.process.poll() is None:
        try:
            if requests.get(server.url + "/version", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    last = server.log.read_text(encoding="utf-8", errors="replace")[-3000:]
    raise AssertionError(
        f"no answer of `rasa run`, which ended as {server.process.poll()}:\n{last}"
    )


def free_port() -> int:
    """One that nobody listens on now; Rasa takes no 0."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
