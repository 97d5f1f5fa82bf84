"""Canaries: secrets that are looked for afterwards, in every way that they may be written."""

import base64
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr

from retrainer.settings.model import Settings


def secret_options() -> frozenset[str]:
    """Every secret option of the settings and of the built-in plugins, as GROUP.TYPE.OPTION."""
    models: dict[str, Any] = {"settings": Settings}
    for group in ("sources", "platforms", "notifiers"):
        for point in entry_points(group=f"retrainer.{group}"):
            if point.value.startswith("retrainer."):
                models[f"{group}.{point.name}"] = point.load().Options
    return frozenset(key for name, model in models.items() for key in _secrets(model, name))


def _secrets(annotation: Any, place: str) -> Iterator[str]:
    if annotation in (SecretStr, SecretBytes):
        yield place
    elif get_origin(annotation) is not None:
        for inner in get_args(annotation):
            yield from _secrets(inner, place)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from _secrets(field.annotation, f"{place}.{name}")


#: Signs of a canary that tell it from the others.
_DISTINCT = 12


class Canaries:
    """A distinct secret for each name that is asked for."""

    def __init__(self) -> None:
        self.named: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        number = len(self.named)
        return self.named.setdefault(name, f"CANARY{number:03}xQzWvKjYpLm")

    def in_bytes(self, content: bytes) -> list[str]:
        """The names of the canaries that are somewhere in it."""
        return [
            name
            for name, canary in self.named.items()
            if any(form in content for form in _forms(canary))
        ]

    def in_files(self, folders: Iterable[Path]) -> list[tuple[str, str]]:
        """(file, name) of the canaries in the files below the folders, and in their names."""
        return [
            (str(file), name)
            for folder in folders
            for file in folder.rglob("*")
            for name in self.in_bytes(
                str(file).encode() + (file.read_bytes() if file.is_file() else b"")
            )
        ]


def _forms(canary: str) -> Iterator[bytes]:
    """Its beginning, should it be cut off, as it is and within anything written in base64."""
    start = canary[:_DISTINCT].encode()
    yield start
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + start)
        yield encoded[4 if before else 0 : -4]
