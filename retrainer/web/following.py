"""What serves, asked of the platform about once a second however many servers poll."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from retrainer.errors import ModelNotFound, RetrainerError
from retrainer.ports import Clock, Platform
from retrainer.web.archives import Archive
from retrainer.web.threads import in_thread

#: Seconds for which an answer of the platform holds.
FRESH = 1.0
#: Seconds that a poll waits for the platform where an earlier answer is known.
PATIENCE = 1.0
#: Models asked for by name that are held open.
_NAMED = 8

_Result = TypeVar("_Result")


class Followed:
    """One model that is looked up at most once in `FRESH` seconds, by one lookup at a time.

    As long as a lookup takes or fails, what was known before goes on being served: a bucket out of
    reach, or a large download, must not take a fleet of servers down.
    """

    def __init__(
        self,
        look: Callable[[Archive | None], Awaitable[Archive | None]],
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._look = look
        self._clock = clock
        self._tell = tell
        self._archive: Archive | None = None
        self._known = False
        self._failure: RetrainerError | None = None
        self._lookup: asyncio.Task[None] | None = None
        self._began = -math.inf

    async def current(self) -> Archive | None:
        """The model, to be held by the caller for as long as it is read; None: there is none.

        Raises:
            RetrainerError: why it could not be found out, if it is not known from before.
        """
        now = self._clock.monotonic()
        if self._lookup is None and now - self._began >= FRESH:
            self._began = now
            self._lookup = asyncio.create_task(self._refresh())
        if self._lookup is not None:
            patience = max(0.0, self._began + PATIENCE - now) if self._known else None
            done, _ = await asyncio.wait({self._lookup}, timeout=patience)
            for lookup in done:
                lookup.result()
        if self._failure is not None and not self._known:
            raise self._failure
        return self._archive

    async def _refresh(self) -> None:
        failure: RetrainerError | None = None
        try:
            self._archive = await self._look(self._archive)
            self._known = True
        except RetrainerError as error:
            failure = error
        finally:
            self._lookup = None
        before, self._failure = self._failure, failure
        if failure is not None and str(failure) != str(before):
            self._tell(str(failure))
        elif failure is None and before is not None:
            self._tell("the platform can be asked again")


class Shelf:
    """The models of one assistant; the platform is asked one thing at a time.

    `tell` is given a sentence whenever the champion changes or cannot be found out.
    """

    def __init__(
        self, assistant: str, platform: Platform, *, clock: Clock, tell: Callable[[str], None]
    ) -> None:
        self._platform = platform
        self._clock = clock
        self._assistant = assistant
        self._tell = tell
        self._told = ""
        self._one = asyncio.Lock()
        self._champion = Followed(self._look_for_champion, clock, self._say)
        self._named: dict[str, Followed] = {}

    async def champion(self) -> Archive | None:
        """The archive of the model that serves; None: there is no champion.

        Raises:
            RetrainerError: as `Followed.current`.
        """
        return await self._champion.current()

    async def named(self, name: str) -> Archive | None:
        """The archive of the model of this name; None: there is none.

        Raises:
            RetrainerError: as `Followed.current`.
        """

        async def look(held: Archive | None) -> Archive | None:
            return await self._ask(partial(self._stored, name, held))

        followed = self._named.pop(name, None) or Followed(look, self._clock, self._say)
        self._named[name] = followed  # the newest last
        if len(self._named) > _NAMED:
            del self._named[next(iter(self._named))]
        return await followed.current()

    async def _look_for_champion(self, held: Archive | None) -> Archive | None:
        archive = await self._ask(partial(self._active, held))
        champion = "there is no champion yet; servers that poll are answered 404"
        if archive is not None:
            champion = f"the champion is {archive.name}, {archive.size / 1e6:.1f} MB"
        if champion != self._told:
            self._told = champion
            self._say(champion)
        return archive

    def _say(self, sentence: str) -> None:
        self._tell(f"{self._assistant}: {sentence}")

    async def _ask(self, question: Callable[[], _Result]) -> _Result:
        async with self._one:
            return await in_thread(question)

    def _active(self, held: Archive | None) -> Archive | None:
        name = self._platform.active()
        if name is None:
            return None
        if held is not None and held.name == name and held.is_still_there():
            return held
        return Archive.open(name, self._platform.fetch(name))

    def _stored(self, name: str, held: Archive | None) -> Archive | None:
        try:
            path = self._platform.fetch(name)
        except ModelNotFound:
            return None
        if held is not None and held.path == path and held.is_still_there():
            return held
        return Archive.open(name, path)
