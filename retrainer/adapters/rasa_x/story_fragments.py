"""Stories and rules as Rasa X lists them: each a fragment of text, put together to one file.

The fragments are not read as YAML, whose words other readers take for numbers, dates or booleans;
their lines are. Markdown of older servers is converted, since Rasa 3 does not read it.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Sequence

from retrainer.adapters.http.redaction import redacted
from retrainer.adapters.rasa_x.nlu_markdown import without_remarks
from retrainer.errors import ProjectError

_HEADER = re.compile(r"(stories|rules):\s*$")
# Each takes time in proportion to the line alone, however that is made.
_STEP = re.compile(r"(?P<name>[^{\s:]+)\s*(?P<fields>\{.*\})?")
_OR = re.compile(r"(?<!\s)\s+OR\s+")


def together(kind: str, fragments: Iterable[str]) -> str:
    """One YAML document of all fragments; `kind` is "stories" or "rules".

    Raises:
        ProjectError: a fragment is neither YAML nor Markdown that can be converted.
    """
    lines = ['version: "3.1"', f"{kind}:"]
    for fragment in fragments:
        text = fragment.strip("\n")
        if text.lstrip().startswith("##"):
            lines += _from_markdown(text)
        elif text.strip():
            lines += _items(text)
    return "\n".join(lines) + "\n"


def _items(text: str) -> list[str]:
    """The list items of a YAML fragment: below `stories:` or `rules:`, or all of it."""
    lines = text.splitlines()
    start = next((n + 1 for n, line in enumerate(lines) if _HEADER.match(line)), 0)
    end = next(
        (n for n, line in enumerate(lines[start:], start) if re.match(r"[^\s#-]", line)), len(lines)
    )
    items = textwrap.dedent("\n".join(lines[start:end])).splitlines()
    first = next((line for line in items if line.strip() and not line.startswith("#")), "")
    if not first.startswith("-"):
        raise ProjectError(
            f"a story of Rasa X cannot be put into a file: it begins with {lines[0]!r}, "
            "`- story: ...` was expected",
            tip="take `stories` and `rules` from git or a folder instead, and leave them out of "
            "`parts`",
        )
    return items


def _from_markdown(text: str) -> list[str]:
    """A story of Rasa 1 as lines of YAML; each step is a mapping in JSON, which YAML reads."""
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        said = without_remarks(line).strip()
        if not said:
            continue
        if said.startswith("## "):
            lines += [f"- story: {json.dumps(said[3:].strip(), ensure_ascii=False)}", "  steps:"]
            continue
        step = _step(said)
        if step is None:
            raise ProjectError(
                f"line {number} of a story in Markdown cannot be converted: {said!r}",
                tip="convert it with `rasa data convert` of Rasa 2, or take `stories` from git or "
                "a folder, and leave them out of `parts`",
            )
        lines.append(f"  - {json.dumps(step, ensure_ascii=False)}")
    return lines


def _step(said: str) -> dict[str, object] | None:
    """One step; None if it is not understood."""
    sign, rest = said[:2], said[2:].strip()
    if sign == "> ":
        return {"checkpoint": rest}
    if sign == "* ":
        intents = [_intent(part.strip()) for part in _OR.split(rest)]
        return None if None in intents else intents[0] if len(intents) == 1 else {"or": intents}
    return _action(rest) if sign == "- " else None


def _action(said: str) -> dict[str, object] | None:
    name, fields = _parsed(said) or ("", {})
    if name == "slot" and fields:
        return {"slot_was_set": [{key: value} for key, value in fields.items()]}
    if name == "form" and set(fields) == {"name"}:
        return {"active_loop": fields["name"]}
    return {"action": name} if name and not fields else None


def _intent(said: str) -> dict[str, object] | None:
    parsed = _parsed(said)
    if parsed is None:
        return None
    name, fields = parsed
    entities = [{key: value} for key, value in fields.items()]
    return {"intent": name, **({"entities": entities} if entities else {})}


def _parsed(said: str) -> tuple[str, dict[str, object]] | None:
    found = _STEP.fullmatch(said)
    if found is None:
        return None
    try:
        fields = json.loads(found["fields"] or "{}")
    except ValueError:
        return None
    return (found["name"], fields) if isinstance(fields, dict) else None


def of_kind(stories: Sequence[object], *, rules: bool, tests: bool = False) -> list[str]:
    """The texts of the listed stories that are rules, or tests, or neither.

    Raises:
        ProjectError: the list holds something else.
    """
    texts = []
    for each in stories:
        if not isinstance(each, dict) or not isinstance(each.get("story"), str):
            raise ProjectError(
                f"the stories of Rasa X hold something else: {redacted(repr(each))[:100]}"
            )
        if bool(each.get("is_rule")) == rules and bool(each.get("is_test")) == tests:
            texts.append(each["story"])
    return texts
