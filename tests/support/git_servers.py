"""Git repositories to pull from, and servers of them on loopback: smart HTTP and SSH.

Everything runs with a home and a configuration of its own, never with those of the user.
"""

import asyncio
import base64
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import asyncssh
from support.loopback import LoopbackServer

USER, TOKEN = "git", "glpat-SECRET/TOKEN+1"
AUTHOR = "Ada Lovelace"


def isolate(home: Path) -> dict[str, str]:
    """Variables that keep git away from the user's configuration; `home` is made."""
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "gitconfig"
    configuration.write_text(
        f"[user]\n\tname = {AUTHOR}\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
    )
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_GLOBAL": str(configuration),
        "GIT_CONFIG_SYSTEM": os.devnull,
    }


@dataclass
class Upstream:
    """A bare repository `NAME.git` in `folder`, and a clone that commits to it."""

    folder: Path
    name: str = "bank"
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bare.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", self.bare, at=self.folder)
        self.git("clone", "--quiet", self.bare, self.clone, at=self.folder)

    @property
    def bare(self) -> Path:
        """The repository."""
        return self.folder / f"{self.name}.git"

    @property
    def clone(self) -> Path:
        """A work tree of it."""
        return self.folder / f"{self.name}-clone"

    def git(self, *words: str | Path, at: Path | None = None) -> str:
        """Run git in the clone, or `at` another place."""
        done = subprocess.run(
            ["git", *map(str, words)],
            cwd=at or self.clone,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"git {words}: {done.stderr}"
        return done.stdout.strip()

    def commit(
        self,
        files: Mapping[str, str | bytes],
        message: str = "Add utterances",
        branch: str = "main",
    ) -> str:
        """Write files, commit and push them to a branch, over whatever it had; returns the commit."""
        for name, content in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def head(self, branch: str = "main") -> str:
        """The last commit of a branch of the server."""
        return self.git("rev-parse", f"refs/heads/{branch}", at=self.bare)

    def show(self, name: str, branch: str = "main") -> str:
        """The content of a file of a branch of the server."""
        return self.git("show", f"{branch}:{name}", at=self.bare)


class GitHttp(LoopbackServer):
    """`git http-backend` over all repositories below `root`.

    `mode` says how it answers: ok, hang, html, forbidden, dumb. With `protected` it wants USER and
    TOKEN. `requests` are the paths that were asked for, `authorizations` the headers that came.
    """

    def __init__(
        self, root: Path, environment: Mapping[str, str], *, protected: bool = True
    ) -> None:
        self.root, self.environment, self.protected = root, environment, protected
        self.mode = "ok"
        self.requests: list[str] = []
        self.authorizations: list[str] = []
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request in the current mode."""
        self.requests.append(request.path)
        given = request.headers.get("Authorization", "")
        self.authorizations.append(given)
        wanted = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if self.mode == "hang":
            self.stopping.wait(30)
        elif self.protected and given != wanted:
            self._send(request, 401, b"no", {"WWW-Authenticate": 'Basic realm="git"'})
        elif self.mode == "forbidden":
            self._send(request, 403, b"not for you", {})
        elif self.mode == "html":
            self._send(request, 200, b"<html>sign in</html>", {"Content-Type": "text/html"})
        elif self.mode == "dumb":
            self._file(request)
        else:
            self._backend(request)

    def _file(self, request: BaseHTTPRequestHandler) -> None:
        path = self.root / request.path.partition("?")[0].lstrip("/")
        found = path.is_file()
        self._send(request, 200 if found else 404, path.read_bytes() if found else b"", {})

    def _backend(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else self._chunks(request)
        headers = request.headers
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=False,
            timeout=60,
            env={
                "PATH": os.environ["PATH"],
                **self.environment,
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_USER": USER,
                "REMOTE_ADDR": "127.0.0.1",
                "REQUEST_METHOD": request.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(fields.pop("Status", "200").split()[0])
        self._send(request, status, content, fields)

    @staticmethod
    def _chunks(request: BaseHTTPRequestHandler) -> bytes:
        if request.headers.get("Transfer-Encoding") != "chunked":
            return b""
        body = b""
        while size := int(request.rfile.readline(), 16):
            body += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        return body

    @staticmethod
    def _send(
        request: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str]
    ) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


@dataclass
class GitSsh:
    """A running SSH server; `known_hosts` and `key_file` are what a client needs."""

    port: int
    known_hosts: Path
    key_file: Path
    other_key: Path

    def url(self, repository: Path) -> str:
        """The address of a repository of this machine."""
        return f"ssh://git@127.0.0.1:{self.port}{repository}"


@contextmanager
def ssh_server(folder: Path) -> Iterator[GitSsh]:
    """Takes one key, and runs git's own commands."""
    folder.mkdir(parents=True, exist_ok=True)
    host, good, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    for name, key in (("key", good), ("other", other)):
        key.write_private_key(folder / name)
        key.write_public_key(folder / f"{name}.pub")
        (folder / name).chmod(0o600)  # ssh refuses one that others may read
    allowed = good.convert_to_public()

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return bool(username)

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return username == "git" and key == allowed

    async def serve(ready: threading.Event, ended: asyncio.Event, bound: list[int]) -> None:
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Server,
            server_host_keys=[host],
            process_factory=_run_git,
            encoding=None,
        )
        bound.append(listener.get_port())
        ready.set()
        await ended.wait()
        listener.close()
        await listener.wait_closed()

    loop, ended, ready, bound = asyncio.new_event_loop(), asyncio.Event(), threading.Event(), []
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(ready, ended, bound),))
    thread.start()
    assert ready.wait(10)
    line = f"[127.0.0.1]:{bound[0]} {host.export_public_key().decode().strip()}\n"
    (folder / "known_hosts").write_text(line)
    try:
        yield GitSsh(bound[0], folder / "known_hosts", folder / "key", folder / "other")
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


async def _run_git(process: asyncssh.SSHServerProcess[Any]) -> None:
    words = shlex.split(process.command or "")
    if words[:1] not in (["git-upload-pack"], ["git-receive-pack"]):
        process.exit(1)
        return
    git = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert git.stdin
    assert git.stdout
    assert git.stderr
    asking = asyncio.create_task(_pump(process.stdin, git.stdin))
    await asyncio.gather(_pump(git.stdout, process.stdout), _pump(git.stderr, process.stderr))
    asking.cancel()
    process.exit(await git.wait())


async def _pump(source: Any, target: Any) -> None:
    """Copy bytes until there are no more."""
    with suppress(OSError, asyncssh.Error):
        while block := await source.read(65_536):
            target.write(block)
            await target.drain()
        if isinstance(target, asyncio.StreamWriter):
            target.close()
