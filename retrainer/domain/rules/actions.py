"""A model and the code of its actions belong together."""

from dataclasses import dataclass

from retrainer.domain.custom_actions import CustomActions
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class ServedActions:
    """The action server runs every custom action that the challenger has and the champion lacks.

    A model that asks for an action which nobody runs leaves users without an answer.
    """

    def assess(self, evaluation: Evaluation) -> Check:
        """HOLD where an action is missing, or that cannot be known; `observed` counts these actions.

        Not applicable without a champion, and where models were compared outside of a cycle.
        """
        actions = evaluation.actions
        if evaluation.champion is None:
            return _check(
                None,
                "no champion whose custom actions could be compared, "
                "at most 0 unknown ones applies from the second model on",
            )
        if actions is None:
            return _check(
                None,
                "no custom actions belong to this evaluation, at most 0 unknown ones in a cycle",
            )
        if actions.challenger is None:
            return _check(
                Outcome.HOLD,
                "the challenger's custom actions are not known, "
                "at most 0 may be missing on the action server",
            )
        return _known(actions, actions.challenger)


def _known(actions: CustomActions, challenger: tuple[str, ...]) -> Check:
    new, served = actions.new, actions.served
    missing = new if served is None else tuple(sorted({*new} - {*served}))
    are = "are" if actions.champion is not None else "may be"
    if not new:
        known = "0 may be missing on the action server"
    elif served is None:
        known = f"and {len(missing)} of these not known to be run, 0 are allowed: {actions.problem}"
    else:
        known = f"and {len(missing)} of these missing on the action server, 0 may be"
    return _check(
        Outcome.HOLD if missing else Outcome.PROMOTE,
        f"{len(new)} of {len(challenger)} custom actions {are} new, {known}",
        observed=float(len(missing)),
        details=missing,
    )


def _check(
    outcome: Outcome | None,
    sentence: str,
    *,
    observed: float | None = None,
    details: tuple[str, ...] = (),
) -> Check:
    return Check(
        "actions", outcome, sentence, observed=observed, limit=0.0, details=details, guard=True
    )
