"""A cycle's state as JSON: each step's row holds the fields that the step changed."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from retrainer.domain.cycle import State
from retrainer.errors import SchemaError

Delta = dict[str, Any]


def difference(before: State, after: State) -> Delta | None:
    """The fields that differ, as JSON; None when there are none."""
    changed: Delta = {
        field.name: _to_json(getattr(after, field.name))
        for field in fields(State)
        if getattr(after, field.name) != getattr(before, field.name)
    }
    return changed or None


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


def _to_json(value: Any) -> Any:  # noqa: ANN401 - any value of the domain
    match value:
        case float() if not math.isfinite(value):
            return str(value)  # JSON has no NaN, and PostgreSQL insists; "nan" reads back as NaN
        case datetime():
            return value.isoformat()
        case Mapping():
            return {key: _to_json(item) for key, item in value.items()}
        case tuple():
            return [_to_json(item) for item in value]
        case _ if is_dataclass(value):
            return {field.name: _to_json(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


@cache
def _fields_of_state() -> type[BaseModel]:
    """A model of State's fields, each of them optional; built once, when first needed."""
    hints = get_type_hints(State)
    optional: dict[str, Any] = {field.name: (hints[field.name], None) for field in fields(State)}
    forbid = ConfigDict(extra="forbid")  # in the dataclasses inside, too
    return create_model("FieldsOfState", __config__=forbid, **optional)
