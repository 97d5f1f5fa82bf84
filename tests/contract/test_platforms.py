"""The contract of platforms, on the fake and on the embedded registry."""

from pathlib import Path

import pytest
from contract.platform_contract import PlatformContract

from retrainer.adapters.embedded_registry import EmbeddedRegistry
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
