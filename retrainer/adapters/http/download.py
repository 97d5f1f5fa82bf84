"""What a server sends, into memory or into a file that is whole or not there; never without an end.

What is counted is what it is once unpacked, since an answer may be compressed a thousand times.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import requests

from retrainer.adapters.files import storage_errors
from retrainer.errors import ServerError

#: Bytes of an answer, and of a download unless the caller says otherwise.
LARGEST_ANSWER, LARGEST_DOWNLOAD = 128 * 1000**2, 20 * 1000**3
#: Small, since a piece is unpacked as a whole.
_CHUNK = 128 * 1024


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


def write(
    response: requests.Response, file: BinaryIO, into: Path, *, largest: int, where: str
) -> None:
    """The whole body into the file, from its start; raises as `pieces` does."""
    with storage_errors("writing", into):
        file.seek(0)
        file.truncate()
    for piece in pieces(response, largest=largest, where=where):
        with storage_errors("writing", into):
            file.write(piece)


def pieces(response: requests.Response, *, largest: int, where: str) -> Iterator[bytes]:
    """The body, a piece at a time; `where` is the call in words.

    Raises:
        ServerError: it has more than `largest` bytes.
    """
    size = 0
    for piece in response.iter_content(_CHUNK):
        size += len(piece)
        if size > largest:
            raise ServerError(
                f"{where} answered with more than {largest} bytes, which is too much",
                tip="is this the right address? what is asked for there never is as large",
            )
        yield piece
