"""How the model server follows a platform: seldom asked, never waited for longer than needed."""

import asyncio
import gc
import os
import threading
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.archives import write_model

from retrainer.errors import ServerError, StorageError
from retrainer.testing.clock import FakeClock
from retrainer.testing.platforms import FakePlatform
from retrainer.web.archives import Archive
from retrainer.web.following import FRESH, PATIENCE, Shelf


class WatchedPlatform(FakePlatform):
    """Counts the questions, and answers those about the champion or an archive when it may."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.may_answer, self.may_fetch = threading.Event(), threading.Event()
        self.may_answer.set()
        self.may_fetch.set()
        self.answering = 0
        self.most_at_once = 0

    def active(self) -> str | None:
        self._called("active")
        self._wait_for(self.may_answer)
        return super().active()

    def fetch(self, name: str) -> Path:
        self._wait_for(self.may_fetch)
        return super().fetch(name)

    def _wait_for(self, permission: threading.Event) -> None:
        self.answering += 1
        self.most_at_once = max(self.most_at_once, self.answering)
        assert permission.wait(20)
        self.answering -= 1


class Place:
    """A shelf on a watched platform, at a time that stands still."""

    def __init__(self, folder: Path, assistant: str = "shop") -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.platform = WatchedPlatform(folder / "platform")
        self.told: list[str] = []
        self.shelf = Shelf(assistant, self.platform, clock=self.clock, tell=self.told.append)

    def promote(self, name: str) -> None:
        self.platform.upload(*write_model(self.folder, name))
        self.platform.activate(name, expected=self.platform.champion)

    def later(self, seconds: float = FRESH) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    async def champion(self) -> str | None:
        archive = await self.shelf.champion()
        return archive and archive.name


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 30))


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_any_number_of_polls_is_one_question(place):
    """A fleet that polls at once asks the platform once, and again only when a second is over."""
    place.promote("one")

    async def story():
        answers = await asyncio.gather(*(place.champion() for _ in range(200)))
        assert set(answers) == {"one"}
        place.promote("two")
        place.later(FRESH * 0.99)
        assert await place.champion() == "one"
        assert place.platform.calls["active"] == 1
        place.later(FRESH * 0.01)
        assert set(await asyncio.gather(*(place.champion() for _ in range(200)))) == {"two"}

    run(story())
    assert place.platform.calls["active"] == 2
    assert place.platform.calls["fetch"] == 2
    assert place.told == ["shop: the champion is one, 0.0 MB", "shop: the champion is two, 0.0 MB"]


def test_an_archive_is_fetched_again_only_when_it_changed(place):
    """Polls of an unchanged champion cost neither a download nor a digest."""
    place.promote("one")

    async def story():
        first = await place.shelf.champion()
        for _ in range(5):
            place.later()
            assert await place.shelf.champion() is first
        assert place.platform.calls["fetch"] == 1
        os.utime(first.path)
        place.later()
        assert (await place.shelf.champion()).sha256 == first.sha256
        assert place.platform.calls["fetch"] == 2

    run(story())


def test_no_champion_is_an_answer_and_said_once(place):
    """Before the first promotion there is none; nobody is told of it every second."""

    async def story():
        for _ in range(3):
            assert await place.champion() is None
            place.later()
        place.promote("one")
        assert await place.champion() == "one"

    run(story())
    assert len(place.told) == 2


def test_the_last_known_champion_serves_while_the_platform_is_down(place):
    """A platform out of reach is told of once, and takes no server down."""
    place.promote("one")

    async def story():
        assert await place.champion() == "one"
        place.platform.failures["active"] = ServerError("the bucket is out of reach", tip="wait")
        for _ in range(3):
            place.later()
            assert await place.champion() == "one"
        assert place.told[1:] == ["shop: the bucket is out of reach"]
        place.platform.failures.clear()
        place.promote("two")
        place.later()
        assert await place.champion() == "two"

    run(story())
    assert "shop: the platform can be asked again" in place.told


def test_what_was_never_known_is_an_error_that_passes(place):
    """Without an earlier answer the reason is given, for a second, and then asked for again."""
    place.promote("one")

    async def story():
        place.platform.failures["fetch"] = ServerError("the bucket is out of reach")
        for _ in range(3):
            with pytest.raises(ServerError, match="out of reach"):
                await place.champion()
        assert place.platform.calls["active"] == 1
        place.platform.failures.clear()
        place.later()
        assert await place.champion() == "one"

    run(story())


def test_polls_are_answered_while_the_next_champion_is_downloaded(place):
    """The old champion goes on being served until the archive of the new one is here."""
    place.promote("one")

    async def story():
        assert await place.champion() == "one"
        place.promote("two")
        place.platform.may_fetch.clear()
        place.later()
        patient = asyncio.create_task(place.champion())
        await asyncio.sleep(0)
        place.later(PATIENCE)
        assert await asyncio.wait_for(place.champion(), 0.5) == "one"
        place.later(100)
        assert await asyncio.wait_for(place.champion(), 0.5) == "one"
        download = place.shelf._champion._lookup
        place.platform.may_fetch.set()
        await asyncio.wait({patient, download})
        assert await place.champion() == "two"

    run(story())


def test_a_platform_is_asked_one_thing_at_a_time(place):
    """One download at a time, and no platform has to bear several threads."""
    for name in ("one", "two", "three"):
        place.promote(name)

    async def story():
        place.platform.may_answer.clear()
        champion = asyncio.create_task(place.champion())
        await asyncio.sleep(0)
        named = [asyncio.create_task(place.shelf.named(name)) for name in ("one", "two")]
        for _ in range(20):
            await asyncio.sleep(0)
        threading.Timer(0.05, place.platform.may_answer.set).start()
        assert await champion == "three"
        assert [(await archive).name for archive in named] == ["one", "two"]

    run(story())
    assert place.platform.most_at_once == 1


def test_a_model_that_is_polled_by_name_is_read_once(place):
    """Its digest is known from the first time, as long as the file is the same."""
    place.promote("one")

    async def story():
        first = await place.shelf.named("one")
        place.later()
        assert await place.shelf.named("one") is first
        os.utime(first.path, (1, 1))
        place.later()
        assert await place.shelf.named("one") is not first

    run(story())
    assert place.platform.calls["fetch"] == 3


def test_one_assistant_never_waits_for_another(tmp_path):
    """A platform that hangs keeps its own assistant waiting, and no other one."""
    slow, quick = Place(tmp_path / "slow", "slow"), Place(tmp_path / "quick", "quick")
    for place in (slow, quick):
        place.folder.mkdir()
        place.promote("one")

    async def story():
        slow.platform.may_answer.clear()
        waiting = asyncio.create_task(slow.champion())
        await asyncio.sleep(0)
        assert await quick.champion() == "one"
        assert not waiting.done()
        slow.platform.may_answer.set()
        assert await waiting == "one"

    run(story())


def test_a_removed_model_is_gone_for_new_downloads_and_stays_for_running_ones(place):
    """Whoever holds an archive can read it to its end; its file is closed after that."""
    place.promote("one")
    place.promote("two")
    before = open_files()

    async def story():
        held = await place.shelf.named("one")
        place.platform.remove("one")
        place.later()
        assert await place.shelf.named("one") is None
        assert held.read(0, held.size) == b"one" * 100
        assert not held.is_still_there()

    run(story())
    assert open_files() <= before


def test_names_that_nobody_has_do_not_pile_up(place):
    """Files and memory are bounded, whatever names are asked for."""
    for number in range(20):
        place.platform.upload(*write_model(place.folder, f"model-{number}"))
    before = open_files()

    async def story():
        for number in range(200):
            name = f"model-{number}"
            archive = await place.shelf.named(name)
            assert (archive.name == name) if number < 20 else archive is None
        assert open_files() - before < 20

    run(story())


def test_a_download_that_is_given_up_leaves_no_lookup_undone(place):
    """A client that goes away while the platform is asked takes no answer from the others."""
    place.promote("one")

    async def story():
        place.platform.may_answer.clear()
        gone, patient = (asyncio.create_task(place.champion()) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})
        assert gone.cancelled()
        place.platform.may_answer.set()
        assert await patient == "one"

    run(story())
    assert place.platform.calls["active"] == 1


def test_an_archive_that_cannot_be_read_is_a_failure_with_its_place(tmp_path):
    """A file that is gone or a folder names itself."""
    for path in (tmp_path / "gone.tar.gz", tmp_path):
        with pytest.raises(StorageError, match=str(path)):
            Archive.open("one", path)
