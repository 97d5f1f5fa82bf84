"""Tells of a cycle in plain text on a stream: in a terminal, a log or systemd's journal."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TextIO

from pydantic import BaseModel, ConfigDict

from retrainer.errors import NotificationError
from retrainer.ports import CycleReport, Fetch, Renderer


class ConsoleNotifier:
    """A `Notifier` that writes the whole story to `stream`.

    By default that is standard error as it is at the time: standard output belongs to results
    (`--json`). `render` puts the cycle into words.
    """

    class Options(BaseModel):
        """Options of `type = "console"`: none."""

        model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def from_options(
        cls, options: Options, *, folder: Path, render: Renderer, fetch: Fetch
    ) -> Self:
        """The notifier that the options describe; `folder` and `fetch` are not used."""
        del options, folder, fetch
        return cls(render)

    def __init__(self, render: Renderer, stream: TextIO | None = None) -> None:
        self._render, self._stream = render, stream

    def notify(self, report: CycleReport) -> None:
        """Write the report; called again it writes it again.

        Raises:
            NotificationError: the stream is closed or does not take it.
        """
        self._write(self._render(report).text)

    def notify_summary(self, report: CycleReport, missed: Sequence[CycleReport]) -> None:
        """Write the report with a line for each of the missed cycles; again: it writes it again.

        Raises:
            NotificationError: the stream is closed or does not take it.
        """
        self._write(self._render(report, missed).text)

    def _write(self, text: str) -> None:
        stream = sys.stderr if self._stream is None else self._stream
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            raise NotificationError(f"the console did not take the report: {error}") from error
