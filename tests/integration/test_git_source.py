"""The git source with real git, against real servers on loopback."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contract.source_contract import files_below
from support import git_pulls
from support.git_servers import AUTHOR, TOKEN, GitHttp, GitSsh, Upstream, isolate, ssh_server
from support.warm_processes import processes

from retrainer.adapters.git.source import GitSource
from retrainer.domain.cycle import Origin
from retrainer.errors import ConfigurationError, ProjectError, RetrainerError, ServerError

PROJECT = {
    "config.yml": "language: en\n",
    "domain.yml": "intents: []\n",
    "data/nlu.yml": "nlu: []\n",
}
Pull = Callable[..., tuple[Origin, dict[str, str]]]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home of its own for git and ssh."""
    variables = isolate(tmp_path / "home")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return variables


@pytest.fixture
def upstream(tmp_path: Path, environment: dict[str, str]) -> Upstream:
    """A repository with the project."""
    upstream = Upstream(tmp_path / "server", environment=environment)
    upstream.commit(PROJECT)
    return upstream


@pytest.fixture
def web(upstream: Upstream, environment: dict[str, str]) -> Iterator[GitHttp]:
    """A server of it that wants a token."""
    with GitHttp(upstream.folder, environment) as server:
        yield server


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitSsh]:
    """An SSH server for all tests of this module."""
    with ssh_server(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture
def pull(tmp_path: Path, upstream: Upstream) -> Pull:
    """Pulls as a cycle does; the repository is that of `upstream` unless another url is given."""
    numbers = iter(range(1000))

    def pulled(*, cache: str = "cache", **options: object) -> tuple[Origin, dict[str, str]]:
        into = tmp_path / f"into-{next(numbers)}"
        into.mkdir()
        chosen = GitSource.Options.model_validate({"url": str(upstream.bare), **options})
        source = GitSource.from_options(chosen, folder=tmp_path, cache=tmp_path / cache)
        (origin,) = source.pull(into)
        return origin, files_below(into)

    return pulled


def over_ssh(ssh: GitSsh, upstream: Upstream, **changes: object) -> dict[str, object]:
    return {
        "url": ssh.url(upstream.bare),
        "key_file": ssh.key_file,
        "known_hosts": ssh.known_hosts,
        "ssh": ["ssh", "-F", "none"],
        **changes,
    }


# --- what is taken, and what is said of it -----------------------------------------------------


def test_the_commit_is_recorded(upstream: Upstream, pull: Pull):
    """A year later it is known which commit a model was trained on, whose, and when."""
    commit = upstream.commit({"data/more.yml": "nlu: []\n"}, "Add: more\n\nbody")
    origin, files = pull()
    assert files == {**PROJECT, "data/more.yml": "nlu: []\n"}
    assert origin.place == f"{upstream.bare}#main"
    assert (origin.revision, origin.author) == (commit, AUTHOR)
    assert origin.details == {"branch": "main", "subject": "Add: more"}
    assert origin.at is not None
    assert int(origin.at.timestamp()) == int(upstream.git("log", "-1", "--format=%ct"))
    assert f"at {commit[:12]} by {AUTHOR}" in str(origin)


def test_branch_tag_and_commit(upstream: Upstream, pull: Pull):
    """Each can be asked for; a tag and a commit stay what they are."""
    first = upstream.head()
    upstream.git("tag", "--annotate", "v1", "--message", "one")
    upstream.git("push", "--quiet", "origin", "v1")
    upstream.commit({"data/nlu.yml": "2"})
    upstream.commit({"data/nlu.yml": "3"}, branch="feature/x")
    for revision, text, detail in (
        ("", "2", {"branch": "main"}),
        ("v1", "nlu: []\n", {"tag": "v1"}),
        (first, "nlu: []\n", {}),
        ("feature/x", "3", {"branch": "feature/x"}),
    ):
        origin, files = pull(revision=revision)
        assert files["data/nlu.yml"] == text
        assert detail.items() <= origin.details.items()
    assert pull(revision=first, cache="new")[0].revision == first


def test_a_tag_that_moves_is_followed(upstream: Upstream, pull: Pull):
    """As a branch is; there is no history to warn of."""
    for text in ("1", "2"):
        upstream.commit({"data/nlu.yml": text})
        upstream.git("tag", "--force", "live")
        upstream.git("push", "--quiet", "--force", "origin", "live")
        origin, files = pull(revision="live")
        assert files["data/nlu.yml"] == text
        assert "history" not in origin.details


def test_a_folder_and_patterns(upstream: Upstream, pull: Pull):
    """One repository may hold several assistants, and more than what belongs to them."""
    upstream.commit(
        {"bots/bank/config.yml": "c", "bots/bank/data/a.yml": "a", "bots/bank/b.md": ""}
    )
    origin, files = pull(folder="bots/bank")
    assert files == {"config.yml": "c", "data/a.yml": "a"}
    assert origin.place.endswith("bank.git#main:bots/bank")
    assert pull(folder="bots/bank", include=["*.md"])[1] == {"b.md": ""}
    assert pull(folder="bots/bank", exclude=["data"])[1] == {"config.yml": "c"}


def test_nothing_new_is_cheap(web: GitHttp, pull: Pull):
    """A night without a commit asks for the branch and fetches nothing."""
    url = f"{web.url}/bank.git"
    pull(url=url, token=TOKEN)
    web.requests.clear()
    pull(url=url, token=TOKEN)
    posts = [path for path in web.requests if path.endswith("/git-upload-pack")]
    assert len(posts) == 1  # the list of branches
    assert len(web.requests) <= 3


def test_little_history_is_fetched(upstream: Upstream, pull: Pull, tmp_path: Path):
    """As much as `depth` says."""
    for number in range(5):
        upstream.commit({"data/nlu.yml": str(number)})
    pull(depth=2)
    repository = tmp_path / "cache" / "repository"
    counted = upstream.git("rev-list", "--count", "refs/retrainer/heads/main", at=repository)
    assert counted == "2"
    upstream.commit({"data/nlu.yml": "x"})
    pull(depth=0)
    counted = upstream.git("rev-list", "--count", "refs/retrainer/heads/main", at=repository)
    assert counted == "7"


def test_a_rewritten_history_works_and_is_told(upstream: Upstream, pull: Pull):
    """A force-push changes what is pulled, and people learn of it; an ordinary push is none."""
    pull()
    old = upstream.commit({"data/nlu.yml": "2"})
    assert "history" not in pull()[0].details
    upstream.git("reset", "--quiet", "--hard", "HEAD~1")
    upstream.commit({"data/nlu.yml": "3"}, "Other")
    origin, files = pull()
    assert files["data/nlu.yml"] == "3"
    assert origin.details["history"].startswith(f"rewritten: {old[:12]}")
    assert "history" not in pull()[0].details


# --- servers -----------------------------------------------------------------------------------


def test_https_with_a_token(web: GitHttp, pull: Pull, tmp_path: Path):
    """The token gets in, and is in no file that stays."""
    assert pull(url=f"{web.url}/bank.git", token=TOKEN)[1] == PROJECT
    for file in (tmp_path / "cache").rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("token", ["glpat-OTHER", None])
def test_a_wrong_token(web: GitHttp, pull: Pull, token: str | None):
    """It is refused in no time, asks nobody, and the token is not in the error."""
    with pytest.raises(ServerError, match="does not accept the token") as refused:
        pull(url=f"{web.url}/bank.git", **({"token": token} if token else {}))
    assert "OTHER" not in str(refused.value)
    assert refused.value.tip


def test_a_repository_that_is_not_there(web: GitHttp, pull: Pull, tmp_path: Path):
    """Of a server, or of this machine."""
    for url, options in ((f"{web.url}/shop.git", {"token": TOKEN}), (str(tmp_path / "none"), {})):
        with pytest.raises(ServerError, match="no such repository"):
            pull(url=url, **options)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("forbidden", "does not allow"),
        ("html", "no branch and no tag"),
        ("hang", "longer than 1 s"),
    ],
)
def test_servers_that_do_not_serve(web: GitHttp, pull: Pull, mode: str, message: str):
    """Each ends in time with one clear error, and the next pull works."""
    web.mode = mode
    started = time.monotonic()
    with pytest.raises(RetrainerError, match=message):
        pull(url=f"{web.url}/bank.git", token=TOKEN, timeout=1 if mode == "hang" else 20)
    assert time.monotonic() - started < 15
    web.mode = "ok"
    assert pull(url=f"{web.url}/bank.git", token=TOKEN)[1] == PROJECT


def test_a_server_without_shallow_histories(web: GitHttp, upstream: Upstream, pull: Pull):
    """A plain file server has whole histories only, which are taken then."""
    upstream.git("update-server-info", at=upstream.bare)
    web.mode = "dumb"
    assert pull(url=f"{web.url}/bank.git", token=TOKEN)[1] == PROJECT


def test_the_token_is_never_in_the_process_list(web: GitHttp, pull: Pull):
    """While git and all that it starts run, no command line holds the token."""
    web.mode = "hang"
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(ServerError, match="longer than"):
            pull(url=f"{web.url}/bank.git", token=TOKEN, timeout=1)
        web.mode = "ok"
        pull(url=f"{web.url}/bank.git", token=TOKEN)
    finally:
        over.set()
        watcher.join()
    assert any(b"git-remote-http" in line or b"remote-http" in line for line in seen)
    assert not [line for line in seen if TOKEN.encode() in line]


def test_ssh_with_a_key(ssh: GitSsh, upstream: Upstream, pull: Pull):
    """The key file gets in, at a host that is known."""
    origin, files = pull(**over_ssh(ssh, upstream))
    assert files == PROJECT
    assert origin.revision == upstream.head()


def test_ssh_refusals(ssh: GitSsh, upstream: Upstream, pull: Pull, tmp_path: Path):
    """A refused key, an unknown host, a changed one, an open key file, a missing one: one error each."""
    (tmp_path / "empty").touch()
    changed = tmp_path / "changed"
    other_host = (ssh.other_key.with_name("other.pub")).read_text().strip()
    changed.write_text(f"[127.0.0.1]:{ssh.port} {other_host}\n")
    open_key = tmp_path / "open"
    shutil.copyfile(ssh.key_file, open_key)
    open_key.chmod(0o644)
    for changes, message in (
        ({"key_file": ssh.other_key}, "the ssh key was refused"),
        ({"known_hosts": tmp_path / "empty"}, "host's key is not known"),
        ({"known_hosts": changed}, "another key than the one that is known"),
        ({"known_hosts": changed, "trust_new_hosts": True}, "another key than the one"),
        ({"key_file": open_key}, "key file that others may read"),
        ({"url": ssh.url(upstream.folder / "none.git")}, "no such repository"),
    ):
        with pytest.raises(ServerError, match=message) as refused:
            pull(**over_ssh(ssh, upstream, **changes))
        assert refused.value.tip
    with pytest.raises(ConfigurationError, match="is not a file"):
        pull(**over_ssh(ssh, upstream, key_file=tmp_path / "none"))


def test_a_new_host_can_be_trusted(ssh: GitSsh, upstream: Upstream, pull: Pull, tmp_path: Path):
    """Once it was seen, it is known."""
    known = tmp_path / "known"
    pull(**over_ssh(ssh, upstream, known_hosts=known, trust_new_hosts=True))
    assert f"[127.0.0.1]:{ssh.port}" in known.read_text()
    pull(**over_ssh(ssh, upstream, known_hosts=known))


def test_git_is_not_installed(pull: Pull):
    """It says how to get it."""
    with pytest.raises(ProjectError, match="could not be started") as failed:
        pull(git="no-such-git")
    assert "install git" in (failed.value.tip or "")


def test_git_is_too_old(pull: Pull, tmp_path: Path):
    """An old git would not read what keeps it safe."""
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.30.2\n")
    old.chmod(0o755)
    with pytest.raises(ProjectError, match=r"git is 2\.30, 2\.31 or newer is needed"):
        pull(git=str(old))


# --- what is missing in the repository ---------------------------------------------------------


def test_a_missing_branch_names_its_neighbours(upstream: Upstream, pull: Pull):
    """A slip is found at once."""
    upstream.commit({}, branch="production")
    with pytest.raises(ProjectError, match=r"no branch or tag 'prodution'.*production") as failed:
        pull(revision="prodution")
    assert "other" not in failed.value.message
    with pytest.raises(ProjectError, match="main, production"):
        pull(revision="xyz")
    with pytest.raises(ProjectError, match=f"has no commit {'0' * 40}"):
        pull(revision="0" * 40)


def test_a_missing_project_names_what_is_there(upstream: Upstream, pull: Pull):
    """A missing folder, or one without a project, lists what it has instead."""
    upstream.commit({"bots/bank/README.md": "-"})
    with pytest.raises(ProjectError, match="no folder bots/shop; bots holds bank/"):
        pull(folder="bots/shop")
    with pytest.raises(ProjectError, match=r"0 files in .*bank\.git at .* it holds README\.md"):
        pull(folder="bots/bank")


def test_an_unknown_pointer_is_no_data(upstream: Upstream, pull: Pull):
    """A pointer of Git LFS never passes for training data, with git-lfs or without."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
    upstream.commit({"data/big.yml": pointer})
    with pytest.raises(ProjectError, match=r"data/big\.yml: a pointer of Git LFS") as failed:
        pull()
    assert failed.value.tip
    assert pull(exclude=["data/big.yml"])[1] == PROJECT


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_data_in_lfs_is_fetched(upstream: Upstream, pull: Pull):
    """With git-lfs the data comes, and only that of the project."""
    upstream.git("lfs", "install", "--local", "--skip-repo")
    upstream.git("lfs", "track", "*.txt")
    upstream.commit({"data/lookup.txt": "x\n" * 1000, "data/a b, c.txt": "y", "other/z.txt": "z"})
    upstream.git("lfs", "push", "--all", "origin")
    files = pull()[1]
    assert files == {**PROJECT, "data/lookup.txt": "x\n" * 1000, "data/a b, c.txt": "y"}


# --- hostile repositories ----------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../..", "../.git/../../x"])
def test_a_link_out_of_the_repository_is_refused(upstream: Upstream, pull: Pull, target: str):
    """A repository cannot make this machine's own files training data."""
    (upstream.clone / "data" / "link.yml").symlink_to(target)
    upstream.commit({})
    with pytest.raises(ProjectError, match=r"data/link\.yml"):
        pull()


def test_a_link_inside_is_followed(upstream: Upstream, pull: Pull):
    """Assistants may share files."""
    upstream.commit({"shared/faq.yml": "f"})
    (upstream.clone / "data" / "faq.yml").symlink_to("../shared/faq.yml")
    (upstream.clone / "data" / "all").symlink_to("../shared")
    upstream.commit({})
    files = pull()[1]
    assert files["data/faq.yml"] == files["data/all/faq.yml"] == "f"


def test_a_folder_that_leads_out_is_refused(upstream: Upstream, pull: Pull):
    """Neither as the project's folder nor by a pattern."""
    (upstream.clone / "evil").symlink_to("/etc")
    upstream.commit({})
    with pytest.raises(ProjectError, match="no folder evil"):
        pull(folder="evil")
    with pytest.raises(ProjectError, match="leads out of the project"):
        pull(include=["evil/passwd"])
    assert pull()[1] == PROJECT


def test_filters_of_a_repository_do_nothing(upstream: Upstream, pull: Pull, tmp_path: Path):
    """What a repository's attributes name is not run, and content arrives byte by byte."""
    attributes = "* filter=evil text=auto\ndata/* export-ignore\n"
    upstream.commit({".gitattributes": attributes, "data/crlf.yml": b"a\nb\n"})
    assert pull()[1] == {**PROJECT, "data/crlf.yml": "a\nb\n"}
    assert not (tmp_path / "pwned").exists()


def test_submodules(web: GitHttp, upstream: Upstream, pull: Pull, environment: dict[str, str]):
    """They come when asked for, with the same token, and follow their commits."""
    library = Upstream(upstream.folder, "library", environment)
    library.commit({"faq.yml": "1"})
    _add_submodule(upstream, library, "../library.git")
    url = f"{web.url}/bank.git"
    assert pull(url=url, token=TOKEN)[1] == PROJECT
    for text in ("1", "2"):
        commit = library.commit({"faq.yml": text})
        upstream.git("fetch", "--quiet", at=upstream.clone / "data" / "library")
        upstream.git("checkout", "--quiet", commit, at=upstream.clone / "data" / "library")
        upstream.commit({})
        files = pull(url=url, token=TOKEN, submodules=True)[1]
        assert files == {**PROJECT, "data/library/faq.yml": text}


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("{library}", "not allowed"),
        ("ext::sh -c touch% {pwned}", "not allowed"),
        ("../gone.git", "no such repository"),
        ("http://127.0.0.1:1/x.git", "cannot be reached"),
    ],
)
def test_submodules_elsewhere(
    web: GitHttp,
    upstream: Upstream,
    pull: Pull,
    tmp_path: Path,
    address: str,
    message: str,
):
    """A submodule runs no program, reads no folder of this machine; one that is gone is an error."""
    library = Upstream(upstream.folder, "library", upstream.environment)
    library.commit({"faq.yml": "1"})
    pwned = tmp_path / "pwned"
    _add_submodule(upstream, library, address.format(library=library.bare, pwned=pwned))
    with pytest.raises(ServerError, match=message):
        pull(url=f"{web.url}/bank.git", token=TOKEN, submodules=True)
    assert not pwned.exists()


def _add_submodule(upstream: Upstream, library: Upstream, url: str) -> None:
    allow = ("-c", "protocol.file.allow=always")
    upstream.git(*allow, "submodule", "--quiet", "add", library.bare, "data/library")
    upstream.git("config", "--file", ".gitmodules", "submodule.data/library.url", url)
    upstream.commit({})


# --- the cache ---------------------------------------------------------------------------------


def _lock(repository: Path) -> None:
    (repository / "shallow.lock").touch()


def _lose_objects(repository: Path) -> None:
    shutil.rmtree(repository / "objects")


def _cut_objects(repository: Path) -> None:
    for path in (repository / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            os.truncate(path, path.stat().st_size // 2)


def _spoil_settings(repository: Path) -> None:
    (repository / "config").write_text("[[[")


def _no_repository(repository: Path) -> None:
    shutil.rmtree(repository)
    repository.write_text("-")


@pytest.mark.parametrize(
    "damage", [_lock, _lose_objects, _cut_objects, _spoil_settings, _no_repository]
)
def test_a_damaged_cache_is_made_anew(pull: Pull, tmp_path: Path, damage: Callable[[Path], None]):
    """Whatever a killed git or a full disk left behind."""
    pull()
    damage(tmp_path / "cache" / "repository")
    assert pull()[1] == PROJECT


def test_a_cache_of_another_repository_is_made_anew(
    upstream: Upstream, pull: Pull, environment: dict[str, str]
):
    """A changed url brings what the new one has."""
    pull()
    other = Upstream(upstream.folder, "other", environment)
    other.commit({"config.yml": "other"})
    assert pull(url=str(other.bare))[1] == {"config.yml": "other"}


def test_nothing_but_the_cache_is_left(pull: Pull, tmp_path: Path):
    """No checkout stays behind, after success or failure."""
    pull()
    with pytest.raises(ProjectError):
        pull(folder="none")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {".lock", "repository"}


#: In its so-manieth call it kills git in the middle, then retrainer; git goes on without it.
DEADLY = """#!/bin/sh
echo >> {count}
if test $(wc -l < {count}) = {at}; then
  timeout -s KILL 0.01 git "$@"
  kill -9 $PPID
fi
exec git "$@"
"""


@pytest.mark.parametrize("fresh", [True, False])
def test_kill_9_at_any_call_of_git(
    upstream: Upstream, pull: Pull, environment: dict[str, str], tmp_path: Path, fresh: bool
):
    """However far a pull got, the next one brings all of the project, and sweeps what is left."""
    deadly, cache = tmp_path / "deadly", tmp_path / "cache"
    files = {**PROJECT, **{f"data/f{number}.yml": str(number) * 9_000 for number in range(50)}}
    for at in range(1, 20):
        files["data/nlu.yml"] = str(at)
        upstream.commit(files)
        if fresh:
            shutil.rmtree(cache, ignore_errors=True)
        count = tmp_path / f"count-{at}"
        deadly.write_text(DEADLY.format(count=count, at=at))
        deadly.chmod(0o755)
        into = tmp_path / f"killed-{at}"
        given = (environment, str(upstream.bare), str(deadly), cache, into)
        child = processes.Process(target=git_pulls.pull, args=given)
        child.start()
        child.join(30)
        assert pull()[1] == files
        if child.exitcode == 0:
            assert at > 6  # the last call was survived: there are no more of them
            assert {path.name for path in cache.iterdir()} == {".lock", "repository"}
            return
        assert child.exitcode == -signal.SIGKILL
    pytest.fail("a pull calls git more often than this test tries")


def test_several_processes_at_once(upstream: Upstream, environment: dict[str, str], tmp_path: Path):
    """Each gets the whole project out of the cache that they share."""
    folders = [tmp_path / f"into-{number}" for number in range(3)]
    given = (environment, str(upstream.bare), "git", tmp_path / "cache")
    children = [processes.Process(target=git_pulls.pull, args=(*given, at)) for at in folders]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    revisions = [folder.with_suffix(".revision").read_text() for folder in folders]
    assert revisions == [upstream.head()] * 3
    assert [files_below(folder) for folder in folders] == [PROJECT] * 3
