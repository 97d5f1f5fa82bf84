"""A relay between programs and a server, which swallows what they say when it is told to.

Neither side notices anything: the connections stay, as they do when packets get lost.
"""

import socket
import threading
from contextlib import suppress
from typing import Self


class Relay:
    """Listens on loopback and passes everything to the Unix socket at `target`."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._swallowing = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.getsockname()[1]
        return port

    def swallow(self) -> None:
        """Let nothing through any more, in neither direction."""
        self._swallowing.set()

    def pass_on(self) -> None:
        """Let new words through again."""
        self._swallowing.clear()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        for each in (self._server, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):  # the relay has ended
            while True:
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX)
                self._sockets += (near, far)
                far.connect(self._target)
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(1 << 16):
                if not self._swallowing.is_set():
                    sink.sendall(block)
            sink.shutdown(socket.SHUT_RDWR)
