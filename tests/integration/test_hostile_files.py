"""Whatever reads files of others refuses hostile ones: by name and limit, in little memory and time."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from contract.source_contract import files_below
from support import hostile_files as hostile
from support.git_servers import Upstream, isolate
from support.http_server import Exchange, http_server

from retrainer.adapters import processes
from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.git.dvc_trust import require_harmless
from retrainer.adapters.git.source import GitSource
from retrainer.adapters.http.client import Http
from retrainer.adapters.http.download import LARGEST_ANSWER
from retrainer.adapters.model_archive import require_safe_archive
from retrainer.adapters.object_storage.providers import Location
from retrainer.adapters.object_storage.storage import LARGEST_READ, ObjectStorage
from retrainer.adapters.rasa_x.nlu_markdown import without_remarks
from retrainer.adapters.rasa_x.story_fragments import together
from retrainer.adapters.rasa_x.zipped_models import unzip_archive
from retrainer.adapters.snapshots import FolderSnapshots
from retrainer.domain.cycle import Origin
from retrainer.errors import (
    ModelArchiveError,
    PlatformError,
    ProjectError,
    ServerError,
)

PROJECT = {"config.yml": "c", "domain.yml": "d", "data/nlu.yml": "n"}
DVC = Path(sys.executable).with_name("dvc")
ROOT = Path(processes.__file__).parents[2]
#: Seconds and bytes of memory that a refusal may take.
PATIENCE, MEMORY = 60.0, 400 * hostile.MB


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder."""
    for name, content in PROJECT.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "project"


def size_below(folder: Path) -> int:
    return sum(p.stat().st_blocks * 512 for p in folder.rglob("*") if p.is_file())


# --- model archives ------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", hostile.MODEL_ARCHIVES, ids=lambda evil: evil.name)
def test_a_hostile_model_archive(evil: hostile.Hostile, tmp_path: Path):
    """Nothing is unpacked, not even by Rasa: it is refused before, in bounded time."""
    archive = evil.make(tmp_path)
    before = time.monotonic()
    with pytest.raises(ModelArchiveError, match=evil.says) as refused:
        require_safe_archive(archive)
    assert str(archive) in refused.value.message
    assert time.monotonic() - before < PATIENCE
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("evil", hostile.ZIP_FILES, ids=lambda evil: evil.name)
def test_a_hostile_zip_file(evil: hostile.Hostile, tmp_path: Path):
    """A model of the Platform of 2018 is refused as an archive is, and fills no disk."""
    zipped = evil.make(tmp_path)
    before = time.monotonic()
    with pytest.raises(ModelArchiveError, match=evil.says) as refused:
        unzip_archive(zipped, tmp_path / "model.tar.gz")
    assert str(tmp_path) in refused.value.message
    assert time.monotonic() - before < PATIENCE
    assert size_below(tmp_path) - zipped.stat().st_blocks * 512 < 10 * hostile.MB


MEASURE = """
import resource, sys
from pathlib import Path
from retrainer.errors import RetrainerError
from retrainer.adapters.model_archive import require_safe_archive
from retrainer.adapters.rasa_x.zipped_models import unzip_archive
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    if sys.argv[1].endswith(".zip"):
        unzip_archive(Path(sys.argv[1]), Path(sys.argv[1]).with_suffix(".out"))
    else:
        require_safe_archive(Path(sys.argv[1]))
except RetrainerError:
    print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.parametrize(
    "make",
    [
        hostile.bomb_by_content,
        hostile.large_headers,
        hostile.endless_sparse_map,
        hostile.zip_of_many,
    ],
)
def test_the_memory_of_a_refusal(make: Callable[[Path], Path], tmp_path: Path):
    """What would take gigabytes takes a few hundred megabytes at most."""
    said = processes.run([sys.executable, "-c", MEASURE, make(tmp_path)], timeout=60)
    assert int(said) < MEMORY


# --- folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", hostile.FOLDERS, ids=lambda evil: evil.name)
def test_a_hostile_folder(evil: hostile.Hostile, project: Path, tmp_path: Path):
    """It stops no cycle for ever, fills no disk, and nothing from elsewhere is trained on."""
    place = evil.make(project)
    before = time.monotonic()
    with pytest.raises(ProjectError, match=evil.says) as refused:
        FolderSnapshots(tmp_path / "snapshots").take(DirectorySource(project))
    assert place.name in refused.value.message or str(project) in refused.value.message
    assert time.monotonic() - before < PATIENCE
    assert [p.name for p in (tmp_path / "snapshots").iterdir()] == [".lock"]


def test_a_file_that_grows_is_cut_off(project: Path, tmp_path: Path):
    """What counts is what is read, not what was announced: a file of the kernel announces nothing."""
    (tmp_path / "into").mkdir()
    source = DirectorySource(project, include=("kmsg.yml", "data"), within=(project, Path("/proc")))
    (project / "kmsg.yml").symlink_to("/proc/self/pagemap")  # terabytes, of a size of 0
    with pytest.raises(ProjectError, match="at most 256000000 may be"):
        source.pull(tmp_path / "into")
    assert size_below(tmp_path / "into") < 300 * hostile.MB


class _Brings:
    """A source, as a plugin may be, that writes what it should not."""

    def __init__(self, evil: Callable[[Path], object]) -> None:
        self._evil = evil

    def pull(self, into: Path) -> tuple[Origin, ...]:
        (into / "data").mkdir()
        self._evil(into)
        return (Origin("elsewhere"),)


@pytest.mark.parametrize(
    "evil", [hostile.pipe, hostile.link_to_a_secret, hostile.link_to_a_folder, hostile.large_file]
)
def test_a_snapshot_holds_ordinary_files_alone(evil: Callable[[Path], Path], tmp_path: Path):
    """Whatever a source brings, no link, pipe or bomb gets into what is trained on."""
    with pytest.raises(ProjectError, match=r"not an ordinary file|at most 256000000"):
        FolderSnapshots(tmp_path / "snapshots").take(_Brings(evil))
    assert [p.name for p in (tmp_path / "snapshots").iterdir()] == [".lock"]


# --- git -----------------------------------------------------------------------------------------


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upstream:
    """A repository with the project, and a git without the user's settings."""
    environment = isolate(tmp_path / "home")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    upstream = Upstream(tmp_path / "server", environment=environment)
    upstream.commit(PROJECT)
    return upstream


def pulled(upstream: Upstream, tmp_path: Path, **options: object) -> tuple[Origin, dict[str, str]]:
    into = tmp_path / "into"
    into.mkdir()
    chosen = GitSource.Options.model_validate({"url": str(upstream.bare), **options})
    source = GitSource.from_options(chosen, folder=tmp_path, cache=tmp_path / "cache")
    (origin,) = source.pull(into)
    return origin, files_below(into)


def test_a_tree_of_billions_of_files(upstream: Upstream, tmp_path: Path):
    """A commit of a few hundred bytes that would be ten billion files is not written."""
    entry = upstream.git("rev-parse", "HEAD:config.yml")
    kind = "100644 blob"
    for _ in range(10):
        lines = "".join(f"{kind} {entry}\td{number}\n" for number in range(10))
        (tmp_path / "tree").write_text(lines)
        entry = processes.run(
            ["sh", "-c", f"git mktree < {tmp_path / 'tree'}"], timeout=20, folder=upstream.clone
        ).strip()
        kind = "040000 tree"
    commit = upstream.git("commit-tree", entry, "-m", "bomb", "-p", "HEAD")
    upstream.git("push", "--quiet", "origin", f"{commit}:refs/heads/main")
    before = time.monotonic()
    with pytest.raises(ProjectError, match=r"git was stopped: it wrote more than 32000000 bytes"):
        pulled(upstream, tmp_path)
    assert time.monotonic() - before < PATIENCE
    assert size_below(tmp_path / "cache") < 10 * hostile.MB


def test_a_commit_of_large_files(upstream: Upstream, tmp_path: Path):
    """Eleven gigabytes of zeros, packed to a megabyte, are not written either."""
    with (upstream.clone / "zeros").open("wb") as file:
        file.truncate(110 * hostile.MB)
    upstream.git("-c", "core.bigFileThreshold=1m", "-c", "core.compression=1", "add", "zeros")
    blob = upstream.git("rev-parse", ":zeros")
    for number in range(100):
        upstream.git("update-index", "--add", "--cacheinfo", f"100644,{blob},zeros-{number}")
    upstream.git("commit", "--quiet", "--message", "zeros")
    upstream.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    with pytest.raises(ProjectError, match=r"more than 10000000000 bytes of files, up to 'zeros-"):
        pulled(upstream, tmp_path)
    assert size_below(tmp_path / "cache") < 100 * hostile.MB


def test_a_tree_that_cannot_be_deleted(upstream: Upstream, tmp_path: Path):
    """Folders so deep that Python cannot delete them again are not written."""
    upstream.commit({"d/" * 60 + "x.yml": "x"})
    with pytest.raises(ProjectError, match="more than 50 folders deep"):
        pulled(upstream, tmp_path)


def test_a_subject_that_speaks_to_the_terminal(upstream: Upstream, tmp_path: Path):
    """What strangers wrote is shown on one line, and moves no cursor."""
    upstream.git("commit", "--quiet", "--allow-empty", "-m", f"Good\x1b[2J\x07{'x' * 5000}")
    upstream.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    origin, _ = pulled(upstream, tmp_path)
    subject = origin.details["subject"]
    assert subject.startswith("Good\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}xxx")
    assert len(subject) == 300


def test_a_pointer_of_lfs_to_a_terabyte(upstream: Upstream, tmp_path: Path):
    """It is refused by what it announces, before anything is fetched."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize {10**12}\n"
    upstream.commit({"data/large.yml": pointer})
    with pytest.raises(ProjectError, match=r"data/large\.yml") as refused:
        pulled(upstream, tmp_path)
    assert "1000000000000 bytes in Git LFS, at most 256000000" in refused.value.message or (
        "git-lfs is not installed" in refused.value.message
    )


# --- DVC -----------------------------------------------------------------------------------------


def _dvc_project(folder: Path, config: str = "", **files: str) -> Path:
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(config)
    for name, content in files.items():
        (folder / f"{name}.dvc").write_text(content)
    return folder


OF_ADD = "outs:\n- md5: 0123456789abcdef.dir\n  size: 3\n  nfiles: 2\n  hash: md5\n  path: data\n"
REMOTE = "[core]\n    remote = s\n['remote \"s\"']\n    url = {url}\n    {option}\n"


def test_a_project_of_dvc_as_most_are(tmp_path: Path):
    """What `dvc init`, `dvc remote add` and `dvc add` write is let through."""
    config = REMOTE.format(url="s3://bucket/x", option="endpointurl = https://minio.example.org")
    require_harmless(_dvc_project(tmp_path / "p", config, data=OF_ADD), imports=False)


@pytest.mark.parametrize(
    ("url", "option"),
    [
        ("s3://bucket/x", "credentialpath = evil"),
        ("s3://bucket/x", "configpath = evil"),
        ("ssh://host/x", "keyfile = /root/.ssh/id_ed25519"),
        ("gs://bucket/x", "endpointurl = https://evil.example.org"),
        ("webdavs://host/x", "cert_path = /etc/ssl/private/key.pem"),
        ("s3://bucket/x", 'url = """\ncredentialpath = evil\n"""'),
        ("s3://bucket/x", "\n[state]\n    dir = /var/lib"),
    ],
)
def test_a_config_that_leads_dvc_astray(url: str, option: str, tmp_path: Path):
    """A repository names no file with credentials, and with them no program that DVC runs."""
    folder = _dvc_project(tmp_path / "p", REMOTE.format(url=url, option=option))
    with pytest.raises(ProjectError, match=r"\.dvc/config .*a repository may not choose"):
        require_harmless(folder, imports=True)


@pytest.mark.parametrize(
    "content",
    [
        f"deps:\n- path: /etc/passwd\n{OF_ADD}",
        f"{OF_ADD}\N{LINE SEPARATOR}deps:\n- path: x\n",
        '"\\x64eps":\n- path: x\n' + OF_ADD,
        "{outs: [{path: x}], deps: [{path: /etc/passwd}]}",
        f"{OF_ADD}---\ndeps:\n- path: x\n",
        f"? deps\n: - path: x\n{OF_ADD}",
        f"<<: *x\n{OF_ADD}",
    ],
)
def test_an_import_in_disguise(content: str, tmp_path: Path):
    """However it is written, what is no plain output is not handed to DVC."""
    folder = _dvc_project(tmp_path / "p", evil=content)
    with pytest.raises(ProjectError, match=r"evil\.dvc holds"):
        require_harmless(folder, imports=False)


def test_a_private_repository_is_not_imported(upstream: Upstream, tmp_path: Path):
    """Real DVC would fetch any repository that this service may read, and call it training data."""
    private = Upstream(tmp_path / "elsewhere", "private", upstream.environment)
    commit = private.commit({"s.txt": "SECRET"})
    upstream.commit(
        {
            ".dvc/config": "",
            "data/s.txt.dvc": f"frozen: true\ndeps:\n- path: s.txt\n  repo:\n    url: {private.bare}\n"
            f"    rev_lock: {commit}\nouts:\n- md5: {'0' * 32}\n  hash: md5\n  path: s.txt\n",
        }
    )
    with pytest.raises(ProjectError, match=r"data/s\.txt\.dvc holds 'deps:'") as refused:
        pulled(upstream, tmp_path, dvc=str(DVC))
    assert "dvc_imports" in refused.value.tip


def test_a_link_that_dvc_would_write_through(tmp_path: Path):
    """DVC's own folder is the project's, with all that is in it."""
    folder = _dvc_project(tmp_path / "p")
    (folder / ".dvc" / "tmp").symlink_to(tmp_path)
    with pytest.raises(ProjectError, match=r"\.dvc/tmp is a link"):
        require_harmless(folder, imports=False)


# --- servers -------------------------------------------------------------------------------------


def test_an_answer_that_unpacks_to_gigabytes(tmp_path: Path):
    """An answer is cut off at its limit, whether it is held in memory or written to a file."""
    bomb = hostile.gzipped_zeros(LARGEST_ANSWER // hostile.MB + 200)

    def answer(exchange: Exchange) -> None:
        exchange.send(200, bomb, Content_Encoding="gzip")

    with http_server(*[answer] * 2) as server, Http(server.url) as http:
        with pytest.raises(
            ServerError, match=rf"GET .*/a answered with more than {LARGEST_ANSWER}"
        ):
            http.call("GET", "/a", limit=PATIENCE)
        with pytest.raises(ServerError, match=r"GET .*/b answered with more than 1000000 bytes"):
            http.download("/b", tmp_path / "file", limit=PATIENCE, largest=10**6)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "story",
    [
        "## a\n* x OR" + " " * 200_000 + "y{",
        "## a\n- x" + " " * 200_000 + "y",
        "## " + "<!--" * 100_000,
    ],
)
def test_text_that_takes_the_square_of_its_length(story: str):
    """A line that is made to be slow to read is read in a moment, or refused."""
    before = time.process_time()
    with suppress(ProjectError):
        together("stories", [story])
    assert time.process_time() - before < 2


def test_remarks_are_taken_out():
    """Each remark goes, and nothing else."""
    for line, rest in (
        ("a <!-- b --> c", "a  c"),
        ("<!--a--><!--b-->c", "c"),
        ("a <!-- b", "a <!-- b"),
        ("<!-->x", "<!-->x"),
        ("a --> b <!----> c", "a --> b  c"),
    ):
        assert without_remarks(line) == rest


def test_an_object_that_fills_the_memory(tmp_path: Path):
    """A record in object storage is looked at before it is read."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(10**12)
    storage = ObjectStorage(Location(f"file://{tmp_path}"))
    with pytest.raises(PlatformError, match=rf"large has {10**12} bytes, at most {LARGEST_READ}"):
        storage.read("large")


# --- children ------------------------------------------------------------------------------------


def test_a_program_that_writes_without_an_end(tmp_path: Path):
    """What a child says is not taken into memory as a whole, and it is stopped."""
    with pytest.raises(
        processes.ProcessFailed, match="yes was stopped: it wrote more than 32000000"
    ):
        processes.run(["yes"], timeout=PATIENCE)
    with pytest.raises(processes.ProcessTimedOut):
        processes.run(["sh", "-c", "yes >&2"], timeout=0.5)
    with pytest.raises(processes.ProcessFailed):
        processes.run(
            ["sh", "-c", "sleep 0.5; head -c 2000000 /dev/zero > large"],
            timeout=PATIENCE,
            folder=tmp_path,
            largest_file=1_000_000,
        )
    assert (tmp_path / "large").stat().st_size == 1_000_000


def test_what_a_worker_is_told_of_proxies(monkeypatch: pytest.MonkeyPatch):
    """The password of a proxy goes to git, DVC and uv, never to what runs the project's code."""
    for name in ("HTTP_PROXY", "https_proxy", "PIP_INDEX_URL", "UV_INDEX_URL"):
        monkeypatch.setenv(name, "http://user:CANARY@proxy.example.org:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/CANARY")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/CANARY")
    monkeypatch.setenv("RETRAINER_DATABASE", "postgresql://CANARY")
    worker = processes.child_environment(processes.proxies(with_passwords=False))
    assert "CANARY" not in repr(worker)
    assert worker["HTTPS_PROXY"] == "http://proxy.example.org:3128"
    assert "CANARY" in processes.proxies(with_passwords=True)["HTTP_PROXY"]
    assert "CANARY" in processes.package_indexes()["UV_INDEX_URL"]


LOOKED_AT = """
import os, sys
from retrainer.adapters import processes
if sys.argv[1] == "concealed":
    processes.conceal()
try:
    print("CANARY" in processes.run(["cat", f"/proc/{os.getpid()}/environ"], timeout=20))
except processes.ProcessFailed as error:
    print("Permission denied" in error.message and "denied")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_a_worker_cannot_look_into_its_service():
    """A process of the same user could read all secrets of the environment, were it not closed."""
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for mode, said in (("open", "True"), ("concealed", "denied")):
        words = [*user, sys.executable, "-c", LOOKED_AT, mode]
        environment = {"SECRET": "CANARY", "PYTHONPATH": str(ROOT)}
        assert processes.run(words, timeout=30, environment=environment).strip() == said
