"""Actions that an assistant's own action server has to run."""

from collections.abc import Iterable
from dataclasses import dataclass

#: What Rasa answers with itself.
_RESPONSE = "utter_"


@dataclass(frozen=True, slots=True)
class CustomActions:
    """The custom actions of both models' domains, and what the action server runs.

    None is what is not known; `problem` says why `served` is not.
    """

    challenger: tuple[str, ...] | None
    champion: tuple[str, ...] | None = None
    served: tuple[str, ...] | None = None
    problem: str = ""

    @property
    def new(self) -> tuple[str, ...]:
        """Those of the challenger that the champion is not known to have."""
        return tuple(sorted({*(self.challenger or ())} - {*(self.champion or ())}))


def custom(actions: Iterable[str]) -> tuple[str, ...]:
    """Those of a domain's `actions` that its action server runs, sorted.

    That includes Rasa's own names (`action_session_start`): a domain lists one to replace it.
    """
    return tuple(sorted({action for action in actions if not action.startswith(_RESPONSE)}))
