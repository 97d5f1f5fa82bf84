"""What every artifact store has to do: subclass, and give an `artifacts` fixture."""

import pytest

from retrainer.errors import StorageError
from retrainer.ports import ArtifactStore


class ArtifactContract:
    """The rules; each test gets a new, empty store."""

    def test_the_newest_content_is_read(self, artifacts: ArtifactStore):
        """Writing again replaces, and reading gives the bytes as they were."""
        artifacts.write("manifests/one.json", b"1")
        assert artifacts.read("manifests/one.json") == b"1"
        artifacts.write("manifests/one.json", b"\0\xff")
        assert artifacts.read("manifests/one.json") == b"\0\xff"

    def test_an_empty_content_is_a_content(self, artifacts: ArtifactStore):
        """Nothing in it is not the same as not there."""
        artifacts.write("empty", b"")
        assert artifacts.read("empty") == b""

    def test_a_large_content_stays_whole(self, artifacts: ArtifactStore):
        """Predictions of a large test set are some megabytes."""
        content = bytes(range(256)) * 4096 * 6
        artifacts.write("models/a/predictions.json", content)
        assert artifacts.read("models/a/predictions.json") == content

    def test_nothing_is_none(self, artifacts: ArtifactStore):
        """What was never written is no error, a folder is no file."""
        assert artifacts.read("none") is None
        artifacts.write("one", b"1")
        artifacts.write("folder/two", b"2")
        assert artifacts.read("none") is None
        assert artifacts.read("one/below-a-file") is None
        assert artifacts.read("on") is None

    def test_delete_takes_files_and_folders(self, artifacts: ArtifactStore):
        """A folder goes with all that is in it, and nothing else; deleting again does nothing."""
        for name in ("a/1", "a/b/2", "ab", "c", "cd/3"):
            artifacts.write(name, b"x")
        for _ in range(2):
            artifacts.delete("a")
            artifacts.delete("c")
            artifacts.delete("c/below-a-file")
        found = [artifacts.read(name) for name in ("a/1", "a/b/2", "c", "ab", "cd/3")]
        assert found == [None, None, None, b"x", b"x"]

    def test_names_may_hold_what_people_write(self, artifacts: ArtifactStore):
        """Spaces, signs and letters of other languages are part of a name."""
        for name in ("Grüße/an alle?.json", "a%20b", "a+b", "x#y"):
            artifacts.write(name, name.encode())
            assert artifacts.read(name) == name.encode()
            artifacts.delete(name)
            assert artifacts.read(name) is None

    @pytest.mark.parametrize("name", ["", ".", "/etc/passwd", "../x", "a/../../x", "a\0b"])
    def test_no_name_leads_outside(self, artifacts: ArtifactStore, name: str):
        """Names stay below the store's own place, that place itself excluded."""
        for call in (artifacts.read, artifacts.delete, lambda n: artifacts.write(n, b"")):
            with pytest.raises(StorageError, match="is not the name"):
                call(name)
