"""Labelled utterances, and what makes two of them the same."""

import hashlib
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entity:
    """An annotated or extracted span, `text[start:end]`, in characters."""

    type: str
    value: str
    start: int
    end: int
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance with the labels that a person gave it.

    `response` is the full retrieval intent (`faq/opening_hours`), None for ordinary intents.
    `file` and `line` (from 1) say where it was read, for messages only.
    """

    text: str
    intent: str
    entities: tuple[Entity, ...] = ()
    response: str | None = None
    file: str | None = None
    line: int | None = None

    @property
    def label(self) -> str:
        """The finest label: the full retrieval intent where there is one."""
        return self.response or self.intent


@dataclass(frozen=True, slots=True)
class MustPass:
    """An utterance that every promoted model has to understand.

    `minimum_confidence` is a probability, 0 to 1; 0 asks for none.
    """

    example: Example
    minimum_confidence: float = 0.0


def normalise(text: str) -> str:
    """Fold what people do not see as a difference: case, width, runs of white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def example_key(text: str) -> str:
    """The identity of an utterance, for ever: 32 hexadecimal digits of the normalised text's SHA-256.

    Membership of the holdout, of a training manifest and of a test set all rest on it, so
    changing it would let examples cross from training into the holdout.
    """
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:32]
