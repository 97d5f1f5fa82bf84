"""`/api/v1`: what is going on and what happened, in the documents that `--json` prints."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)
from starlette.responses import Response

from retrainer.domain.cycle import Status
from retrainer.domain.schedule import next_start
from retrainer.domain.verdict import Outcome
from retrainer.reports.json_report import (
    history_to_json,
    promotion_to_json,
    request_to_json,
    status_to_json,
    to_json,
)
from retrainer.reports.schedules import scheduled_times
from retrainer.store.agenda import read_request
from retrainer.store.engine import reading
from retrainer.store.history import get, list_cycles, list_promotions
from retrainer.store.status import read_status
from retrainer.web.answers import Json, NotServed
from retrainer.web.documents import (
    AssistantDocument,
    AssistantsDocument,
    CycleDocument,
    CyclesPage,
    LedgerDocument,
    RequestDocument,
    RequestsDocument,
    StatusDocument,
)
from retrainer.web.surroundings import EVERYWHERE, Here, Reader, failures
from retrainer.wiring import Application

#: What a column of the database holds.
MOST = 2**31 - 1
_TICKS = 5

router = APIRouter(prefix="/api/v1", responses=EVERYWHERE())

Name = Annotated[str, Path(description="Name of an assistant", max_length=200)]
Number = Annotated[int, Path(description="Number of a request", ge=1, le=MOST)]
Reference = Annotated[
    str, Path(description="Number of a cycle, the model that it trained, or `latest`")
]


def _written_out(value: object) -> object:
    """A bare number would be taken for seconds since 1970."""
    if isinstance(value, str) and "-" not in value[1:]:
        raise ValueError("a moment is written as 2026-11-21T01:30:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    """The same moment; one that no calendar has in UTC cannot be meant."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("this moment lies beyond the calendar") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
Assistant = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class CycleFilters(BaseModel):
    """Which cycles."""

    model_config = ConfigDict(extra="forbid")

    assistant: Assistant | None = None
    status: Status | None = None
    verdict: Outcome | None = None
    since: Moment | None = Field(default=None, description="Begun at this moment or later")
    until: Moment | None = Field(default=None, description="Begun before this moment")
    before: int | None = Field(default=None, ge=1, le=MOST, description="Only lower numbers")
    limit: int = Field(default=20, ge=1, le=500)


class LedgerFilters(BaseModel):
    """Which changes of the champion."""

    model_config = ConfigDict(extra="forbid")

    assistant: Assistant | None = None
    limit: int = Field(default=20, ge=1, le=500)


@router.get("/cycles", response_model=CyclesPage, summary="Cycles, newest first")
async def read_cycles(
    here: Here, caller: Reader, wanted: Annotated[CycleFilters, Query()]
) -> Response:
    """A line for each, as `retrainer history --json`."""
    del caller

    def read() -> Response:
        rows = list_cycles(here.app.engine, **wanted.model_dump())
        more = len(rows) == wanted.limit and rows[-1].cycle.number > 1
        following = rows[-1].cycle.number if more else None
        return Json({"cycles": [history_to_json(row) for row in rows], "next": following})

    return await here.look.run(read)


@router.get(
    "/cycles/{cycle}",
    response_model=CycleDocument,
    responses=failures(404),
    summary="All that is known of a cycle",
)
async def read_cycle(here: Here, caller: Reader, cycle: Reference) -> Response:
    """As `retrainer show --json`."""
    del caller

    def read() -> Response:
        found = get(here.app.engine, cycle)
        return Json(to_json(found.report, found.promotions, found.answer))

    return await here.look.run(read)


@router.get("/ledger", response_model=LedgerDocument, summary="Changes of the champion")
async def read_ledger(
    here: Here, caller: Reader, wanted: Annotated[LedgerFilters, Query()]
) -> Response:
    """Newest first, as `retrainer ledger --json`."""
    del caller

    def read() -> Response:
        rows = list_promotions(here.app.engine, assistant=wanted.assistant, limit=wanted.limit)
        return Json({"promotions": [promotion_to_json(row) for row in rows]})

    return await here.look.run(read)


@router.get("/requests", response_model=RequestsDocument, summary="What waits for a cycle")
async def read_requests(here: Here, caller: Reader) -> Response:
    """Requests that no cycle has answered yet, oldest first."""
    del caller

    def read() -> Response:
        return Json({"requests": [request_to_json(one) for one in here.app.agenda.pending()]})

    return await here.look.run(read)


@router.get(
    "/requests/{number}",
    response_model=RequestDocument,
    responses=failures(404),
    summary="A request, and the cycle that answered it",
)
async def read_one_request(here: Here, caller: Reader, number: Number) -> Response:
    """What became of a trigger."""
    del caller

    def read() -> Response:
        with reading(here.app.engine) as connection:
            found = read_request(connection, number)
        if found is None:
            raise NotServed(f"there is no request {number}")
        return Json(request_to_json(found))

    return await here.look.run(read)


@router.get("/status", response_model=StatusDocument, summary="What is going on")
async def read_whole_status(here: Here, caller: Reader) -> Response:
    """As `retrainer status --json`."""
    del caller

    def read() -> Response:
        app, now = here.app, here.app.clock.now()
        due = {name: next_start(app.schedule(name), after=now) for name in app.settings.assistants}
        return Json(status_to_json(read_status(app.engine, now), due))

    return await here.look.run(read)


@router.get("/assistants", response_model=AssistantsDocument, summary="The assistants")
async def read_assistants(here: Here, caller: Reader) -> Response:
    """Those of the configuration."""
    del caller

    def read() -> Response:
        names = here.app.settings.assistants
        return Json({"assistants": [_assistant(here.app, name) for name in names]})

    return await here.look.run(read)


@router.get(
    "/assistants/{name}",
    response_model=AssistantDocument,
    responses=failures(404),
    summary="An assistant",
)
async def read_assistant(here: Here, caller: Reader, name: Name) -> Response:
    """Its schedule, when it is due next, whether it is paused, who serves."""
    del caller
    require_assistant(here.app, name)
    return await here.look.run(lambda: Json(_assistant(here.app, name)))


def require_assistant(app: Application, name: str) -> None:
    """Make sure that the configuration has an assistant of this name.

    Raises:
        NotServed: it has not.
    """
    if name not in app.settings.assistants:
        known = ", ".join(app.settings.assistants)
        raise NotServed(f"there is no assistant {name!r}; known are {known}")


def _assistant(app: Application, name: str) -> dict[str, Any]:
    schedule, now = app.schedule(name), app.clock.now()
    enrolled = {known.assistant: known for known in app.agenda.enrolments()}
    pause = enrolled[name].pause if name in enrolled else None
    newest = app.store.promotions(name, limit=1)
    times = scheduled_times(name, schedule, now=now, count=_TICKS)
    return {
        "name": name,
        "schedule": schedule.text,
        "next": [time.document() for time in times],
        "pause": pause and {"at": pause.at.isoformat(), "by": pause.by, "reason": pause.reason},
        "champion": promotion_to_json(newest[0]) if newest else None,
    }
