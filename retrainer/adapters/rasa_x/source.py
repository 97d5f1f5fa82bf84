"""Training data from Rasa X, Rasa Enterprise or the Rasa Platform of 2018, as a Rasa 3 project.

- `data/rasa_x/nlu.yml`, or `nlu.json` of older servers, exactly as it was exported
- `data/rasa_x/stories.yml`, `rules.yml`, and `tests/rasa_x/stories.yml`
- `domain.yml`, or `domain/` with several files; `config.yml`
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self

from retrainer.adapters.files import digest_of, sha256, storage_errors
from retrainer.adapters.http import Answer, refused
from retrainer.adapters.http.redaction import redacted
from retrainer.adapters.plain_files import MAXIMUM_FILE
from retrainer.adapters.rasa_x.connection import NOT_FOUND, RasaX, listed
from retrainer.adapters.rasa_x.connection_options import ConnectionOptions
from retrainer.adapters.rasa_x.eras import Era
from retrainer.adapters.rasa_x.nlu_counts import counted, intents_of
from retrainer.adapters.rasa_x.nlu_exports import Export, scan_json, scan_yaml
from retrainer.adapters.rasa_x.nlu_extras import EXTRAS
from retrainer.adapters.rasa_x.nlu_markdown import to_yaml
from retrainer.adapters.rasa_x.story_fragments import of_kind, together
from retrainer.adapters.temporary import TemporaryFolder
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError
from retrainer.ports import DataSeen

Part = Literal["nlu", "stories", "rules", "domain", "responses", "config"]

_FOLDER = "data/rasa_x"
_BAD_REQUEST = 400
_EXPORTS = ("/projects/{project}/training_data", "/projects/{project}/data.json")
_MARKDOWN = "/projects/{project}/data.md"
#: The first that the server knows how to write is taken; Rasa 3 reads both.
_ACCEPT = {"Accept": "application/x-yaml, application/json;q=0.9"}


_KINDS_OF_YAML = (
    *("application/x-yaml", "application/yaml", "text/yaml", "text/x-yaml"),
    *("text/plain", "application/octet-stream", ""),
)


class RasaXSource:
    """A `DataSource` of what annotators keep in Rasa X."""

    class Options(ConnectionOptions):
        """Options of `type = "rasa_x"`."""

        parts: tuple[Part, ...] = ("nlu", "stories", "rules", "domain", "responses", "config")
        """What to take from Rasa X; the rest has to come from another of the `sources`."""

        require_all: bool = True
        """Whether an export with fewer examples than the server counts stops the cycle."""

    @classmethod
    def from_options(cls, options: Options, *, folder: Path, cache: Path) -> Self:
        """The source that the options describe."""
        del folder, cache
        return cls(options)

    def __init__(self, options: Options) -> None:
        self._options = options

    @property
    def counts_examples(self) -> bool:
        """Whether the NLU data is taken: Rasa X counts its examples."""
        return "nlu" in self._options.parts

    def look(self) -> DataSeen:
        """How many examples there are, of which intents, and what the small parts hold.

        Which entities are marked in the examples is not looked at, nor are synonyms, regular
        expressions and lookup tables: that would take the whole export. A server that does not
        list its intents shows only how many examples there are; of one that does not count them
        (2018) the export is taken.

        Raises:
            ProjectError: a part is missing, or nothing that Rasa 3 could read.
            ServerError: Rasa X did not answer, or not as asked.
            StorageError: there is no room for the small parts.
        """
        with TemporaryFolder("look") as folder, RasaX(self._options) as rasa_x:
            examples = counted(rasa_x) if self.counts_examples else None
            if examples == 0:
                raise _no_examples(self._options)
            pull = _Pull(rasa_x, folder, self._options)
            pull.parts(but=None if examples is None else "nlu")
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            held = [(path.relative_to(folder).as_posix(), sha256(path)) for path in files]
            if examples is None:
                return DataSeen(digest_of(held), pull.examples)
            return DataSeen(digest_of(held, examples, intents_of(rasa_x)), examples)

    def pull(self, into: Path) -> tuple[Origin, ...]:
        """Write the parts below the empty folder `into`.

        Raises:
            ProjectError: a part is missing, not whole, or nothing that Rasa 3 could read.
            ServerError: Rasa X did not answer, or not as asked.
            StorageError: a file could not be written.
        """
        with RasaX(self._options) as rasa_x:
            details = _Pull(rasa_x, into, self._options).parts()
            if rasa_x.version.product:
                details["Rasa X"] = rasa_x.version.product
        return (Origin(self._options.root, details=details),)


class _Pull:
    """One pull, a part after the other."""

    def __init__(self, rasa_x: RasaX, into: Path, options: "RasaXSource.Options") -> None:
        self._rasa_x, self._into, self._options = rasa_x, into, options
        #: How many the export held; None before it was taken.
        self.examples: int | None = None

    def parts(self, *, but: Part | None = None) -> dict[str, str]:
        """Write all parts `but` one; what each of them holds, for people."""
        take: Mapping[Part, Callable[[], str | None]] = {
            "nlu": self._nlu,
            "stories": self._stories,
            "rules": self._rules,
            "domain": self._domain,
            "responses": self._responses,
            "config": self._config,
        }
        held = {part: take[part]() for part in take if part in self._options.parts and part != but}
        return {part: what for part, what in held.items() if what is not None}

    def _nlu(self) -> str:
        file = self._into / _FOLDER / "nlu"
        with storage_errors("writing", file):
            file.parent.mkdir(parents=True, exist_ok=True)
        answer = self._rasa_x.download(
            file,
            *_EXPORTS,
            headers=_ACCEPT,
            accept={_BAD_REQUEST, NOT_FOUND},
            largest=MAXIMUM_FILE,
        )
        if answer.status in (_BAD_REQUEST, NOT_FOUND):  # it may write nothing but Markdown
            answer = self._rasa_x.download(file, _MARKDOWN, largest=MAXIMUM_FILE)
        export, suffix = _scanned(answer, file)
        self.examples = export.examples
        self._require_all(export)
        with storage_errors("writing", file):
            file.rename(file.with_suffix(suffix))
        for extra in EXTRAS:
            if extra.kind not in export.kinds and (content := extra.fetch(self._rasa_x)):
                self._write(f"{_FOLDER}/{extra.kind}.yml", content)
        return f"{export.examples} examples"

    def _require_all(self, export: Export) -> None:
        if not export.examples:
            raise _no_examples(self._options)
        there = counted(self._rasa_x)
        if there is None or not self._options.require_all:
            return
        if export.examples < there:
            raise ProjectError(
                f"the NLU data that Rasa X exported holds {export.examples} examples, "
                f"it counts {there} itself: the export is not whole",
                tip="run the same command again; if the server counts what it never exports, set "
                "`require_all = false`",
            )

    def _stories(self) -> str:
        stories = listed(self._rasa_x.call("GET", "/stories"))
        texts = of_kind(stories, rules=False)
        self._write(f"{_FOLDER}/stories.yml", together("stories", sorted(texts)))
        if tests := of_kind(stories, rules=False, tests=True):
            self._write("tests/rasa_x/test_stories.yml", together("stories", sorted(tests)))
        return f"{len(texts)} stories"

    def _rules(self) -> str | None:
        answer = self._rasa_x.call("GET", "/rules", accept={NOT_FOUND})
        if answer.status == NOT_FOUND:
            if self._rasa_x.era in (Era.LATE, Era.ENTERPRISE):
                raise refused(answer, tip="leave 'rules' out of `parts` if there are none")
            return None  # a server of Rasa 1, which knows no rules
        # Rules may be told from stories by where they are listed alone.
        texts = [t for rule in (True, False) for t in of_kind(listed(answer), rules=rule)]
        self._write(f"{_FOLDER}/rules.yml", together("rules", sorted(texts)))
        return f"{len(texts)} rules"

    def _domain(self) -> str:
        answer = self._rasa_x.call("GET", "/domains", accept={NOT_FOUND})
        files = [] if answer.status == NOT_FOUND else listed(answer)
        if len(files) > 1:
            # The order that a list comes in is not documented, and must not make a night a new one.
            texts = sorted(str(file.get("content_yaml") or "") for file in files)
            for number, text in enumerate(texts, start=1):
                self._write(f"domain/{number:02}.yml", text)
            return f"{len(files)} files"
        self._write("domain.yml", self._text("domain", "/domain"))
        return "1 file"

    def _responses(self) -> str | None:
        """Those that the domain does not hold already."""
        domains = [self._into / "domain.yml", *self._into.glob("domain/*.yml")]
        held = [d.read_text(encoding="utf-8") for d in domains if d.is_file()]
        if any(_HOLDS_RESPONSES.search(text) for text in held):
            return None
        responses: dict[str, list[dict[str, object]]] = {}
        for page in self._rasa_x.pages("/responses", "/templates", key="responses"):
            for each in page:
                name = str(each.get("response_name") or each.get("template"))
                shown = {k: v for k, v in each.items() if k in _OF_RESPONSE and v is not None}
                responses.setdefault(name, []).append(shown)
        if not responses:
            return None
        for variations in responses.values():  # their order is not documented either
            variations.sort(key=lambda each: json.dumps(each, sort_keys=True))
        content = json.dumps(responses, ensure_ascii=False, indent=1, sort_keys=True)
        self._write("domain/rasa_x_responses.yml", f'version: "3.1"\nresponses: {content}\n')
        return f"{len(responses)} responses"

    def _config(self) -> str:
        text = self._text("config", "/projects/{project}/settings")
        if text.lstrip().startswith("{"):  # an object of 2019
            try:
                text = str(json.loads(text)["nlu_config"])
            except (ValueError, KeyError, TypeError):
                shown = redacted(text, self._rasa_x.http.secrets)[:80]
                raise ProjectError(f"the config of Rasa X is not YAML: {shown!r}") from None
        self._write("config.yml", text)
        return "1 file"

    def _text(self, part: str, route: str) -> str:
        answer = self._rasa_x.call("GET", route, accept={_BAD_REQUEST, NOT_FOUND})
        if answer.status in (_BAD_REQUEST, NOT_FOUND) or not answer.text.strip():
            raise ProjectError(
                f"Rasa X has no {part}: {answer.where} answered {answer.status} "
                f"{answer.complaint()}".rstrip(),
                tip=f"leave {part!r} out of `parts`, and take it from git or a folder: "
                "several `sources` are put together to one project",
            )
        return answer.text

    def _write(self, name: str, content: str) -> None:
        file = self._into / name
        with storage_errors("writing", file):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")


def _no_examples(options: "RasaXSource.Options") -> ProjectError:
    return ProjectError(
        "the NLU data of Rasa X holds 0 examples, at least 1 is needed",
        tip=f"check `project` (now {options.project!r})",
    )


#: A domain that was written with all its keys has them empty.
_HOLDS_RESPONSES = re.compile(r"(?m)^(?:responses|templates):(?!\s*(?:\{\s*\}|null|~)\s*$)")
_OF_RESPONSE = frozenset(
    {"text", "buttons", "image", "custom", "channel", "attachment", "elements"}
)


def _scanned(answer: Answer, file: Path) -> tuple[Export, str]:
    """What an export holds, and the suffix of its format."""
    with file.open("rb") as content:
        start = content.read(200).lstrip()
    if answer.kind == "application/json" or start.startswith(b"{"):
        return scan_json(file), ".json"
    if answer.kind == "text/markdown":
        markdown = file.rename(file.with_suffix(".md"))
        to_yaml(markdown, file)
        markdown.unlink()
    elif answer.kind not in _KINDS_OF_YAML:
        raise ProjectError(
            f"{answer.where} answered with {answer.kind}, YAML, JSON or Markdown is needed",
            tip="leave 'nlu' out of `parts`, and take it from git or a folder",
        )
    return scan_yaml(file), ".yml"
