"""Holds requests and replies against the description."""

import json
from collections.abc import Iterator, Mapping
from functools import cache

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from support.rasa_x.description import SIGNATURES, Content, Operation
from support.rasa_x.description_data import OPERATIONS
from support.rasa_x.exchange import JSON, Call, Reply
from support.rasa_x.schemas import ERROR, Schema

_ERROR: Content = {JSON: ERROR}
#: Of longer lists only this many items are looked at, at each end.
_ENDS = 25


def faults_of_call(name: str, call: Call) -> Iterator[str]:
    """What a client did that the description does not have, in words."""
    operation = OPERATIONS[name]
    where = f"{call.method} {call.path}"
    unknown = set(call.query) - operation.query - SIGNATURES
    if unknown:
        yield f"{where}: unknown in the query: {', '.join(sorted(unknown))}"
    if not operation.takes:
        if call.body or call.form:
            yield f"{where}: has a body, there is none to be"
        return
    if call.media_type not in operation.takes:
        allowed = ", ".join(sorted(operation.takes))
        yield f"{where}: sends {call.media_type or 'no media type'!r}, one of {allowed} is needed"
    elif call.media_type == JSON:
        yield from (f"{where}: {fault}" for fault in _faults(name, "takes", call.body))


def faults_of_reply(name: str, call: Call, reply: Reply) -> Iterator[str]:
    """What the server itself did that the description does not have, in words."""
    operation = OPERATIONS[name]
    where = f"{call.method} {call.path} answers {reply.status}"
    content = _answers(operation).get(reply.status)
    if content is None:
        yield f"{where}, which is not described"
        return
    kind = (reply.media_type or "").partition(";")[0]
    if not content:
        if reply.body:
            yield f"{where} with a body, there is none to be"
    elif kind not in content:
        yield f"{where} with {kind or 'no media type'!r}, one of {', '.join(content)} is needed"
    elif content[kind] is not None and isinstance(reply.body, bytes):
        yield from (f"{where}: {fault}" for fault in _faults(name, str(reply.status), reply.body))
    if reply.status == 200:
        for header in sorted(operation.headers - set(reply.headers)):
            yield f"{where} without the header {header}"


def _answers(operation: Operation) -> Mapping[int, Content]:
    if operation.public:
        return operation.answers
    return {**dict.fromkeys((401, 403, 404), _ERROR), **operation.answers}


def _faults(name: str, what: str, body: bytes) -> Iterator[str]:
    try:
        content = json.loads(body)
    except ValueError:
        yield "is no JSON"
        return
    error = best_match(_validator(name, what).iter_errors(_sampled(content)))
    if error is not None:
        yield f"{error.json_path}: {error.message[:300]}"


@cache
def _validator(name: str, what: str) -> Draft202012Validator:
    operation = OPERATIONS[name]
    content = operation.takes if what == "takes" else _answers(operation)[int(what)]
    schema: Schema = content[JSON] or {}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _sampled(content: object) -> object:
    """The same with long lists at its top cut down to their ends: checking costs time."""
    if isinstance(content, list) and len(content) > 2 * _ENDS:
        return content[:_ENDS] + content[-_ENDS:]
    if isinstance(content, dict):
        return {
            key: _sampled(value) if isinstance(value, list) else value
            for key, value in content.items()
        }
    return content
