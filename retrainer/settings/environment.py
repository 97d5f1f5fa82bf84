"""Settings in the environment: which variable is which option, and what a wrong one was meant to be.

A variable is the path of an option: RETRAINER_ASSISTANTS__HELPDESK__POLICY is
`assistants.helpdesk.policy`. Case does not matter. Files may stand for variables: see `credentials`.
"""

import difflib
from collections import ChainMap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from retrainer.errors import ConfigurationError

PREFIX = "RETRAINER_"
CONFIG_VARIABLE = "RETRAINER_CONFIG"
_BETWEEN = "__"
#: Not settings, but for the tests and benchmarks of retrainer itself.
_NOT_OURS = ("RETRAINER_TEST_", "RETRAINER_BENCH_")

Keys = tuple[str, ...]


class Surroundings(Mapping[str, str]):
    """The environment, and `files` that count as variables of it, by the variables' names."""

    def __init__(
        self, environment: Mapping[str, str], files: Mapping[str, Path], contents: Mapping[str, str]
    ) -> None:
        self.files = files
        self._values = ChainMap(dict(contents), dict(environment))

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def variables(environment: Mapping[str, str]) -> dict[str, Keys]:
    """The variables that are settings, each with the keys of its option."""
    return {
        name: tuple(name.upper().removeprefix(PREFIX).lower().split(_BETWEEN))
        for name in environment
        if name.upper().startswith(PREFIX)
        and name.upper() != CONFIG_VARIABLE
        and not name.upper().startswith(_NOT_OURS)
    }


def require_known(
    environment: Mapping[str, str], model: type[BaseModel], content: Mapping[str, Any]
) -> None:
    """Make sure that every variable begins with the name of a setting, as deeper keys are checked.

    `content` is what the file says; the names of its tables are known to be meant.

    Raises:
        ConfigurationError: a variable is unknown, with the one that was probably meant.
    """
    known = [_BETWEEN.join(keys).upper() for keys in _options(model, content)]
    lines = []
    for name, keys in variables(environment).items():
        field = model.model_fields.get(keys[0])
        if field is None or (len(keys) > 1 and not _has_keys(field.annotation)):
            close = difflib.get_close_matches(name.upper().removeprefix(PREFIX), known, n=1)
            hint = f", did you mean {PREFIX}{close[0]}?" if close else ""
            lines.append(f"{_origin(name, environment)} is no option of retrainer{hint}")
    if lines:
        raise ConfigurationError(
            "\n".join(lines),
            tip="two underscores stand between section and option: RETRAINER_RASA__PYTHON is "
            "`python` in [rasa]; config.example.toml lists every option",
        )


def place(
    file: Path, keys: Keys, environment: Mapping[str, str], content: Mapping[str, Any] | None = None
) -> str:
    """Where an option comes from, for people: the variable that sets it, or its path in the file.

    With `content`, what the file says, a missing option of a table that the environment alone
    makes is put down to the variable that makes it.
    """
    path = ".".join(keys)
    for name, found in variables(environment).items():
        sets = found == keys[: len(found)]
        makes = content is not None and any(
            found[: len(table)] == table and not _in(content, table) for table in (keys[:-1], keys)
        )
        if sets or makes:
            return f"{_origin(name, environment)}: {path}"
    return f"{file}: {path}"


def _origin(name: str, environment: Mapping[str, str]) -> str:
    """Where the value of a variable comes from, for people."""
    file = environment.files.get(name) if isinstance(environment, Surroundings) else None
    return f"the credential {file}" if file else f"the environment variable {name}"


def _in(content: Mapping[str, Any], keys: Keys) -> bool:
    here: Any = content
    for key in keys:
        if not isinstance(here, Mapping) or key not in here:
            return False
        here = here[key]
    return True


def _options(model: type[BaseModel], content: Mapping[str, Any]) -> Iterator[Keys]:
    """Every option of the model, in each table that the file has."""
    for key, field in model.model_fields.items():
        annotation: Any = field.annotation
        inside = content.get(key)
        tables: Mapping[str, Any] = inside if isinstance(inside, Mapping) else {}
        if _is_model(annotation):
            yield from ((key, *rest) for rest in _options(annotation, tables))
        elif _has_keys(annotation):
            section = annotation.__args__[1]
            for name, table in tables.items():
                known = table if isinstance(table, Mapping) else {}
                deeper = _options(section, known) if _is_model(section) else ()
                yield from ((key, name, *rest) for rest in deeper)
        else:
            yield (key,)
    yield from ((key,) for key in content if key not in model.model_fields)


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _has_keys(annotation: Any) -> bool:  # noqa: ANN401 - a type of any kind
    """Whether an option of this type is a table."""
    return _is_model(annotation) or getattr(annotation, "__origin__", None) is dict
