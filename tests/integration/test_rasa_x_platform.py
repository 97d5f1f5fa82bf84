"""The platform `rasa_x` against servers, networks and people that do the wrong thing."""

import io
import json
import logging
import socket
import subprocess
import sys
import tarfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import randbytes
from typing import Any

import pytest
from support.archives import METADATA, member, write_rasa_model
from support.fault_kinds import Exchange
from support.fault_proxy import (
    BodyLimit,
    Closed,
    Dripped,
    FaultProxy,
    Hung,
    Page,
    Passed,
    fault_proxy,
)
from support.http_server import Answering, http_server, sends
from support.rasa_x import PLATFORM_2018, X_2019, X_2021, Era, RasaXServer, rasa_x

from retrainer.adapters.model_archive import read_metadata
from retrainer.adapters.rasa_x.platform import RasaXPlatform
from retrainer.adapters.rasa_x.zipped_models import zip_archive
from retrainer.domain.cycle import Model
from retrainer.domain.evaluation import PlatformFigures
from retrainer.errors import (
    ChampionMoved,
    ModelArchiveError,
    ModelConflict,
    OutcomeUnknown,
    PlatformError,
    PlatformNotReady,
    ServerError,
)
from retrainer.pipeline.ledger import activate
from retrainer.pipeline.world import Desk
from retrainer.testing.clock import FakeClock
from retrainer.testing.stores import FakeRunStore

RASA = "3.6.21"
ANSWER = {"text": "hey", "intent": "greet", "predicted": "greet", "confidence": 0.9}
MEASURED = {"f1_score": 0.9, "precision": 0.8, "accuracy": 0.7, "predictions": [ANSWER, ANSWER]}
FIGURES = PlatformFigures(0.9, 0.8, 0.7, 2)


class Place:
    """A server, a proxy before it, and platforms that speak to it through the proxy."""

    def __init__(self, server: RasaXServer, proxy: FaultProxy, folder: Path) -> None:
        self.server, self.proxy, self.folder = server, proxy, folder

    def platform(self, **given: Any) -> RasaXPlatform:
        """As a config would make it; short limits of time."""
        plain: dict[str, Any] = {
            "url": self.proxy.url,
            "timeout": 5,
            "transfer_timeout": 10,
            "ready_timeout": 0.3,
            "listing_timeout": 0.5,
        }
        if not given.keys() & {"api_token", "username", "token"}:
            plain["api_token"] = self.server.api_token
        options = RasaXPlatform.Options.model_validate(plain | given)
        return RasaXPlatform.from_options(options, folder=self.folder / "state")

    def by_login(self, **given: Any) -> RasaXPlatform:
        """With user and password."""
        return self.platform(username=self.server.username, password=self.server.password, **given)

    def model(self, name: str = "one", content: bytes | None = None) -> tuple[Model, Path]:
        """A new model of this machine."""
        return write_rasa_model(self.folder, name, content)

    def stored(self, name: str, *, tag: str = "") -> None:
        """A model that somebody else uploaded."""
        archive = self.model(name)[1]
        if self.server.era.separate_models:
            archive = archive.with_suffix(".zip")
            zip_archive(self.model(name)[1], archive)
        self.server.add_model(name, archive, tag=tag)


@dataclass(frozen=True)
class Meanwhile:
    """Something happens before a request passes."""

    happens: Callable[[], None]

    def apply(self, exchange: Exchange) -> None:
        """Let it happen."""
        self.happens()
        Passed().apply(exchange)


@contextmanager
def place_of(era: Era, folder: Path) -> Iterator[Place]:
    with rasa_x(folder / "server", era=era) as server, fault_proxy(server.url) as proxy:
        yield Place(server, proxy, folder)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with place_of(X_2021, tmp_path) as place:
        yield place


@pytest.fixture
def old_place(tmp_path: Path) -> Iterator[Place]:
    with place_of(PLATFORM_2018, tmp_path) as place:
        yield place


# --- who asks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "words", "tip"),
    [
        ({"api_token": "wrong-s3cret"}, "401: Auth required", "check `api_token`"),
        ({"token": "wrong-s3cret"}, "401: Auth required", "check `token`"),
        ({"username": "me", "password": "wrong-s3cret"}, "401: unauthorized", "check `username`"),
    ],
)
def test_wrong_credentials_are_named(place: Place, who, words, tip, caplog):
    """Each kind of credentials has one clear error, which never shows them."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ServerError, match=words) as caught:
        place.platform(**who).active()
    assert caught.value.tip.startswith(tip)
    ours = [each.getMessage() for each in caplog.records if not each.name.startswith("uvicorn")]
    assert any("/api/" in line for line in ours)
    shown = [*traceback.format_exception(caught.value), str(caught.value.tip), *ours]
    assert "s3cret" not in "".join(shown)


def test_a_token_that_may_not_tag_says_what_may(place: Place):
    """No public client tags with an API token: where one is refused the way out is named."""
    place.server.switches.api_token_everywhere = False
    with pytest.raises(ServerError) as caught:
        place.platform().active()
    assert "`username` and `password`" in caught.value.tip


def test_an_expired_login_is_renewed(place: Place):
    """A login that ended meanwhile is repeated once, and the call goes through."""
    place.server.switches.token_lifetime = 0.3
    platform = place.by_login()
    assert platform.active() is None
    assert place.server.count("log_in") == 1
    while platform.active() is None and place.server.count("log_in") < 2:
        pass
    assert place.server.count("log_in") == 2


def test_a_login_that_is_never_accepted_ends(place: Place):
    """One new login, one more try, then the error: never a loop."""
    place.server.switches.token_lifetime = -1.0
    with pytest.raises(ServerError, match="401"):
        place.by_login().active()
    assert place.server.count("log_in") == 2


def test_an_upload_survives_an_expired_login(place: Place):
    """The archive is sent again from its beginning after the new login."""
    model, archive = place.model()
    place.proxy.on("POST", r"/models$", Page(401), nth=1)
    place.by_login().upload(model, archive)
    assert place.by_login().fetch("one").read_bytes() == archive.read_bytes()


def test_a_server_without_a_login_is_told(old_place: Place):
    """The Platform of 2018 knows API tokens alone."""
    with pytest.raises(ServerError, match="404") as caught:
        old_place.by_login().active()
    assert "set `api_token` instead" in caught.value.tip


def test_a_user_without_the_right_is_told(place: Place):
    """403 is a matter of rights, not of the password."""
    place.server.switches.forbidden = {"list_models"}
    with pytest.raises(ServerError, match="403") as caught:
        place.platform().active()
    assert "right" in caught.value.tip


def test_a_wrong_project_is_named(place: Place):
    """A project that is not there is told with its name and the key to change."""
    with pytest.raises(ServerError, match="404: Project 'shop'") as caught:
        place.platform(project="shop").active()
    assert "`project` (now 'shop')" in caught.value.tip
    place.server.violations.clear()


# --- what is no answer -----------------------------------------------------------------------------


def test_a_web_page_is_no_answer(place: Place):
    """A page with status 200 comes from the web interface or a proxy: an error, not a list."""
    place.proxy.on("GET", r"/models", Page(200))
    with pytest.raises(ServerError, match="a web page") as caught:
        place.platform().active()
    assert "check `url`" in caught.value.tip


def test_a_web_page_is_no_model(place: Place):
    """A downloaded page is never taken for an archive."""
    place.stored("theirs")
    place.proxy.on("GET", r"/models/theirs", Page(200))
    with pytest.raises(ServerError, match="a web page"):
        place.platform().fetch("theirs")
    assert not list(place.folder.glob("state/fetched/*"))


@pytest.mark.parametrize("fault", [Hung(), Dripped(0.2)], ids=["hung", "dripped"])
def test_a_server_that_never_ends_is_left(place: Place, fault):
    """A call ends in time, also when the server goes on answering for ever."""
    place.proxy.on("GET", r"/models", fault)
    with pytest.raises(ServerError, match=r"no answer within 0\.5 s"):
        place.platform(timeout=0.5).active()


# --- readiness -------------------------------------------------------------------------------------


def test_a_ready_server_is_ready(place: Place):
    """The right Rasa behind a Rasa X that is up needs no waiting."""
    place.platform().require_ready(RASA)


def test_a_server_too_old_for_health_is_taken_as_it_is(old_place: Place):
    """The Platform of 2018 tells no health: what it does not say is no hindrance."""
    old_place.platform().require_ready(RASA)


@pytest.mark.parametrize(
    ("switch", "value", "words"),
    [
        ("rasa_server_down", True, "answers 502, 200 is needed"),
        ("production_unknown", True, "not ready after"),
        ("minimum_compatible_version", "3.7.0", r"Rasa 3\.7\.0 or newer, .* with 3\.6\.21"),
        ("rasa_version", "3.5.17", r"is Rasa 3\.5\.17, .* what Rasa 3\.6\.21 trains"),
    ],
)
def test_what_cannot_serve_is_not_ready(place: Place, switch, value, words):
    """A cycle does not train for a server that could not take the model."""
    setattr(place.server.switches, switch, value)
    with pytest.raises(PlatformNotReady, match=words):
        place.platform().require_ready(RASA)


def test_a_server_that_starts_is_waited_for(place: Place):
    """502 and 304 of the first seconds are no reason to fail."""
    for number, status in enumerate((502, 503), 1):
        place.proxy.on("GET", r"/health", Page(status), nth=number)
    place.platform(ready_timeout=5).require_ready(RASA)


def test_two_models_with_the_tag_are_found_before_training(place: Place):
    """Nobody can say which of two serves: both are named."""
    for name in ("one", "two"):
        place.stored(name)
        place.server.store.get(name).tags.add("production")
    for ask in (place.platform().active, lambda: place.platform().require_ready(RASA)):
        with pytest.raises(PlatformError, match=r"2 models .* 'production', one may: one, two"):
            ask()


# --- uploads ---------------------------------------------------------------------------------------


def test_an_upload_is_waited_for(place: Place):
    """A model that the list shows late is found."""
    place.server.switches.listed_after_calls = 2
    platform = place.platform(listing_timeout=5)
    platform.upload(*place.model())
    assert [model.name for model in platform.models()] == ["one"]
    assert place.server.count("upload_model") == 1


def test_an_upload_that_is_never_listed_is_told(place: Place):
    """The wait is bounded, and says what it waited for."""
    place.server.switches.listed_after_calls = 10**9
    with pytest.raises(PlatformError, match=r"does not list it after 0\.5 s"):
        place.platform().upload(*place.model())


@pytest.mark.parametrize(
    "fault",
    [Closed(), Page(504, forwarded=True), Page(502, forwarded=True)],
    ids=["empty reply", "504", "502"],
)
def test_an_upload_that_arrived_is_not_sent_again(place: Place, fault):
    """The answer got lost, the model did not: the list is looked at before anything else."""
    place.proxy.on("POST", r"/models$", fault)
    model, archive = place.model()
    platform = place.platform()
    platform.upload(model, archive)
    assert platform.models() == (model,)
    assert place.server.count("upload_model") == 1


def test_an_upload_that_was_lost_is_sent_again(place: Place):
    """Nothing arrived: the second try does it."""
    place.proxy.on("POST", r"/models$", Closed(forwarded=False), nth=1)
    model, archive = place.model()
    platform = place.platform()
    platform.upload(model, archive)
    assert platform.models() == (model,)


def test_an_upload_that_is_always_lost_ends(place: Place):
    """The number of tries is bounded."""
    place.proxy.on("POST", r"/models$", Closed(forwarded=False))
    with pytest.raises(ServerError, match="closed the connection"):
        place.platform(listing_timeout=0).upload(*place.model())
    assert place.proxy.count("POST", r"/models$") == 3


def test_an_upload_of_a_cycle_that_was_killed_is_adopted(place: Place):
    """Uploaded, then killed before it was recorded: the same content is found and kept."""
    model, archive = place.model()
    place.server.add_model("one", archive)
    platform = place.platform()
    assert platform.models()[0].sha256 == ""
    platform.upload(model, archive)
    assert platform.models() == (model,)
    assert place.server.count("upload_model") == 0


def test_a_name_taken_by_others_is_a_conflict(place: Place):
    """Another content under this name is neither replaced nor taken for ours."""
    place.server.add_model("one", place.model("one", b"theirs")[1])
    with pytest.raises(ModelConflict, match="another one is stored"):
        place.platform().upload(*place.model("one", b"ours"))


def test_a_name_taken_meanwhile_is_a_conflict(place: Place):
    """409 is no success: the content under that name is compared."""
    ours = place.model("one", b"ours")
    platform = place.platform(listing_timeout=5)
    theirs = place.server.add_model("one", place.model("one", b"theirs")[1])
    theirs.calls_until_listed = 2  # not yet listed when it is looked for
    with pytest.raises(ModelConflict):
        platform.upload(*ours)
    assert [seen.status for seen in place.server.requests if seen.operation == "upload_model"] == [
        409
    ]


def test_a_body_limit_of_a_proxy_is_named(place: Place):
    """413 comes from a proxy in front, and the error says where to look."""
    place.proxy.on("POST", r"/models$", BodyLimit(100))
    with pytest.raises(ServerError, match="413") as caught:
        place.platform().upload(*place.model())
    assert "client_max_body_size" in caught.value.tip
    assert place.proxy.count("POST", r"/models$") == 1


def test_an_upload_without_a_rasa_server_says_so(place: Place):
    """500 of an upload is explained by what is missing behind Rasa X."""
    place.server.switches.rasa_server_down = True
    with pytest.raises(PlatformNotReady, match=r"NoneType.*production Rasa server"):
        place.platform().upload(*place.model())


def test_what_is_no_model_is_not_sent(place: Place):
    """Rasa X would answer 400 after a long upload; a look into the archive comes first."""
    path = place.folder / "none.tar.gz"
    path.write_bytes(b"none")
    digest = "140bedbf9c3f6d56a9846d2ba7088798683f4da0c248231336e6a05679e4fdfe"
    model = Model("one", digest, 4, RASA, place.model()[0].trained_at)
    with pytest.raises(ModelArchiveError):
        place.platform().upload(model, path)
    assert place.server.count("upload_model") == 0


MEMORY = """
import pathlib, sys
from retrainer.adapters.rasa_x.platform import RasaXPlatform
from retrainer.domain.cycle import Model
from retrainer.adapters.files import sha256
from datetime import datetime, UTC

def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

url, token, archive, folder = sys.argv[1:]
options = RasaXPlatform.Options(url=url, api_token=token, transfer_timeout=120)
platform = RasaXPlatform.from_options(options, folder=pathlib.Path(folder))
path = pathlib.Path(archive)
model = Model("large", sha256(path), path.stat().st_size, "3.6.21", datetime.now(UTC))
platform.require_ready("3.6.21")
before = peak()
platform.upload(model, path)
uploaded = peak()
platform.fetch("large")
print(uploaded - before, peak() - before)
"""


class Weights(io.RawIOBase):
    """As much as anybody reads; a tenth of it is noise, so that it does not look like a zip bomb."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        noise = len(buffer) // 10
        buffer[:] = randbytes(noise) + bytes(len(buffer) - noise)
        return len(buffer)


@pytest.mark.parametrize("era", [PLATFORM_2018, X_2021], ids=lambda era: era.name)
def test_a_large_model_is_never_in_memory_as_a_whole(tmp_path: Path, era: Era):
    """300 MB go there and back, zipped in between in 2018, in less than 60 MB of memory."""
    size = 300_000_000
    archive = tmp_path / "large.tar.gz"
    metadata, _ = member("metadata.json", METADATA)
    weights, _ = member("components/weights")
    weights.size = size
    with (
        tarfile.open(archive, "w:gz", compresslevel=0) as target,
        io.BufferedReader(Weights()) as content,
    ):
        target.addfile(metadata, io.BytesIO(METADATA))
        target.addfile(weights, content)
    assert archive.stat().st_size > size
    with rasa_x(tmp_path / "server", era=era) as server:
        told = subprocess.run(
            [
                sys.executable,
                "-c",
                MEMORY,
                server.url,
                server.api_token,
                archive,
                tmp_path / "state",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    assert told.returncode == 0, told.stderr
    assert all(int(growth) < 60_000_000 for growth in told.stdout.split()), told.stdout


# --- downloads -------------------------------------------------------------------------------------


def test_a_model_is_downloaded_once(place: Place):
    """A cycle reads the champion every night: the archive is kept here."""
    place.stored("theirs")
    platform = place.platform()
    assert platform.fetch("theirs") == platform.fetch("theirs")
    assert place.server.count("get_model") == 1


def test_a_cut_download_is_no_model(place: Place):
    """A connection that breaks in the middle leaves nothing behind."""
    place.server.add_model("theirs", place.model("theirs", randbytes(100_000))[1])
    place.proxy.on("GET", r"/models/theirs", Closed(after=50_000))
    with pytest.raises(ServerError, match="closed the connection"):
        place.platform(transfer_timeout=1).fetch("theirs")
    assert not list(place.folder.glob("state/fetched/*"))


def test_a_model_of_others_has_to_be_one(place: Place):
    """What was not uploaded from here is at least a whole, safe archive."""
    place.stored("theirs")
    stored = place.server.store.get("theirs")
    stored.path.write_bytes(stored.path.read_bytes()[:-40])
    with pytest.raises(ModelArchiveError):
        place.platform().fetch("theirs")
    assert not list(place.folder.glob("state/fetched/*"))


def test_a_replaced_model_is_told_of_as_damaged(place: Place):
    """A model of ours that somebody replaced is not shown as ours."""
    platform = place.platform()
    platform.upload(*place.model())
    place.server.store.remove("one")
    place.server.add_model("one", place.model("one", b"theirs")[1])
    assert platform.models() == ()
    (sentence,) = platform.damaged()
    assert "one at http://" in sentence
    assert "was replaced" in sentence
    with pytest.raises(PlatformError, match="damaged"):
        platform.fetch("one")


def test_a_server_that_changes_its_hashes_changes_no_model(place: Place):
    """After an upgrade of the server the content is compared, once; the model is still ours."""
    platform = place.platform()
    model, archive = place.model()
    platform.upload(model, archive)
    place.server.store.get("one").hash = "of another kind"
    for again in (platform, place.platform()):
        assert again.models() == (model,)
        assert again.damaged() == ()
    platform.activate("one", expected=None)
    platform.confirm("one")
    assert place.server.count("get_model") == 1


def test_a_damaged_model_is_downloaded_once_to_find_out(place: Place):
    """Each look at the models does not cost a download."""
    platform = place.platform()
    platform.upload(*place.model())
    stored = place.server.store.get("one")
    stored.path.write_bytes(b"damaged")
    stored.hash = "of damaged"
    assert (len(platform.damaged()), len(platform.damaged()), platform.models()) == (1, 1, ())
    assert place.server.count("get_model") == 1


# --- the tag ---------------------------------------------------------------------------------------


def test_an_incompatible_model_is_not_activated(place: Place):
    """404 for a listed model means that its Rasa is another: held, nothing changed."""
    platform = place.platform()
    for name in ("one", "two"):
        platform.upload(*place.model(name))
    platform.activate("one", expected=None)
    place.server.switches.minimum_compatible_version = "3.6.22"
    with pytest.raises(PlatformNotReady, match="is not compatible"):
        platform.activate("two", expected="one")
    assert platform.active() == "one"


def test_a_rasa_server_that_connects_late_is_waited_for(place: Place):
    """While its version is not known every model looks incompatible."""
    platform = place.platform()
    platform.upload(*place.model())
    place.server.switches.production_unknown = True
    with pytest.raises(PlatformNotReady, match=r"within 0\.3 s"):
        platform.activate("one", expected=None)
    place.server.switches.production_unknown = False
    place.proxy.on("PUT", r"/tags/", Page(404), nth=1)
    place.proxy.on("GET", r"/health", Page(304), nth=1)
    place.platform(ready_timeout=5).activate("one", expected=None)
    assert platform.active() == "one"


def test_a_tag_whose_answer_got_lost_was_moved(place: Place):
    """What the list says counts, not whether the answer arrived."""
    platform = place.platform()
    platform.upload(*place.model())
    place.proxy.on("PUT", r"/tags/", Closed())
    platform = place.platform(timeout=1)
    platform.activate("one", expected=None)
    assert platform.active() == "one"


@dataclass(frozen=True)
class Overtaken:
    """The connection is lost at once; the request reaches the server when it may."""

    may_go_on: threading.Event

    def apply(self, exchange: Exchange) -> None:
        """Hang up, then deliver."""
        exchange.client.shutdown(socket.SHUT_RDWR)
        self.may_go_on.wait(10)
        exchange.forward()
        exchange.finish()


def test_a_tag_that_moves_after_its_answer_got_lost_is_waited_for(place: Place):
    """A request that hangs in a proxy may take effect after the first look: it is looked again."""
    place.platform().upload(*place.model())
    may_go_on = threading.Event()
    place.proxy.on("PUT", r"/tags/", Overtaken(may_go_on))
    looks = place.proxy.count("GET", r"/models$")
    place.proxy.on("GET", r"/models$", Meanwhile(may_go_on.set), nth=12)
    platform = place.platform(listing_timeout=10)
    platform.activate("one", expected=None)
    assert platform.active() == "one"
    assert place.proxy.count("GET", r"/models$") - looks >= 12


@pytest.mark.parametrize("fault", [Page(504), Closed(forwarded=False)])
def test_a_tag_that_may_still_move_leaves_the_cycle_open(place: Place, fault):
    """Nobody knows what will serve: the next run finds out, rather than a cycle that failed."""
    platform = place.platform(timeout=1)
    for name in ("one", "two"):
        platform.upload(*place.model(name))
    platform.activate("one", expected=None)
    place.proxy.on("PUT", r"/tags/", fault)
    clock = FakeClock()
    desk = Desk("helpdesk", clock, platform, FakeRunStore(clock))
    with pytest.raises(OutcomeUnknown, match=r"did not show two .* within 0\.5 s"):
        activate(desk, "two", expected="one")
    place.server.store.move_tag("two", "production")  # at last
    puts = place.proxy.count("PUT", r"/tags/")
    activate(desk, "two", expected="one")
    assert platform.active() == "two"
    assert place.proxy.count("PUT", r"/tags/") == puts


def test_a_server_that_refuses_a_tag_is_no_doubt(place: Place):
    """Any answer of its own says that nothing was changed, so the cycle ends."""
    platform = place.platform()
    platform.upload(*place.model())
    place.proxy.on("PUT", r"/tags/", Page(500))
    with pytest.raises(ServerError, match="500"):
        platform.activate("one", expected=None)


def test_a_tag_that_did_not_move_is_an_error(place: Place):
    """A server that says yes and does nothing is found out."""
    platform = place.platform()
    platform.upload(*place.model())
    place.proxy.on("PUT", r"/tags/", Page(204, b"", ()))
    with pytest.raises(PlatformError, match=r"no model is active .* one should be"):
        platform.activate("one", expected=None)


def test_a_tag_moved_by_others_while_waiting_is_not_overwritten(place: Place):
    """The champion is read again right before the tag is moved."""
    platform = place.platform(ready_timeout=5)
    for name in ("one", "two"):
        platform.upload(*place.model(name))
    place.stored("theirs")
    platform.activate("one", expected=None)
    place.server.switches.production_unknown = True
    move = place.server.store.move_tag
    place.proxy.on("GET", r"/health", Meanwhile(lambda: move("theirs", "production")), nth=2)
    with pytest.raises(ChampionMoved, match="theirs is active"):
        platform.activate("two", expected="one")
    assert platform.active() == "theirs"


def test_another_tag_can_be_the_one_that_serves(place: Place):
    """Rasa Enterprise has a tag for each deployment environment."""
    platform = place.platform(tag="staging")
    platform.upload(*place.model())
    place.stored("theirs", tag="production")
    platform.activate("one", expected=None)
    assert place.server.tags() == {"one": {"staging"}, "theirs": {"production"}}


def test_what_serves_elsewhere_is_not_deleted(place: Place):
    """A model with the tag of another environment is not ours to delete."""
    platform = place.platform()
    platform.upload(*place.model())
    place.server.store.move_tag("one", "staging")
    with pytest.raises(PlatformError, match="the tag staging"):
        platform.remove("one")
    place.server.store.get("one").tags.clear()
    place.server.store.move_tag("one", "evaluation")
    platform.remove("one")
    assert platform.models() == ()


def test_the_active_tag_of_2018_moves_too(old_place: Place):
    """In 2018 `active` shows which model serves; it does not stay behind."""
    platform = old_place.platform()
    old_place.stored("theirs", tag="active")
    platform.upload(*old_place.model())
    assert platform.active() == "theirs"
    platform.activate("one", expected="theirs")
    assert platform.active() == "one"
    platform.confirm("one")


def served_by(model_id: str) -> Answering:
    """A Rasa server's answer to `/status`."""
    return sends(200, json.dumps({"model_file": "one.tar.gz", "model_id": model_id}).encode())


def test_the_rasa_servers_have_to_serve_what_is_tagged(place: Place):
    """Tagged is not served: a Rasa server pulls when it pulls, and is asked until it has."""
    model, archive = place.model()
    ours = read_metadata(archive)["model_id"]
    with http_server(served_by("another"), served_by("another"), served_by(ours)) as rasa:
        platform = place.platform(servers=[{"url": rasa.url}], confirm_within=10)
        platform.upload(model, archive)
        platform.activate("one", expected=None)
        platform.confirm("one")
        assert len(rasa.asked) >= 3


def test_a_rasa_server_that_pulls_elsewhere_is_told(place: Place):
    """The address that its endpoints.yml should have is in the tip."""
    place.stored("theirs", tag="production")
    with http_server(served_by("another")) as rasa:
        platform = place.platform(servers=[{"url": rasa.url}], confirm_within=0.3)
        with pytest.raises(PlatformError, match=r"another.* theirs \(model_id [0-9a-f]{32}\)") as e:
            platform.confirm("theirs")
    assert f"{place.proxy.url}/api/projects/default/models/tags/production" in e.value.tip


# --- evaluations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("era", [PLATFORM_2018, X_2019, X_2021], ids=lambda era: era.name)
def test_rasa_x_evaluates(tmp_path: Path, era: Era):
    """Its figures are read in every era, and asked for only if wanted."""
    with place_of(era, tmp_path) as place:
        place.stored("one")
        place.server.switches.fixed_evaluations["one"] = MEASURED
        assert place.platform().evaluation("one") == FIGURES
        asked = place.server.count("evaluate")
        assert place.platform(evaluate=False).evaluation("one") is None
        assert place.server.count("evaluate") == asked == 1


def test_figures_that_are_null_come_from_the_report(place: Place):
    """A null is not a zero."""
    place.stored("one")
    average = {"precision": 0.8, "recall": 0.7, "f1-score": 0.9, "support": 5}
    place.server.switches.fixed_evaluations["one"] = {
        "f1_score": None,
        "report": {"weighted avg": average},
    }
    assert place.platform().evaluation("one") == PlatformFigures(0.9, 0.8, None, 0)


def test_a_server_that_cannot_evaluate_is_no_failure(tmp_path: Path):
    """The route came and went with the years: without it there are no figures, and no error."""
    with place_of(replace(X_2021, has_evaluations=False), tmp_path) as place:
        place.stored("one")
        assert place.platform().evaluation("one") is None


@pytest.mark.parametrize("fault", [Page(504, forwarded=True), Closed()])
def test_an_evaluation_goes_on_behind_a_gateway_that_gave_up(place: Place, fault):
    """It is waited for, and not started twice; what was measured before is not taken for it."""
    place.stored("one")
    place.server.switches.fixed_evaluations["one"] = MEASURED
    place.server.evaluations["one"] = {"f1_score": 0.1}
    place.proxy.on("PUT", r"/evaluations/", fault)
    assert place.platform().evaluation("one") == FIGURES
    assert place.server.count("evaluate") == 1


def test_an_evaluation_that_never_ends_is_told(place: Place):
    """The wait is bounded."""
    place.stored("one")
    place.proxy.on("PUT", r"/evaluations/", Page(504))
    with pytest.raises(PlatformError, match="did not finish the evaluation of one within 1 s"):
        place.platform(transfer_timeout=1).evaluation("one")


def test_a_failed_evaluation_is_told(place: Place):
    """Rasa X could not evaluate with Rasa 2.0: its words are passed on."""
    place.stored("one")
    place.server.switches.evaluation_fails = True
    with pytest.raises(PlatformError, match=r"500: .*TestingError"):
        place.platform().evaluation("one")


def test_an_evaluation_of_an_unknown_model_is_told(place: Place):
    """A model that is gone is not a server that cannot evaluate."""
    with pytest.raises(PlatformError, match="no model 'one'"):
        place.platform().evaluation("one")


def test_records_of_this_machine_hold_no_secret(place: Place):
    """What is kept here may be read by whoever may read the state folder."""
    platform = place.by_login()
    platform.upload(*place.model())
    platform.fetch("one")
    (record,) = (place.folder / "state" / "uploaded").iterdir()
    content = record.read_text(encoding="utf-8")
    assert json.loads(content)["model"]["name"] == "one"
    assert json.loads(content)["model_id"]
    assert place.server.password not in content
