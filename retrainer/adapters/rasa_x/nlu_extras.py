"""Regexes, lookup tables and synonyms, of servers whose export of NLU data leaves them out."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from retrainer.adapters.rasa_x.connection import NOT_FOUND, RasaX, listed

_PROJECT = "/projects/{project}"


@dataclass(frozen=True, slots=True)
class Extra:
    """One kind: how it is called in NLU data, its route, and how to find (name, values) there."""

    kind: str
    route: str
    values: Callable[[RasaX, Mapping[str, object]], tuple[str, Sequence[str]]]

    def fetch(self, rasa_x: RasaX) -> str | None:
        """All of the kind as NLU data in YAML; None if there is none.

        Raises:
            ServerError: no answer, or not as asked.
        """
        answer = rasa_x.call("GET", _PROJECT + self.route, accept={NOT_FOUND})
        if answer.status == NOT_FOUND:
            return None
        found: dict[str, list[str]] = {}
        for each in listed(answer):
            name, values = self.values(rasa_x, each)
            found.setdefault(name, []).extend(values)
        if not found:
            return None
        items = [
            {self.kind: name, "examples": "".join(f"- {value}\n" for value in values)}
            for name, values in found.items()
        ]
        # JSON is YAML, and leaves no doubt about quotes.
        return f'version: "3.1"\nnlu: {json.dumps(items, ensure_ascii=False, indent=1)}\n'


def _regex(_: RasaX, each: Mapping[str, object]) -> tuple[str, Sequence[str]]:
    return str(each["name"]), [str(each["pattern"])]


def _lookup(rasa_x: RasaX, each: Mapping[str, object]) -> tuple[str, Sequence[str]]:
    route = _PROJECT + "/lookupTables/{table}"
    text = rasa_x.call("GET", route, names={"table": str(each["id"])}).text
    return str(each["name"]), [line for line in text.splitlines() if line.strip()]


def _synonym(_: RasaX, each: Mapping[str, object]) -> tuple[str, Sequence[str]]:
    mapped = each.get("mapped_values")
    values = mapped if isinstance(mapped, list) else []
    return str(each["synonym_reference"]), [str(value["value"]) for value in values]


EXTRAS = (
    Extra("regex", "/regexes", _regex),
    Extra("lookup", "/lookupTables", _lookup),
    Extra("synonym", "/synonyms", _synonym),
)
