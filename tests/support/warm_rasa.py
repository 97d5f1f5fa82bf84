"""A worker that outlives the cycles that it serves."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from retrainer.adapters.rasa_client import RasaClient
from retrainer.ports import ProgressListener


class WarmRasa:
    """The session's worker, which the end of a cycle must not end; counts what is predicted."""

    def __init__(self, rasa: RasaClient) -> None:
        self._rasa = rasa
        self.asked: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave it running."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rasa, name)

    def predict(
        self,
        archive: Path,
        texts: Sequence[str],
        progress: ProgressListener,
        *,
        code: Path | None = None,
    ) -> Any:
        """Ask the worker, and remember what, by the archive's folder."""
        self.asked.setdefault(str(archive.parent.name), []).extend(texts)
        return self._rasa.predict(archive, texts, progress, code=code)
