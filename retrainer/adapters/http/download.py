"""The file that a download goes into, which is whole or not there."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import requests

from retrainer.adapters.files import storage_errors

_CHUNK = 1024 * 1024


@contextmanager
def beside(into: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A file of its own for each download, gone at the end unless it took its place.

    A download that was given up may still hold it open for a while, but no other sees that.
    """
    part = into.with_name(f".{into.name}.{secrets.token_hex(4)}")
    with storage_errors("writing", into):
        file = part.open("xb")
    try:
        yield part, file
    finally:
        with suppress(OSError):  # what it still holds is not wanted
            file.close()
        part.unlink(missing_ok=True)


def write(response: requests.Response, file: BinaryIO, into: Path) -> None:
    """The whole body into the file, from its start."""
    with storage_errors("writing", into):
        file.seek(0)
        file.truncate()
    for piece in response.iter_content(_CHUNK):
        with storage_errors("writing", into):
            file.write(piece)
