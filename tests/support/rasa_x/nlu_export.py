"""NLU data in the formats of an export, in pieces, so that any amount of it can be sent."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from support.rasa_x.nlu_data import Example, NluData

_PIECE = 500
_FIELDS = ("entity", "value", "role", "group")


def as_yaml(data: NluData) -> Iterator[bytes]:
    """Rasa's YAML."""
    return _pieces(_yaml_lines(data))


def as_json(data: NluData) -> Iterator[bytes]:
    """Rasa's JSON of old."""
    return _pieces(_json_lines(data))


def as_markdown(data: NluData) -> Iterator[bytes]:
    """Rasa's Markdown, read by Rasa 1 and 2."""
    return _pieces(_markdown_lines(data))


#: By the name of the format: what writes it, and its media type.
EXPORTS: Mapping[str, tuple[Callable[[NluData], Iterator[bytes]], str]] = {
    "yaml": (as_yaml, "application/x-yaml"),
    "json": (as_json, "application/json"),
    "md": (as_markdown, "text/markdown"),
}


def _pieces(lines: Iterable[str]) -> Iterator[bytes]:
    rest = iter(lines)
    while some := list(itertools.islice(rest, _PIECE)):
        yield "".join(line + "\n" for line in some).encode()


def _yaml_lines(data: NluData) -> Iterator[str]:
    yield 'version: "3.1"'
    yield "nlu:"
    for intent, examples in _by_intent(data):
        yield from _block("intent", intent, map(_annotated, examples))
    for synonym, values in data.synonyms.items():
        yield from _block("synonym", synonym, values)
    for name, regexes in itertools.groupby(data.regexes, key=lambda each: each["name"]):
        yield from _block("regex", name, (each["pattern"] for each in regexes))
    for name, elements in data.lookups.items():
        yield from _block("lookup", name, elements)


def _block(kind: str, name: str, items: Iterable[str]) -> Iterator[str]:
    yield f"- {kind}: {json.dumps(name, ensure_ascii=False)}"
    yield "  examples: |"
    for item in items:
        yield f"    - {item}"


def _markdown_lines(data: NluData) -> Iterator[str]:
    for intent, examples in _by_intent(data):
        yield f"## intent:{intent}"
        for each in examples:
            yield f"- {_annotated(each)}"
        yield ""
    kinds: tuple[tuple[str, Iterable[tuple[str, list[str]]]], ...] = (
        ("synonym", data.synonyms.items()),
        ("regex", ((each["name"], [each["pattern"]]) for each in data.regexes)),
        ("lookup", data.lookups.items()),
    )
    for kind, blocks in kinds:
        for name, items in blocks:
            yield f"## {kind}:{name}"
            for item in items:
                yield f"- {item}"
            yield ""


def _json_lines(data: NluData) -> Iterator[str]:
    yield '{"rasa_nlu_data": {"common_examples": ['
    for number, each in enumerate(data):
        shown = {
            "text": each["text"],
            "intent": each["intent"],
            "entities": [_without_nulls(entity) for entity in each["entities"]],
        }
        yield ("," if number else "") + json.dumps(shown)
    rest = {
        "regex_features": [
            {"name": each["name"], "pattern": each["pattern"]} for each in data.regexes
        ],
        "lookup_tables": [
            {"name": name, "elements": elements} for name, elements in data.lookups.items()
        ],
        "entity_synonyms": [
            {"value": value, "synonyms": synonyms} for value, synonyms in data.synonyms.items()
        ],
    }
    yield "], " + json.dumps(rest)[1:-1] + "}}"


def _by_intent(data: NluData) -> Iterator[tuple[str, Iterator[Example]]]:
    """Stored examples as they follow each other, then the generated ones, intent by intent."""
    stored: dict[str, list[Example]] = {}
    for each in data.examples:
        stored.setdefault(each["intent"], []).append(each)
    for intent, examples in stored.items():
        yield intent, iter(examples)
    start = len(data.examples)
    for number in range(min(data.intents, data.generated)):
        positions = range(start + number, len(data), data.intents)
        yield (
            f"generated_{number}",
            (each for position in positions for each in data.part(position, position + 1)),
        )


def _annotated(each: Example) -> str:
    """The text with its entities in Rasa's notation."""
    text = each["text"]
    for entity in sorted(each["entities"], key=lambda entity: -int(entity["start"])):
        start, end = int(entity["start"]), int(entity["end"])
        span, said = text[start:end], _without_nulls(entity)
        fields = {key: said[key] for key in _FIELDS if key in said}
        if fields.get("value") == span:
            del fields["value"]
        short = f"({entity['entity']})" if len(fields) == 1 else json.dumps(fields)
        text = f"{text[:start]}[{span}]{short}{text[end:]}"
    return text


def _without_nulls(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entity.items() if value is not None}
