"""Objects by name, below one URL: read, written, sent and fetched, within a bounded time.

Every failure of a provider's client becomes one clear error here; see `faults`.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from retrainer.adapters.deadline import within
from retrainer.adapters.object_storage.faults import failure, is_missing_bucket, late
from retrainer.adapters.object_storage.providers import Location
from retrainer.errors import PlatformError

_Result = TypeVar("_Result")
#: Bytes of an object that is read into memory.
LARGEST_READ = 256 * 1000**2


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What is known of an object without reading it.

    `size` is in bytes. `mark` is the provider's own: it changes when the object is written again;
    empty where there is none.
    """

    size: int
    mark: str


class ObjectStorage:
    """The objects below the URL of a `location`; names are relative to it, with `/`.

    Nobody is asked anything before the first call. All calls raise:

    - PlatformError: there is no such bucket, access is denied, or the provider refused.
    - ServerError, which is one: there was no answer, or not in time.
    """

    def __init__(self, location: Location) -> None:
        self._location = location

    @property
    def url(self) -> str:
        """Where the objects are, without a slash at the end."""
        return self._location.url.rstrip("/")

    def where(self, name: str) -> str:
        """The URL of an object."""
        return f"{self.url}/{name}" if name else self.url

    def read(self, name: str) -> bytes | None:
        """The content of a small object; None when there is none.

        Raises:
            PlatformError: it has more than `LARGEST_READ` bytes, besides what all calls raise.
        """

        def read(filesystem: Any, path: str) -> bytes:  # noqa: ANN401 - fsspec has no types
            try:
                size = filesystem.info(path)["size"] or 0
            except PermissionError:  # to a question for the size nobody says what is not accepted
                return bytes(filesystem.cat_file(path, start=0, end=LARGEST_READ))
            if size > LARGEST_READ:
                raise PlatformError(
                    f"{self.where(name)} has {size} bytes, at most {LARGEST_READ} may be",
                    tip="somebody else wrote it: move it elsewhere",
                )
            return bytes(filesystem.cat_file(path))

        return self._found("reading", name, read)

    def write(self, name: str, content: bytes) -> None:
        """Store a small object, as a whole or not at all; an earlier content is replaced."""
        self._call("writing", name, lambda fs, path: fs.pipe_file(path, content))

    def create(self, name: str, content: bytes) -> bool:
        """Store a small object unless there is one of that name; whether it was stored.

        False may also mean that our own first try was stored and its answer was lost.
        """

        def pipe(filesystem: Any, path: str) -> bool:  # noqa: ANN401 - fsspec has no types
            try:
                filesystem.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
            return True

        return self._call("writing", name, pipe)

    def put(self, name: str, file: Path) -> None:
        """Send a file, a part at a time; the object is there when all parts are, not before."""
        options = self._location.transfer(self._location.provider.put)
        self._call(
            f"sending {file} to",
            name,
            lambda fs, path: fs.put_file(str(file), path, **options),
            transfer=True,
        )

    def get(self, name: str, into: Path) -> bool:
        """Fetch an object into a file, a part at a time; False when there is none."""
        options = self._location.transfer(self._location.provider.get)

        def get(filesystem: Any, path: str) -> bool:  # noqa: ANN401 - as above
            filesystem.get_file(path, str(into), **options)
            return True

        return bool(self._found(f"fetching into {into}", name, get, transfer=True))

    def sha256(self, name: str) -> str | None:
        """64 hexadecimal digits of the object's content, read as a stream; None: no object."""
        part = self._location.access.part_bytes

        def digest(filesystem: Any, path: str) -> str:  # noqa: ANN401 - as above
            found = hashlib.sha256()
            with filesystem.open(path, "rb", block_size=part, cache_type="readahead") as file:
                while piece := file.read(part):
                    found.update(piece)
            return found.hexdigest()

        return self._found("reading", name, digest, transfer=True)

    def state(self, name: str) -> ObjectState | None:
        """Size and mark of an object, now; None when there is none."""

        def state(filesystem: Any, path: str) -> ObjectState | None:  # noqa: ANN401 - as above
            info = filesystem.info(path)
            if info["type"] != "file":
                return None
            return ObjectState(info["size"], str(info.get("ETag") or info.get("etag") or ""))

        return self._found("looking at", name, state)

    def modified(self, name: str) -> datetime | None:
        """When the object was written, in UTC; None when there is none."""
        return self._found("looking at", name, lambda fs, path: fs.modified(path))

    def names(self, below: str = "") -> tuple[str, ...]:
        """Names of all objects in a folder and its folders, sorted; none if there is no such folder."""

        def find(filesystem: Any, path: str) -> tuple[str, ...]:  # noqa: ANN401 - as above
            start = f"{self._connected[1]}/"
            return tuple(sorted(found.removeprefix(start) for found in filesystem.find(path)))

        return self._call("listing", below, find)

    def delete(self, name: str) -> None:
        """Delete an object; nothing if it is gone."""
        self._found("deleting", name, lambda fs, path: fs.rm_file(path))

    def delete_folder(self, name: str) -> None:
        """Delete an object, and all that are in the folder of that name."""
        own = [name] if self.state(name) else []
        for each in {*self.names(name), *own}:
            self.delete(each)

    def discard_parts(self, below: str, before: datetime) -> None:
        """Give up uploads of several parts that were begun before then and never ended.

        S3 keeps the parts, and asks money for them; elsewhere they go by themselves.
        """
        if self._location.provider.package == "s3fs":
            self._call(
                "looking for unfinished uploads in", below, abort_uploads(before), transfer=True
            )

    @cached_property
    def _connected(self) -> tuple[Any, str]:
        return self._location.connect()

    def _found(
        self,
        doing: str,
        name: str,
        call: Callable[[Any, str], _Result],
        *,
        transfer: bool = False,
    ) -> _Result | None:
        """As `_call`; None if there is no such object."""

        def lenient(filesystem: Any, path: str) -> _Result | None:  # noqa: ANN401 - as above
            try:
                return call(filesystem, path)
            except (FileNotFoundError, NotADirectoryError) as error:
                if is_missing_bucket(error):
                    raise
                return None

        return self._call(doing, name, lenient, transfer=transfer)

    def _call(
        self,
        doing: str,
        name: str,
        call: Callable[[Any, str], _Result],
        *,
        transfer: bool = False,
    ) -> _Result:
        """The result of a call on filesystem and path, in time."""
        access = self._location.access
        limit = access.transfer_timeout if transfer else access.timeout

        def run() -> _Result:
            filesystem, root = self._connected
            with self._translated(doing, name, limit):
                return call(filesystem, f"{root}/{name}" if name else root)

        try:
            return within(limit, run, name="object-storage")
        except TimeoutError:
            raise late(f"{doing} {self.where(name)}", limit) from None

    @contextmanager
    def _translated(self, doing: str, name: str, limit: float) -> Iterator[None]:
        try:
            yield
        except self._location.faults() as error:
            raise failure(f"{doing} {self.where(name)}", error, self._location, limit) from None


def abort_uploads(before: datetime) -> Callable[[Any, str], None]:
    """Gives up those uploads of S3 below a path that were begun before then."""

    def abort(filesystem: Any, path: str) -> None:  # noqa: ANN401 - fsspec has no types
        bucket, prefix, _ = filesystem.split_path(path)
        answer = filesystem.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{prefix}/")
        for upload in answer.get("Uploads", ()):
            if upload["Initiated"] < before:
                with suppress(FileNotFoundError):
                    filesystem.abort_mpu(bucket, upload["Key"], upload["UploadId"])

    return abort
