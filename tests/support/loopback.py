"""An HTTP server of a few lines on loopback, for doubles that answer in every wrong way too."""

import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Self


class LoopbackServer(ABC):
    """Listens until the end of a `with` block; `stopping` is set then, and ends what hangs."""

    def __init__(self, context: SSLContext | None = None) -> None:
        self.stopping = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 - http.server's names

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """A client that went away is what the test wants."""

        self._http = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._scheme = "https" if context else "http"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._http.server_port

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._thread.join(5)
        self._http.server_close()

    @abstractmethod
    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
