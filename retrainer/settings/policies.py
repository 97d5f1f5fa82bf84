"""A policy of the domain from its table in the config."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from retrainer.domain.policies import POLICIES
from retrainer.domain.rules import RULES
from retrainer.domain.verdict import NamedRule, Policy
from retrainer.errors import ConfigurationError
from retrainer.settings.model import Settings


def policy_of(settings: Settings, name: str, *, where: Path) -> Policy:
    """The policy of this name; those that are built in may be replaced.

    Raises:
        KeyError: there is no policy of this name.
        ConfigurationError: a rule is unknown or its limits make no sense, with the key's path.
    """
    if name in POLICIES and name not in settings.policies:
        return POLICIES[name]
    rules = settings.policies[name]
    return Policy(
        name,
        tuple(_rule(f"{where}: policies.{name}.{key}", key, table) for key, table in rules.items()),
    )


def _rule(place: str, name: str, table: Mapping[str, Any]) -> NamedRule:
    limits = dict(table)
    kind, blocking = limits.pop("rule", None), limits.pop("blocking", True)
    if kind not in RULES:
        raise ConfigurationError(
            f"{place}.rule: {'missing' if kind is None else f'unknown rule {kind!r}'}; "
            f"known are {', '.join(RULES)}"
        )
    if not isinstance(blocking, bool):
        raise ConfigurationError(f"{place}.blocking: true or false is needed, not {blocking!r}")
    known = [field.name for field in fields(RULES[kind])]  # type: ignore[arg-type]
    for key in limits:
        if key not in known:
            raise ConfigurationError(
                f"{place}.{key}: unknown key; rule {kind} knows {', '.join(known)}"
            )
    try:
        return NamedRule(name, TypeAdapter(RULES[kind]).validate_python(limits), blocking=blocking)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join([place, *map(str, problem["loc"])])
        raise ConfigurationError(
            f"{key}: {problem['msg'].removeprefix('Value error, ')}"
        ) from error
