"""Looks at sources: few requests, nothing written, and what they see of real changes."""

import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contract.source_contract import PROJECT
from support.fault_proxy import FaultProxy, Page, fault_proxy
from support.git_servers import GitHttp, Upstream, isolate
from support.rasa_x import X_2021, Parts, RasaXServer, rasa_x

from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.folders import exclusive
from retrainer.adapters.git.source import GitSource
from retrainer.adapters.rasa_x.source import RasaXSource
from retrainer.errors import ProjectError, ServerError

TOKEN = "wrong-s3cret"
STORY = 'version: "3.1"\nstories:\n- story: one\n  steps:\n  - intent: greet\n'
PARTS = Parts(
    nlu="nlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n"
    "- intent: bye\n  examples: |\n    - see you\n",
    stories=STORY,
    domain="intents: [greet, bye]\n",
    config="recipe: default.v1\nlanguage: en\n",
)

# --- a folder ------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, as wiring finds it."""
    for name, text in PROJECT.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda p: (p / "data/more.yml").write_text("nlu: []\n"), True),
        (lambda p: (p / "domain.yml").unlink(), True),
        (lambda p: (p / "domain.yml").rename(p / "domain.yaml"), True),
        (lambda p: os.utime(p / "domain.yml"), True),  # it was not read, so it may be another
        (lambda p: (p / "README.md").write_text("no part of it"), False),
        (lambda p: (p / "data/nlu.yml").read_text(), False),
    ],
    ids=["added", "deleted", "renamed", "touched", "beside it", "read"],
)
def test_a_folder_is_seen_by_names_sizes_and_times(project: Path, change, seen: bool):
    """Only what a pull would take counts; a file that was touched is taken for another one."""
    source = DirectorySource(project)
    before = source.look()
    change(project)
    assert (source.look() != before) == seen


def test_a_state_folder_in_the_project_is_not_new_data(project: Path):
    """What a cycle keeps must not ask for the next cycle, for ever."""
    state = project / "data" / "state" / "assistants" / "shop"
    for cache in (state / "source", state / "sources" / "git"):
        source = DirectorySource.from_options(
            DirectorySource.Options(path=project), folder=project, cache=cache
        )
        before = source.look()
        snapshot = state / "snapshots" / cache.name
        snapshot.mkdir(parents=True)
        (snapshot / "nlu.yml").write_text("kept")
        assert source.look() == before


def test_a_link_that_leads_nowhere_is_an_error(project: Path):
    """As for a pull."""
    (project / "data/gone.yml").symlink_to("nowhere.yml")
    with pytest.raises(ProjectError, match=r"gone\.yml is not readable: it is a link"):
        DirectorySource(project).look()


# --- git -----------------------------------------------------------------------------------------


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upstream:
    """A repository with the project, and a git without the user's settings."""
    environment = isolate(tmp_path / "home")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    upstream = Upstream(tmp_path / "server", environment=environment)
    upstream.commit(PROJECT)
    return upstream


@pytest.fixture
def look(tmp_path: Path, upstream: Upstream) -> Callable[..., str]:
    """Looks as the daemon does; returns the token."""

    def looked(**options: object) -> str:
        chosen = GitSource.Options.model_validate({"url": str(upstream.bare), **options})
        source = GitSource.from_options(chosen, folder=tmp_path, cache=tmp_path / "cache")
        return source.look().token

    return looked


def test_git_shows_the_commit(upstream: Upstream, look, tmp_path: Path):
    """Branch, tag and default branch are asked for by name; nothing is fetched or made for it."""
    first = upstream.head()
    upstream.git("tag", "--annotate", "v1", "--message", "one")
    upstream.git("push", "--quiet", "origin", "v1")
    second = upstream.commit({"data/nlu.yml": "2"})
    other = upstream.commit({"data/nlu.yml": "3"}, branch="feature/x")
    assert [look(), look(revision="v1"), look(revision="feature/x")] == [second, first, other]
    assert not (tmp_path / "cache").exists()
    with pytest.raises(ProjectError, match="no branch or tag 'mian'"):
        look(revision="mian")


def test_a_full_commit_is_never_asked_for(look):
    """It is the same for ever, whether the server is there or not."""
    assert look(revision="a" * 40, url="https://127.0.0.1:1/gone.git") == "a" * 40


def test_git_is_looked_at_during_a_pull(upstream: Upstream, look, tmp_path: Path):
    """A cycle that pulls for an hour holds up no look, and no look it."""
    with exclusive(tmp_path / "cache"):
        assert look() == upstream.head()


def test_a_git_server_that_refuses_keeps_the_token_secret(upstream: Upstream, look):
    """The same words and the same care as for a pull."""
    with GitHttp(upstream.folder, isolate(upstream.folder)) as server:
        with pytest.raises((ServerError, ProjectError)) as refused:
            look(url=f"{server.url}/{upstream.bare.name}", token=TOKEN)
        assert server.authorizations, "it was sent to the server"
    said = "".join(traceback.format_exception(refused.value))
    assert TOKEN not in f"{said} {refused.value.tip}"


# --- Rasa X --------------------------------------------------------------------------------------


class Place:
    """A server behind a proxy, and a source of it."""

    def __init__(self, server: RasaXServer, proxy: FaultProxy, folder: Path) -> None:
        self.server, self.proxy = server, proxy
        options = {"url": proxy.url, "api_token": server.api_token, "timeout": 5.0}
        self.source = RasaXSource.from_options(
            RasaXSource.Options.model_validate(options), folder=folder, cache=folder / "cache"
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with (
        rasa_x(tmp_path / "server", era=X_2021, parts=PARTS) as server,
        fault_proxy(server.url) as proxy,
    ):
        yield Place(server, proxy, tmp_path)


@pytest.mark.parametrize(
    ("change", "examples"),
    [
        (lambda data: data.nlu.add("moin", "greet"), 4),
        (lambda data: data.nlu.examples.pop(), 2),
        (lambda data: data.nlu.examples[0].update(intent="bye"), 3),
        (lambda data: data.set_domain("intents: [greet, bye, thank]\n"), 3),
        (lambda data: setattr(data, "config", "recipe: default.v1\nlanguage: de\n"), 3),
        (lambda data: data.stories[0].update(story=STORY.replace("greet", "bye")), 3),
    ],
    ids=["annotated", "deleted", "relabelled", "domain", "config", "story"],
)
def test_rasa_x_shows_what_annotators_changed(place: Place, change, examples: int):
    """Also where the number of examples stays what it was."""
    before = place.source.look()
    assert before.examples == 3
    change(place.server.data)
    after = place.source.look()
    assert after.token != before.token
    assert after.examples == examples


def test_rasa_x_is_asked_a_few_small_things(place: Place):
    """A look takes a few requests, and never the export of all the examples."""
    place.source.look()
    assert place.server.count("export") == 0
    assert place.proxy.count() <= 8


def test_the_order_of_a_list_is_no_change(place: Place):
    """It is not documented, and must not begin a cycle."""
    before = place.source.look()
    place.server.data.nlu.examples.reverse()
    assert place.source.look() == before


@pytest.mark.parametrize("fault", [Page(403), Page(401), Page(404), Page(200)])
def test_a_server_that_lists_no_intents_still_counts(place: Place, fault: Page):
    """Older servers, and users of few rights: what can be seen is looked at."""
    place.proxy.on("GET", r"/intents$", fault)
    before = place.source.look()
    assert place.source.look() == before
    place.server.data.nlu.add("moin", "greet")
    assert place.source.look().examples == 4


def test_a_rasa_x_that_is_away_is_a_server_error(place: Place):
    """So the daemon knows that it may come back."""
    place.proxy.on("*", "", Page(502))
    with pytest.raises(ServerError):
        place.source.look()
