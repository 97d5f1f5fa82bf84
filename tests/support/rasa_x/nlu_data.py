"""The NLU data that the server stores: examples, regexes, lookup tables, synonyms."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from support.rasa_x.exchange import Unreadable

_ANNOTATION = re.compile(r"\[(?P<text>[^\]]+)\](?:\((?P<type>[^)]+)\)|(?P<fields>\{[^}]+\}))")
_ITEM = re.compile(r"^\s*-\s(.*)$", re.MULTILINE)

#: One example as the API holds it.
Example = dict[str, Any]


@dataclass
class NluData:
    """All of it; `generated` more examples are made up as they are asked for, in `intents` intents.

    Ids start at 1, `highest` is the last one given out. Generated examples follow the stored ones, with ids and texts of their own.
    """

    examples: list[Example] = field(default_factory=list)
    regexes: list[dict[str, Any]] = field(default_factory=list)
    lookups: dict[str, list[str]] = field(default_factory=dict)
    synonyms: dict[str, list[str]] = field(default_factory=dict)
    generated: int = 0
    intents: int = 50
    highest: int = 0

    def __len__(self) -> int:
        return len(self.examples) + self.generated

    def __iter__(self) -> Iterator[Example]:
        return self.part(0, len(self))

    def part(self, start: int, stop: int) -> Iterator[Example]:
        """The examples with these positions, made up where needed."""
        stored = len(self.examples)
        yield from itertools.islice(self.examples, start, stop)
        for number in range(max(start, stored), min(stop, len(self))):
            yield self._made_up(number - stored, number + 1)

    def _made_up(self, number: int, id_: int) -> Example:
        intent = f"generated_{number % self.intents}"
        return example(f"generated utterance number {number} of topic {intent}", intent, id_)

    def add(self, text: str, intent: str, entities: Iterable[Mapping[str, Any]] = ()) -> Example:
        """Store one more example."""
        self.highest = max(self.highest, len(self)) + 1
        new = example(text, intent, self.highest, entities)
        self.examples.append(new)
        return new

    def intent_names(self) -> list[str]:
        """Every intent that has an example."""
        made_up = [f"generated_{number}" for number in range(min(self.intents, self.generated))]
        return sorted({each["intent"] for each in self.examples} | set(made_up))


def example(
    text: str, intent: str, id_: int, entities: Iterable[Mapping[str, Any]] = ()
) -> Example:
    """One example in the words of the API; `entities` need start, end, value and entity."""
    unsaid = {"entity_synonym": None, "group": None, "role": None}
    return {
        "id": id_,
        "text": text,
        "intent": intent,
        "intent_mapped_to": None,
        "hash": text_hash(text),
        "entities": [{**unsaid, **entity} for entity in entities],
    }


def text_hash(text: str) -> str:
    """By which an example or a message is found."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def from_yaml(text: str) -> NluData:
    """Read Rasa's YAML.

    Raises:
        Unreadable: it is no NLU data.
    """
    try:
        parsed = yaml.load(text, Loader=yaml.CBaseLoader)
    except yaml.YAMLError as error:
        raise Unreadable(f"not YAML: {error}") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("nlu", []), list):
        raise Unreadable("the top level must be a mapping with a list under 'nlu'")
    data = NluData()
    for block in parsed.get("nlu", []):
        if not isinstance(block, dict):
            raise Unreadable(f"not a mapping: {block!r}")
        items = [_plain(item) for item in _items(block.get("examples", ""))]
        match block:
            case {"intent": intent}:
                for item in items:
                    data.add(*_annotated(item, intent))
            case {"regex": name}:
                data.regexes += [
                    {"id": len(data.regexes) + number, "name": name, "pattern": item}
                    for number, item in enumerate(items, 1)
                ]
            case {"lookup": name}:
                data.lookups.setdefault(name, []).extend(items)
            case {"synonym": name}:
                data.synonyms.setdefault(name, []).extend(items)
            case _:
                raise Unreadable(f"unknown block with the keys {sorted(block)}")
    return data


def from_json(content: object) -> NluData:
    """Read Rasa's JSON of old.

    Raises:
        Unreadable: it is no such data.
    """
    if not isinstance(content, dict) or not isinstance(content.get("rasa_nlu_data"), dict):
        raise Unreadable("an object 'rasa_nlu_data' is needed")
    stored = content["rasa_nlu_data"]
    data = NluData()
    try:
        for each in stored.get("common_examples", []):
            data.add(each["text"], each["intent"], each.get("entities", []))
        for each in stored.get("regex_features", []):
            data.regexes.append({"id": len(data.regexes) + 1, **each})
        for each in stored.get("lookup_tables", []):
            data.lookups[each["name"]] = list(each["elements"])
        for each in stored.get("entity_synonyms", []):
            data.synonyms[each["value"]] = list(each["synonyms"])
    except (KeyError, TypeError) as error:
        raise Unreadable(f"not as expected: {error!r}") from error
    return data


def _items(examples: object) -> list[object]:
    if isinstance(examples, str):
        return list(_ITEM.findall(examples))
    return list(examples) if isinstance(examples, list) else []


def _plain(item: object) -> str:
    return str(item["text"] if isinstance(item, dict) else item).strip()


def _annotated(line: str, intent: str) -> tuple[str, str, list[dict[str, Any]]]:
    """Text, intent and entities of one line of Rasa's notation."""
    text, entities, end = "", [], 0
    for found in _ANNOTATION.finditer(line):
        text += line[end : found.start()]
        fields = _fields(found["fields"]) if found["fields"] else {"entity": found["type"]}
        start = len(text)
        text += found["text"]
        entities.append({"start": start, "end": len(text), "value": found["text"], **fields})
        end = found.end()
    return text + line[end:], intent, entities


def _fields(annotation: str) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = json.loads(annotation)
    except ValueError as error:
        raise Unreadable(f"not JSON: {annotation}") from error
    return fields
