"""A proxy on loopback before a PostgreSQL server, which fails as networks and failovers do.

    with PostgresProxy(socket) as proxy:  # the server's Unix socket, or (host, port)
        proxy.cut_off()                   # as a network that swallows everything
        proxy.heal()
        proxy.close_door()                # as a server that is not there
        proxy.open_door()
        proxy.lose_commit(Lost.ANSWER)    # the next commit is made, and its answer never comes
        proxy.lose_commit(Lost.COMMAND, of="INSERT INTO cycles")

While the network is cut off, what is said is held back and passes when it is healed, as TCP has it.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

_END = b"COMMIT\0"
_WRITES = (b"INSERT INTO", b"UPDATE ", b"DELETE FROM")


class Lost(StrEnum):
    """What of a commit is lost, together with its connection."""

    COMMAND = "command"  # the server never hears of it, and takes everything back
    ANSWER = "answer"  # the server has made it, and the client never hears of that


@dataclass
class _Connection:
    client: socket.socket
    server: socket.socket
    #: What the client said in this transaction.
    said: bytearray = field(default_factory=bytearray)
    answer_is_lost: bool = False

    def end(self) -> None:
        for each in (self.client, self.server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class PostgresProxy:
    """Passes on to the server; `commits` are the writing transactions that were to be committed so far.

    What one said, statements and parameters, is a text of it.
    """

    def __init__(self, server: Path | tuple[str, int]) -> None:
        self._server = server
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._connections: list[_Connection] = []
        self._is_lost: Callable[[bytes], Lost | None] = lambda _: None
        self.commits: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def cut_off(self) -> None:
        """Hold everything back, in both directions, and answer nobody who connects."""
        self._flowing.clear()

    def heal(self) -> None:
        """Let everything pass again."""
        self._flowing.set()

    def close_door(self) -> None:
        """End all connections, and refuse new ones."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._end_connections()

    def open_door(self) -> None:
        """Take connections again, at the same port."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept, self._listening)

    def lose_commit(self, what: Lost, *, of: str = "", nth: int = 1) -> None:
        """Lose the `nth` commit from now on of a transaction in which these words were said."""
        left = nth

        def is_lost(said: bytes) -> Lost | None:
            nonlocal left
            if of.encode() not in said:
                return None
            left -= 1
            return what if left == 0 else None

        self._is_lost = is_lost

    def lose_commits(self, every: int) -> None:
        """Lose every so many commits, in turn the command and the answer; 0: none any more."""
        count = 0

        def is_lost(_: bytes) -> Lost | None:
            nonlocal count
            count += 1
            if not every or count % every:
                return None
            return Lost.COMMAND if count // every % 2 else Lost.ANSWER

        self._is_lost = is_lost

    def __enter__(self) -> Self:
        self._start(self._accept, self._listening)
        return self

    def __exit__(self, *exception: object) -> None:
        self.heal()
        self.close_door()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):  # the door was closed
            while True:
                client, _ = listening.accept()
                self._start(self._connect, client)

    def _connect(self, client: socket.socket) -> None:
        self._flowing.wait()
        server = socket.socket(socket.AF_UNIX if isinstance(self._server, Path) else socket.AF_INET)
        try:
            server.connect(str(self._server) if isinstance(self._server, Path) else self._server)
        except OSError:  # there is none now
            client.close()
            server.close()
            return
        connection = _Connection(client, server)
        with self._lock:
            self._connections.append(connection)
        self._start(self._from_server, connection)
        self._from_client(connection)
        for each in (client, server):
            each.close()
        with self._lock:
            self._connections.remove(connection)

    def _from_client(self, connection: _Connection) -> None:
        with suppress(OSError):
            while block := connection.client.recv(1 << 16):
                self._flowing.wait()
                connection.said += block
                if block.endswith(_END):
                    lost = self._fate(bytes(connection.said))
                    connection.said.clear()
                    if lost is Lost.COMMAND:
                        break
                    connection.answer_is_lost = lost is Lost.ANSWER
                connection.server.sendall(block)
        connection.end()

    def _fate(self, said: bytes) -> Lost | None:
        """What becomes of a commit; one that only read is none."""
        if not any(word in said for word in _WRITES):
            return None
        with self._lock:
            self.commits.append(said.decode(errors="replace"))
            return self._is_lost(said)

    def _from_server(self, connection: _Connection) -> None:
        with suppress(OSError):
            while block := connection.server.recv(1 << 16):
                self._flowing.wait()
                if connection.answer_is_lost:
                    break
                connection.client.sendall(block)
        connection.end()

    def _end_connections(self) -> None:
        with self._lock:
            for connection in self._connections:
                connection.end()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=target, args=arguments, name="pg-proxy", daemon=True).start()
