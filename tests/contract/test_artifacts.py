"""The contract of artifact stores, on a folder and on object storage."""

from pathlib import Path

import pytest
from contract.artifact_contract import ArtifactContract
from pydantic import SecretStr
from support.s3_server import KEY, SECRET, S3Server

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.object_storage.artifacts import ObjectArtifacts
from retrainer.adapters.object_storage.providers import Access, Location
from retrainer.adapters.object_storage.storage import ObjectStorage
from retrainer.ports import ArtifactStore


class TestFolderArtifacts(ArtifactContract):
    """A folder of this machine."""

    @pytest.fixture
    def artifacts(self, tmp_path: Path) -> ArtifactStore:
        """A folder that is not there yet."""
        return FolderArtifacts(tmp_path / "artifacts")


class TestObjectArtifactsInAFolder(ArtifactContract):
    """A folder by its URL."""

    @pytest.fixture
    def artifacts(self, tmp_path: Path) -> ArtifactStore:
        """A folder that is not there yet."""
        return ObjectArtifacts(ObjectStorage(Location(f"file://{tmp_path}/artifacts")))


class TestObjectArtifactsInMemory(ArtifactContract):
    """What fsspec keeps in memory, the same for the whole process."""

    @pytest.fixture
    def artifacts(self, tmp_path: Path) -> ArtifactStore:
        """A folder that no other test has."""
        return ObjectArtifacts(ObjectStorage(Location(f"memory://artifacts/{tmp_path.name}")))


class TestObjectArtifactsOnS3(ArtifactContract):
    """S3, on a real socket."""

    @pytest.fixture
    def artifacts(self, s3: S3Server) -> ArtifactStore:
        """A folder of a new bucket."""
        access = Access(endpoint_url=s3.url, key=KEY, secret=SecretStr(SECRET), timeout=10)
        return ObjectArtifacts(ObjectStorage(Location(f"s3://{s3.new_bucket()}/records", access)))

    def test_a_file_and_a_folder_may_share_a_name(self, artifacts: ArtifactStore):
        """Where folders are only names, deleting one takes both."""
        artifacts.write("a", b"1")
        artifacts.write("a/b", b"2")
        assert (artifacts.read("a"), artifacts.read("a/b")) == (b"1", b"2")
        artifacts.delete("a")
        assert (artifacts.read("a"), artifacts.read("a/b")) == (None, None)
