"""The contract of sources, on the fake and on each real adapter."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from contract.source_contract import CHANGED, PROJECT, SourceContract
from support.git_servers import Upstream, isolate
from support.rasa_x import PLATFORM_2018, X_2021, Parts, RasaXServer, rasa_x

from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.git.source import GitSource
from retrainer.adapters.merged_source import MergedSource
from retrainer.adapters.rasa_x.source import RasaXSource
from retrainer.ports import DataSource
from retrainer.testing.sources import FakeSource


class TestFakeSource(SourceContract):
    """The fake that other tests rely on."""

    @pytest.fixture
    def source(self) -> DataSource:
        """A fake with the project."""
        return FakeSource(PROJECT, examples=1)

    @pytest.fixture
    def change(self, source: FakeSource) -> Callable[[], object]:
        """Another file, counted."""

        def changed() -> None:
            source.files["data/nlu.yml"] = CHANGED
            source.examples = 2

        return changed

    @pytest.fixture
    def empty_source(self) -> DataSource:
        """A fake with nothing."""
        return FakeSource({})


class TestDirectorySource(SourceContract):
    """The source that copies a folder, as wiring makes it."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> DataSource:
        """A folder with the project, and with files that are none of it."""
        notes = {"README.md": "-", "models/old.tar.gz": "-", "data/.nlu.yml.swp": "-"}
        for name, text in {**PROJECT, **notes}.items():
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        return DirectorySource.from_options(
            DirectorySource.Options(path=Path("project")), folder=tmp_path, cache=tmp_path / "cache"
        )

    @pytest.fixture
    def change(self, tmp_path: Path) -> Callable[[], object]:
        """Somebody edits the file."""
        return lambda: (tmp_path / "project/data/nlu.yml").write_text(CHANGED)

    @pytest.fixture
    def empty_source(self, tmp_path: Path) -> DataSource:
        """A folder with nothing."""
        (tmp_path / "empty").mkdir()
        return DirectorySource(tmp_path / "empty")


class TestMergedSource(SourceContract):
    """Two sources as one, of which one counts."""

    @pytest.fixture
    def annotated(self) -> FakeSource:
        """The training examples."""
        files = {name: text for name, text in PROJECT.items() if name == "data/nlu.yml"}
        return FakeSource(files, examples=1)

    @pytest.fixture
    def source(self, annotated: FakeSource) -> DataSource:
        """Examples of one source, the rest of another."""
        files = {name: text for name, text in PROJECT.items() if name not in annotated.files}
        return MergedSource({"nlu": annotated, "rest": FakeSource(files)})

    @pytest.fixture
    def change(self, annotated: FakeSource) -> Callable[[], object]:
        """Somebody annotates a message."""

        def changed() -> None:
            annotated.files["data/nlu.yml"] = CHANGED
            annotated.examples = 2

        return changed

    @pytest.fixture
    def empty_source(self) -> DataSource:
        """One of the two has nothing."""
        return MergedSource({"nlu": FakeSource({}), "rest": FakeSource(PROJECT)})


class TestGitSource(SourceContract):
    """The source that takes a commit of a repository, as wiring makes it."""

    @pytest.fixture
    def upstream(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upstream:
        """A repository, and a git without the user's settings."""
        for name, value in isolate(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        return Upstream(tmp_path / "server")

    @staticmethod
    def _source(upstream: Upstream, here: Path, **options: str) -> DataSource:
        chosen = GitSource.Options.model_validate({"url": str(upstream.bare), **options})
        return GitSource.from_options(chosen, folder=here, cache=here / "cache")

    @pytest.fixture
    def source(self, upstream: Upstream, tmp_path: Path) -> DataSource:
        """A repository with the project in a folder, and with files that are none of it."""
        notes = {"README.md": "-", "bot/models/old.tar.gz": "-", "bot/data/.nlu.yml.swp": "-"}
        upstream.commit({**{f"bot/{name}": text for name, text in PROJECT.items()}, **notes})
        return self._source(upstream, tmp_path, folder="bot")

    @pytest.fixture
    def change(self, upstream: Upstream) -> Callable[[], object]:
        """Somebody pushes."""
        return lambda: upstream.commit({"bot/data/nlu.yml": CHANGED})

    @pytest.fixture
    def empty_source(self, upstream: Upstream, tmp_path: Path) -> DataSource:
        """A repository without a commit."""
        return self._source(upstream, tmp_path)


class TestRasaXSource(SourceContract):
    """The source that takes what annotators keep in Rasa X, in YAML."""

    era, given = (
        X_2021,
        Parts(
            nlu=PROJECT["data/nlu.yml"],
            stories=PROJECT["data/stories/happy.yml"],
            domain=PROJECT["domain.yml"],
            config=PROJECT["config.yml"],
        ),
    )
    project: ClassVar[Mapping[str, str]] = {
        "config.yml": PROJECT["config.yml"],
        "data/rasa_x/nlu.yml": 'version: "3.1"\nnlu:\n- intent: "greet"\n  examples: |\n'
        "    - Grüß Gott\n",
        "data/rasa_x/rules.yml": 'version: "3.1"\nrules:\n',
        "data/rasa_x/stories.yml": 'version: "3.1"\nstories:\n',
        "domain.yml": PROJECT["domain.yml"],
    }
    parts: ClassVar[tuple[str, ...]] = ("nlu", "stories", "rules", "domain", "responses", "config")

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[RasaXServer]:
        """A server with the project."""
        with rasa_x(tmp_path / "server", era=self.era, parts=self.given) as server:
            yield server

    @pytest.fixture
    def source(self, server: RasaXServer, tmp_path: Path) -> DataSource:
        """Of that server."""
        return self.of(server, tmp_path)

    @pytest.fixture
    def change(self, server: RasaXServer) -> Callable[[], object]:
        """Somebody annotates a message."""
        return lambda: server.data.nlu.add("Moin", "greet")

    @pytest.fixture
    def empty_source(self, tmp_path: Path) -> Iterator[DataSource]:
        """A server with nothing."""
        with rasa_x(tmp_path / "empty", era=self.era) as server:
            yield self.of(server, tmp_path)

    def of(self, server: RasaXServer, folder: Path) -> DataSource:
        """The source as wiring makes it."""
        options = {"url": server.url, "api_token": server.api_token, "era": self.era.name}
        return RasaXSource.from_options(
            RasaXSource.Options.model_validate({**options, "parts": self.parts}),
            folder=folder,
            cache=folder / "cache",
        )


class TestRasaPlatformSource(TestRasaXSource):
    """The same of 2018: NLU data alone, in JSON."""

    era = PLATFORM_2018
    parts: ClassVar[tuple[str, ...]] = ("nlu",)
    project: ClassVar[Mapping[str, str]] = {
        "data/rasa_x/nlu.json": '{"rasa_nlu_data": {"common_examples": [\n'
        '{"text": "Gr\\u00fc\\u00df Gott", "intent": "greet", "entities": []}\n'
        '], "regex_features": [], "lookup_tables": [], "entity_synonyms": []}}\n',
    }
