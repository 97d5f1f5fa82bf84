"""A cycle: its steps, its states and what may follow what.

A cycle is a fold of named steps over a frozen `State`; what each step added is a row in the
database, so a cycle that was cut off anywhere goes on at its first step without a done row.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.selection import Candidate
from retrainer.domain.verdict import Verdict


class Status(StrEnum):
    """Where a cycle stands. All but RUNNING are final."""

    RUNNING = "running"
    COMPLETED = "completed"  # reached a verdict and carried it out
    SKIPPED = "skipped"  # nothing had changed
    FAILED = "failed"  # a step failed; the champion is untouched or restored
    ABANDONED = "abandoned"  # interrupted too often or too long ago; undone


class Trigger(StrEnum):
    """What asked for a cycle."""

    MANUAL = "manual"  # a person
    SCHEDULE = "schedule"
    DATA = "data"  # the source has something new
    HOOK = "hook"  # another program, such as a git server


@dataclass(frozen=True, slots=True)
class Cycle:
    """One pass for one assistant. `number` counts all cycles of a database, from 1."""

    number: int
    assistant: str
    trigger: Trigger
    started_at: datetime
    status: Status = Status.RUNNING
    dry_run: bool = False
    force: bool = False
    #: How often it has been taken up again after an interruption.
    resumed: int = 0

    @property
    def challenger(self) -> str:
        """The name of the model that this cycle trains; every effect is keyed by it.

        It follows from the immutable start and number, so a resumed cycle finds its own work.
        """
        stamp = self.started_at.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
        return f"{self.assistant}-{stamp}-{self.number}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a project, or a part of it, came from; without secrets.

    `place` is a folder, a repository or a server's address; `revision`, `author` and `at` are of
    the commit where there is one; `source` is the name that the config gives the source when an
    assistant has several. `details` are further facts for people: the branch, what a part holds.
    """

    place: str
    revision: str = ""
    author: str = ""
    at: datetime | None = None
    source: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        name = f"{self.source}: " if self.source else ""
        commit = f" at {self.revision[:12]}" if self.revision else ""
        author = f" by {self.author}" if self.author else ""
        return f"{name}{self.place}{commit}{author}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The exact training data, domain and config of a cycle.

    `digest` is the content address (64 hexadecimal digits); `files` are the paths below the
    snapshot's folder, with `/`; `origin` says where it came from, for people, and `origins` the
    same for each part.
    """

    digest: str
    files: tuple[str, ...]
    origin: str
    origins: tuple[Origin, ...] = ()


class Severity(StrEnum):
    """How bad a finding of the validation is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of `rasa data validate` or of our own reading of the project."""

    severity: Severity
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else ""
        return f"{place or (f'{self.file}: ' if self.file else '')}{self.message}"


@dataclass(frozen=True, slots=True)
class DataSummary:
    """What the snapshot holds, in numbers of examples; `whole` are the intents too small to split."""

    examples: int
    intents: int
    training: int
    held_out: int
    test_files: int = 0
    must_pass: int = 0
    whole: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model. `sha256` (64 hexadecimal digits) and `size` (bytes) are of its archive.

    Of a model that others brought to a platform these may not be known: empty, and 0.
    """

    name: str
    sha256: str
    size: int
    rasa_version: str
    trained_at: datetime
    training_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a cycle so far; each step fills in its own fields."""

    #: What the cycle depends on, as a digest: equal inputs lead to the same verdict.
    fingerprint: str | None = None
    #: Number of the earlier cycle with the same inputs, when there is nothing to do.
    same_as: int | None = None
    snapshot: Snapshot | None = None
    findings: tuple[Finding, ...] = ()
    data: DataSummary | None = None
    model: Model | None = None
    #: Where several challengers were trained: all that were tried, `model` being the chosen one.
    candidates: tuple[Candidate, ...] = ()
    uploaded: bool = False
    #: Name of the model that served when the evaluation began; None before the first promotion.
    champion: str | None = None
    #: When the champion last changed before that, by the ledger.
    champion_since: datetime | None = None
    evaluation: Evaluation | None = None
    verdict: Verdict | None = None
    #: Set before the active model is touched: (previous champion, new champion).
    promoted: tuple[str | None, str] | None = None
    confirmed: bool = False


class PromotionReason(StrEnum):
    """Why the champion changed."""

    GATE = "gate"  # a cycle's verdict
    PERSON = "person"  # `retrainer promote`
    ROLLBACK = "rollback"  # `retrainer rollback`, or a promotion that was not confirmed
    OUTSIDE = "outside"  # found changed: somebody else did it


@dataclass(frozen=True, slots=True)
class Promotion:
    """One row of the append-only ledger."""

    assistant: str
    previous: str | None
    model: str
    reason: PromotionReason
    actor: str
    at: datetime
    note: str = ""
    cycle: int | None = None


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def require_name(name: str) -> str:
    """An assistant's name is part of file names, model names and URLs.

    Raises ValueError unless it is 1 to 63 of a-z, 0-9, `-` and `_`, the first a letter or digit.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a usable name: 1 to 63 of a-z, 0-9, - and _, "
            "beginning with a letter or a digit"
        )
    return name
