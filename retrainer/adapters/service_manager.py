"""Talk with systemd, or whatever started us and reads a notify socket: sd_notify(3)."""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Self

_MICROSECONDS = 1_000_000
#: A message longer than 4096 bytes is thrown away by systemd; this leaves room for what goes along.
_LONGEST_STATUS = 1000
#: Seconds that a message which must not be lost waits for a manager that is busy.
_PATIENCE = 0.5


class ServiceManager:
    """Whoever started this service; without an `address` every call does nothing.

    No call raises, and none waits for a manager that is gone: what is happening matters more than
    that somebody hears of it. What changes the state of the service (ready, reloading, stopping) is
    worth half a second of waiting where the manager is busy, a status or a sign of life none.
    May be called from any thread.
    """

    def __init__(self, address: str | None, watchdog_seconds: float | None = None) -> None:
        self._address = _socket_address(address)
        self._watchdog_seconds = watchdog_seconds if self._address else None

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Self:
        """As NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say.

        They are taken out of `environ`, so that no child process speaks in our name.
        """
        address = environ.pop("NOTIFY_SOCKET", None)
        length = environ.pop("WATCHDOG_USEC", "")
        process = environ.pop("WATCHDOG_PID", str(os.getpid()))
        watched = process == str(os.getpid()) and length.isascii() and length.isdecimal()
        return cls(address, int(length) / _MICROSECONDS if watched and int(length) else None)

    @property
    def watchdog_seconds(self) -> float | None:
        """How long the manager waits for `alive` before it kills us; None: it does not.

        Call `alive` at least twice as often.
        """
        return self._watchdog_seconds

    def ready(self, status: str) -> None:
        """The start, or the reload, is done."""
        self._send("READY=1", _status(status), patience=_PATIENCE)

    def status(self, text: str) -> None:
        """What is going on, for people: shown by `systemctl status`."""
        self._send(_status(text))

    def reloading(self) -> None:
        """The configuration is being read again; `ready` has to follow."""
        now = time.monotonic_ns() // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", patience=_PATIENCE)

    def stopping(self, text: str) -> None:
        """The end begins."""
        self._send("STOPPING=1", _status(text), patience=_PATIENCE)

    def extend(self, seconds: float) -> None:
        """What is going on (a start, a stop) takes so much longer from now than was configured."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * _MICROSECONDS)}", patience=_PATIENCE)

    def alive(self) -> None:
        """The service works: the watchdog is fed."""
        if self._watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def _send(self, *assignments: str, patience: float = 0.0) -> None:
        if self._address is None:
            return
        message = "\n".join(assignments).encode(errors="replace")
        with (
            suppress(OSError),  # the manager is gone, or too busy to hear
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
        ):
            notify.settimeout(patience)
            notify.sendto(message, self._address)


def _socket_address(address: str | None) -> str | None:
    """As the system takes it: `@` stands for the NUL that an abstract socket's name begins with."""
    if address and address.startswith("@"):
        return "\0" + address[1:]
    return address if address and address.startswith("/") else None


def _status(text: str) -> str:
    """On one line: a line break would begin another assignment, and other signs spoil the message."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return "STATUS=" + line[:_LONGEST_STATUS]
