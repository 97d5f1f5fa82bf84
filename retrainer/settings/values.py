"""What sections of the settings are made of: durations, sizes, names, paths inside a project."""

import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from retrainer.domain.cycle import require_name

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SIZES = {"MB": 1000**2, "GB": 1000**3, "TB": 1000**4, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?)\s*({'|'.join(_SIZES)})")


def _duration(value: object) -> object:
    """`"90s"`, `"45m"`, `"4h"` or `"30d"`."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration is a number with a unit, such as "90s", "45m", "4h" or "30d"')
    try:
        length = timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        raise ValueError("a duration is at most 999999999d") from None
    if not length:
        raise ValueError("a duration must be longer than 0")
    return length


def _size(value: object) -> object:
    """`"500MB"`, `"8GB"` or `"7.5GiB"`, in bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a size is a number with a unit, such as "500MB", "8GB" or "7.5GiB"')
    return int(float(match[1]) * _SIZES[match[2]])


def _inside_project(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} must lie inside the project's folder")
    return path


def _server_address(address: str) -> str:
    if address and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", address):
        raise ValueError(  # without the value, which may hold a password
            "a http or https address is needed, with neither user nor password nor query"
        )
    return address


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda length: f"{length.total_seconds():g}s", return_type=str),
]
#: Bytes.
Size = Annotated[int, BeforeValidator(_size)]
#: What numpy and TensorFlow take.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
#: A file or folder inside the project, with `/`.
#: URL of a server, or empty.
ServerAddress = Annotated[str, AfterValidator(_server_address)]
ProjectPath = Annotated[str, AfterValidator(_inside_project)]
Name = Annotated[str, AfterValidator(require_name)]


class Section(BaseModel):
    """A table of the config: nothing unknown in it, and no value of it in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
