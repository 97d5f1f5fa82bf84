"""How long the Rasa worker may take."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long the worker may take to start, and for one request, in seconds.

    `keys` maps a limit to the config key that it comes from, for the message when it is exceeded.
    """

    start: float = 120.0
    read: float = 600.0
    train: float = 12 * 3600.0
    predict: float = 3600.0
    keys: dict[str, str] = field(
        default_factory=lambda: {
            "start": "rasa.start_limit",
            "read": "rasa.read_limit",
            "train": "assistants.NAME.training.time_limit",
            "predict": "rasa.predict_limit",
        }
    )

    def of(self, limit: str) -> tuple[float, str]:
        """A limit's seconds, and the config key that they come from."""
        seconds: float = getattr(self, limit)
        return seconds, self.keys[limit]
