"""NLU data as Rasa X exports it: counted and looked at, never read as a whole nor changed.

What it means is for Rasa to read; here it is only found out whether all of it came.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrainer.adapters.http.redaction import redacted
from retrainer.errors import ProjectError

#: Bytes of an export in JSON, which takes up to forty times as many in memory.
LARGEST_JSON = 64 * 1000**2
_KINDS = ("intent", "regex", "lookup", "synonym")
_ITEM = re.compile(rb"\s*-\s+(intent|regex|lookup|synonym):")
_EXAMPLES = re.compile(rb"(\s+)examples:\s*(\||>|$)")
_WITH_TEXT = re.compile(rb"\s*-\s+text:")
_OF_JSON = {
    "intent": "common_examples",
    "regex": "regex_features",
    "lookup": "lookup_tables",
    "synonym": "entity_synonyms",
}


@dataclass(frozen=True, slots=True)
class Export:
    """How much an export holds: examples, and whether any regexes, lookups and synonyms."""

    examples: int
    kinds: frozenset[str]


def scan_yaml(file: Path) -> Export:
    """Count what a file of Rasa's YAML holds, a line at a time.

    Raises:
        ProjectError: it is none.
    """
    with file.open("rb") as lines:
        found = _count(lines)
    if found is None:
        raise _none(file, "YAML with `nlu:`")
    return Export(found["intent"], frozenset(found) - {"intent"})


def scan_json(file: Path) -> Export:
    """Count what a file of Rasa's JSON of old holds.

    Raises:
        ProjectError: it is none, or not whole.
    """
    size = file.stat().st_size
    if size > LARGEST_JSON:
        raise ProjectError(
            f"the NLU data of Rasa X has {size} bytes in JSON, at most {LARGEST_JSON} may be",
            tip="a server that writes YAML may send more; or leave 'nlu' out of `parts`",
        )
    try:
        content: Any = json.loads(file.read_bytes())
        data = content["rasa_nlu_data"]
        sizes = {kind: len(data.get(key) or ()) for kind, key in _OF_JSON.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _none(file, "JSON with `rasa_nlu_data`") from None
    return Export(sizes["intent"], frozenset(k for k in _KINDS[1:] if sizes[k]))


def _count(lines: Iterable[bytes]) -> Counter[str] | None:
    """The examples of each kind; None if there is no `nlu:`."""
    found: Counter[str] = Counter()
    kind, inside, literal, nlu = "", -1, True, False
    for line in lines:
        stripped = line.strip()
        if not stripped:
            continue
        depth = len(line) - len(line.lstrip())
        if depth > inside >= 0 or (depth == inside and not literal and stripped[:1] == b"-"):
            found[kind] += stripped.startswith(b"-") if literal else bool(_WITH_TEXT.match(line))
            continue
        inside = -1
        if stripped == b"nlu:" or stripped.startswith(b"nlu: "):
            nlu = True
        elif item := _ITEM.match(line):
            kind = item[1].decode()
        elif kind and (examples := _EXAMPLES.match(line)):
            inside, literal = len(examples[1]), examples[2] != b""
    return +found if nlu else None


def _none(file: Path, wanted: str) -> ProjectError:
    with file.open("rb") as content:
        # A server may repeat who asked; taken out before it is cut.
        start = redacted(content.read(4096).decode(errors="replace")).encode()[:60]
    return ProjectError(
        f"the NLU data of Rasa X is no {wanted}, or not all of it; it begins with {start!r}",
        tip="run the same command again; `era` says which years' protocol the server speaks",
    )
