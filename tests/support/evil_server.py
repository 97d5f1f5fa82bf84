"""A server that gives away whatever it is told: in its errors, its pages and its redirections."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from support.http_server import Asked, Exchange, HttpServer, http_server

#: The ways in which it answers.
MODES = ("unauthorized", "broken", "redirect", "hangup")


class EvilServer:
    """`mode` is one of MODES; `session` is what a login brings."""

    def __init__(self, server: HttpServer, session: str) -> None:
        self.server, self.session, self.mode = server, session, MODES[0]
        self._answers = 0

    @property
    def url(self) -> str:
        """Its address."""
        return self.server.url

    def answer(self, exchange: Exchange, server: HttpServer | None = None) -> None:
        """Answer the request that came last, to this server or to another one."""
        asked = (server or self.server).asked[-1]
        told = told_by(asked)
        if self.mode == "hangup":
            return
        # Whoever signs does not send his secret, and clients of S3 try again for long.
        signs = asked.headers.get("Authorization", "").startswith("AWS4")
        if self.mode == "redirect" and not signs:
            # To itself by another name, so to another host for those who look.
            other = self.url.replace("127.0.0.1", "localhost")
            exchange.send(302, Location=f"{other}/elsewhere?token={quote(told, safe='')}")
        elif self.mode == "broken" and not signs:
            self._break(exchange, told)
        elif asked.target.partition("?")[0].endswith("/auth"):
            exchange.send(200, json.dumps({"access_token": self.session}).encode())
        elif ".git/" in asked.target:  # git says who asks if it has to, and prints what is text
            refused = 403 if "Authorization" in asked.headers else 401
            named = {"WWW_Authenticate": 'Basic realm="x"', "Content_Type": "text/plain"}
            exchange.send(refused, told.encode(), **named)
        else:
            body = {"message": f"not for you: {told}", "reason": told, "error": told}
            exchange.send(401, json.dumps(body).encode(), Content_Type="application/json")

    def _break(self, exchange: Exchange, told: str) -> None:
        """A page of a proxy, and then what is no answer to the question."""
        self._answers += 1
        if self._answers % 2:
            page = f"<html><head><title>{told}</title></head><body>{told}</body></html>"
            exchange.send(500, page.encode(), Content_Type="text/html")
        else:
            exchange.send(200, told.encode(), Content_Type="text/plain")


def told_by(asked: Asked) -> str:
    """A request as one line, with all that it holds."""
    headers = " ".join(f"{name}: {value}" for name, value in asked.headers.items())
    # What is secret first: who shows an error cuts it.
    secret = asked.headers.get("Authorization", "")
    body = asked.body[:2000].decode("latin-1")
    return " ".join(f"{secret} {asked.target} {body} {headers}".split())


@contextmanager
def evil_server(session: str) -> Iterator[EvilServer]:
    """A server that listens until the end of the block."""
    with http_server() as server:
        evil = EvilServer(server, session)
        server.answers = [evil.answer]
        yield evil
