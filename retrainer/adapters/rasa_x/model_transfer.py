"""Archives on their way to and from the server, a piece at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote
from uuid import uuid4

from requests_toolbelt import MultipartEncoder  # type: ignore[import-untyped]

from retrainer.adapters.files import sha256, storage_errors
from retrainer.adapters.http.answer import Answer
from retrainer.adapters.rasa_x import zipped_models
from retrainer.adapters.rasa_x.connection import MODELS_OF_2018, RasaX
from retrainer.adapters.rasa_x.health import health
from retrainer.adapters.rasa_x.listing import Entry
from retrainer.adapters.rasa_x.model_records import ModelRecord
from retrainer.adapters.rasa_x.scratch import scratch
from retrainer.errors import ModelArchiveError, PlatformNotReady

_CONFLICT, _SERVER_FAILED = 409, 500
#: Answers of a proxy that lost the server, which may go on with what it was asked.
GATEWAY = frozenset({502, 503, 504})


class ModelTransfer:
    """Sends and gets archives; `folder` is for files that are in the making."""

    def __init__(self, rasa_x: RasaX, folder: Path) -> None:
        self.rasa_x, self._folder = rasa_x, folder

    @property
    def zipped(self) -> bool:
        """Whether the server takes zip files instead of archives, as in 2018."""
        return self.rasa_x.models_route == MODELS_OF_2018

    def send(self, name: str, archive: Path) -> bool:
        """Upload; False if the server has a model of that name already.

        Raises:
            PlatformNotReady: it cannot store a model without its Rasa server.
            ModelArchiveError: it takes zip files, and this archive does not fit into one.
            ServerError: it did not take it. If the status is None or one of `GATEWAY`, the
                connection was lost, and it may have it or not.
        """
        if not self.zipped:
            return self._send(f"{name}.tar.gz", archive, "application/gzip")
        with scratch(self._folder) as folder:
            zip_file = folder / f"{name}.zip"
            zipped_models.zip_archive(archive, zip_file)
            return self._send(zip_file.name, zip_file, "application/zip")

    def fetch(self, entry: Entry, into: Path) -> None:
        """Download a listed model, as an archive; in 2018 maybe by one of its tags alone.

        Raises:
            ModelArchiveError: it is not a whole, safe model; looked at only where it is zipped.
            ServerError: it did not come; the status is 404 if the server does not give it out.
        """
        if not self.zipped:
            self._fetch(entry.name, into, ())
            return
        with scratch(self._folder) as folder:
            zip_file = folder / f"{entry.name}.zip"
            self._fetch(entry.name, zip_file, entry.tags)
            zipped_models.unzip_archive(zip_file, into)

    def contents(self, archive: Path) -> str:
        """What to record of an archive to know its files again; empty where bytes will do."""
        return zipped_models.contents(archive) if self.zipped else ""

    def difference(self, entry: Entry, record: ModelRecord) -> str | None:
        """How the stored content differs from the recorded one; None if it does not.

        Raises:
            ServerError: it could not be downloaded; the status is 404 if it is not given out.
        """
        with scratch(self._folder) as folder:
            copy = folder / "model.tar.gz"
            try:
                self.fetch(entry, copy)
            except ModelArchiveError as error:
                return str(error)
            return difference(copy, record)

    def _send(self, file_name: str, path: Path, kind: str) -> bool:
        with storage_errors("reading", path):
            file = path.open("rb")
        with file:  # closing it stops an upload that took too long
            answer = self._post(file_name, file, kind)
        if answer.status == _SERVER_FAILED:
            hindrance = health(self.rasa_x).hindrance
            raise PlatformNotReady(
                f"{answer.where} answered {answer.status}: {answer.complaint()}"
                f"{f'; {hindrance}' if hindrance else ''}",
                tip=f"see {self.rasa_x.options.root}/api/health: an upload needs the Rasa server",
            )
        return answer.status != _CONFLICT

    def _post(self, file_name: str, file: BinaryIO, kind: str) -> Answer:
        boundary = uuid4().hex

        def content() -> MultipartEncoder:
            file.seek(0)
            return MultipartEncoder({"model": (file_name, file, kind)}, boundary=boundary)

        return self.rasa_x.call(
            "POST",
            self.rasa_x.models_route,
            accept={_CONFLICT, _SERVER_FAILED},
            limit=self.rasa_x.options.transfer_timeout,
            content=content,
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )

    def _fetch(self, name: str, into: Path, tags: Sequence[str]) -> None:
        models = self.rasa_x.models_route
        by_tag = (f"{models}/tags/{quote(tag, safe='')}" for tag in tags)
        self.rasa_x.download(into, f"{models}/{{model}}", *by_tag, names={"model": name})


def difference(archive: Path, record: ModelRecord) -> str | None:
    """How this archive differs from the recorded one; None if it does not."""
    if record.contents:
        found, recorded, what = zipped_models.contents(archive), record.contents, "files' digest"
    else:
        with storage_errors("reading", archive):
            found, recorded, what = sha256(archive), record.model.sha256, "SHA-256"
    return None if found == recorded else f"its {what} is {found}, not {recorded}"
