"""What the server stores of the assistant besides NLU data: stories, rules, domain, config."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from support.rasa_x import nlu_data
from support.rasa_x.exchange import Unreadable
from support.rasa_x.nlu_data import NluData

_ANNOTATION = {"user": "me", "time": 1673518530.1, "name": "me"}


class _Plain(yaml.CSafeLoader):
    """YAML without times: what Rasa's own reader leaves as text."""


_Plain.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str) -> Any:
    """Read YAML.

    Raises:
        Unreadable: it is none.
    """
    try:
        return yaml.load(text, Loader=_Plain)
    except yaml.YAMLError as error:
        raise Unreadable(str(error)) from error


@dataclass(frozen=True, slots=True)
class Parts:
    """What a test puts into the server, as the texts of the assistant's files; empty: none.

    `generated` is the number of examples that the server makes up besides. `stories` may be
    Markdown. `rules` and `stories` may also stand in one file, given as `stories`.
    """

    nlu: str = ""
    stories: str = ""
    rules: str = ""
    domain: str = ""
    config: str = ""
    generated: int = 0
    responses: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass
class AssistantData:
    """The stored parts; `config` and `domain` are None when there is none."""

    nlu: NluData = field(default_factory=NluData)
    stories: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    config: str | None = None
    domains: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, parts: Parts) -> None:
        """Replace everything."""
        self.nlu = nlu_data.from_yaml(parts.nlu) if parts.nlu else NluData()
        self.nlu.generated = parts.generated
        self.stories, self.rules = split_stories(parts.stories)
        self.rules += split_stories(parts.rules)[1] if parts.rules else []
        number(self.stories + self.rules)
        self.config = parts.config or None
        self.domains = []
        self.responses = []
        if parts.domain:
            self.set_domain(parts.domain)
        for name, variations in parts.responses.items():
            self.add_responses(name, variations)

    @property
    def domain(self) -> str | None:
        """The (first) domain, as text."""
        return self.domains[0]["content_yaml"] if self.domains else None

    def set_domain(self, text: str) -> None:
        """Replace the (first) domain, and the responses by those that it has.

        Raises:
            Unreadable: it is no domain.
        """
        parsed = parse(text)
        if not isinstance(parsed, dict):
            raise Unreadable("a domain is a mapping")
        self.domains[:1] = [{"id": 1, "filename": "domain.yml", "content_yaml": text}]
        self.responses = []
        for name, variations in (parsed.get("responses") or {}).items():
            self.add_responses(name, variations)

    def add_responses(self, name: str, variations: list[dict[str, Any]]) -> None:
        """Store variations of a response."""
        for variation in variations:
            self.responses.append(
                {"id": len(self.responses) + 1, "response_name": name, **variation}
            )


def split_stories(text: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Stories and rules of a file, each a fragment of text of its own.

    Raises:
        Unreadable: it holds neither.
    """
    if not text.strip():
        return [], []
    if text.lstrip().startswith("## "):
        fragments = ("\n" + text.strip()).split("\n## ")[1:]
        return [_stored("## " + fragment.rstrip() + "\n") for fragment in fragments], []
    parsed = parse(text)
    if not isinstance(parsed, dict) or not ({"stories", "rules"} & set(parsed)):
        raise Unreadable("a mapping with 'stories' or 'rules' is needed")
    stories = [_stored(_fragment("stories", each)) for each in parsed.get("stories") or []]
    rules = [_stored(_fragment("rules", each), rule=True) for each in parsed.get("rules") or []]
    return stories, rules


def number(items: list[dict[str, Any]]) -> None:
    """Give ids to those that have none."""
    highest = max((int(each["id"]) for each in items if each["id"]), default=0)
    for each in items:
        if not each["id"]:
            highest += 1
            each["id"] = str(highest)


def _fragment(kind: str, item: object) -> str:
    return yaml.safe_dump({"version": "3.1", kind: [item]}, sort_keys=False, allow_unicode=True)


def _stored(text: str, *, rule: bool = False) -> dict[str, Any]:
    return {
        "story": text,
        "id": "",
        "is_rule": rule,
        "is_test": False,
        "annotation": dict(_ANNOTATION),
    }
