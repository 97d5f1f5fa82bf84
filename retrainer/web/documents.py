"""What the answers hold, for the description of the API; the keys are those of `--json`."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from retrainer.domain.cycle import PromotionReason, Status, Trigger
from retrainer.domain.verdict import Outcome


class Document(BaseModel):
    """An answer; more keys may come, none goes."""

    model_config = ConfigDict(extra="allow")


class Failure(BaseModel):
    """Why it was not done, and what to do next."""

    error: str
    tip: str | None


class HealthDocument(Document):
    """Whether the daemon lives."""

    status: str = Field(description="`ok` or `hung`")
    reason: str | None
    version: str


class ReadinessDocument(Document):
    """Whether the daemon does its work now."""

    ready: bool
    reason: str | None
    leader: str | None = Field(description="the daemon that leads: host and process id")


class CycleLine(Document):
    """A cycle in one line, as `retrainer history --json` prints it."""

    number: int
    assistant: str
    trigger: Trigger
    status: Status
    verdict: Outcome | None
    stopped_by: str | None
    approved: bool | None
    promoted: bool
    dry_run: bool
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    champion: str | None
    challenger: str | None
    f1_champion: float | None
    f1_challenger: float | None
    examples: int | None
    same_as: int | None
    resumed: int
    failed_step: str | None
    error: str | None


class CyclesPage(Document):
    """Cycles, newest first; the next page is asked for with `before` = `next`."""

    cycles: list[CycleLine]
    next: int | None


class PromotionDocument(Document):
    """A row of the ledger, as `retrainer ledger --json` prints it."""

    assistant: str
    previous: str | None = Field(alias="from")
    model: str = Field(alias="to")
    reason: PromotionReason
    actor: str
    note: str
    cycle: int | None
    at: datetime


class LedgerDocument(Document):
    """Changes of the champion, newest first."""

    promotions: list[PromotionDocument]


class AnswerDocument(Document):
    """What a person answered to a held cycle."""

    cycle: int
    approved: bool
    actor: str
    reason: str
    at: datetime


class CycleOfReport(Document):
    """The cycle itself."""

    number: int
    assistant: str
    trigger: Trigger
    status: Status
    challenger: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None


class CycleDocument(Document):
    """All that is known of a cycle, as `retrainer show --json` prints it."""

    format: int
    result: str
    headline: str
    cycle: CycleOfReport
    error: dict[str, Any] | None
    same_as: int | None
    snapshot: dict[str, Any] | None
    data: dict[str, Any] | None
    findings: list[dict[str, Any]]
    model: dict[str, Any] | None
    champion: str | None
    promoted: dict[str, Any] | None
    confirmed: bool
    promotions: list[PromotionDocument] | None
    answer: dict[str, Any] | None
    verdict: dict[str, Any] | None
    evaluation: dict[str, Any] | None


class RequestDocument(Document):
    """Something that asks for a cycle; `cycle` is the one that answered, null as long as it waits."""

    number: int
    assistant: str
    trigger: Trigger
    asked_at: datetime
    asked_by: str
    note: str
    fire_time: datetime | None
    force: bool
    cycle: int | None


class RequestsDocument(Document):
    """What no cycle has answered yet, oldest first."""

    requests: list[RequestDocument]


class PauseDocument(Document):
    """Since when, by whom and why an assistant's cycles are not begun."""

    at: datetime
    by: str
    reason: str


class ScheduledDocument(Document):
    """A time of the schedule, as `retrainer schedule --json` prints it."""

    assistant: str
    fire_time: datetime
    local_time: datetime
    time_zone: str
    starts_at: datetime
    delayed_by: str | None
    joins_next: bool


class AssistantDocument(Document):
    """An assistant: its schedule, when it is due, who serves."""

    name: str
    schedule: str
    next: list[ScheduledDocument]
    pause: PauseDocument | None
    champion: PromotionDocument | None


class AssistantsDocument(Document):
    """The assistants of the configuration."""

    assistants: list[AssistantDocument]


class StatusDocument(Document):
    """What is going on, as `retrainer status --json` prints it."""


class HookDocument(Document):
    """What became of a hook."""

    result: str = Field(description="`asked` or `ignored`")
    reason: str | None
    request: RequestDocument | None
