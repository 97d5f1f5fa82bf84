"""Where models live."""

from pathlib import Path
from typing import Protocol

from retrainer.domain.cycle import Model


class Platform(Protocol):
    """Where an assistant's models are stored and made active."""

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model under its name; a second upload of the same content does nothing.

        Raises:
            ModelConflict: another content has that name.
        """
        ...

    def models(self) -> tuple[Model, ...]:
        """All stored models, oldest first, but those that are `damaged`."""
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

    def active(self) -> str | None:
        """Name of the model that serves; None before the first activation."""
        ...

    def activate(self, name: str, *, expected: str | None) -> None:
        """Make a stored model the active one, atomically; does nothing if it is active already.

        Raises:
            ModelNotFound: there is none of that name.
            ChampionMoved: neither `name` nor `expected` is active.
            PlatformError: the stored archive is damaged; nothing changed.
        """
        ...

    def confirm(self, name: str) -> None:
        """Make sure that this model really serves now.

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
