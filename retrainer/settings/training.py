"""How the config says that challengers are trained."""

from collections import Counter
from datetime import timedelta

from pydantic import field_validator

from retrainer.settings.values import Duration, ProjectPath, Section, Seed


class TrainingSettings(Section):
    """How challengers are trained."""

    time_limit: Duration = timedelta(hours=4)
    """Time that one training may take; then it is killed and the cycle fails."""

    configs: tuple[ProjectPath, ...] = ()
    """Config files in the project, a challenger for each of which the best goes on; empty: `config`."""

    seeds: tuple[Seed, ...] = ()
    """Random seeds, each of which trains a challenger of each config; empty: as the config says."""

    finetune: bool = False
    """Whether one more challenger is finetuned from the champion, as far as Rasa can."""

    @property
    def challengers(self) -> int:
        """How many a cycle trains."""
        return max(len(self.configs), 1) * max(len(self.seeds), 1) + self.finetune

    @field_validator("configs", "seeds")
    @classmethod
    def _different(cls, given: tuple[object, ...]) -> tuple[object, ...]:
        if twice := [each for each, count in Counter(given).items() if count > 1]:
            raise ValueError(f"{twice[0]!r} is there {given.count(twice[0])} times, 1 is enough")
        return given
