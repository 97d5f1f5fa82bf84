"""Counts how often the utterances of the holdout choose a champion."""

from dataclasses import replace

from retrainer.domain.comparison import Predictions
from retrainer.domain.cycle import Cycle, Promotion
from retrainer.domain.evaluation import Evaluation, TestSet
from retrainer.domain.examples import example_key
from retrainer.domain.paired import answer
from retrainer.domain.reuse import reuse
from retrainer.pipeline import records
from retrainer.pipeline.world import World


def count_use(
    evaluation: Evaluation,
    test_set: TestSet,
    champion: Predictions,
    *,
    cycle: Cycle,
    chosen: Promotion | None,
    world: World,
) -> Evaluation:
    """Write down that this cycle asked the utterances, and add what is known of earlier uses.

    `champion` are the champion's answers, `chosen` the newest change of the champion.
    """
    if evaluation.champion is None:
        return evaluation
    labelled = [example for example in test_set.examples if example.intent]
    right = {
        example_key(example.text): answer(champion[example.text]) == example.intent
        for example in labelled
        if example.text in champion
    }
    uses = records.read_uses(world.artifacts)
    by_a_cycle = chosen is not None and chosen.cycle is not None
    found = reuse(
        uses, cycle.challenger, right, chosen.at if chosen is not None and by_a_cycle else None
    )
    records.write_uses(world.artifacts, uses.after(cycle.challenger, [*right], cycle.started_at))
    return replace(evaluation, reuse=found)
