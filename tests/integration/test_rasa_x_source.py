"""The source `rasa_x`: what it pulls is what Rasa reads, and what is not whole is not taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fault_proxy import Closed, FaultProxy, Page, fault_proxy
from support.rasa_projects import CONFIG, DOMAIN, FAST_PIPELINE, NLU, STORIES, write_project
from support.rasa_x import (
    ENTERPRISE_1,
    ERAS,
    PLATFORM_2018,
    X_2019,
    X_2020,
    X_2021,
    Era,
    Parts,
    RasaXServer,
    rasa_x,
)

from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.merged_source import MergedSource
from retrainer.adapters.projects import find_project
from retrainer.adapters.rasa_client import RasaClient
from retrainer.adapters.rasa_x.source import RasaXSource
from retrainer.errors import ProjectError, RetrainerError, ServerError

PARTS = Parts(
    nlu=NLU, rules=STORIES, domain=DOMAIN, config=CONFIG.format(pipeline=FAST_PIPELINE.strip())
)
MARKDOWN = """## greeting
* greet
  - utter_greet
* order{"dish": "pizza"} OR bye
  - utter_order
"""

YAML = (("Content-Type", "application/x-yaml"),)


class Place:
    """A server behind a proxy, and sources that pull from it."""

    def __init__(self, server: RasaXServer, proxy: FaultProxy, folder: Path) -> None:
        self.server, self.proxy, self._folder, self._pulls = server, proxy, folder, 0

    def source(self, **given: Any) -> RasaXSource:
        """As a config would make it."""
        options = {"url": self.proxy.url, "api_token": self.server.api_token, "timeout": 5.0}
        made = RasaXSource.Options(**(options | given))
        return RasaXSource.from_options(made, folder=self._folder, cache=self._folder / "cache")

    def pull(self, **given: Any) -> Path:
        """Where the next pull went."""
        self._pulls += 1
        into = self._folder / f"pull-{self._pulls}"
        into.mkdir()
        self.source(**given).pull(into)
        return into


@contextmanager
def place(folder: Path, era: Era = X_2021, parts: Parts = PARTS) -> Iterator[Place]:
    with (
        rasa_x(folder / "server", era=era, parts=parts) as server,
        fault_proxy(server.url) as proxy,
    ):
        yield Place(server, proxy, folder)


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def normal(examples: Any) -> set[Any]:
    """Examples, wherever they stand and in whatever order they come."""
    return {replace(example, file=None, line=None) for example in examples}


@pytest.mark.rasa
@pytest.mark.parametrize("era", ERAS, ids=lambda era: era.name)
def test_rasa_reads_the_same_examples(era: Era, rasa: RasaClient, tmp_path: Path) -> None:
    """Texts, intents and entities are those that annotators put in, in the format of each era."""
    own = write_project(tmp_path / "own")
    with place(tmp_path, era) as here:
        pulled = here.pull(era=era.name, parts=("nlu",))
    (name,) = files(pulled)
    assert name == f"data/rasa_x/nlu.{'yml' if 'yaml' in era.data_formats else 'json'}"
    expected = normal(rasa.read_examples([own.root / "data"]))
    read = normal(rasa.read_examples([pulled]))
    if "yaml" in era.data_formats:
        assert read == expected
    else:  # JSON knows no responses: an intent is its whole name
        assert {e.text for e in read} == {e.text for e in expected}
        assert {(e.text, x.type, x.value) for e in read for x in e.entities} == {
            (e.text, x.type, x.value) for e in expected for x in e.entities
        }


@pytest.mark.rasa
def test_rasa_reads_what_was_markdown(rasa: RasaClient, tmp_path: Path) -> None:
    """A server that writes nothing but Markdown: examples, entities and their roles survive."""
    own = write_project(tmp_path / "own")
    with place(tmp_path, X_2020) as here:
        here.proxy.on("GET", "/data.json$", Page(404))
        pulled = here.pull(parts=("nlu",))
    assert list(files(pulled)) == ["data/rasa_x/nlu.yml"]
    expected = normal(rasa.read_examples([own.root / "data"]))
    assert normal(rasa.read_examples([pulled])) == expected


@pytest.mark.rasa
@pytest.mark.parametrize("era", [X_2021, ENTERPRISE_1], ids=lambda era: era.name)
def test_a_whole_project_is_sound(era: Era, rasa: RasaClient, tmp_path: Path) -> None:
    """Everything that Rasa needs comes from Rasa X, and Rasa's validator has nothing against it."""
    with place(tmp_path, era) as here:
        pulled = here.pull()
    project = find_project(pulled)
    assert [str(f) for f in rasa.validate(project)] == [
        str(f) for f in rasa.validate(write_project(tmp_path / "own"))
    ]
    assert set(rasa.read_project(project).domain_intents) == {"greet", "bye", "order", "faq"}


@pytest.mark.rasa
def test_stories_in_markdown_are_read_by_rasa(rasa: RasaClient, tmp_path: Path) -> None:
    """What was converted is a story to Rasa 3."""
    parts = replace(PARTS, stories=MARKDOWN, rules="")
    with place(tmp_path, replace(X_2020, data_formats=("json",)), parts) as here:
        pulled = here.pull(era="2020")
    findings = rasa.validate(find_project(pulled))
    assert not [str(f) for f in findings if "greeting" in str(f)]
    assert not [str(f) for f in findings if f.severity == "error"]
    (pulled / "data/rasa_x/stories.yml").write_text("stories:\n- story: x\n  steps: 7\n")
    with pytest.raises(RetrainerError):
        rasa.validate(find_project(pulled))


def test_an_unchanged_server_gives_the_same_files(tmp_path: Path) -> None:
    """Two pulls of the same data are the same bytes, so that an unchanged night is skipped."""
    with place(tmp_path) as here:
        first, second = files(here.pull()), files(here.pull())
    assert first == second
    assert sorted(first) == [
        "config.yml",
        "data/rasa_x/nlu.yml",
        "data/rasa_x/rules.yml",
        "data/rasa_x/stories.yml",
        "domain.yml",
    ]


def test_where_it_came_from_is_recorded(tmp_path: Path) -> None:
    """Each part and what it holds, the server and its version; no token."""
    with place(tmp_path) as here:
        (tmp_path / "into").mkdir()
        (origin,) = here.source().pull(tmp_path / "into")
        assert origin.place == here.proxy.url
        assert origin.details["nlu"] == "24 examples"
        assert origin.details["rules"] == "4 rules"
        assert origin.details["Rasa X"] == X_2021.product
        assert here.server.api_token not in repr(origin)


def test_the_settings_of_2019_are_unwrapped(tmp_path: Path) -> None:
    """An object that holds the config is not the config."""
    with place(tmp_path, X_2019) as here:
        pulled = here.pull(parts=("config",))
    assert files(pulled) == {"config.yml": PARTS.config}


def test_responses_that_the_domain_lacks_are_added(tmp_path: Path) -> None:
    """Annotators write responses in Rasa X, wherever the domain is kept."""
    domain = 'version: "3.1"\nintents: [greet]\n'
    responses = {"utter_greet": [{"text": "Hello"}, {"text": "Hi"}]}
    with place(tmp_path, parts=replace(PARTS, domain=domain, responses=responses)) as here:
        pulled = files(here.pull(parts=("domain", "responses")))
    assert '"text": "Hi"' in pulled["domain/rasa_x_responses.yml"]
    with place(tmp_path / "2") as here:
        assert list(files(here.pull(parts=("domain", "responses")))) == ["domain.yml"]


@pytest.mark.rasa
def test_what_an_export_leaves_out_is_fetched(rasa: RasaClient, tmp_path: Path) -> None:
    """Regexes, lookup tables and synonyms come from routes of their own where they have to."""
    bare = NLU[: NLU.index("  - synonym:")]
    with place(tmp_path) as here:
        here.proxy.on("GET", "/training_data$", Page(200, bare.encode(), YAML))
        pulled = here.pull(parts=("nlu",))
    names = ["lookup", "nlu", "regex", "synonym"]
    assert sorted(files(pulled)) == [f"data/rasa_x/{name}.yml" for name in names]
    assert '"- pizza\\n- soup\\n- burger\\n"' in files(pulled)["data/rasa_x/lookup.yml"]
    burger = [
        entity.value
        for example in rasa.read_examples([pulled])
        for entity in example.entities
        if entity.value == "burger"
    ]
    assert burger, "the annotated synonym is still there"


@pytest.mark.parametrize(
    ("route", "fault", "message"),
    [
        ("/training_data$", Page(200, NLU[:200].encode(), YAML), "holds 6 examples, it counts 24"),
        ("/training_data$", Page(200, b"", YAML), "begins with b''"),
        ("/(training_data|data.json)$", Page(200), "web page"),
        ("/training_data$", Closed(after=700), "closed the connection"),
        ("/training_data$", Page(500), "answered 500"),
        ("/stories$", Page(200), "web page"),
        ("/settings$", Page(200), "web page"),
        ("/domain$", Page(504), "answered 504"),
    ],
)
def test_what_is_not_whole_is_not_taken(
    tmp_path: Path, route: str, fault: Any, message: str
) -> None:
    """Each failure is one clear error; a project of half the data is none."""
    with place(tmp_path) as here:
        here.proxy.on("GET", route, fault)
        with pytest.raises((ProjectError, ServerError), match=message) as caught:
            here.pull()
        assert here.server.api_token not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (replace(PARTS, nlu=""), "holds 0 examples"),
        (replace(PARTS, config=""), "Rasa X has no config"),
        (replace(PARTS, domain=""), "Rasa X has no domain"),
    ],
)
def test_a_part_that_is_not_there_is_named(tmp_path: Path, parts: Parts, message: str) -> None:
    """With what to do: the part may come from elsewhere."""
    with place(tmp_path, parts=parts) as here:
        with pytest.raises(ProjectError, match=message):
            here.pull()
        assert here.pull(parts=("stories", "rules"))


def test_a_count_that_is_known_to_differ_may_be_ignored(tmp_path: Path) -> None:
    """A server that counts what it never exports can be used, by choice."""
    with place(tmp_path) as here:
        here.proxy.on("GET", "/training_data$", Page(200, NLU[:200].encode(), YAML))
        assert here.pull(parts=("nlu",), require_all=False)


@pytest.mark.parametrize("wrong", [{"api_token": "wrong"}, {"project": "other"}])
def test_who_may_not_or_where_nothing_is(tmp_path: Path, wrong: dict[str, str]) -> None:
    """A wrong token or project is an error of one line with a tip."""
    with place(tmp_path) as here:
        with pytest.raises(ServerError) as caught:
            here.pull(**wrong)
        assert caught.value.tip
        here.server.violations.clear()


def test_a_project_is_put_together_of_rasa_x_and_a_folder(tmp_path: Path) -> None:
    """NLU from Rasa X, the rest from a folder; what both have is a mistake that is named."""
    own = write_project(tmp_path / "own").root
    with place(tmp_path, PLATFORM_2018) as here:
        nlu = here.source(era="2018", parts=("nlu",))
        code = DirectorySource(own, exclude=("data/nlu.yml",))
        (tmp_path / "into").mkdir()
        origins = MergedSource({"annotations": nlu, "code": code}).pull(tmp_path / "into")
    assert [origin.source for origin in origins] == ["annotations", "code"]
    assert sorted(files(tmp_path / "into")) == [
        "config.yml",
        "data/rasa_x/nlu.json",
        "data/rules.yml",
        "domain.yml",
    ]
