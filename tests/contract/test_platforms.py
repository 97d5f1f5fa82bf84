"""The contract of platforms, on the fake and on each real adapter."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from contract.platform_contract import PlatformContract
from pydantic import SecretStr
from support.archives import write_rasa_model
from support.rasa_stub import stub_rasa
from support.rasa_x import ENTERPRISE_1, PLATFORM_2018, X_2019, X_2020, X_2021, RasaXServer, rasa_x
from support.s3_server import KEY, SECRET, S3Server

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.object_storage.providers import Location
from retrainer.adapters.object_storage.registry import ObjectRegistry
from retrainer.adapters.object_storage.storage import ObjectStorage
from retrainer.adapters.rasa_server.platform import RasaServerPlatform
from retrainer.adapters.rasa_x.platform import RasaXPlatform
from retrainer.adapters.rasa_x.zipped_models import contents
from retrainer.errors import ModelConflict
from retrainer.ports import Platform
from retrainer.testing.platforms import FakePlatform


class TestFakePlatform(PlatformContract):
    """The fake that other tests rely on."""

    @pytest.fixture
    def platform(self, tmp_path: Path) -> Platform:
        """A new fake."""
        return FakePlatform(tmp_path / "platform")


class TestEmbeddedRegistry(PlatformContract):
    """The registry in a folder, as wiring makes it."""

    @pytest.fixture
    def platform(self, tmp_path: Path) -> Platform:
        """A new registry in a folder that is not there yet."""
        return EmbeddedRegistry.from_options(
            EmbeddedRegistry.Options(), folder=tmp_path / "state" / "registry"
        )


class RasaXContract(PlatformContract):
    """Rasa X on loopback; it looks into what it is given."""

    write_model = staticmethod(write_rasa_model)
    ERA = X_2021

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[RasaXServer]:
        """A new server of the era."""
        with rasa_x(tmp_path / "server", era=self.ERA) as server:
            yield server

    @pytest.fixture
    def platform(self, server: RasaXServer, tmp_path: Path) -> Platform:
        """A platform that nobody used yet, on a new server; damage is done to the server."""
        options = RasaXPlatform.Options(
            url=server.url, api_token=SecretStr(server.api_token), timeout=10, listing_timeout=2
        )
        platform = RasaXPlatform.from_options(options, folder=tmp_path / "state" / "platform")
        self.damage = partial(self.damage_on, server)
        return platform

    @staticmethod
    def damage_on(server: RasaXServer, platform: Platform, name: str) -> None:
        """Change what the server stores; it says so by another hash."""
        del platform
        model = server.store.get(name)
        assert model is not None
        model.path.write_bytes(model.path.read_bytes()[::-1])
        model.hash = model.hash[::-1]


class TestRasaX2019(RasaXContract):
    """The first years: tags are answered with 200, `stack` and `platform` in the version."""

    ERA = X_2019


class TestRasaX2020(RasaXContract):
    """Tags are answered with 200, routes of the old names."""

    ERA = X_2020


class TestRasaX2021(RasaXContract):
    """Tags are answered with 204."""


class TestRasaEnterprise(RasaXContract):
    """The last years."""

    ERA = ENTERPRISE_1


class TestRasaPlatform2018(RasaXContract):
    """Models are zipped on the way there: the files come back, not the archive's bytes.

    Neither hash nor times are listed, so a damaged model is found by downloading it.
    """

    ERA = PLATFORM_2018

    def test_upload_keeps_everything(self, platform: Platform, tmp_path: Path):
        """What is stored is what was uploaded, description and content."""
        model, archive = write_rasa_model(tmp_path, "one")
        platform.upload(model, archive)
        assert platform.models() == (model,)
        assert contents(platform.fetch("one")) == contents(archive)
        assert platform.active() is None

    def test_the_stored_model_is_a_copy(self, platform: Platform, tmp_path: Path):
        """What happens to the uploaded file later does not change what is stored."""
        model, archive = write_rasa_model(tmp_path, "one")
        content = contents(archive)
        platform.upload(model, archive)
        archive.write_bytes(b"changed")
        assert contents(platform.fetch("one")) == content

    def test_a_name_belongs_to_one_content(self, platform: Platform, tmp_path: Path):
        """A stored model is never replaced by another one of its name."""
        first, archive = write_rasa_model(tmp_path, "one")
        platform.upload(first, archive)
        with pytest.raises(ModelConflict):
            platform.upload(*write_rasa_model(tmp_path, "one", b"other content"))
        assert platform.models() == (first,)
        assert contents(platform.fetch("one")) == contents(archive)


class ObjectRegistryContract(PlatformContract):
    """A registry at a URL; damage is done behind its back, where the objects are."""

    @pytest.fixture
    def options(self) -> ObjectRegistry.Options:
        """Where the models are kept."""
        raise NotImplementedError

    @pytest.fixture
    def platform(self, options: ObjectRegistry.Options, tmp_path: Path) -> Platform:
        """A new registry."""
        self.storage = ObjectStorage(Location(options.url, options))
        return ObjectRegistry.from_options(options, folder=tmp_path / "state" / "registry")

    def damage(self, platform: Platform, name: str) -> None:
        """Write another content of the same size over the stored archive."""
        del platform
        place = f"versions/{name}/model.tar.gz"
        content = self.storage.read(place)
        assert content is not None
        self.storage.write(place, content[::-1])


class TestObjectRegistryInAFolder(ObjectRegistryContract):
    """A folder, which has neither marks nor a server."""

    @pytest.fixture
    def options(self, tmp_path: Path) -> ObjectRegistry.Options:
        """A folder that is not there yet."""
        return ObjectRegistry.Options(url=f"file://{tmp_path}/models")


class TestObjectRegistryOnS3(ObjectRegistryContract):
    """S3, on a real socket."""

    @pytest.fixture
    def options(self, s3: S3Server) -> ObjectRegistry.Options:
        """A folder of a new bucket."""
        return ObjectRegistry.Options(
            url=f"s3://{s3.new_bucket()}/some/models",
            endpoint_url=s3.url,
            key=KEY,
            secret=SecretStr(SECRET),
            timeout=10,
        )


class TestRasaServers(PlatformContract):
    """A registry with servers that are told to load its archives."""

    write_model = staticmethod(write_rasa_model)

    @pytest.fixture
    def platform(self, tmp_path: Path) -> Iterator[Platform]:
        """A new registry and two servers without a model."""
        with stub_rasa() as one, stub_rasa() as two:
            yield RasaServerPlatform.from_options(
                RasaServerPlatform.Options(
                    servers=({"url": one.url}, {"url": two.url}),
                    activation="file",
                    confirm_within=2.0,
                    smoke=("hello",),
                ),
                folder=tmp_path / "state" / "registry",
            )
