"""NLU training data: examples, exports, intents, regexes, lookup tables, synonyms."""

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any

from support.rasa_x import nlu_data
from support.rasa_x.exchange import (
    JSON,
    Call,
    Refusal,
    Reply,
    Unreadable,
    as_json,
    as_text,
    attachment,
    failure,
    schema_failure,
)
from support.rasa_x.model_routes import page
from support.rasa_x.nlu_data import Example
from support.rasa_x.nlu_export import EXPORTS
from support.rasa_x.world import World

_YAML = ("text/yaml", "application/x-yaml", "application/yaml")
_SPELLINGS = {
    "application/x-yaml": "yaml",
    "application/yaml": "yaml",
    "text/yaml": "yaml",
    "application/json": "json",
    "text/markdown": "md",
}


def list_examples(world: World, call: Call) -> Reply:
    """A part of the examples, and how many there are in all."""
    nlu, query = world.data.nlu, call.query
    offset, limit = call.number("offset", 0) or 0, call.number("limit")
    words, intents = query.get("q", "").lower(), query.get("intent")
    if words or intents is not None:
        wanted = set(intents.split(",")) if intents else None
        found = [
            each
            for each in nlu
            if words in each["text"].lower() and (wanted is None or each["intent"] in wanted)
        ]
        total, shown = len(found), page(found, call)
    else:
        total = len(nlu)
        shown = list(nlu.part(offset, total if limit is None else min(offset + limit, total)))
    key = world.era.listed_under
    return as_json({key: shown} if key else shown, X_Total_Count=str(total))


def add_examples(world: World, call: Call) -> Reply:
    """Store one example or several."""
    asked = call.json()
    several = isinstance(asked, dict) and "examples" in asked
    with world.data.lock:
        try:
            added = [
                world.data.nlu.add(each["text"], each["intent"], each.get("entities") or [])
                for each in (asked["examples"] if several else [asked])
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise _bad_schema(error) from None
    return as_json(added if several else added[0])


def replace_examples(world: World, call: Call) -> Reply:
    """Replace all NLU data by what comes as JSON, or as YAML in the years that know it."""
    kind = call.media_type
    by_yaml = kind in _YAML and "yaml" in world.era.data_formats
    if not by_yaml and kind != JSON:
        raise _bad_schema(f"{kind} is not read by this server")
    try:
        data = nlu_data.from_yaml(call.text) if by_yaml else nlu_data.from_json(call.json())
    except Unreadable as error:
        raise _bad_schema(error) from None
    with world.data.lock:
        world.data.nlu = data
    return as_json({"ok": "data uploaded"})


def get_example(world: World, call: Call) -> Reply:
    """The example whose text has this hash."""
    return as_json(_found(each for each in world.data.nlu if each["hash"] == call.params["key"]))


def change_example(world: World, call: Call) -> Reply:
    """Change text, intent or entities of an example."""
    known, asked = _by_id(world, call), call.json()
    if not isinstance(asked, dict):
        raise _bad_schema("an object is needed")
    fields = {key: asked.get(key, known[key]) for key in ("text", "intent", "entities")}
    known.update(
        nlu_data.example(fields["text"], fields["intent"], known["id"], fields["entities"])
    )
    return as_json(known)


def delete_example(world: World, call: Call) -> Reply:
    """Forget an example."""
    known = _by_id(world, call)
    with world.data.lock:
        world.data.nlu.examples.remove(known)
    return as_json({"ok": f"Example {known['id']} deleted"})


def export(world: World, call: Call) -> Reply:
    """All NLU data, in the format that `Accept` asks for."""
    asked = [kind.partition(";")[0].strip() for kind in call.headers.get("accept", "").split(",")]
    wanted = next((_SPELLINGS[kind] for kind in asked if kind in _SPELLINGS), "")
    return _export(world, wanted or world.era.data_formats[0])


def export_json(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """All NLU data as JSON."""
    return _export(world, "json")


def export_markdown(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """All NLU data as Markdown."""
    return _export(world, "md")


def data_warnings(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """Nothing to complain of."""
    return as_json([])


def intents(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """The intents of the examples, but for the hashes of made up ones."""
    hashes: dict[str, list[str]] = {name: [] for name in world.data.nlu.intent_names()}
    for each in world.data.nlu.examples:
        hashes[each["intent"]].append(each["hash"])
    said: dict[str, Any] = {"suggestions": [], "is_temporaray": False, "mapped_to": None}
    return as_json(
        [{"intent": name, "example_hashes": found, **said} for name, found in hashes.items()]
    )


def entities(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """The entities of the examples."""
    found = {entity["entity"] for each in world.data.nlu.examples for entity in each["entities"]}
    return as_json([{"entity": name} for name in sorted(found)])


def list_regexes(world: World, call: Call) -> Reply:
    """Regular expressions."""
    return as_json(page(world.data.nlu.regexes, call))


def get_regex(world: World, call: Call) -> Reply:
    """One regular expression."""
    return as_json(
        _found(each for each in world.data.nlu.regexes if str(each["id"]) == call.params["key"])
    )


def list_lookups(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """Lookup tables, without what is in them."""
    return as_json(
        [
            {"id": number, "name": name, "number_of_elements": len(elements)}
            for number, (name, elements) in enumerate(world.data.nlu.lookups.items(), 1)
        ]
    )


def add_lookup(world: World, call: Call) -> Reply:
    """Store a lookup table."""
    asked = call.json()
    try:
        name = asked["filename"].rpartition(".")[0] or asked["filename"]
        elements = base64.b64decode(asked["content"], validate=True).decode().splitlines()
    except (KeyError, TypeError, AttributeError, binascii.Error, ValueError) as error:
        raise _bad_schema(error) from None
    with world.data.lock:
        lookups = world.data.nlu.lookups
        lookups[name] = elements
        place = list(lookups).index(name) + 1
    return as_json({"id": place, "name": name, "number_of_elements": len(elements)}, 201)


def get_lookup(world: World, call: Call) -> Reply:
    """What is in a lookup table, an element a line."""
    tables = enumerate(world.data.nlu.lookups.values(), 1)
    elements = _found(each for number, each in tables if str(number) == call.params["key"])
    return as_text("".join(f"{element}\n" for element in elements))


def list_synonyms(world: World, call: Call) -> Reply:
    """Synonyms and what they stand for."""
    mapped, numbers, shown = call.query.get("mapped_value"), iter(range(1, 10**9)), []
    for number, (reference, values) in enumerate(world.data.nlu.synonyms.items(), 1):
        listed = [
            {"value": value, "id": next(numbers), "nlu_examples_count": 0} for value in values
        ]
        if mapped is None or mapped in values:
            shown.append({"id": number, "synonym_reference": reference, "mapped_values": listed})
    return as_json(shown)


def _export(world: World, format_: str) -> Reply:
    if format_ not in world.era.data_formats:
        return failure(400, "BadRequest", f"This server does not write {format_}.")
    write, media_type = EXPORTS[format_]
    suffix = {"yaml": "yml"}.get(format_, format_)
    return attachment(write(world.data.nlu), media_type, f"nlu.{suffix}")


def _by_id(world: World, call: Call) -> Example:
    return _found(each for each in world.data.nlu.examples if str(each["id"]) == call.params["key"])  # type: ignore[no-any-return]


def _found(matching: Iterator[Any]) -> Any:
    for each in matching:
        return each
    raise Refusal(failure(404, "NotFound", "There is none of that key."))


def _bad_schema(error: object) -> Refusal:
    return Refusal(schema_failure(400, "ValidationError", str(error)))


HANDLERS: dict[str, Callable[[World, Call], Reply]] = {
    "list_examples": list_examples,
    "add_examples": add_examples,
    "replace_examples": replace_examples,
    "get_example": get_example,
    "change_example": change_example,
    "delete_example": delete_example,
    "export": export,
    "export_json": export_json,
    "export_markdown": export_markdown,
    "data_warnings": data_warnings,
    "intents": intents,
    "entities": entities,
    "list_regexes": list_regexes,
    "get_regex": get_regex,
    "list_lookups": list_lookups,
    "add_lookup": add_lookup,
    "get_lookup": get_lookup,
    "list_synonyms": list_synonyms,
}
