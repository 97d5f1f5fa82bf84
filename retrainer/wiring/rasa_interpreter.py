"""Where Rasa runs, how long it may take, and what of the machine."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from retrainer.ports import Versions
from retrainer.settings import RasaSettings, TrainingSettings, anchored

if TYPE_CHECKING:
    from retrainer.adapters.rasa_client import RasaClient
    from retrainer.adapters.resource_limits import ResourceLimits
    from retrainer.adapters.time_limits import TimeLimits


@dataclass(frozen=True)
class RasaInterpreter:
    """Rasa's interpreter as a config file describes it; looked for when it is first needed."""

    config: Path
    settings: RasaSettings
    state_dir: Path

    @cached_property
    def environment(self) -> Path:
        """Folder of the environment that `retrainer rasa setup` makes."""
        given = self.settings.environment
        return self.state_dir / "rasa" if given is None else anchored(self.config, given)

    @cached_property
    def own(self) -> Path | None:
        """The interpreter that the user named for Rasa, whatever it is; None without one."""
        given = self.settings.python
        return None if given is None else anchored(self.config, given)

    @property
    def python(self) -> Path:
        """The interpreter.

        Raises:
            RasaEnvironmentError: there is none, or not of a supported version.
        """
        return self._located[0]

    @property
    def versions(self) -> Versions:
        """Versions in Rasa's environment, read without starting Rasa; raises as `python`."""
        return self._located[1]

    @cached_property
    def resources(self) -> "ResourceLimits":
        """What each worker may take of the machine."""
        from retrainer.adapters.memory_groups import MemoryGroups
        from retrainer.adapters.resource_limits import ResourceLimits

        return ResourceLimits(
            nice=self.settings.nice,
            io_class=self.settings.io_class,
            memory=self.settings.memory_limit,
            groups=MemoryGroups.find(),
        )

    def client(
        self, folder: Path, *, log: Path, training: TrainingSettings, table: str
    ) -> "RasaClient":
        """Rasa for one assistant; its cache is kept in `folder`, `training` stands in `table`."""
        from retrainer.adapters.rasa_client import RasaClient

        return RasaClient(
            python=self.python,
            cache=folder / "rasa-cache",
            log=log,
            limits=time_limits(self.settings, training, table),
            resources=self.resources,
        )

    @cached_property
    def _located(self) -> tuple[Path, Versions]:
        from retrainer.adapters.rasa_environment import locate

        return locate(self.own, self.environment)


def time_limits(rasa: RasaSettings, training: TrainingSettings, table: str) -> "TimeLimits":
    """What the configuration lets Rasa take; `table` is where `training` stands in it."""
    from retrainer.adapters.time_limits import TimeLimits

    return TimeLimits(
        start=rasa.start_limit.total_seconds(),
        read=rasa.read_limit.total_seconds(),
        train=training.time_limit.total_seconds(),
        predict=rasa.predict_limit.total_seconds(),
        keys=TimeLimits().keys | {"train": f"{table}.time_limit"},
    )
