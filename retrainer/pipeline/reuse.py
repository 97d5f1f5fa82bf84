"""Counts how often the utterances of the holdout choose a champion."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from retrainer.domain.comparison import Predictions
from retrainer.domain.cycle import Cycle, PromotionReason
from retrainer.domain.evaluation import Evaluation, TestSet
from retrainer.domain.examples import example_key
from retrainer.domain.paired import answer
from retrainer.domain.reuse import Uses, reuse
from retrainer.pipeline import records
from retrainer.pipeline.world import World

#: Why a model became champion where a cycle measured it first; a rollback only brings one back.
_CHOSEN = (PromotionReason.GATE, PromotionReason.PERSON)


def count_use(
    evaluation: Evaluation,
    test_set: TestSet,
    champion: Predictions,
    *,
    choosing: AbstractSet[str],
    cycle: Cycle,
    world: World,
) -> Evaluation:
    """Write down that this cycle asked the utterances, and add what is known of earlier uses.

    `champion` are the champion's answers, `choosing` the `example_key`s that chose the challenger
    among several: who becomes champion was lucky on these too.
    """
    labelled = [example for example in test_set.examples if example.intent]
    right = {
        example_key(example.text): answer(champion[example.text]) == example.intent
        for example in labelled
        if example.text in champion
    }
    uses = records.read_uses(world.artifacts)
    if uses is None:
        uses = Uses()
        if _has_chosen(world):
            world.listener.warn(
                "how often the utterances of the holdout were used is not recorded (any more): "
                "it is counted from now on"
            )
    asked = [*right, *sorted(choosing - right.keys())]
    world.fence()  # what others counted since must not be written over
    records.write_uses(world.artifacts, uses.after(cycle.challenger, asked, cycle.started_at))
    if evaluation.champion is None:
        return evaluation
    chosen_at = _chosen_at(evaluation.champion.model, world)
    return replace(evaluation, reuse=reuse(uses, cycle.challenger, right, chosen_at))


def _has_chosen(world: World) -> bool:
    """Whether a cycle of this assistant chose a champion before."""
    rows = world.desk.store.promotions(world.assistant.name)
    return any(row.cycle is not None and row.previous is not None for row in rows)


def _chosen_at(model: str, world: World) -> datetime | None:
    """When the verdict of a cycle made it the champion; None if none did.

    Also where the champion was another one since, and the model was brought back.
    """
    rows = world.desk.store.promotions(world.assistant.name)
    chosen = (row for row in rows if row.model == model and row.reason in _CHOSEN)
    return next((row.at for row in chosen if row.cycle is not None), None)
