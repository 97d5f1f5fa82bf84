"""Bad input from the places where models live: whole cycles, real adapters, a real history.

Each row breaks one thing. The cycle ends with one clear error, the champion serves on, and once the
thing is mended the next cycle promotes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.bad_input import (
    WRONG,
    Bad,
    before,
    laboratory,
    require_named,
    serve_first,
)
from support.databases import sqlite_engine
from support.fault_kinds import Exchange
from support.fault_proxy import Closed, Dripped, FaultProxy, Page, Passed, fault_proxy
from support.http_server import closes, drips_body, sends
from support.object_places import s3_registry
from support.rasa_stub import StubRasa, stub_rasa
from support.s3_server import SECRET, Keys, S3Server
from support.worlds import utterances

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.model_archive import read_metadata
from retrainer.adapters.object_storage.registry import ObjectRegistry
from retrainer.adapters.rasa_server.platform import RasaServerPlatform

MODELS, UPLOADS, TAGS = r"/models$", r"/models$", r"/tags/"
ARCHIVES = r"/model\.tar\.gz$"
JSON = (("Content-Type", "application/json"),)
UNAUTHORISED = Page(401, b'{"message": "unauthorized"}', JSON)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """The history."""
    with sqlite_engine(tmp_path) as engine:
        yield engine


# --- object storage --------------------------------------------------------------------------------


class BucketPlace:
    """A registry in a bucket, behind a proxy."""

    def __init__(self, s3: S3Server, proxy: FaultProxy, folder: Path, engine: sa.Engine) -> None:
        self.s3, self.proxy, self.folder, self.engine = s3, proxy, folder, engine
        self.bucket, self.secrets, self.champion = s3.new_bucket(), (SECRET,), ""
        self.lab = laboratory(folder, engine)
        self.lab.platform = self.platform()

    def platform(
        self,
        bucket: str = "",
        keys: Keys | None = None,
        copies: str = "copies",
        endpoint: str = "",
        timeout: float = 10.0,
    ) -> ObjectRegistry:
        """As a config would make it."""
        return s3_registry(
            f"s3://{bucket or self.bucket}/models",
            endpoint or self.proxy.url,
            self.folder / copies,
            timeout=timeout,
            transfer_timeout=timeout,
            **(keys._asdict() if keys else {}),
        )

    def key(self, name: str) -> str:
        """Where a model's archive is."""
        return f"models/versions/{name}/model.tar.gz"

    def replace(self, name: str) -> None:
        """Put other content of the same length there."""
        content = self.s3.content(self.bucket, self.key(name))[::-1]
        self.s3.client.put_object(Bucket=self.bucket, Key=self.key(name), Body=content)

    def delete(self, name: str) -> None:
        """Delete the archive, and leave its record."""
        self.s3.client.delete_object(Bucket=self.bucket, Key=self.key(name))

    def serving(self) -> set[str | None]:
        """By the word of one that shares nothing with the cycle's."""
        return {self.platform(copies="other", endpoint=self.s3.url).active()}

    def uploads(self) -> int:
        return self.proxy.count("PUT", r"/model\.tar\.gz$")

    def there(self) -> set[str]:
        keys = self.s3.keys(self.bucket, "models/versions")
        return {key.split("/")[2] for key in keys}


@pytest.fixture
def place(s3: S3Server, tmp_path: Path, engine: sa.Engine) -> Iterator[BucketPlace]:
    """A bucket whose first model serves."""
    with fault_proxy(s3.url) as proxy:
        place = BucketPlace(s3, proxy, tmp_path, engine)
        serve_first(place)
        yield place


def a_missing_bucket(place: BucketPlace):
    place.lab.platform = place.platform("no-such-bucket")
    yield
    place.lab.platform = place.platform()


def a_read_only_bucket(place: BucketPlace):
    reader = place.s3.new_user("s3:ListBucket", "s3:GetObject")
    place.lab.platform = place.platform(keys=reader)
    with place.s3.guarded():
        yield
    place.lab.platform = place.platform()


def a_bucket_for_nobody(place: BucketPlace):
    place.lab.platform = place.platform(keys=place.s3.new_user("s3:ListAllMyBuckets"))
    with place.s3.guarded():
        yield
    place.lab.platform = place.platform()


def a_wrong_secret(place: BucketPlace):
    keys = place.s3.new_user("s3:*")
    place.lab.platform = place.platform(keys=keys._replace(secret=WRONG))
    with place.s3.guarded():
        yield
    place.lab.platform = place.platform()


def an_upload_that_arrives_changed(place: BucketPlace):
    class Spoiled(Passed):
        def apply(self, exchange: Exchange) -> None:
            exchange.forward()
            exchange.finish()
            place.replace(exchange.request.path.split("/")[-2])
            exchange.say(200, b"", {"ETag": '"of what was sent"'})

    place.proxy.on("PUT", ARCHIVES, Spoiled())
    yield
    place.proxy.clear()


def an_archive_that_is_replaced_while_it_is_read(place: BucketPlace):
    class Replacing(Passed):
        def apply(self, exchange: Exchange) -> None:
            place.replace(exchange.request.path.split("/")[-2])
            super().apply(exchange)

    place.proxy.on("GET", ARCHIVES, Replacing())
    yield
    place.proxy.clear()


def a_stored_archive_is_replaced(place: BucketPlace):
    yield before("promote", place.replace)


def a_stored_archive_is_deleted(place: BucketPlace):
    yield before("promote", place.delete)


def the_champions_archive_is_deleted(place: BucketPlace):
    place.lab.platform = place.platform(copies="of a new machine")
    kept = place.s3.content(place.bucket, place.key(place.champion))
    place.delete(place.champion)
    yield
    place.s3.client.put_object(Bucket=place.bucket, Key=place.key(place.champion), Body=kept)


def a_pointer_that_is_no_pointer(place: BucketPlace):
    key = "models/champion/00000002.json"
    place.s3.client.put_object(Bucket=place.bucket, Key=key, Body=b"<html>")
    yield
    place.s3.client.delete_object(Bucket=place.bucket, Key=key)


def a_bucket_that_drips(place: BucketPlace):
    place.lab.platform = place.platform(timeout=0.4)
    place.proxy.on("*", "", Dripped(headers=(("Content-Type", "application/xml"),)))
    yield
    place.proxy.clear()
    place.lab.platform = place.platform()


def a_bucket_that_goes_away(place: BucketPlace):
    place.lab.platform = place.platform(timeout=2.0)
    yield before("upload", lambda _: place.proxy.on("*", "", Closed(forwarded=False)))
    place.proxy.clear()
    place.lab.platform = place.platform()


def a_page_for_a_bucket(place: BucketPlace):
    place.proxy.on("*", "", Page(200))
    yield
    place.proxy.clear()


BAD_BUCKETS = [
    Bad(a_missing_bucket, "pull", "there is no bucket no-such-bucket", "create the bucket"),
    Bad(a_read_only_bucket, "train", "access is denied", "rights to list, read, write"),
    Bad(a_bucket_for_nobody, "pull", "access is denied", "rights to list, read, write"),
    Bad(a_wrong_secret, "pull", r"not accepted \(SignatureDoesNotMatch\)", "check `key` and"),
    Bad(an_upload_that_arrives_changed, "upload", "sent with the SHA-256 .* read back", "look at"),
    Bad(an_archive_that_is_replaced_while_it_is_read, "upload", "replaced while", "who else"),
    Bad(a_stored_archive_is_replaced, "promote", "has the SHA-256 .* is recorded", "move", True),
    Bad(a_stored_archive_is_deleted, "promote", r"model\.tar\.gz is gone", "move", True),
    Bad(the_champions_archive_is_deleted, "evaluate", r"model\.tar\.gz is gone", "move"),
    Bad(a_pointer_that_is_no_pointer, "pull", "does not say which model is active", "delete"),
    Bad(a_bucket_that_drips, "pull", r"no answer within 0\.4 s", "`timeout`"),
    Bad(a_bucket_that_goes_away, "upload", r"no answer within 2 s", "`timeout`"),
    Bad(a_page_for_a_bucket, "pull", "the server cannot answer now", "try again later"),
]


@pytest.mark.parametrize("bad", BAD_BUCKETS, ids=lambda bad: bad.id)
def test_bad_input_from_a_bucket(place: BucketPlace, bad: Bad, caplog: pytest.LogCaptureFixture):
    """One clear error, the champion serves on, and the next cycle promotes."""
    require_named(place, bad, caplog)


# --- Rasa servers ----------------------------------------------------------------------------------


class FleetPlace:
    """Two Rasa servers that are told to load files of a registry."""

    token = "rasa-SECRET-token"

    def __init__(self, stubs: list[StubRasa], folder: Path, engine: sa.Engine) -> None:
        self.stubs, self.folder, self.engine = stubs, folder, engine
        self.secrets, self.champion = (self.token,), ""
        self.lab = laboratory(folder, engine)
        self.lab.write(utterances(25), {"track-way-3 the order": "track"})
        self.lab.platform = self.platform()
        for stub in stubs:
            stub.token = self.token
            stub.parsed = {"intent": {"name": "track", "confidence": 0.9}, "entities": []}

    def platform(self, **given: Any) -> RasaServerPlatform:
        """As a config would make it; short limits of time."""
        plain: dict[str, Any] = {
            "servers": [{"url": stub.url} for stub in self.stubs],
            "server_token": self.token,
            "folder": self.folder / "models",
            "activation": "file",
            "smoke": ["/greet"],
            "confirm_within": 0.5,
            "timeout": 5,
        }
        options = RasaServerPlatform.Options.model_validate(plain | given)
        return RasaServerPlatform.from_options(options, folder=self.folder / "state")

    def serving(self) -> set[str | None]:
        """By the pointer, and by each server."""
        registry = EmbeddedRegistry(self.folder / "models")
        ids = {
            read_metadata(registry.fetch(model.name))["model_id"]: model.name
            for model in registry.models()
        }
        loaded = {ids[stub.loaded["model_id"]] if stub.loaded else None for stub in self.stubs}
        return {registry.active(), *loaded}

    def uploads(self) -> int:
        """None is deleted here."""
        return len(self.there())

    def there(self) -> set[str]:
        return {model.name for model in EmbeddedRegistry(self.folder / "models").models()}


@pytest.fixture
def fleet(tmp_path: Path, engine: sa.Engine) -> Iterator[FleetPlace]:
    """Two servers that serve the first model."""
    with stub_rasa() as one, stub_rasa() as two:
        place = FleetPlace([one, two], tmp_path, engine)
        serve_first(place)
        place.lab.write(utterances(60), {"track-way-3 the order": "track"})
        yield place


def a_wrong_token(place: FleetPlace):
    place.lab.platform = place.platform(server_token=WRONG)
    yield
    place.lab.platform = place.platform()


def a_server_of_another_rasa(place: FleetPlace):
    place.stubs[1].version = "3.5.17"
    yield
    place.stubs[1].version = "3.6.21"


def a_server_that_loads_newer_models_only(place: FleetPlace):
    place.stubs[1].minimum = "3.6.22"
    yield
    place.stubs[1].minimum = "3.5.0"


def a_server_that_is_down(place: FleetPlace):
    servers = [{"url": place.stubs[0].url}, {"url": NOBODY}]
    place.lab.platform = place.platform(servers=servers, timeout=0.5)
    yield
    place.lab.platform = place.platform()


def a_server_that_goes_down_meanwhile(place: FleetPlace):
    place.lab.platform = place.platform(timeout=0.5)
    yield before("promote", lambda _: place.stubs[1].answers.update({STATUS: closes}))
    place.stubs[1].answers.clear()
    place.lab.platform = place.platform()


def a_server_behind_a_login_page(place: FleetPlace):
    place.stubs[1].answers[STATUS] = sends(200, b"<html>", Content_Type="text/html")
    yield
    place.stubs[1].answers.clear()


def a_server_that_drips(place: FleetPlace):
    place.lab.platform = place.platform(timeout=0.4)
    place.stubs[1].answers[STATUS] = drips_body
    yield
    place.stubs[1].answers.clear()
    place.lab.platform = place.platform()


def a_server_that_does_not_load_it(place: FleetPlace):
    loads, said = place.stubs[0].answer, b'{"message": "Agent could not be loaded."}'

    def refuse_new(exchange: Any) -> None:
        if place.champion in place.stubs[0].told[-1]["model_file"]:
            del place.stubs[0].answers[LOAD]
            loads(exchange)
            place.stubs[0].answers[LOAD] = refuse_new
        else:
            exchange.send(400, said, Content_Type="application/json")

    place.stubs[0].answers[LOAD] = refuse_new
    yield
    place.stubs[0].answers.clear()


def a_server_with_models_of_its_own(place: FleetPlace):
    place.stubs[0].own_models = True
    yield
    place.stubs[0].own_models = False


def a_server_that_understands_otherwise(place: FleetPlace):
    right = place.stubs[0].parsed
    place.stubs[0].parsed = {"intent": {"name": "cancel", "confidence": 0.9}, "entities": []}
    yield
    place.stubs[0].parsed = right


def a_server_that_says_nothing(place: FleetPlace):
    place.stubs[0].said = []
    yield
    place.stubs[0].said = [{"text": "Hello"}]


NOBODY = "http://127.0.0.1:1"
STATUS, LOAD = ("GET", "/status"), ("PUT", "/model")
BACK = "was promoted but does not serve; .* is back: "
BAD_SERVERS = [
    Bad(a_wrong_token, "train", "401: User is not authenticated", "--auth-token"),
    Bad(a_server_of_another_rasa, "train", r"is Rasa 3\.5\.17.*Rasa 3\.6\.21", "`rasa.python`"),
    Bad(a_server_that_loads_newer_models_only, "train", r"of 3\.6\.22 or newer", "`rasa.python`"),
    Bad(a_server_that_is_down, "train", f"{NOBODY}/status: nobody listens", "start it again"),
    Bad(a_server_that_goes_down_meanwhile, None, "closed the connection", left=True),
    Bad(a_server_behind_a_login_page, "train", "answered 200 with a web page", "looks like"),
    Bad(a_server_that_drips, "train", r"/status had no answer within 0\.4 s", "start it again"),
    Bad(a_server_that_does_not_load_it, "confirm", BACK + ".*400: Agent could", "log", True),
    Bad(
        a_server_with_models_of_its_own, "confirm", "endpoints.yml has a `models:`", "remove", True
    ),
    Bad(a_server_that_understands_otherwise, "confirm", "1 of the 1 must-pass", "same ver", True),
    Bad(a_server_that_says_nothing, "confirm", "no answer to the smoke", "log", True),
]


@pytest.mark.parametrize("bad", BAD_SERVERS, ids=lambda bad: bad.id)
def test_bad_input_from_a_rasa_server(
    fleet: FleetPlace, bad: Bad, caplog: pytest.LogCaptureFixture
):
    """One clear error, the champion serves on, and the next cycle promotes."""
    require_named(fleet, bad, caplog)
