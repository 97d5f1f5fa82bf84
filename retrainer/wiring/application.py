"""Settings become ports.

Heavy things are imported where they are made, so that `retrainer history` stays quick.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from retrainer.adapters.clock import SystemClock
from retrainer.errors import ConfigurationError
from retrainer.pipeline.conclusion import EVENTS
from retrainer.pipeline.world import Assistant, Desk, World
from retrainer.ports import ArtifactStore, CycleListener, DataSource, Notifier, Platform, Project
from retrainer.settings import (
    AssistantSettings,
    PluginSettings,
    Settings,
    anchored,
    find_config,
    load,
)
from retrainer.settings import policy_of as settings_policy
from retrainer.settings.plugins import Plugins
from retrainer.wiring.rasa_interpreter import RasaInterpreter, time_limits

if TYPE_CHECKING:  # SQLAlchemy costs a third of a second, and `--help` does without
    from sqlalchemy import Engine

    from retrainer.adapters.rasa_client import RasaClient
    from retrainer.store.run_store import SqlRunStore


@dataclass(frozen=True)
class Application:
    """retrainer as one config file describes it. Everything is made when it is first needed."""

    config: Path
    settings: Settings
    #: Where settings may come from beside the file.
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @classmethod
    def from_config(
        cls, given: Path | None, environment: Mapping[str, str] = os.environ
    ) -> "Application":
        """Read the config file (see `settings.find_config`).

        Raises:
            ConfigurationError: with the key's path.
        """
        path = find_config(given)
        return cls(path, load(path, environment), environment)

    @cached_property
    def _plugins(self) -> Plugins:
        return Plugins(self.config, self.environment)

    @cached_property
    def clock(self) -> SystemClock:
        """The system's clock."""
        return SystemClock()

    @cached_property
    def state_dir(self) -> Path:
        """Absolute folder of everything that retrainer keeps."""
        return anchored(self.config, self.settings.state_dir).resolve()

    @cached_property
    def engine(self) -> "Engine":
        """The database, with the schema that this version needs.

        Raises:
            DatabaseError: it cannot be used.
            SchemaError: it has another schema.
        """
        from retrainer.store import schema

        engine = self.bare_engine
        schema.prepare(engine)
        return engine

    @cached_property
    def bare_engine(self) -> "Engine":
        """The database, whatever its schema is."""
        from retrainer.store.engine import make_engine

        given = self.settings.database
        url = given.get_secret_value() if given else f"sqlite:///{self.state_dir / 'retrainer.db'}"
        return make_engine(url, anchored=partial(anchored, self.config))

    @cached_property
    def past(self) -> "Engine | None":
        """The database to read from; None as long as no cycle has made it. Makes nothing.

        Raises:
            DatabaseError: it cannot be used.
            SchemaError: it has another schema.
        """
        from retrainer.store import schema

        if schema.current(self.bare_engine).standing is schema.Standing.EMPTY:
            return None
        schema.check(self.bare_engine)
        return self.bare_engine

    @cached_property
    def store(self) -> "SqlRunStore":
        """The record of every cycle."""
        from retrainer.store.run_store import SqlRunStore

        return SqlRunStore(self.engine, self.clock)

    @cached_property
    def interpreter(self) -> RasaInterpreter:
        """Where Rasa runs."""
        return RasaInterpreter(self.config, self.settings.rasa, self.state_dir)

    @cached_property
    def notifiers(self) -> Mapping[str, Notifier]:
        """Who is told, by the name that the config gives them."""
        from retrainer.reports.message import render

        made: dict[str, Notifier] = {}
        for name, settings in self.settings.notifiers.items():
            unknown = sorted(set(settings.on) - set(EVENTS))
            if unknown:
                raise ConfigurationError(
                    f"{self.config}: notifiers.{name}.on: unknown {', '.join(unknown)}; "
                    f"known are {', '.join(EVENTS)}"
                )
            for assistant in settings.assistants or ():
                self._settings_of(assistant)
            made[name] = self._plugins.make(
                "notifiers",
                settings,
                self.config.parent,
                "notifiers",
                name,
                render=render,
                fetch=lambda assistant, model: self.platform(assistant).fetch(model),
            )
        return made

    def told_of(self, name: str) -> Mapping[str, frozenset[str]]:
        """Who is told of this assistant's cycles, and of which ends."""
        return {
            notifier: frozenset(settings.on)
            for notifier, settings in self.settings.notifiers.items()
            if settings.assistants is None or name in settings.assistants
        }

    def require_plugins(self) -> None:
        """Make sure that every plugin is known and takes its options.

        Raises:
            ConfigurationError: with the key's path.
        """
        _ = self.notifiers
        for name in self.settings.assistants:
            self.source(name)
            self.platform(name)
            self.artifacts(name)

    def assistants(self, name: str | None) -> tuple[str, ...]:
        """The named assistant, or all of them.

        Raises:
            ConfigurationError: there is none of that name.
        """
        if name is None:
            return tuple(self.settings.assistants)
        self._settings_of(name)
        return (name,)

    def source(self, name: str) -> DataSource:
        """Where the assistant's project comes from."""
        from retrainer.adapters.merged_source import MergedSource

        settings = self._settings_of(name)
        if settings.source is not None:
            return self._source(settings.source, "assistants", name, "source")
        return MergedSource(
            {
                part: self._source(given, "assistants", name, "sources", part)
                for part, given in settings.sources.items()
            }
        )

    def platform(self, name: str) -> Platform:
        """Where the assistant's models live."""
        settings = self._settings_of(name).platform
        folder = self._folder(name) / "registry"
        platform: Platform = self._plugins.make(
            "platforms", settings, folder, "assistants", name, "platform"
        )
        return platform

    def artifacts(self, name: str) -> ArtifactStore:
        """Where the records of the assistant's models and cycles are kept."""
        from retrainer.wiring.records import artifact_store

        return artifact_store(self.config, self.settings.records, name, self._folder(name))

    def desk(self, name: str) -> Desk:
        """What a person needs to change the champion: neither a source nor Rasa."""
        return Desk(name, self.clock, self.platform(name), self.store)

    def world(self, name: str, listener: CycleListener) -> World:
        """Everything that a cycle of this assistant may touch."""
        from retrainer.adapters.snapshots import FolderSnapshots

        folder = self._folder(name)
        return World(
            assistant=self.assistant(name),
            clock=self.clock,
            source=self.source(name),
            snapshots=FolderSnapshots(folder / "snapshots"),
            find_project=self.project_finder(name),
            rasa=self.rasa(name),
            platform=self.platform(name),
            artifacts=self.artifacts(name),
            store=self.store,
            folder=folder / "cycles",
            listener=listener,
            notifiers=self.told_of(name),
        )

    def project_finder(self, name: str) -> Callable[[Path], Project]:
        """Finds config, domain and data of the assistant's project below a folder."""
        from retrainer.adapters.projects import find_project

        settings = self._settings_of(name)
        return partial(
            find_project, config=settings.config, domain=settings.domain, data=settings.data
        )

    def rasa(self, name: str, *, folder: Path | None = None) -> "RasaClient":
        """Rasa for one assistant; no process is started before it is asked something.

        Its cache and log are kept in `folder`; None: with the assistant's other files.
        """
        from retrainer.adapters.rasa_client import RasaClient

        kept = folder or self._folder(name)
        stamp = self.clock.now().strftime("%Y%m%d-%H%M%S")
        return RasaClient(
            python=self.interpreter.python,
            cache=kept / "rasa-cache",
            log=kept / "cycles" / f"rasa-{stamp}-{os.getpid()}.log",
            limits=time_limits(
                self.settings.rasa, self._settings_of(name).training, f"assistants.{name}.training"
            ),
        )

    def assistant(self, name: str) -> Assistant:
        """What is configured for the assistant, as the pipeline takes it."""
        settings = self._settings_of(name)
        return Assistant(
            name=name,
            policy=settings_policy(self.settings, settings.policy, where=self.config),
            must_pass=settings.must_pass,
            test_data=settings.evaluation.test_data,
            holdout=settings.evaluation.holdout,
            minimum_examples=settings.evaluation.minimum_examples,
            fail_on_warnings=settings.validation.fail_on_warnings,
            maximum_loss=settings.validation.maximum_loss,
            inputs=f"rasa {self.interpreter.versions.rasa} config {settings.config} "
            f"domain {settings.domain} data {settings.data}",
            keep_models=settings.retention.models,
            keep_age=settings.retention.age,
        )

    def _source(self, settings: PluginSettings, *keys: str) -> DataSource:
        cache = self.state_dir.joinpath(*keys)
        source: DataSource = self._plugins.make(
            "sources", settings, self.config.parent, *keys, cache=cache
        )
        return source

    def _folder(self, name: str) -> Path:
        return self.state_dir / "assistants" / name

    def _settings_of(self, name: str) -> AssistantSettings:
        if name not in self.settings.assistants:
            raise ConfigurationError(
                f"{self.config}: there is no assistant {name!r}; "
                f"known are {', '.join(self.settings.assistants)}"
            )
        return self.settings.assistants[name]
