"""`retrainer serve-models` as a real process, and models for it to serve."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from support.commands import Workplace, kill_all
from support.waiting import wait_until

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.files import sha256
from retrainer.domain.cycle import Model

#: Seconds that the server may take to start, stop or answer on a busy machine.
LIMIT = 60


class Premises:
    """A folder with a configuration and registries, in which model servers are started."""

    def __init__(self, folder: Path, *assistants: str) -> None:
        self._workplace = Workplace(folder, Path("no-rasa-here"))
        self.folder = folder
        source = 'source = {{ type = "directory", path = "{0}" }}'
        self._workplace.configure(
            "\n".join(f"[assistants.{name}]\n{source.format(name)}\n" for name in assistants)
        )

    def registry(self, assistant: str = "shop") -> EmbeddedRegistry:
        """The registry that a server of this folder serves from."""
        return EmbeddedRegistry(self._workplace.state(assistant) / "registry")

    def store(self, name: str, content: bytes | Path, assistant: str = "shop") -> Model:
        """Store a model, an archive or any bytes, without making it the champion."""
        archive = self.folder / f"{name}.uploaded"
        if isinstance(content, bytes):
            archive.write_bytes(content)
        else:
            shutil.copyfile(content, archive)
        size = archive.stat().st_size
        model = Model(name, sha256(archive), size, "3.6.21", datetime.now(UTC))
        self.registry(assistant).upload(model, archive)
        archive.unlink()
        return model

    def promote(self, name: str, content: bytes | Path, assistant: str = "shop") -> Model:
        """Store a model and make it the champion, as a cycle of another process does."""
        model, registry = self.store(name, content, assistant), self.registry(assistant)
        registry.activate(name, expected=registry.active())
        return model

    @contextmanager
    def server(self, **options: str) -> Iterator["RunningServer"]:
        """A server that has begun to listen; `options` are those of [http]. Killed at the end."""
        process = self.start(**options)
        try:
            running = RunningServer(process)
            yield running
        finally:
            _kill(process)

    def start(self, **options: str) -> subprocess.Popen[str]:
        """Start the command; `port` is a free one if nothing else is said."""
        self._workplace.environment = {
            f"RETRAINER_HTTP__{name.upper()}": value
            for name, value in ({"port": "0"} | options).items()
        }
        return self._workplace.start("serve-models")

    def refusal(self, **options: str) -> tuple[int, str]:
        """Exit code and messages of a server that ends by itself."""
        process = self.start(**options)
        try:
            _, messages = process.communicate(timeout=LIMIT)
        finally:
            kill_all(process)
        return process.returncode, messages


class RunningServer:
    """A running server; `lines` are what it printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(lambda: self._listens() or process.poll() is not None, seconds=LIMIT)
        assert self._listens(), "\n".join(self.lines)
        found = re.search(r"listening at http://(.+):(\d+)$", "\n".join(self.lines), re.MULTILINE)
        assert found is not None
        self.host, self.port = found[1], int(found[2])

    def get(
        self,
        path: str = "/models/shop/champion",
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request on a connection of its own, and the whole body."""
        response = self.open(path, headers, method)
        with response:
            return response, response.read()

    def open(
        self,
        path: str = "/models/shop/champion",
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> http.client.HTTPResponse:
        """The beginning of an answer, whose body is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        connection.request(method, path, headers=dict(headers or {}) | {"Connection": "close"})
        return connection.getresponse()

    def champion(self, path: str = "/models/shop/champion") -> str | None:
        """The SHA-256 of what is served now."""
        response, _ = self.get(path, method="HEAD")
        return (response.headers["ETag"] or "").strip('"') or None

    def wait_for(self, model: Model) -> None:
        """Wait until this model is served as the champion."""
        wait_until(lambda: self.champion() == model.sha256, seconds=LIMIT)

    def peak_megabytes(self) -> float:
        """The most memory that the process had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def stop(self) -> tuple[int, float]:
        """Ask it to stop; its exit code, and the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=LIMIT)
        self._reader.join(LIMIT)
        return code, time.monotonic() - began

    def _listens(self) -> bool:
        return any(line.startswith("listening at") for line in self.lines)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
