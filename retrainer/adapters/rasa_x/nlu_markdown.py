"""NLU data in Rasa's Markdown, which Rasa 3 does not read, as YAML: line by line, nothing interpreted.

Entities keep their notation, which is the same in both.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from retrainer.adapters.files import storage_errors
from retrainer.errors import ProjectError

_HEADER = re.compile(r"##\s*(intent|synonym|regex|lookup)\s*:\s*(\S.*)")
_ITEM = re.compile(r"[-*+]\s+(\S.*)")


def without_remarks(line: str) -> str:
    """The line without its remarks, found in one pass: an expression would take the square of it."""
    kept, start = [], 0
    while (opened := line.find("<!--", start)) >= 0:
        closed = line.find("-->", opened + 4)
        if closed < 0:
            break
        kept.append(line[start:opened])
        start = closed + 3
    return "".join([*kept, line[start:]])


def to_yaml(markdown: Path, into: Path) -> None:
    """Write what is in the file `markdown` to another as Rasa's YAML.

    Raises:
        ProjectError: a line is neither a header nor an item, such as a lookup table in a file.
        StorageError: the file could not be written.
    """
    with (
        markdown.open(encoding="utf-8", errors="strict") as lines,
        storage_errors("writing", into),
        into.open("w", encoding="utf-8", newline="\n") as out,
    ):
        out.write('version: "3.1"\nnlu:\n')
        try:
            out.writelines(_converted(lines))
        except UnicodeDecodeError as error:
            raise ProjectError(f"the NLU data of Rasa X is not UTF-8: {error.reason}") from None


def _converted(lines: Iterator[str]) -> Iterator[str]:
    inside = False
    for number, line in enumerate(lines, start=1):
        said = without_remarks(line).strip()
        if not said:
            continue
        if header := _HEADER.fullmatch(said):
            inside = True
            yield f"- {header[1]}: {json.dumps(header[2], ensure_ascii=False)}\n  examples: |\n"
        elif inside and (item := _ITEM.fullmatch(said)):
            yield f"    - {item[1]}\n"
        else:
            raise ProjectError(
                f"line {number} of the NLU data in Markdown cannot be converted: {said!r:.200}",
                tip="convert it with `rasa data convert` of Rasa 2, or leave 'nlu' out of `parts` "
                "and take it from git or a folder",
            )
