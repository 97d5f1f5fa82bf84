"""A full disk: nothing half-written is seen, and what was there stays.

The limit on a file's size stands for the full disk, since no right is needed to set it; the
operating system refuses the write in the middle in both cases.
"""

from pathlib import Path

from support.archives import write_model
from support.children import python

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.snapshots import FolderSnapshots
from retrainer.testing.sources import FakeSource

LIMIT = 50_000

PREAMBLE = f"""
import resource, signal, sys
from pathlib import Path
from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.snapshots import FolderSnapshots
from retrainer.errors import StorageError
from support.archives import write_model
folder = Path(sys.argv[1])
model = write_model(folder, "large", b"x" * {2 * LIMIT})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))
try:
    ACTION
except StorageError as error:
    print(error.message, "|", error.tip)
"""


def fail(action: str, folder: Path) -> str:
    """What the StorageError of the action says, when files may not grow beyond the limit."""
    with python(PREAMBLE.replace("ACTION", action), folder) as child:
        output, errors = child.communicate(timeout=30)
    assert errors == ""
    return output


def test_upload(tmp_path: Path):
    """A model that does not fit is not stored at all; the champion serves on."""
    registry = EmbeddedRegistry(tmp_path / "registry")
    registry.upload(*write_model(tmp_path, "one"))
    registry.activate("one", expected=None)
    said = fail("EmbeddedRegistry(folder / 'registry').upload(*model)", tmp_path)
    assert "versions/large failed: File too large" in said
    assert "free space" in said
    assert [model.name for model in registry.models()] == ["one"]
    assert not list((tmp_path / "registry").glob(".unfinished-*"))
    registry.confirm("one")


def test_snapshot(tmp_path: Path):
    """A project that does not fit leaves no snapshot; the source's own files are no obstacle."""
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "project" / "data" / "nlu.yml").write_bytes(b"x" * 2 * LIMIT)
    action = "FolderSnapshots(folder / 'snapshots').take(DirectorySource(folder / 'project'))"
    said = fail(action, tmp_path)
    assert "data/nlu.yml failed: File too large" in said
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == [".lock"]
    FolderSnapshots(tmp_path / "snapshots").take(FakeSource({"a": "1"}))


def test_artifact(tmp_path: Path):
    """The earlier content is still there, and nothing else."""
    artifacts = FolderArtifacts(tmp_path / "artifacts")
    artifacts.write("one", b"earlier")
    said = fail(f"FolderArtifacts(folder / 'artifacts').write('one', bytes({2 * LIMIT}))", tmp_path)
    assert "artifacts/one failed: File too large" in said
    assert artifacts.read("one") == b"earlier"
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["one"]
