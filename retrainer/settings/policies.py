"""A policy of the domain from its table in the config."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from retrainer.domain.policies import POLICIES
from retrainer.domain.rules import RULES
from retrainer.domain.verdict import NamedRule, Policy, Rule
from retrainer.errors import ConfigurationError
from retrainer.settings.model import Settings

#: The key of a policy's table that is not a rule.
_EXTENDS = "extends"


def policy_of(settings: Settings, name: str, *, where: Path) -> Policy:
    """The policy of this name; those that are built in may be replaced.

    One that `extends` another has its rules, in their order, before those of its own. A rule of the
    same name takes the other's place; without `rule` it changes the limits that it names, and
    `false` in its place removes it. The policy of its own name is the one that is built in.

    Raises:
        KeyError: there is no policy of this name.
        ConfigurationError: a rule is unknown or its limits make no sense, or what a policy extends
            is not there or leads back to it, with the key's path.
    """
    return _policy(settings, name, where, ())


def _policy(settings: Settings, name: str, where: Path, above: tuple[str, ...]) -> Policy:
    if name in POLICIES and (name not in settings.policies or above[-1:] == (name,)):
        return POLICIES[name]
    table = settings.policies[name]
    place = f"{where}: policies.{name}"
    rules: dict[str, NamedRule] = {}
    if _EXTENDS in table:
        extended = _extended(settings, name, table[_EXTENDS], where, above)
        rules = {named.name: named for named in extended.rules}
    for key, given in table.items():
        if key == _EXTENDS:
            continue
        if given is False or given == "false":  # as the environment says it
            _remove(rules, key, f"{place}.{key}")
        elif isinstance(given, Mapping):
            rules[key] = _rule(f"{place}.{key}", key, given, rules.get(key))
        else:
            raise ConfigurationError(
                f"{place}.{key}: the table of a rule is needed, or `false` for one of the policy "
                f"that is extended, not {given!r}"
            )
    return Policy(name, tuple(rules.values()))


def _extended(
    settings: Settings, name: str, given: object, where: Path, above: tuple[str, ...]
) -> Policy:
    """The policy that the one of this name extends."""
    place = f"{where}: policies.{name}.{_EXTENDS}"
    known = [*POLICIES, *(other for other in settings.policies if other not in POLICIES)]
    if not isinstance(given, str) or given not in known:
        raise ConfigurationError(f"{place}: unknown policy {given!r}; known are {', '.join(known)}")
    if given in above or (given == name and name not in POLICIES):
        circle = " -> ".join([*above, name, given])
        raise ConfigurationError(f"{place}: a policy cannot extend itself: {circle}")
    return _policy(settings, given, where, (*above, name))


def _remove(rules: dict[str, NamedRule], name: str, place: str) -> None:
    if name not in rules:
        raise ConfigurationError(
            f"{place}: there is no such rule to remove; known are {', '.join(rules) or 'none'}"
        )
    del rules[name]


def _rule(
    place: str, name: str, table: Mapping[str, Any], inherited: NamedRule | None
) -> NamedRule:
    """The rule of a table, or the inherited one with what the table changes."""
    limits: dict[str, Any] = {"blocking": True}
    if inherited is not None and "rule" not in table:
        limits = _table(inherited)
    limits |= table
    kind, blocking = limits.pop("rule", None), limits.pop("blocking")
    if not isinstance(kind, str) or kind not in RULES:
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


def rule_table(named: NamedRule) -> dict[str, Any]:
    """The rule as its table in the config: `rule`, each limit that is set, `blocking`."""
    return {key: value for key, value in _table(named).items() if value is not None}


def _table(named: NamedRule) -> dict[str, Any]:
    limits = {field.name: getattr(named.rule, field.name) for field in fields(named.rule)}  # type: ignore[arg-type]
    return {"rule": _kind(named.rule), **limits, "blocking": named.blocking}


def _kind(rule: Rule) -> str:
    return next(kind for kind, known in RULES.items() if type(rule) is known)


def policy_toml(policy: Policy) -> str:
    """The policy as TOML that says all of its limits, ready for a config file."""
    lines = []
    for named in policy.rules:
        lines.append(f"[policies.{policy.name}.{named.name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in rule_table(named).items()]
        lines.append("")
    return "\n".join(lines or [f"[policies.{policy.name}]", ""])


def _toml(value: object) -> str:
    """A limit as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(name))} = {_toml(item)}" for name, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return repr(value)
