"""A cycle's state as JSON: each step's row holds the fields that the step changed."""

import math
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from retrainer.domain.cycle import State
from retrainer.errors import SchemaError

Delta = dict[str, Any]


def difference(before: State, after: State) -> Delta | None:
    """The fields that differ, as JSON; None when there are none."""
    changed = {
        field.name: getattr(after, field.name)
        for field in fields(State)
        if getattr(after, field.name) != getattr(before, field.name)
    }
    if not changed:
        return None
    model = _fields_of_state().model_construct(**changed)
    # The fallback is for mappings that are no dict.
    dumped = model.model_dump(mode="json", exclude_unset=True, fallback=dict)
    return {name: _without_nan(value) for name, value in dumped.items()}


def merge(deltas: Iterable[Delta | None], cycle: int) -> State:
    """The state after these changes, in this order; `cycle` is for messages.

    Raises:
        SchemaError: a field or value that this version does not know.
    """
    state = State()
    for delta in deltas:
        try:
            known = _fields_of_state().model_validate(delta or {})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise SchemaError(
                f"the state of cycle {cycle} cannot be read: {place}: {first['msg']}",
                tip="it was written by another version of retrainer: use the newest one",
            ) from error
        state = replace(state, **{name: getattr(known, name) for name in known.model_fields_set})
    return state


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """JSON has no NaN and no infinity, and PostgreSQL insists: "nan" and "inf" read back as such."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {key: _without_nan(item) for key, item in value.items()}
        case list():
            return [_without_nan(item) for item in value]
        case _:
            return value


@cache
def _fields_of_state() -> type[BaseModel]:
    """A model of State's fields, each of them optional; built once, when first needed."""
    hints = get_type_hints(State)
    optional: dict[str, Any] = {field.name: (hints[field.name], None) for field in fields(State)}
    forbid = ConfigDict(extra="forbid")  # in the dataclasses inside, too
    return create_model("FieldsOfState", __config__=forbid, **optional)
