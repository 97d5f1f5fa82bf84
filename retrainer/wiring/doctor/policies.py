"""The doctor looks at policies: can a challenger ever be promoted by itself?"""

from collections.abc import Iterator, Sequence

from retrainer.domain.policies import can_promote
from retrainer.domain.verdict import Policy
from retrainer.reports.values import counted
from retrainer.wiring.application import Application
from retrainer.wiring.doctor.diagnosis import Diagnosis, good, warning


def policies(app: Application, names: Sequence[str]) -> Iterator[Diagnosis]:
    """What decides about each assistant's challengers.

    Raises:
        ConfigurationError: a policy is not usable.
    """
    for name in names:
        yield from of_policy(f"policy of {name}", app.policy(name))


def of_policy(what: str, policy: Policy) -> Iterator[Diagnosis]:
    """Whether it ever promotes."""
    blocking = [named.name for named in policy.rules if named.blocking]
    if can_promote(policy):
        yield good(what, f"{policy.name}: {', '.join(blocking)}", minor=True)
        return
    seen = f"of its {counted(len(blocking), 'blocking rule')} " if blocking else ""
    yield warning(
        what,
        f"{policy.name} never promotes: {seen}0 say how good a model is, at least 1 is needed",
        f'add a rule to [policies.{policy.name}], such as better = {{ rule = "superiority" }}, '
        "or leave out `blocking = false`; `retrainer policy show` prints one to begin with",
    )
