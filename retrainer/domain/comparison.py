"""Measure champion and challenger on the same examples, from what both answered."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from retrainer.domain.evaluation import Evaluation, Flip, LeftOut, Report, TestSet
from retrainer.domain.examples import Example, MustPass, example_key
from retrainer.domain.metrics import entity_spans, measure
from retrainer.domain.must_pass import assess_must_pass
from retrainer.domain.paired import PairedCounts, answer, pair
from retrainer.domain.predictions import Prediction

Predictions = Mapping[str, Prediction]


def unseen(
    candidates: Sequence[Example],
    *,
    challenger_saw: AbstractSet[str],
    champion_saw: AbstractSet[str],
    spent: AbstractSet[str] = frozenset(),
) -> TestSet:
    """Leave out what either model trained on, and what chose the challenger among several.

    All three sets hold `example_key`s.
    """
    kept, by_selection, by_challenger, by_champion = [], 0, 0, 0
    for example in candidates:
        key = example_key(example.text)
        if key in spent:
            by_selection += 1
        elif key in challenger_saw:
            by_challenger += 1
        elif key in champion_saw:
            by_champion += 1
        else:
            kept.append(example)
    return TestSet(tuple(kept), LeftOut(by_challenger, by_champion, by_selection))


def compare(
    test_set: TestSet,
    *,
    challenger: Report,
    after: Predictions,
    champion: Report | None = None,
    before: Predictions | None = None,
    champion_known: bool = True,
    intents: AbstractSet[str] = frozenset(),
) -> Evaluation:
    """Put two reports on the test set beside each other, with what the models answered.

    `after` and `before` map each text to the answer of challenger and champion, `before` being None
    where there is no champion to compare with; `intents` are those of the training data.

    Raises:
        ValueError: a model did not answer every utterance.
    """
    unmeasured = tuple(sorted(intents - challenger.intents.keys()))
    if champion is None or before is None:
        return Evaluation(
            challenger,
            champion,
            left_out=test_set.left_out,
            champion_known=champion_known,
            unmeasured=unmeasured,
        )
    examples = test_set.examples
    return Evaluation(
        challenger,
        champion,
        left_out=test_set.left_out,
        champion_known=champion_known,
        flips=find_flips(test_set, before, after),
        unmeasured=unmeasured,
        served=pair(examples, before, after, "served"),
        classified=pair(examples, before, after, "classified"),
        entities=_paired_entities(examples, before, after),
        responses=_paired_responses(examples, before, after),
        extractions=_paired_extractions(examples, before, after),
    )


def report(
    model: str,
    test_set: TestSet,
    predictions: Predictions,
    must_pass: Sequence[MustPass] = (),
    *,
    knows: Sequence[str] | None = None,
) -> Report:
    """Measure one model; `predictions` maps each text to the model's answer.

    Raises:
        KeyError: a prediction is missing.
    """
    figures = measure(test_set.examples, [predictions[e.text] for e in test_set.examples])
    return Report(
        model=model,
        test_set=test_set.digest,
        examples=len(test_set.examples),
        metrics=figures.metrics,
        intents=figures.intents,
        entities=figures.entities,
        must_pass=tuple(assess_must_pass(m, predictions[m.example.text]) for m in must_pass),
        knows=None if knows is None else tuple(sorted(knows)),
    )


def find_flips(
    test_set: TestSet,
    champion: Predictions,
    challenger: Predictions,
) -> tuple[Flip, ...]:
    """The utterances that one model understands, as users get it, and the other does not.

    Regressions come first, in each group the most confident change first.
    """
    flips = []
    for example in test_set.examples:
        before, after = champion[example.text], challenger[example.text]
        was_right, is_right = (answer(p) == example.intent for p in (before, after))
        if was_right == is_right or not example.intent:
            continue
        flips.append(
            Flip(
                text=example.text,
                intent=example.intent,
                champion=before.served_intent,
                champion_confidence=before.served_confidence,
                challenger=after.served_intent,
                challenger_confidence=after.served_confidence,
                regression=was_right,
            )
        )
    return tuple(sorted(flips, key=lambda f: (not f.regression, -f.challenger_confidence, f.text)))


def _paired_entities(
    examples: Sequence[Example], before: Predictions, after: Predictions
) -> Mapping[str, PairedCounts]:
    rights: dict[str, list[tuple[bool, bool]]] = {}
    for example in examples:
        spans = (example, before[example.text], after[example.text])
        wanted, champion, challenger = (entity_spans(each.entities) for each in spans)
        for kind in sorted(wanted.keys() | champion.keys() | challenger.keys()):
            found = (each.get(kind) == wanted.get(kind) for each in (champion, challenger))
            was_right, is_right = found
            rights.setdefault(kind, []).append((was_right, is_right))
    return {kind: PairedCounts.of(rights[kind]) for kind in sorted(rights)}


def _paired_extractions(
    examples: Sequence[Example], before: Predictions, after: Predictions
) -> PairedCounts | None:
    rights = []
    for example in examples:
        spans = (example, before[example.text], after[example.text])
        wanted, champion, challenger = (entity_spans(each.entities) for each in spans)
        if wanted or champion or challenger:
            rights.append((champion == wanted, challenger == wanted))
    return PairedCounts.of(rights) if rights else None


def _paired_responses(
    examples: Sequence[Example], before: Predictions, after: Predictions
) -> PairedCounts | None:
    rights = [
        (before[e.text].response == e.response, after[e.text].response == e.response)
        for e in examples
        if e.response
    ]
    return PairedCounts.of(rights) if rights else None
