"""Bad input from the places where models live: whole cycles, real adapters, a real history.

Each row breaks one thing. The cycle ends with one clear error, the champion serves on, and once the
thing is mended the next cycle promotes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.archives import write_rasa_model
from support.bad_input import WRONG, Bad, before, laboratory, require_named, serve_first
from support.databases import sqlite_engine
from support.fault_kinds import Meanwhile
from support.fault_proxy import BodyLimit, Closed, Dripped, FaultProxy, Page, fault_proxy
from support.http_server import closes, drips_body, sends
from support.object_places import s3_registry
from support.rasa_stub import StubRasa, stub_rasa
from support.rasa_x import RasaXServer, rasa_x
from support.s3_server import SECRET, Keys, S3Server
from support.worlds import utterances

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.model_archive import read_metadata
from retrainer.adapters.rasa_server.platform import RasaServerPlatform
from retrainer.adapters.rasa_x.platform import RasaXPlatform
from retrainer.domain.cycle import Status
from retrainer.domain.evaluation import PlatformFigures
from retrainer.domain.rules import PlatformGain
from retrainer.domain.verdict import NamedRule, Outcome, Policy

MODELS, UPLOADS, TAGS = r"/models$", r"/models$", r"/tags/"
JSON = (("Content-Type", "application/json"),)
UNAUTHORISED = Page(401, b'{"message": "unauthorized"}', JSON)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """The history."""
    with sqlite_engine(tmp_path) as engine:
        yield engine


# --- Rasa X ----------------------------------------------------------------------------------------


class RasaXPlace:
    """A double of Rasa X, behind a proxy."""

    def __init__(
        self, server: RasaXServer, proxy: FaultProxy, folder: Path, engine: sa.Engine
    ) -> None:
        self.server, self.proxy, self.folder, self.engine = server, proxy, folder, engine
        self.secrets = (server.api_token, server.password, server.service_token)
        self.lab = laboratory(folder, engine)
        self.lab.platform = self.platform()
        self.champion = ""

    def platform(self, **given: Any) -> RasaXPlatform:
        """As a config would make it; short limits of time."""
        plain: dict[str, Any] = {
            "url": self.proxy.url,
            "timeout": 5,
            "transfer_timeout": 10,
            "ready_timeout": 0.2,
            "listing_timeout": 0.3,
            "evaluate": False,
        }
        if not given.keys() & {"api_token", "username", "token"}:
            plain["api_token"] = self.server.api_token
        options = RasaXPlatform.Options.model_validate(plain | given)
        return RasaXPlatform.from_options(options, folder=self.folder / "state")

    def by_login(self, **given: Any) -> RasaXPlatform:
        """With user and password."""
        login = {"username": self.server.username, "password": self.server.password}
        return self.platform(**{**login, **given})

    def serving(self) -> set[str | None]:
        return {name for name, tags in self.server.tags().items() if "production" in tags} or {None}

    def uploads(self) -> int:
        """As the server tells it."""
        return sum(
            (asked.operation, asked.status) == ("upload_model", 201)
            for asked in self.server.requests
        )

    def there(self) -> set[str]:
        return set(self.server.tags())

    def of_others(self, name: str) -> None:
        """A model that somebody else stores."""
        self.server.add_model(name, write_rasa_model(self.folder, name, b"theirs")[1])


@pytest.fixture
def x(tmp_path: Path, engine: sa.Engine) -> Iterator[RasaXPlace]:
    """A place whose first model serves."""
    with rasa_x(tmp_path / "server") as server, fault_proxy(server.url) as proxy:
        place = RasaXPlace(server, proxy, tmp_path, engine)
        serve_first(place)
        yield place


def wrong_token(place: RasaXPlace):
    place.lab.platform = place.platform(api_token=WRONG)
    yield
    place.lab.platform = place.platform()


def wrong_service_token(place: RasaXPlace):
    place.lab.platform = place.platform(token=WRONG)
    yield
    place.lab.platform = place.platform()


def wrong_password(place: RasaXPlace):
    place.lab.platform = place.by_login(password=WRONG)
    yield
    place.lab.platform = place.by_login()


def login_refused_when_it_expires(place: RasaXPlace):
    place.lab.platform = place.by_login()
    place.proxy.on("GET", "/health", UNAUTHORISED)
    place.proxy.on("POST", "/auth", UNAUTHORISED, nth=2)
    place.proxy.on("POST", "/auth", UNAUTHORISED, nth=3)
    yield
    place.proxy.clear()


def a_user_without_the_right_to_upload(place: RasaXPlace):
    place.server.switches.forbidden = {"upload_model"}
    yield
    place.server.switches.forbidden = set()


def wrong_project(place: RasaXPlace):
    place.lab.platform = place.platform(project="shop")
    yield
    place.server.violations.clear()
    place.lab.platform = place.platform()


def two_models_with_the_tag(place: RasaXPlace):
    place.of_others("theirs")
    place.server.store.get("theirs").tags.add("production")
    yield
    place.server.store.remove("theirs")


def two_models_get_the_tag_meanwhile(place: RasaXPlace):
    def happens(_: str) -> None:
        place.of_others("theirs")
        place.server.store.get("theirs").tags.add("production")

    yield before("promote", happens)
    place.server.store.remove("theirs")


def a_proxy_that_takes_small_bodies_only(place: RasaXPlace):
    place.proxy.on("POST", UPLOADS, BodyLimit(100))
    yield
    place.proxy.clear()


def another_model_of_that_name(place: RasaXPlace):
    yield before("upload", place.of_others)
    place.server.store.remove(next(iter(place.there() - {place.champion})))


def rasa_too_new_for_us(place: RasaXPlace):
    place.server.switches.minimum_compatible_version = "3.7.0"
    yield
    place.server.switches.minimum_compatible_version = "3.6.0"


def incompatible_by_the_time_of_the_tag(place: RasaXPlace):
    def happens(_: str) -> None:
        place.server.switches.minimum_compatible_version = "3.6.22"

    yield before("promote", happens)
    place.server.switches.minimum_compatible_version = "3.6.0"


def a_page_for_a_list(place: RasaXPlace):
    place.proxy.on("GET", MODELS, Page(200))
    yield
    place.proxy.clear()


def a_page_for_an_upload(place: RasaXPlace):
    place.proxy.on("POST", UPLOADS, Page(200))
    yield
    place.proxy.clear()


def no_rasa_server(place: RasaXPlace):
    place.server.switches.rasa_server_down = True
    yield
    place.server.switches.rasa_server_down = False


def no_rasa_server_for_the_upload(place: RasaXPlace):
    def happens(_: str) -> None:
        place.server.switches.rasa_server_down = True

    yield before("upload", happens)
    place.server.switches.rasa_server_down = False


def a_list_that_drips(place: RasaXPlace):
    place.lab.platform = place.platform(timeout=0.4)
    place.proxy.on("GET", MODELS, Dripped())
    yield
    place.proxy.clear()
    place.lab.platform = place.platform()


def an_upload_that_drips(place: RasaXPlace):
    place.lab.platform = place.platform(transfer_timeout=0.4)
    place.proxy.on("POST", UPLOADS, Dripped())
    yield
    place.proxy.clear()
    place.lab.platform = place.platform()


def a_server_that_drips_from_the_upload_on(place: RasaXPlace):
    def happens(_: str) -> None:
        place.proxy.on("*", "", Dripped())

    place.lab.platform = place.platform(transfer_timeout=0.4, timeout=0.4)
    yield before("upload", happens)
    place.proxy.clear()
    place.lab.platform = place.platform()


def a_server_that_is_gone_when_it_is_promoted(place: RasaXPlace):
    place.lab.platform = place.platform(timeout=0.5)
    yield before("promote", lambda _: place.proxy.on("*", "", Closed(forwarded=False)))
    place.proxy.clear()


def an_upload_that_is_always_lost(place: RasaXPlace):
    place.proxy.on("POST", UPLOADS, Closed(forwarded=False))
    yield
    place.proxy.clear()


def an_upload_that_is_never_listed(place: RasaXPlace):
    place.server.switches.listed_after_calls = 10**9
    yield
    place.server.switches.listed_after_calls = 0
    for model in place.server.store.all():
        model.calls_until_listed = 0


def the_stored_model_is_replaced(place: RasaXPlace):
    def happens(name: str) -> None:
        place.server.store.remove(name)
        place.of_others(name)

    yield before("promote", happens)


def the_stored_model_is_deleted(place: RasaXPlace):
    yield before("promote", place.server.store.remove)


def it_is_deleted_while_it_is_tagged(place: RasaXPlace):
    def happens(name: str) -> None:
        place.proxy.on("PUT", TAGS, Meanwhile(lambda: place.server.store.remove(name)))

    yield before("promote", happens)
    place.proxy.clear()


def a_tag_that_does_not_move(place: RasaXPlace):
    place.proxy.on("PUT", TAGS, Page(204, b"", ()))
    yield
    place.proxy.clear()


BAD_RASA_X = [
    Bad(wrong_token, "pull", "401: Auth required", "check `api_token`"),
    Bad(wrong_service_token, "pull", "401: Auth required", "check `token`"),
    Bad(wrong_password, "pull", "/api/auth answered 401: unauthorized", "check `username` and"),
    Bad(login_refused_when_it_expires, "train", "/api/auth answered 401", "check `username` and"),
    Bad(a_user_without_the_right_to_upload, "upload", "POST .* answered 403", "give it the right"),
    Bad(wrong_project, "pull", "404: Project 'shop' was not found", "`project` (now 'shop')"),
    Bad(two_models_with_the_tag, "pull", "2 models .* 'production'.*, theirs", "take the tag off"),
    Bad(two_models_get_the_tag_meanwhile, "promote", "2 models .*, theirs", "take the tag", True),
    Bad(a_proxy_that_takes_small_bodies_only, "upload", "answered 413", "client_max_body_size"),
    Bad(another_model_of_that_name, "upload", "another shop-.* is stored", "another name", True),
    Bad(rasa_too_new_for_us, "train", r"Rasa 3\.7\.0 or newer, .* 3\.6\.21", "`rasa.python`"),
    Bad(incompatible_by_the_time_of_the_tag, None, "is not compatible", left=True),
    Bad(a_page_for_a_list, "pull", "a web page titled '200 OK'", "check `url`"),
    Bad(a_page_for_an_upload, "upload", "a web page titled '200 OK'", "check `url`"),
    Bad(no_rasa_server, "train", "production Rasa server answers 502, 200", "/api/health"),
    Bad(no_rasa_server_for_the_upload, "upload", "500: 'NoneType'.*answers 502", "/api/health"),
    Bad(a_list_that_drips, "pull", r"GET .*/models had no answer within 0\.4 s", "set how long"),
    Bad(an_upload_that_drips, "upload", r"POST .*/models had no answer within 0\.4 s", "set how long"),
    Bad(a_server_that_drips_from_the_upload_on, "upload", r"no answer within 0\.4 s", "set how long"),
    Bad(a_server_that_is_gone_when_it_is_promoted, "promote", "closed the connection", "`retrainer models`", True),
    Bad(an_upload_that_is_always_lost, "upload", "closed the connection before", "should say why"),
    Bad(an_upload_that_is_never_listed, "upload", r"does not list it after 0\.3 s", "look for it", True),
    Bad(the_stored_model_is_replaced, "promote", "was replaced: its SHA-256", "delete", True),
    Bad(the_stored_model_is_deleted, "promote", "there is no model", "`retrainer models`"),
    Bad(it_is_deleted_while_it_is_tagged, "promote", "there is no model", "`retrainer models`"),
    Bad(a_tag_that_does_not_move, "promote", "is active at .*, shop-.* should be", "`retrainer models`", True),
]


@pytest.mark.parametrize("bad", BAD_RASA_X, ids=lambda bad: bad.id)
def test_bad_input_from_rasa_x(x: RasaXPlace, bad: Bad, caplog: pytest.LogCaptureFixture):
    """One clear error, the champion serves on, and the next cycle promotes."""
    require_named(x, bad, caplog)
