"""The one place that starts processes."""

import os
import signal
import subprocess
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
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    ]
)
_PASSED_ON_PREFIXES = ("LC_", "UV_", "PIP_", "CUDA_", "TF_", "OMP_", "OPENBLAS_", "MKL_")


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


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    `timeout` is in seconds; the program runs in a process group of its own, killed as a whole.

    Raises:
        ProcessFailed: it could not be started or ended with an error.
        ProcessTimedOut: it took too long.
    """
    words = [str(word) for word in command]
    try:
        process = start(words, environment=environment, folder=folder, out=subprocess.PIPE)
    except OSError as error:
        raise ProcessFailed(f"{words[0]} could not be started: {error.strerror}") from error
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise ProcessTimedOut(f"{' '.join(words)} took longer than {timeout:g} s") from error
    finally:
        kill_group(process)
    if process.returncode:
        last = "\n".join((errors or output).decode(errors="replace").strip().splitlines()[-15:])
        raise ProcessFailed(f"{' '.join(words)} ended with {process.returncode}:\n{last}")
    return output.decode(errors="replace")


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


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started, and wait for it; nothing if all are gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
