"""`/api/v1` and `/hooks`: asking for a cycle, answering to one that was held."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from retrainer import ports
from retrainer.domain.cycle import Trigger
from retrainer.pipeline import approvals
from retrainer.pipeline.world import Desk
from retrainer.reports.json_report import answer_to_json, promotion_to_json, request_to_json
from retrainer.store.approvals import SqlApprovals
from retrainer.store.history import get
from retrainer.web.access import AccessDenied
from retrainer.web.answers import Json, NotServed
from retrainer.web.documents import (
    AnswerDocument,
    HookDocument,
    PromotionDocument,
    RequestDocument,
)
from retrainer.web.hooks import Push, is_signed, push_of, revisions_of, why_ignored
from retrainer.web.reading import MOST, Name, require_assistant
from retrainer.web.surroundings import (
    EVERYWHERE,
    Approver,
    Asker,
    Here,
    Surroundings,
    failures,
)

router = APIRouter(prefix="/api/v1", responses=EVERYWHERE() | failures(404, 408, 409, 413))
hooks = APIRouter(prefix="/hooks", responses=failures(401, 404, 408, 409, 413, 421, 422, 429, 503))

_Number = Annotated[int, Path(description="Number of a cycle", ge=1, le=MOST)]


class TriggerBody(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=500, description="Why; kept in the history")
    force: bool = Field(default=False, strict=True, description="Train even if nothing has changed")


class ReasonBody(BaseModel):
    """Why the answer is this one."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2000, description="Kept on the ledger")


@router.post(
    "/assistants/{name}/trigger",
    status_code=202,
    response_model=RequestDocument,
    summary="Ask for a cycle",
)
async def trigger(
    here: Here, caller: Asker, name: Name, body: Annotated[TriggerBody, Body()]
) -> Response:
    """The next cycle that begins answers all that was asked for.

    Asking again with the same token and the same note, before that, is answered with the same
    request.
    """
    require_assistant(here.app, name)
    wanted = (name, Trigger.MANUAL, caller.name, body.note, body.force)

    def ask() -> ports.Request:
        agenda = here.app.agenda
        paused = any(e.assistant == name and e.pause for e in agenda.enrolments())
        for known in () if paused else agenda.pending():
            if wanted == (
                known.assistant,
                known.trigger,
                known.asked_by,
                known.note,
                known.force,
            ):
                return known
        return agenda.ask(name, Trigger.MANUAL, by=caller.name, note=body.note, force=body.force)

    asked = await here.look.run(ask)
    here.daemon.wake()
    return Json(request_to_json(asked), 202)


@router.post(
    "/cycles/{number}/approve",
    response_model=PromotionDocument,
    responses=failures(502),
    summary="Make the challenger of a held cycle the champion",
)
async def approve(here: Here, caller: Approver, number: _Number, body: ReasonBody) -> Response:
    """As `retrainer approve`; answered when the challenger serves, or does not."""

    def carry_out() -> Response:
        made = approvals.approve(*_asked(here, number), actor=caller.name, reason=body.reason)
        return Json(promotion_to_json(made))

    return await here.act.run(carry_out)


@router.post(
    "/cycles/{number}/reject",
    response_model=AnswerDocument,
    summary="Say that the challenger of a held cycle is not to become champion",
)
async def reject(here: Here, caller: Approver, number: _Number, body: ReasonBody) -> Response:
    """As `retrainer reject`."""

    def write_down() -> Response:
        answer = approvals.reject(*_asked(here, number), actor=caller.name, reason=body.reason)
        return Json({"cycle": number, **answer_to_json(answer)})

    return await here.look.run(write_down)


def _asked(here: Surroundings, number: int) -> tuple[Desk, SqlApprovals, ports.CycleReport]:
    """The cycle that a person answers to, and where the answer goes."""
    app = here.app
    report = get(app.engine, str(number)).report
    return app.desk(report.cycle.assistant), SqlApprovals(app.engine), report


@hooks.post(
    "/git/{name}",
    response_model=HookDocument,
    responses={202: {"model": HookDocument, "description": "A cycle is asked for"}},
    summary="A git server tells of a push",
)
async def git_hook(here: Here, request: Request, name: Name) -> Response:
    """For the webhooks of GitHub, GitLab, Gitea and Forgejo, with `hook_secret` of [http].

    The body has to be signed with it: HMAC-SHA256 as X-Hub-Signature-256, X-Gitea-Signature or
    X-Forgejo-Signature. GitLab sends the secret itself, as X-Gitlab-Token.
    """
    if here.hook_secret is None:
        raise NotServed(
            "no hooks are taken here", tip="set `hook_secret` in [http] to have them taken"
        )
    body = await request.body()
    if not is_signed(request.headers, body, here.hook_secret):
        here.access.count_failure(request)
        raise AccessDenied(
            "the hook is not signed with the secret",
            tip="give the hook of the git server the `hook_secret` of [http] as its secret",
        )
    require_assistant(here.app, name)
    push = push_of(request.headers, body)
    ignored = why_ignored(push, revisions_of(here.app.settings.assistants[name]))
    if ignored is not None:
        return Json({"result": "ignored", "reason": ignored, "request": None})
    asked = await here.look.run(lambda: _ask(here, name, push))
    here.daemon.wake()
    return Json({"result": "asked", "reason": None, "request": request_to_json(asked)}, 202)


def _ask(here: Surroundings, name: str, push: Push) -> ports.Request:
    """A request because of the push; one that waits already will pull this push too.

    So a delivery that is sent again, by whom ever, at most makes one more cycle, which is skipped
    as nothing has changed.
    """
    agenda = here.app.agenda
    for known in agenda.pending():
        if (known.assistant, known.trigger) == (name, Trigger.HOOK):
            return known
    return agenda.ask(name, Trigger.HOOK, by="git hook", note=str(push))
