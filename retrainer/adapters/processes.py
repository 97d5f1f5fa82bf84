"""The one place that starts processes."""

import ctypes
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from retrainer.errors import RetrainerError

#: What a child process needs of our environment; secrets and NOTIFY_SOCKET stay here.
_PASSED_ON = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "SHELL",
        "TERM",
        "XDG_CACHE_HOME",
        "XDG_DATA_HOME",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
    ]
)
_PASSED_ON_PREFIXES = ("LC_", "CUDA_", "TF_", "OMP_", "OPENBLAS_", "MKL_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
#: Bytes of standard output that are taken, and those of standard error that are kept.
_LONGEST_OUTPUT, _LONGEST_ERRORS = 32 * 1000**2, 256 * 1000
_PR_SET_DUMPABLE = 4


class ProcessFailed(RetrainerError):
    """A program that retrainer started ended with an error."""


class ProcessTimedOut(ProcessFailed):
    """A program that retrainer started took longer than it may."""


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child process: what programs need, none of our settings."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    return passed | dict(extra or {})


def proxies(*, with_passwords: bool) -> dict[str, str]:
    """Variables that name proxies; to what is not trusted, none whose address holds a password."""
    named = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    return {n: value for n, value in named.items() if with_passwords or "@" not in value}


def package_indexes() -> dict[str, str]:
    """Variables that tell uv and pip where packages come from, and with which password."""
    given = {n: v for n, v in os.environ.items() if n.startswith(("UV_", "PIP_"))}
    return given | proxies(with_passwords=True)


def conceal() -> None:
    """Close our environment and memory to all other processes of this user; again: nothing.

    A Rasa worker runs code of the project. It is of the same user, who may otherwise look into any
    of his processes. It does nothing for root, whom nothing is closed to.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    largest_file: int | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    `timeout` is in seconds; the program runs in a process group of its own, killed as a whole.
    `largest_file` is in bytes: more cannot be written to any one file.

    Raises:
        ProcessFailed: it could not be started, ended with an error, or wrote without an end.
        ProcessTimedOut: it took too long.
    """
    words = [str(word) for word in command]
    try:
        process = start(words, environment=environment, folder=folder, out=subprocess.PIPE)
    except OSError as error:
        raise ProcessFailed(f"{words[0]} could not be started: {error.strerror}") from error
    try:
        if largest_file is not None and sys.platform == "linux":
            with suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest_file, largest_file))
        output, errors = _outputs(process, words[0], timeout)
    except subprocess.TimeoutExpired as error:
        raise ProcessTimedOut(f"{' '.join(words)} took longer than {timeout:g} s") from error
    finally:
        kill_group(process)
    if process.returncode:
        last = "\n".join((errors or output).decode(errors="replace").strip().splitlines()[-15:])
        raise ProcessFailed(f"{' '.join(words)} ended with {process.returncode}:\n{last}")
    return output.decode(errors="replace")


def _outputs(
    process: subprocess.Popen[bytes], program: str, timeout: float
) -> tuple[bytearray, bytearray]:
    """All of standard output, and the end of standard error, once the process has ended."""
    end = time.monotonic() + timeout
    output, errors = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, content in ((process.stdout, output), (process.stderr, errors)):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, content)
        while selector.get_map():
            if (left := end - time.monotonic()) <= 0:
                raise subprocess.TimeoutExpired(program, timeout)
            for key, _ in selector.select(left):
                piece = os.read(key.fd, 1 << 16)
                if not piece:
                    selector.unregister(key.fileobj)
                key.data.extend(piece)
            del errors[:-_LONGEST_ERRORS]
            if len(output) > _LONGEST_OUTPUT:
                raise ProcessFailed(
                    f"{program} was stopped: it wrote more than {_LONGEST_OUTPUT} bytes"
                )
    process.wait(max(0.0, end - time.monotonic()))
    return output, errors


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    input: int | None = subprocess.DEVNULL,  # noqa: A002 - the name subprocess's users know
    out: int | IO[bytes] | None = None,
    errors: int | IO[bytes] | None = subprocess.PIPE,
    keep_open: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session, and so a process group, of its own.

    `keep_open` are file descriptors that the child inherits.
    """
    return subprocess.Popen(  # noqa: S603 - the command comes from our own code and config
        list(command),
        stdin=input,
        stdout=out,
        stderr=errors,
        env=child_environment(environment),
        cwd=folder,
        start_new_session=True,
        pass_fds=tuple(keep_open),
    )


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to the process and all that it started; nothing if all are gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started, and wait for it; nothing if all are gone."""
    signal_group(process, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
