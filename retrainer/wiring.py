"""The one module that knows concrete classes: it turns settings into ports.

Heavy things are imported where they are made, so that `retrainer history` stays quick.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from retrainer.adapters.clock import SystemClock
from retrainer.errors import ConfigurationError
from retrainer.pipeline.conclusion import EVENTS
from retrainer.pipeline.world import Assistant, Desk, World
from retrainer.ports import CycleListener, DataSource, Notifier, Platform, Project, Versions
from retrainer.settings import AssistantSettings, PluginSettings, Settings, find_config, load
from retrainer.settings import policy_of as settings_policy
from retrainer.settings.loading import invalid

if TYPE_CHECKING:  # SQLAlchemy costs a third of a second, and `--help` does without
    from sqlalchemy import Engine

    from retrainer.adapters.rasa_client import RasaClient
    from retrainer.store.run_store import SqlRunStore


@dataclass(frozen=True)
class Application:
    """retrainer as one config file describes it. Everything is made when it is first needed."""

    config: Path
    settings: Settings

    @classmethod
    def from_config(cls, given: Path | None) -> "Application":
        """Read the config file (see `settings.find_config`).

        Raises:
            ConfigurationError: with the key's path.
        """
        path = find_config(given)
        return cls(path, load(path))

    @cached_property
    def clock(self) -> SystemClock:
        """The system's clock."""
        return SystemClock()

    @cached_property
    def state_dir(self) -> Path:
        """Absolute folder of everything that retrainer keeps."""
        return (self.config.parent / self.settings.state_dir).resolve()

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

        if self.settings.database is not None:
            return make_engine(self.settings.database.get_secret_value())
        return make_engine(f"sqlite:///{self.state_dir / 'retrainer.db'}")

    @cached_property
    def store(self) -> "SqlRunStore":
        """The record of every cycle."""
        from retrainer.store.run_store import SqlRunStore

        return SqlRunStore(self.engine, self.clock)

    @cached_property
    def rasa_environment(self) -> Path:
        """Folder of the environment that `retrainer rasa setup` makes."""
        given = self.settings.rasa.environment
        return self.state_dir / "rasa" if given is None else (self.config.parent / given).absolute()

    @property
    def rasa_python(self) -> Path:
        """Rasa's interpreter.

        Raises:
            RasaEnvironmentError: there is none, or not of a supported version.
        """
        return self._located_rasa[0]

    @property
    def rasa_versions(self) -> Versions:
        """Versions in Rasa's environment, read without starting Rasa; raises as `rasa_python`."""
        return self._located_rasa[1]

    @cached_property
    def _located_rasa(self) -> tuple[Path, Versions]:
        from retrainer.adapters.rasa_environment import locate

        given = self.settings.rasa.python
        return locate(
            None if given is None else (self.config.parent / given.expanduser()).absolute(),
            self.rasa_environment,
        )

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
            made[name] = self._plugin(
                "notifiers", settings, self.config.parent, "notifiers", name, render=render
            )
        return made

    def require_plugins(self) -> None:
        """Make sure that every plugin is known and takes its options.

        Raises:
            ConfigurationError: with the key's path.
        """
        _ = self.notifiers
        for name in self.settings.assistants:
            self.source(name)
            self.platform(name)

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
        settings = self._settings_of(name).source
        source: DataSource = self._plugin(
            "sources", settings, self.config.parent, "assistants", name, "source"
        )
        return source

    def platform(self, name: str) -> Platform:
        """Where the assistant's models live."""
        settings = self._settings_of(name).platform
        folder = self._folder(name) / "registry"
        platform: Platform = self._plugin(
            "platforms", settings, folder, "assistants", name, "platform"
        )
        return platform

    def desk(self, name: str) -> Desk:
        """What a person needs to change the champion: neither a source nor Rasa."""
        return Desk(name, self.clock, self.platform(name), self.store)

    def world(self, name: str, listener: CycleListener) -> World:
        """Everything that a cycle of this assistant may touch."""
        from retrainer.adapters.artifacts import FolderArtifacts
        from retrainer.adapters.snapshots import FolderSnapshots

        settings = self._settings_of(name)
        folder = self._folder(name)
        return World(
            assistant=self._assistant(name, settings),
            clock=self.clock,
            source=self.source(name),
            snapshots=FolderSnapshots(folder / "snapshots"),
            find_project=self.project_finder(name),
            rasa=self.rasa(name),
            platform=self.platform(name),
            artifacts=FolderArtifacts(folder / "records"),
            store=self.store,
            folder=folder / "cycles",
            listener=listener,
            notifiers={n: frozenset(s.on) for n, s in self.settings.notifiers.items()},
        )

    def project_finder(self, name: str) -> Callable[[Path], Project]:
        """Finds config, domain and data of the assistant's project below a folder."""
        from retrainer.adapters.projects import find_project

        settings = self._settings_of(name)
        return partial(
            find_project, config=settings.config, domain=settings.domain, data=settings.data
        )

    def rasa(self, name: str) -> "RasaClient":
        """Rasa for one assistant; no process is started before it is asked something."""
        from retrainer.adapters.rasa_client import RasaClient, TimeLimits

        limits, folder = self.settings.rasa, self._folder(name)
        stamp = self.clock.now().strftime("%Y%m%d-%H%M%S")
        return RasaClient(
            python=self.rasa_python,
            cache=folder / "rasa-cache",
            log=folder / "cycles" / f"rasa-{stamp}-{os.getpid()}.log",
            limits=TimeLimits(
                start=limits.start_limit.total_seconds(),
                read=limits.read_limit.total_seconds(),
                train=self._settings_of(name).training.time_limit.total_seconds(),
                predict=limits.predict_limit.total_seconds(),
                keys={
                    "start": "rasa.start_limit",
                    "read": "rasa.read_limit",
                    "train": f"assistants.{name}.training.time_limit",
                    "predict": "rasa.predict_limit",
                },
            ),
        )

    def _assistant(self, name: str, settings: AssistantSettings) -> Assistant:
        return Assistant(
            name=name,
            policy=settings_policy(self.settings, settings.policy, where=self.config),
            must_pass=settings.must_pass,
            test_data=settings.evaluation.test_data,
            holdout=settings.evaluation.holdout,
            minimum_examples=settings.evaluation.minimum_examples,
            fail_on_warnings=settings.validation.fail_on_warnings,
            inputs=" ".join(
                [
                    f"rasa {self.rasa_versions.rasa}",
                    f"config {settings.config} domain {settings.domain} data {settings.data}",
                ]
            ),
            keep_models=settings.retention.models,
            keep_age=settings.retention.age,
        )

    def _folder(self, name: str) -> Path:
        return self.state_dir / "assistants" / name

    def _settings_of(self, name: str) -> AssistantSettings:
        if name not in self.settings.assistants:
            raise ConfigurationError(
                f"{self.config}: there is no assistant {name!r}; "
                f"known are {', '.join(self.settings.assistants)}"
            )
        return self.settings.assistants[name]

    def _plugin(
        self, group: str, settings: PluginSettings, folder: Path, *place: str, **given: object
    ) -> Any:  # noqa: ANN401 - each group has its own port
        """Make a plugin found by entry point, its options checked against its own model.

        `given` is what every plugin of the group is handed beside its options.
        """
        found = {point.name: point for point in entry_points(group=f"retrainer.{group}")}
        if settings.type not in found:
            raise ConfigurationError(
                f"{self.config}: {'.'.join(place)}.type: unknown {settings.type!r}; "
                f"known are {', '.join(sorted(found))}"
            )
        plugin = found[settings.type].load()
        try:
            options = plugin.Options.model_validate(settings.options)
        except ValidationError as error:
            raise invalid(self.config, error, plugin.Options, *place) from error
        return plugin.from_options(options, folder=folder, **given)
