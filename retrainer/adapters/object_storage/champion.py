"""The pointer to the active model in object storage, moved by compare-and-swap without any lock.

Each move is an object of its own, `champion/00000042.json`, that is created only if it is not there
yet; the highest number is the truth. Of two who move it at once, one finds the number taken.
"""

import re
import uuid
from contextlib import suppress
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from retrainer.adapters.object_storage.storage import ObjectStorage
from retrainer.errors import ChampionMoved, PlatformError, PlatformNotReady

#: The last moves that are kept, so that people can see what was active when.
KEPT = 50
_FOLDER = "champion"
_NUMBERED = re.compile(rf"{_FOLDER}/(\d{{8}})\.json")
_TRIES = 3
_PROBE = b"whether an object that exists can be created again; may be deleted\n"


class _Move(BaseModel):
    """The content of one pointer; `id` tells our own from that of another process."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str | None
    id: str


class Place(NamedTuple):
    """Where the pointer stands: the number of its last move, and the model it leads to."""

    number: int
    model: str | None


class ChampionPointer:
    """The pointer of one registry.

    `conditional` says that the storage refuses to create an object that exists. Without it, two
    processes that move the pointer in the same moment may both believe that they did; the last one
    wins.
    """

    def __init__(self, storage: ObjectStorage, *, conditional: bool = True) -> None:
        self._storage = storage
        self._conditional = conditional

    def require_movable(self) -> None:
        """Make sure that the pointer can be moved; an object is made for that, and deleted again.

        Raises:
            PlatformNotReady: the storage would let two processes move it at once.
            PlatformError: the storage cannot be written.
        """
        # Beside the pointers, and of its own name: others may try at the same time.
        probe = f"{_FOLDER}/probe-{uuid.uuid4().hex}"
        try:
            self._storage.create(probe, _PROBE)
            overwritten = self._conditional and self._storage.create(probe, _PROBE)
        finally:
            with suppress(PlatformError):  # what is left leads nowhere
                self._storage.delete(probe)
        if overwritten:
            raise PlatformNotReady(
                f"{self._storage.url} lets an object that exists be created again, so that two "
                "promotions at once could not be told apart",
                tip="update the server, or accept it with `conditional_writes = false`",
            )

    def place(self) -> Place:
        """Where the pointer stands.

        Raises:
            PlatformError: it is damaged.
        """
        for _ in range(_TRIES):
            numbers = self._numbers()
            if not numbers:
                return Place(0, None)
            move = self._read(numbers[-1])
            if move is not None:
                return Place(numbers[-1], move.model)
        raise PlatformError(
            f"{self._storage.where(_name(numbers[-1]))} is listed, but cannot be read: "
            "the storage does not say the same twice",
            tip="try again; a cache or a replica in front of the storage has to be bypassed",
        )

    def move(self, before: Place, model: str) -> None:
        """Lead to another model, if the pointer still stands where it stood before.

        Raises:
            ChampionMoved: it does not.
            PlatformError: it could not be moved, or is damaged.
        """
        number = before.number + 1
        move = _Move(model=model, id=uuid.uuid4().hex)
        content, name = move.model_dump_json().encode(), _name(number)
        if self._conditional or not self._storage.read(name):
            self._create(name, content)
        numbers = self._numbers()
        # A number below those that are swept was free only because it had been swept.
        if self._read(number) != move or number <= numbers[-1] - KEPT:
            now = self.place()
            raise ChampionMoved(
                f"{now.model or 'no model'} became active in {self._storage.url} while {model} "
                f"was to replace {before.model or 'no model'}",
                tip="`retrainer models` lists the models; run the cycle again",
            )
        for old in numbers[:-KEPT]:
            with suppress(PlatformError):  # the next move sweeps it
                self._storage.delete(_name(old))

    def _create(self, name: str, content: bytes) -> None:
        """Create the pointer; an answer that was lost is found out by reading it."""
        try:
            self._storage.create(name, content)
        except PlatformError:
            if self._storage.read(name) is None:
                raise

    def _numbers(self) -> list[int]:
        """The numbers of all moves that are kept, ascending."""
        found = (_NUMBERED.fullmatch(name) for name in self._storage.names(_FOLDER))
        return sorted(int(match[1]) for match in found if match)

    def _read(self, number: int) -> _Move | None:
        content = self._storage.read(_name(number))
        if content is None:
            return None
        try:
            return _Move.model_validate_json(content)
        except ValidationError:
            where = self._storage.where(_name(number))
            raise PlatformError(
                f"{where} does not say which model is active: "
                f'{{"model": "NAME", "id": "..."}} is needed, it holds {content[:80]!r}',
                tip=f"delete {where}, then choose the model with `retrainer promote`",
            ) from None


def _name(number: int) -> str:
    return f"{_FOLDER}/{number:08}.json"
