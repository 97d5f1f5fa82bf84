"""Settings become ports.

Heavy things are imported where they are made, so that `retrainer history` stays quick.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from retrainer.adapters.clock import SystemClock
from retrainer.domain.schedule import Schedule
from retrainer.domain.verdict import Policy
from retrainer.errors import ConfigurationError
from retrainer.pipeline.world import Assistant, Desk, World
from retrainer.ports import ArtifactStore, CycleListener, DataSource, Notifier, Platform, Project
from retrainer.settings import (
    AssistantSettings,
    PluginSettings,
    Settings,
    anchored,
    find_config,
    load,
    with_credentials,
)
from retrainer.settings import policy_of as settings_policy
from retrainer.settings.plugins import Plugins
from retrainer.settings.schedule import promotion_opens, schedule_of
from retrainer.wiring.rasa_interpreter import RasaInterpreter

if TYPE_CHECKING:  # SQLAlchemy costs a third of a second, and `--help` does without
    from sqlalchemy import Engine

    from retrainer.adapters.rasa_client import RasaClient
    from retrainer.store.agenda import SqlAgenda
    from retrainer.store.run_store import SqlRunStore


@dataclass(frozen=True)
class Application:
    """retrainer as one config file describes it. Everything is made when it is first needed."""

    config: Path
    settings: Settings
    #: Where settings may come from beside the file.
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @classmethod
    def from_config(cls, given: Path | None, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the config file (see `settings.find_config`).

        Raises:
            ConfigurationError: with the key's path.
        """
        path = find_config(given)
        surroundings = with_credentials(environment)
        return cls(path, load(path, surroundings), surroundings)

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
        from retrainer.store.postgres import IDLE_SECONDS

        given, lease = self.settings.database, self.settings.daemon.lease.total_seconds()
        url = given.get_secret_value() if given else f"sqlite:///{self.state_dir / 'retrainer.db'}"
        # What a process that was stopped has locked must be free when its leases run out.
        idle = min(IDLE_SECONDS, lease / 2)
        return make_engine(url, idle_seconds=idle, anchored=partial(anchored, self.config))

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
    def agenda(self) -> "SqlAgenda":
        """What is to be done."""
        from retrainer.store.agenda import SqlAgenda

        return SqlAgenda(self.engine, self.clock)

    @property
    def single_machine(self) -> bool:
        """Whether the database is a file, which only processes of one machine can share."""
        return self.bare_engine.dialect.name == "sqlite"

    @cached_property
    def interpreter(self) -> RasaInterpreter:
        """Where Rasa runs."""
        return RasaInterpreter(self.config, self.settings.rasa, self.state_dir)

    @cached_property
    def notifiers(self) -> Mapping[str, Notifier]:
        """Who is told, by the name that the config gives them."""
        from retrainer.wiring.notifiers import make_notifiers

        for settings in self.settings.notifiers.values():
            for assistant in settings.assistants or ():
                self._settings_of(assistant)
        return make_notifiers(
            self.config,
            self.settings,
            self._plugins,
            fetch=lambda assistant, model: self.platform(assistant).fetch(model),
        )

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
        from retrainer.wiring.assistant import require_countable

        _ = self.notifiers
        for name, settings in self.settings.assistants.items():
            require_countable(self.config, name, settings, self.source(name))
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
        given, folder = self._settings_of(name).platform, self._folder(name) / "registry"
        keys = ("assistants", name, "platform")
        platform: Platform = self._plugins.make("platforms", given, folder, *keys)
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
        from retrainer.wiring.assistant import action_server_of

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
            action_server=action_server_of(self._settings_of(name)),
            promotion_opens=partial(promotion_opens, self._settings_of(name).schedule),
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
        kept = folder or self._folder(name)
        stamp = self.clock.now().strftime("%Y%m%d-%H%M%S")
        return self.interpreter.client(
            kept,
            log=kept / "cycles" / f"rasa-{stamp}-{os.getpid()}.log",
            training=self._settings_of(name).training,
            table=f"assistants.{name}.training",
        )

    def schedule(self, name: str) -> Schedule:
        """When the assistant's cycles are due."""
        return schedule_of(self._settings_of(name).schedule, name)

    def policy(self, name: str) -> Policy:
        """What decides about the assistant's challengers.

        Raises:
            ConfigurationError: there is no such policy, or it is not usable.
        """
        return settings_policy(self.settings, self._settings_of(name).policy, where=self.config)

    def assistant(self, name: str) -> Assistant:
        """What is configured for the assistant, as the pipeline takes it."""
        from retrainer.wiring.assistant import assistant_of

        settings = self._settings_of(name)
        return assistant_of(name, settings, self.policy(name), self.interpreter.versions.rasa)

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
                f"known are {', '.join(self.settings.assistants) or 'none'}"
            )
        return self.settings.assistants[name]
