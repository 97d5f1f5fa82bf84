"""The steps that touch what users get: promote, confirm."""

from dataclasses import replace

from retrainer.domain.cycle import Cycle, Promotion, PromotionReason, State
from retrainer.domain.examples import MustPass
from retrainer.domain.verdict import Check, Outcome, Verdict
from retrainer.errors import ChampionMoved, CyclePostponed, PlatformNotReady, RetrainerError
from retrainer.pipeline import records
from retrainer.pipeline.ledger import activate, newest, take_back
from retrainer.pipeline.world import World

ACTOR = "retrainer"


def promote(cycle: Cycle, state: State, world: World) -> State:
    """Make the challenger active if the verdict says so.

    If the champion is no longer the one that it was measured against, a person has to look.

    Raises:
        CyclePostponed: it is not the hour for it.
    """
    if cycle.dry_run or state.verdict is None or state.verdict.outcome is not Outcome.PROMOTE:
        return state
    now = world.clock.now()
    if (opens := world.promotion_opens(now)) > now and world.platform.active() != cycle.challenger:
        raise CyclePostponed(
            f"{cycle.challenger} is to be promoted; the hours for that begin at "
            f"{opens:%Y-%m-%d %H:%M} UTC",
            until=opens,
        )
    last = newest(world.desk)
    if (
        last is not None
        and last.at != state.champion_since
        and last.cycle != cycle.number
        and last.model != cycle.challenger  # which a person did not wait for
    ):
        return _held(state, state.verdict, f"{last.actor} made {last.model} the champion since")
    world.fence()
    try:
        activate(world.desk, cycle.challenger, expected=state.champion)
    except ChampionMoved as error:
        return _held(state, state.verdict, str(error))
    except PlatformNotReady as error:
        return _held(state, state.verdict, str(error), rule="platform_ready")
    return replace(state, promoted=(state.champion, cycle.challenger))


def promotion(cycle: Cycle, state: State, world: World) -> Promotion | None:
    """The ledger row of what `promote` did; None when it did nothing."""
    if state.promoted is None or state.verdict is None:
        return None
    previous, model = state.promoted
    return Promotion(
        assistant=cycle.assistant,
        previous=previous,
        model=model,
        reason=PromotionReason.GATE,
        actor=ACTOR,
        at=world.clock.now(),
        note=f"policy {state.verdict.policy}: {state.verdict.reason}",
        cycle=cycle.number,
    )


def confirm(cycle: Cycle, state: State, world: World) -> State:
    """Make sure that the promoted model serves; if it does not, the one before it has to again.

    Raises:
        PlatformError: it does not serve; what was done about it is in the message.
    """
    if state.promoted is None:
        return state
    previous, model = state.promoted
    try:
        world.platform.confirm(model, must_pass=_understood(cycle, state, world))
    except RetrainerError as error:
        world.fence()  # asking the servers took its time: whoever took the cycle over decides
        raise take_back(
            world.desk, model, before=previous, actor=ACTOR, error=error, cycle=cycle.number
        ) from error
    return replace(state, confirmed=True)


def _understood(cycle: Cycle, state: State, world: World) -> tuple[MustPass, ...]:
    """The must-pass utterances that the challenger passed: what servers have to understand too."""
    if state.evaluation is None or not state.evaluation.challenger.must_pass:
        return ()
    asked = records.read_contents(world.artifacts, cycle.challenger).must_pass
    results = state.evaluation.challenger.must_pass
    return tuple(m for m, r in zip(asked, results, strict=True) if r.problem is None)


def _held(state: State, verdict: Verdict, why: str, *, rule: str = "champion_moved") -> State:
    """A person has to look; without its fingerprint the next cycle measures again."""
    check = Check(
        rule=rule,
        outcome=Outcome.HOLD,
        sentence=f"the challenger was measured against {state.champion or 'no champion'}, but {why}",
    )
    held = Verdict(Outcome.HOLD, verdict.policy, (*verdict.checks, check))
    return replace(state, verdict=held, fingerprint=None)
