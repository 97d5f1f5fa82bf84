"""A cycle was held for a person: the answer, and what follows from it."""

from retrainer.domain.cycle import Promotion, PromotionReason, Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import ChampionMoved, NotAwaitingApproval, RetrainerError
from retrainer.pipeline import by_hand
from retrainer.pipeline.ledger import newest, note_outside_change
from retrainer.pipeline.world import Desk
from retrainer.ports import Answer, Approvals, CycleReport


def approve(
    desk: Desk, approvals: Approvals, report: CycleReport, *, actor: str, reason: str
) -> Promotion:
    """Make the challenger of a held cycle the champion, as a person may.

    The answer is written down first, so that it is given once however many people answer, and
    taken back if the promotion fails. Where only the answer was written before a crash, a second
    approval carries it out.

    Raises:
        NotAwaitingApproval: the cycle was not held, or was answered already.
        ChampionMoved: the champion was changed after the cycle.
        ModelNotFound: the challenger is not stored any more.
        PlatformError: as `by_hand.promote`; the cycle still waits for an answer.
    """
    _require_held(report)
    given = approvals.of(report.cycle.number)
    _require_no_answer(desk, given, report, approving=True)
    if given is not None and desk.platform.active() == report.cycle.challenger:
        return _written_down(desk, given, report)
    note_outside_change(desk)
    _require_same_champion(desk, report)
    answer = _answer(desk, report, actor, reason, approved=True)
    standing = approvals.give(answer)
    if standing != answer:
        _require_no_answer(desk, standing, report, approving=True)
    cycle = report.cycle
    try:
        return by_hand.promote(desk, cycle.challenger, actor=actor, note=reason, cycle=cycle.number)
    except RetrainerError:
        if not _may_serve(desk, cycle.challenger):
            approvals.withdraw(standing)
        raise


def reject(
    desk: Desk, approvals: Approvals, report: CycleReport, *, actor: str, reason: str
) -> Answer:
    """Write down that the challenger of a held cycle is not to become champion.

    Raises:
        NotAwaitingApproval: the cycle was not held, or was answered already.
    """
    _require_held(report)
    answer = _answer(desk, report, actor, reason, approved=False)
    standing = approvals.give(answer)
    if standing != answer:
        _require_no_answer(desk, standing, report, approving=False)
    return answer


def _written_down(desk: Desk, answer: Answer, report: CycleReport) -> Promotion:
    """The promotion of an answer that was carried out just before the end of its process."""
    last = newest(desk)
    promotion = Promotion(
        assistant=desk.assistant,
        previous=last.model if last else None,
        model=report.cycle.challenger,
        reason=PromotionReason.PERSON,
        actor=answer.actor,
        at=desk.clock.now(),
        note=answer.reason,
        cycle=answer.cycle,
    )
    desk.store.record_promotion(promotion)
    desk.platform.confirm(promotion.model)
    return promotion


def _may_serve(desk: Desk, model: str) -> bool:
    """Whether it is the champion, or that cannot be asked."""
    try:
        return desk.platform.active() == model
    except RetrainerError:
        return True


def _answer(desk: Desk, report: CycleReport, actor: str, reason: str, *, approved: bool) -> Answer:
    return Answer(report.cycle.number, approved, actor, reason, desk.clock.now())


def _require_held(report: CycleReport) -> None:
    cycle, verdict = report.cycle, report.state.verdict
    if cycle.dry_run:
        raise NotAwaitingApproval(
            f"cycle {cycle.number} was a dry run, which leaves no model to promote"
        )
    if cycle.status is not Status.COMPLETED or verdict is None:
        raise NotAwaitingApproval(
            f"cycle {cycle.number} has no verdict to answer to: it is {cycle.status}",
            tip=f"retrainer show {cycle.number}",
        )
    if verdict.outcome is not Outcome.HOLD:
        raise NotAwaitingApproval(
            f"the verdict of cycle {cycle.number} is {verdict.outcome}; only after "
            f"{Outcome.HOLD} a person is asked",
            tip=_by_hand(report),
        )


def _require_no_answer(
    desk: Desk, answer: Answer | None, report: CycleReport, *, approving: bool
) -> None:
    """Nobody answered yet; an approval that was not carried out may be approved again."""
    if answer is None:
        return
    made = any(p.cycle == answer.cycle for p in desk.store.promotions(desk.assistant))
    if approving and answer.approved and not made:
        return
    said = "approved" if answer.approved else "rejected"
    reason = f": {answer.reason}" if answer.reason else ""
    raise NotAwaitingApproval(
        f"cycle {answer.cycle} was {said} by {answer.actor} at "
        f"{answer.at:%Y-%m-%d %H:%M} UTC{reason}",
        tip=_by_hand(report),
    )


def _require_same_champion(desk: Desk, report: CycleReport) -> None:
    """No newer promotion superseded the one that the cycle measured against."""
    last = newest(desk)
    if last is None or report.ended_at is None or last.at <= report.ended_at:
        return
    if last.model in {report.state.champion, report.cycle.challenger}:
        return
    raise ChampionMoved(
        f"{last.actor} made {last.model} the champion at {last.at:%Y-%m-%d %H:%M} UTC, after "
        f"cycle {report.cycle.number} measured {report.cycle.challenger} against "
        f"{report.state.champion or 'no champion'}",
        tip=_by_hand(report),
    )


def _by_hand(report: CycleReport) -> str:
    return (
        f"to promote it all the same: retrainer promote {report.cycle.challenger} "
        f"--assistant {report.cycle.assistant} --force --reason ..."
    )
