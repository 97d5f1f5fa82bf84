"""Bad input from the places that training data comes from: whole cycles, real sources.

Each row breaks one thing. The cycle ends with one clear error and trains nothing, the champion
serves on, and once the thing is mended the next cycle promotes.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.bad_input import WRONG, Bad, laboratory, require_named, require_no_secret, serve_first
from support.databases import sqlite_engine
from support.fault_proxy import Closed, Dripped, FaultProxy, Page, fault_proxy
from support.git_servers import TOKEN, GitHttp, GitSsh, Upstream, isolate, ssh_server
from support.rasa_x import Parts, RasaXServer, rasa_x
from support.worlds import MUST_PASS, PROJECT, utterances

from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.git.source import GitSource
from retrainer.adapters.merged_source import MergedSource
from retrainer.adapters.projects import find_project as find_rasa_project
from retrainer.adapters.rasa_x.source import RasaXSource
from retrainer.store import history
from retrainer.testing.platforms import FakePlatform
from retrainer.testing.rasa import find_project, write_project

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """The history."""
    with sqlite_engine(tmp_path) as engine:
        yield engine


class SourcePlace:
    """A laboratory whose data comes from elsewhere; its platform is a fake."""

    def __init__(self, folder: Path, engine: sa.Engine) -> None:
        self.folder, self.engine, self.champion = folder, engine, ""
        self.secrets: tuple[str, ...] = (TOKEN, RasaXServer.api_token)
        self.lab = laboratory(folder, engine)
        self.lab.find_project = found
        self.platform = FakePlatform(folder / "platform")
        self.lab.platform = self.platform

    def serving(self) -> set[str | None]:
        """As the platform has it."""
        return {self.platform.champion}

    def uploads(self) -> int:
        """All of them."""
        return self.platform.calls["upload"]

    def there(self) -> set[str]:
        """None is damaged here."""
        return {model.name for model in self.platform.models()}


def found(root: Path) -> Any:
    """The project, looked for as an application does, and given to FakeRasa as it wants it."""
    find_rasa_project(root)
    return find_project(root)


# --- git -------------------------------------------------------------------------------------------


class GitPlace(SourcePlace):
    """A repository on a web server and on an SSH server."""

    def __init__(
        self, upstream: Upstream, web: GitHttp, ssh: GitSsh, folder: Path, engine: sa.Engine
    ) -> None:
        super().__init__(folder, engine)
        self.upstream, self.web, self.ssh = upstream, web, ssh
        self.lab.source = self.source()
        self.lab.write = self.write
        self.write(utterances(25))

    def source(self, **given: Any) -> GitSource:
        """As a config would make it."""
        plain = {"url": f"{self.web.url}/bank.git", "token": TOKEN, "include": PROJECT}
        options = GitSource.Options.model_validate(plain | given)
        return GitSource.from_options(options, folder=self.folder, cache=self.folder / "cache")

    def over_ssh(self, key_file: Path) -> GitSource:
        """The same repository."""
        return self.source(
            url=self.ssh.url(self.upstream.bare),
            token=None,
            key_file=key_file,
            known_hosts=self.ssh.known_hosts,
            ssh=["ssh", "-F", "none"],
        )

    def write(self, intents: Any, must_pass: Any = None) -> None:
        """Commit a project."""
        write_project(self.upstream.clone, intents, must_pass or MUST_PASS)
        self.upstream.commit({})

    def back(self) -> None:
        """Take the last commit back, by force."""
        self.upstream.git("reset", "--quiet", "--hard", "HEAD~1")
        self.upstream.git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitSsh]:
    """An SSH server for all tests of this module."""
    with ssh_server(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture
def git(
    tmp_path: Path, engine: sa.Engine, ssh: GitSsh, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GitPlace]:
    """A repository whose first commit made the model that serves."""
    variables = isolate(tmp_path / "home")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    upstream = Upstream(tmp_path / "upstream", environment=variables)
    with GitHttp(upstream.folder, variables) as web:
        place = GitPlace(upstream, web, ssh, tmp_path, engine)
        serve_first(place)
        yield place


def a_branch_that_is_missing(place: GitPlace):
    place.lab.source = place.source(revision="mian")
    yield
    place.lab.source = place.source(revision="main")


def a_wrong_token(place: GitPlace):
    place.lab.source = place.source(token=WRONG)
    yield
    place.lab.source = place.source()


def a_repository_that_is_missing(place: GitPlace):
    place.lab.source = place.source(url=f"{place.web.url}/shop.git")
    yield
    place.lab.source = place.source()


def an_ssh_key_that_is_refused(place: GitPlace):
    place.lab.source = place.over_ssh(place.ssh.other_key)
    yield
    place.lab.source = place.over_ssh(place.ssh.key_file)


def a_repository_without_a_project(place: GitPlace):
    place.upstream.git("rm", "-r", "--quiet", ".")
    place.upstream.commit({"README.md": "-"}, "Away with it")
    yield
    place.back()


def a_repository_without_a_domain(place: GitPlace):
    place.upstream.git("rm", "--quiet", "domain.yml")
    place.upstream.commit({})
    yield
    place.back()


def a_folder_that_is_missing(place: GitPlace):
    place.lab.source = place.source(folder="bots/bank")
    yield
    place.lab.source = place.source()


def a_pointer_of_lfs(place: GitPlace):
    place.upstream.commit({"data/nlu.json": POINTER})
    yield
    place.back()


def data_that_is_cut_off(place: GitPlace):
    whole = (place.upstream.clone / "data" / "nlu.json").read_text()
    place.upstream.commit({"data/nlu.json": whole[:-100]})
    yield
    place.back()


def half_of_the_data(place: GitPlace):
    place.lab.maximum_loss = 0.2
    place.write(utterances(15))
    yield
    place.back()


def a_server_that_hangs(place: GitPlace):
    place.lab.source = place.source(timeout=1)
    place.web.mode = "hang"
    yield
    place.web.mode = "ok"
    place.lab.source = place.source()


def a_server_of_web_pages(place: GitPlace):
    place.web.mode = "html"
    yield
    place.web.mode = "ok"


def git_is_not_there(place: GitPlace):
    place.lab.source = place.source(git="no-such-git")
    yield
    place.lab.source = place.source()


BAD_REPOSITORIES = [
    Bad(a_branch_that_is_missing, "pull", "no branch or tag 'mian'.*main", "correct it"),
    Bad(a_wrong_token, "pull", "does not accept the token", "set token"),
    Bad(a_repository_that_is_missing, "pull", "no such repository", "check url"),
    Bad(an_ssh_key_that_is_refused, "pull", "the ssh key was refused", "public half"),
    Bad(
        a_repository_without_a_project,
        "pull",
        r"0 files in .* it holds README\.md",
        "source.folder",
    ),
    Bad(a_repository_without_a_domain, "validate", "no domain in http.*bank.git", "`domain`"),
    Bad(a_folder_that_is_missing, "pull", "no folder bots/bank; it holds config.yml", "folder"),
    Bad(a_pointer_of_lfs, "pull", r"data/nlu\.json: a pointer of Git LFS", "git"),
    Bad(data_that_is_cut_off, "validate", r"data/nlu\.json:1: ", ""),
    Bad(half_of_the_data, "validate", "30 examples, 50 when .* 40% are gone", "maximum_loss"),
    Bad(a_server_that_hangs, "pull", "took longer than 1 s", "`timeout`"),
    Bad(a_server_of_web_pages, "pull", "no branch and no tag", "a web page?"),
    Bad(git_is_not_there, "pull", "could not be started", "install git"),
]


@pytest.mark.parametrize("bad", BAD_REPOSITORIES, ids=lambda bad: bad.id)
def test_bad_input_from_git(git: GitPlace, bad: Bad, caplog: pytest.LogCaptureFixture):
    """One clear error, nothing trained, the champion serves on, and the next cycle promotes."""
    require_named(git, bad, caplog)


def test_a_history_that_was_rewritten(git: GitPlace, caplog: pytest.LogCaptureFixture):
    """What the branch holds now is trained on, and the history of cycles says what happened."""
    old = git.upstream.commit({"data/nlu.json": "[]"})
    assert git.lab.run().failed_step == "validate"
    git.back()
    git.write(utterances(61))
    report = git.lab.run()
    assert report.state.confirmed, report.error
    recorded = history.get(git.engine, "latest").report
    (origin,) = recorded.state.snapshot.origins
    assert origin.details["history"].startswith(f"rewritten: {old[:12]}")
    assert origin.revision == git.upstream.head()
    require_no_secret(git, caplog)


# --- Rasa X ----------------------------------------------------------------------------------------

NLU = """version: "3.1"
nlu:
- intent: track
  examples: |
    - where is my order
    - track it
- intent: cancel
  examples: |
    - cancel my order
    - stop it
"""
#: Where Rasa X exports it; of two routes the one that answers is taken.
EXPORTS = r"/(training_data|data\.json)$"


class AnnotatedPlace(SourcePlace):
    """A double of Rasa X whose NLU data is put together with a folder that FakeRasa reads."""

    def __init__(
        self, server: RasaXServer, proxy: FaultProxy, folder: Path, engine: sa.Engine
    ) -> None:
        super().__init__(folder, engine)
        self.server, self.proxy = server, proxy
        self.lab.source = self.source()

    def source(self, **given: Any) -> MergedSource:
        """As a config would make it."""
        plain: dict[str, Any] = {"url": self.proxy.url, "parts": ["nlu"]}
        plain |= {"timeout": 5, "transfer_timeout": 1}
        if not given.keys() & {"api_token", "username", "token"}:
            plain["api_token"] = self.server.api_token
        options = RasaXSource.Options.model_validate(plain | given)
        annotated = RasaXSource.from_options(options, folder=self.folder, cache=self.folder / "c")
        return MergedSource(
            {"x": annotated, "local": DirectorySource(self.lab.project, include=PROJECT)}
        )


@pytest.fixture
def annotated(tmp_path: Path, engine: sa.Engine) -> Iterator[AnnotatedPlace]:
    """A place whose first pull made the model that serves."""
    with (
        rasa_x(tmp_path / "server", parts=Parts(nlu=NLU)) as server,
        fault_proxy(server.url) as proxy,
    ):
        place = AnnotatedPlace(server, proxy, tmp_path, engine)
        serve_first(place)
        yield place


def changed(place: AnnotatedPlace, **given: Any) -> Iterator[None]:
    place.lab.source = place.source(**given)
    yield
    place.server.violations.clear()
    place.lab.source = place.source()


def faulty(place: AnnotatedPlace, fault: Any, pattern: str = EXPORTS) -> Iterator[None]:
    place.proxy.on("GET", pattern, fault)
    yield
    place.proxy.clear()


def without_data(place: AnnotatedPlace) -> Iterator[None]:
    place.server.put(Parts())
    yield
    place.server.put(Parts(nlu=NLU))


TRUNCATED = Page(200, NLU[:-40].encode(), (("Content-Type", "application/x-yaml"),))
NO_YAML = Page(200, b"Not today.", TRUNCATED.headers)
BAD_ANNOTATIONS = {
    "wrong token": Bad(
        partial(changed, api_token=WRONG), "pull", "401: Auth required", "check `api_token`"
    ),
    "wrong project": Bad(partial(changed, project="shop"), "pull", "404: Project 'shop'", "shop"),
    "a part it has not": Bad(
        partial(changed, parts=["nlu", "config"]), "pull", "Rasa X has no config", "`parts`"
    ),
    "no data": Bad(without_data, "pull", "holds 0 examples", "`project`"),
    "truncated": Bad(
        partial(faulty, fault=TRUNCATED), "pull", "2 examples, it counts 4 itself", "again"
    ),
    "no yaml": Bad(
        partial(faulty, fault=NO_YAML), "pull", "no YAML with `nlu:`.*Not today", "again"
    ),
    "a page": Bad(partial(faulty, fault=Page(200)), "pull", "a web page", "check `url`"),
    "cut off": Bad(partial(faulty, fault=Closed(after=250)), "pull", "closed the", "say why"),
    "gateway": Bad(partial(faulty, fault=Page(504)), "pull", "answered 504", "a proxy"),
}


@pytest.mark.parametrize("what", BAD_ANNOTATIONS)
def test_bad_input_from_annotators(
    annotated: AnnotatedPlace, what: str, caplog: pytest.LogCaptureFixture
):
    """One clear error, nothing trained, the champion serves on, and the next cycle promotes."""
    require_named(annotated, BAD_ANNOTATIONS[what], caplog)


def test_an_export_that_drips(annotated: AnnotatedPlace, caplog: pytest.LogCaptureFixture):
    """A pull ends in time, also when the server goes on answering for ever."""

    def drips(place: AnnotatedPlace):
        place.lab.source = place.source(timeout=0.5, transfer_timeout=0.5)
        yield from faulty(place, Dripped())
        place.lab.source = place.source()

    bad = Bad(drips, "pull", r"no answer within 0\.5 s", "set how long")
    require_named(annotated, bad, caplog)
