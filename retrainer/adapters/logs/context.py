"""What a line of the log belongs to: an assistant, its cycle, the step.

Kept in a context variable, so that it stands on every line that is logged meanwhile, by libraries
too. A thread that is started for the same work has to be given it:
`Thread(target=contextvars.copy_context().run, args=(work,))`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

Field = str | int

_NOTHING: Mapping[str, Field] = MappingProxyType({})
_FIELDS: ContextVar[Mapping[str, Field]] = ContextVar("log", default=_NOTHING)


@contextmanager
def context(**fields: Field) -> Iterator[None]:
    """Put these fields, such as assistant, cycle and step, on every line until the block ends."""
    token = _FIELDS.set({**_FIELDS.get(), **fields})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def amend(**fields: Field | None) -> None:
    """As `context`, until the block around it ends; None takes a field away."""
    given = {**_FIELDS.get(), **fields}
    _FIELDS.set({name: value for name, value in given.items() if value is not None})


def current() -> Mapping[str, Field]:
    """The fields that a line has which is logged now."""
    return _FIELDS.get()
