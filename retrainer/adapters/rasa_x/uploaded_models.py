"""Models that were uploaded from here, and whether they are still what was uploaded."""

import re
import time
from pathlib import Path

from retrainer.adapters.model_archive import read_metadata, require_described
from retrainer.adapters.polling import polls
from retrainer.adapters.rasa_x.connection import NOT_FOUND, RasaX
from retrainer.adapters.rasa_x.listing import Entry, entries
from retrainer.adapters.rasa_x.model_records import ModelRecord, ModelRecords
from retrainer.adapters.rasa_x.model_transfer import GATEWAY, ModelTransfer
from retrainer.domain.cycle import Model
from retrainer.errors import (
    ModelConflict,
    ModelNotFound,
    PlatformError,
    ServerError,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TRIES = 3
_NOT_GIVEN_OUT = "the server does not give it out, so it cannot be compared"


class UploadedModels:
    """Uploads, and what is recorded of them in a folder.

    An uploaded model has to be in the server's list after `wait` seconds.
    """

    def __init__(self, transfer: ModelTransfer, folder: Path, *, wait: float) -> None:
        self._rasa_x, self._transfer, self._wait = transfer.rasa_x, transfer, wait
        self._records = ModelRecords(folder)
        self._compared: dict[tuple[str, str, str], str | None] = {}

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model under its name; see `Platform.upload`.

        The list is looked at before anything is sent, and again whenever the connection was lost:
        the server may have the model then.
        """
        _require_described(model, archive)
        model_id = str(read_metadata(archive).get("model_id") or "")
        contents = self._transfer.contents(archive)
        record = ModelRecord(model=model, contents=contents, model_id=model_id)
        entry, is_new = entries(self._rasa_x).get(model.name), False
        if entry is None:
            entry, is_new = self._send(model.name, archive)
        if not is_new:
            self._require_same(entry, record)
        self._records.write(record.model_copy(update={"hash": entry.hash}))

    def record(self, entry: Entry) -> ModelRecord | None:
        """What was uploaded as this model; None if it was not uploaded from here.

        Another hash than the recorded one may come from an upgrade of the server: then the content
        is downloaded and compared, and the new hash recorded if it is the same.

        Raises:
            PlatformError: the server has other content now, or the record is damaged.
            ServerError: the content could not be downloaded.
            StorageError: the record could not be read.
        """
        if not _NAME.fullmatch(entry.name):
            return None
        record = self._records.read(entry.name)
        if record is None or record.hash == entry.hash:
            return record
        if how := self._difference(entry, record):
            raise damaged(self._rasa_x, entry, how)
        known = record.model_copy(update={"hash": entry.hash})
        self._records.write(known)
        return known

    def require_whole(self, entry: Entry) -> None:
        """Make sure that the server has what was uploaded, as far as it lets us know.

        Where it tells no hash, as in 2018, the model is downloaded and compared.

        Raises:
            PlatformError: it is damaged.
        """
        record = self.record(entry)
        if record is None or record.hash:
            return
        how = self._difference(entry, record)
        if how is not None and how != _NOT_GIVEN_OUT:
            raise damaged(self._rasa_x, entry, how)

    def forget(self, name: str) -> None:
        """Delete what is recorded of a model."""
        if _NAME.fullmatch(name):
            self._records.delete(name)

    def _difference(self, entry: Entry, record: ModelRecord) -> str | None:
        """How the stored content differs from the recorded one; None if it does not.

        The download is not repeated as long as the server names the same hash.
        """
        known = (entry.name, entry.hash, record.model.sha256)
        if entry.hash and known in self._compared:
            return self._compared[known]
        try:
            how = self._transfer.difference(entry, record)
        except ServerError as error:
            if error.status != NOT_FOUND:
                raise
            how = _NOT_GIVEN_OUT
        self._compared[known] = how
        return how

    def _send(self, name: str, archive: Path) -> tuple[Entry, bool]:
        """Upload; the entry, and whether it is certainly of this upload."""
        end = time.monotonic() + self._rasa_x.options.transfer_timeout
        for left in reversed(range(_TRIES)):
            lost: ServerError | None = None
            try:
                is_new = self._transfer.send(name, archive)
            except ServerError as error:
                if error.status is not None and error.status not in GATEWAY:
                    raise
                lost, is_new = error, False
            if entry := self._awaited(name):
                return entry, is_new
            if lost is None:
                break
            if not left or time.monotonic() > end:
                raise lost
        raise PlatformError(
            f"{self._rasa_x.options.root} took the upload of {name}, but does not list it after "
            f"{self._wait:g} s",
            tip="look for it in Rasa X; if it appears there later, set `listing_timeout` higher",
        )

    def _awaited(self, name: str) -> Entry | None:
        """The model in the list, as soon as it is there; None if it does not come."""
        for _ in polls(self._wait):
            if entry := entries(self._rasa_x).get(name):
                return entry
        return None

    def _require_same(self, entry: Entry, record: ModelRecord) -> None:
        """Make sure that a stored model of the same name has the same content.

        How the server computes its hash is not known, so what it gives out is compared, unless
        its hash is that of an earlier upload from here.
        """
        earlier, recorded = self._records.read(entry.name), record.model.sha256
        if earlier is not None and earlier.hash and earlier.hash == entry.hash:
            found = earlier.model.sha256
            how = None if found == recorded else f"its SHA-256 is {found}, not {recorded}"
        else:
            how = self._difference(entry, record)
        if how is not None:
            raise ModelConflict(
                f"another {entry.name} is stored at {self._rasa_x.options.root}: {how}",
                tip=f"store it under another name, or delete the stored {entry.name} first",
            )


def damaged(rasa_x: RasaX, entry: Entry, how: str) -> PlatformError:
    """The error for a model that is no longer what was uploaded."""
    return PlatformError(
        f"{entry.name} at {rasa_x.options.root} is damaged, or was replaced: {how}",
        tip=f"delete {entry.name} in Rasa X, then train or upload it again",
    )


def _require_described(model: Model, archive: Path) -> None:
    """Make sure that the name can be used, and that the archive is the one that is described."""
    if not _NAME.fullmatch(model.name):
        raise ModelNotFound(
            f"{model.name!r} is not a name that a model may have: 1 to 128 of letters, digits, "
            "`.`, `_` and `-`, the first a letter or a digit"
        )
    require_described(model, archive)
