"""Where models live."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from retrainer.domain.cycle import Model
from retrainer.domain.evaluation import PlatformFigures
from retrainer.domain.examples import MustPass


class Platform(Protocol):
    """Where an assistant's models are stored and made active."""

    def require_ready(self, rasa_version: str) -> None:
        """Make sure that a model of this version of Rasa could be stored and served now.

        Asked before a cycle trains, and by `retrainer check`; changes no model, nor which serves.

        Raises:
            PlatformNotReady: it could not, and why.
        """
        ...

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model under its name; a second upload of the same content does nothing.

        Raises:
            ModelConflict: another content has that name.
        """
        ...

    def models(self) -> tuple[Model, ...]:
        """All stored models, oldest first, but those that are `damaged`.

        The `sha256` of a model that others brought may be empty; retention leaves such ones alone.
        """
        ...

    def damaged(self) -> tuple[str, ...]:
        """A sentence for each stored model that cannot be read, so that one does not stop all."""
        ...

    def fetch(self, name: str) -> Path:
        """The archive of a stored model, on this machine, for reading only.

        Raises:
            ModelNotFound: there is none of that name.
        """
        ...

    def evaluation(self, name: str) -> PlatformFigures | None:
        """What the platform itself measures of a stored model; None where it does not measure.

        Raises:
            PlatformError: it could not this time.
        """
        ...

    def active(self) -> str | None:
        """Name of the model that serves; None before the first activation."""
        ...

    def activate(self, name: str, *, expected: str | None) -> None:
        """Make a stored model the active one, atomically; does nothing if it is active already.

        Raises:
            ModelNotFound: there is none of that name.
            ChampionMoved: neither `name` nor `expected` is active.
            PlatformNotReady: it cannot be served now; nothing changed, a person has to look.
            PlatformError: the stored archive is damaged; nothing changed.
        """
        ...

    def confirm(self, name: str, *, must_pass: Sequence[MustPass] = ()) -> None:
        """Make sure that this model really serves now, within a bounded time.

        Where servers can be asked, each of them has to understand `must_pass`, the must-pass
        utterances that this model passed when it was evaluated.

        Raises:
            PlatformError: it does not.
        """
        ...

    def remove(self, name: str) -> None:
        """Delete a stored model; does nothing if it is gone already.

        Raises:
            PlatformError: the model is active.
        """
        ...
