"""Values of the domain for tests: small builders, and Hypothesis strategies for all of them."""

import math
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st
from support.comparison_rules import comparison_rules
from support.guarded import costs, custom_actions, guards, qualities

from retrainer.domain.evaluation import Evaluation, MustPassResult, Report, StoryResult
from retrainer.domain.examples import Example
from retrainer.domain.metrics import LOWER_IS_BETTER, METRICS, EntityFigures, IntentFigures
from retrainer.domain.paired import PairedAnswers, PairedCounts
from retrainer.domain.predictions import Prediction
from retrainer.domain.rules import (
    Calibration,
    Entities,
    Floor,
    MustPassUtterances,
    PassedStories,
    PerEntity,
    PerIntent,
    PlatformGain,
    ResponseSelection,
    Simple,
)
from retrainer.domain.verdict import NamedRule, Policy

HIGHER_IS_BETTER = tuple(name for name in METRICS if name not in LOWER_IS_BETTER)


def prediction(text: str, intent: str | None, confidence: float = 0.9) -> Prediction:
    """What a model answers when no fallback interferes."""
    return Prediction(text, intent, confidence, intent, confidence)


def example(text: str, intent: str) -> Example:
    """An utterance without entities."""
    return Example(text, intent)


def figures(f1: float, support: int = 20) -> IntentFigures:
    """Figures of an intent of which only F1 and support matter."""
    return IntentFigures(precision=f1, recall=f1, f1=f1, support=support)


def must_pass_result(*, passed: bool, text: str = "where is my parcel") -> MustPassResult:
    """How one must-pass utterance fared."""
    problem = None if passed else "understood as greet instead of track_order"
    return MustPassResult(text, "track_order", "greet", 0.9, problem)


def report(
    model: str = "challenger",
    *,
    metrics: Mapping[str, float] | None = None,
    intents: Mapping[str, float] | None = None,
    must_pass: tuple[MustPassResult, ...] = (),
) -> Report:
    """A report on a test set of 100 examples; `intents` maps names to F1."""
    return Report(
        model=model,
        test_set="a" * 32,
        examples=100,
        metrics=metrics or {},
        intents={name: figures(f1) for name, f1 in (intents or {}).items()},
        must_pass=must_pass,
    )


def paired_answers(wins: int, losses: int, items: int) -> PairedAnswers:
    """Answers to utterances of one intent, of which so many are right of one model alone."""
    counts = {
        ("greet", "other", "greet"): wins,
        ("greet", "greet", "other"): losses,
        ("greet", "greet", "greet"): items - wins - losses,
    }
    return PairedAnswers.of({triple: number for triple, number in counts.items() if number})


def compared_answers(
    served: PairedAnswers, *, classified: PairedAnswers | None = None
) -> Evaluation:
    """Two models of accuracy 0.9 that answered so; `classified` as `served` unless given."""
    reports = (report(name, metrics={"accuracy": 0.9}) for name in ("challenger", "champion"))
    challenger, champion = (replace(each, examples=len(served)) for each in reports)
    classified = served if classified is None else classified
    return Evaluation(challenger, champion, served=served, classified=classified)


def compared_by_counts(wins: int, losses: int, items: int) -> Evaluation:
    """Two models that differ on so many utterances of one intent."""
    return compared_answers(paired_answers(wins, losses, items))


def policy(*rules: object, blocking: bool = True) -> Policy:
    """A policy of these rules, named by their position."""
    named = (NamedRule(f"rule_{n}", rule, blocking=blocking) for n, rule in enumerate(rules))  # type: ignore[arg-type]
    return Policy("tested", tuple(named))


shares = st.floats(0, 1)
#: What a metric may turn out to be; the last three are no measurement at all.
measurements = shares | st.sampled_from([math.nan, math.inf, -math.inf])
INTENTS = ("track_order", "cancel_order", "greet")
KINDS = ("city", "order_number")
#: The metrics of the reports that are drawn.
HIGHER = (*HIGHER_IS_BETTER[:3], "entity_f1", "response_accuracy")
LOWER = tuple(sorted(LOWER_IS_BETTER))
alphas = st.sampled_from([0.01, 0.05, 0.5])
answers = st.sampled_from(["served", "classified"])


def paired() -> st.SearchStrategy[PairedAnswers]:
    """Any answers of two models to utterances of `INTENTS`."""
    intent, answer = st.sampled_from(INTENTS), st.sampled_from((*INTENTS, "nlu_fallback", ""))
    triples = st.tuples(intent, answer, answer)
    return st.dictionaries(triples, st.integers(1, 20), max_size=12).map(PairedAnswers.of)


def paired_counts() -> st.SearchStrategy[PairedCounts]:
    """Any wins and losses, and utterances on which the models are equally right."""
    numbers = st.tuples(*[st.integers(0, 30)] * 3)
    return numbers.map(lambda n: PairedCounts(sum(n), wins=n[0], losses=n[1]))


def entity_figures(f1: float, support: int = 20) -> EntityFigures:
    """Figures of a type of entity of which only F1 and support matter."""
    return EntityFigures(precision=f1, recall=f1, f1=f1, support=support)


def stories() -> st.SearchStrategy[tuple[StoryResult, ...] | None]:
    """Any results of up to three stories; None could not be run."""
    story = st.builds(
        StoryResult, st.sampled_from("AB"), st.just("test_a.yml"), st.sampled_from([None, "wrong"])
    )
    return st.none() | st.lists(story, max_size=3).map(tuple)


def rules() -> st.SearchStrategy[object]:
    """Any rule with any limits."""
    return st.one_of(
        guards(),
        st.builds(Floor, st.sampled_from(HIGHER_IS_BETTER[:3]), shares),
        st.builds(Simple, st.sampled_from(HIGHER_IS_BETTER[:3]), shares),
        st.builds(PerIntent, shares, st.integers(1, 30), alphas, answers),
        st.builds(PerEntity, shares, st.integers(1, 30), alphas),
        st.builds(Entities, st.none() | shares, shares, alphas),
        st.builds(ResponseSelection, st.none() | shares, shares, alphas),
        st.builds(Calibration, *[st.none() | shares] * 3, shares),
        st.builds(Calibration, st.none() | shares, shares),
        st.builds(MustPassUtterances, shares),
        st.builds(PassedStories, st.integers(0, 3), st.none() | st.integers(0, 3)),
        st.builds(PlatformGain, shares),
        comparison_rules(),
    )


def policies(minimum: int = 0) -> st.SearchStrategy[Policy]:
    """Any policy of up to four rules, at least `minimum`, some of them advisory."""
    pairs = st.lists(st.tuples(rules(), st.booleans()), min_size=minimum, max_size=4)
    return pairs.map(
        lambda chosen: Policy(
            "any",
            tuple(
                NamedRule(f"rule_{number}", rule, blocking=blocking)  # type: ignore[arg-type]
                for number, (rule, blocking) in enumerate(chosen)
            ),
        )
    )


@st.composite
def evaluations(
    draw: st.DrawFn,
    *,
    champion: bool | None = None,
    values: st.SearchStrategy[float] = measurements,
) -> Evaluation:
    """Any evaluation on one test set; `champion` says whether there is one, None for either."""
    supports = {name: draw(st.integers(1, 30)) for name in (*INTENTS, *KINDS)}

    knowledge = st.none() | st.sets(st.sampled_from(INTENTS)).map(lambda n: tuple(sorted(n)))

    def one(model: str) -> Report:
        metrics = st.dictionaries(st.sampled_from((*HIGHER, *LOWER)), values)
        known = draw(st.sets(st.sampled_from(INTENTS)))
        kinds = draw(st.sets(st.sampled_from(KINDS)))
        passed = draw(st.lists(st.booleans(), max_size=5))
        return Report(
            model=model,
            test_set="a" * 32,
            examples=100,
            metrics=draw(metrics),
            intents={i: figures(draw(values), supports[i]) for i in sorted(known)},
            entities={k: entity_figures(draw(values), supports[k]) for k in sorted(kinds)},
            must_pass=tuple(must_pass_result(passed=p) for p in passed),
            knows=draw(knowledge),
            stories=draw(stories()),
            cost=draw(costs()),
        )

    serves = draw(st.booleans()) if champion is None else champion
    if not serves:
        return Evaluation(one("challenger"), data=draw(qualities()))
    return Evaluation(
        one("challenger"),
        one("champion"),
        served=draw(st.none() | paired()),
        classified=draw(st.none() | paired()),
        entities=draw(st.dictionaries(st.sampled_from(KINDS), paired_counts())),
        responses=draw(st.none() | paired_counts()),
        extractions=draw(st.none() | paired_counts()),
        data=draw(qualities()),
        actions=draw(custom_actions()),
    )
