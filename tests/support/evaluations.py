"""Values of the domain for tests: small builders, and Hypothesis strategies for all of them."""

import math
from collections.abc import Mapping

from hypothesis import strategies as st

from retrainer.domain.evaluation import Evaluation, MustPassResult, Report
from retrainer.domain.examples import Example
from retrainer.domain.metrics import LOWER_IS_BETTER, METRICS, IntentFigures
from retrainer.domain.paired import PairedAnswers
from retrainer.domain.predictions import Prediction
from retrainer.domain.rules import (
    Floor,
    IntentDrop,
    MustPassUtterances,
    PlatformGain,
    Simple,
    Superiority,
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


def policy(*rules: object, blocking: bool = True) -> Policy:
    """A policy of these rules, named by their position."""
    named = (NamedRule(f"rule_{n}", rule, blocking=blocking) for n, rule in enumerate(rules))  # type: ignore[arg-type]
    return Policy("tested", tuple(named))


shares = st.floats(0, 1)
#: What a metric may turn out to be; the last three are no measurement at all.
measurements = shares | st.sampled_from([math.nan, math.inf, -math.inf])
INTENTS = ("track_order", "cancel_order", "greet")


def rules() -> st.SearchStrategy[object]:
    """Any rule with any limits."""
    return st.one_of(
        st.builds(Floor, st.sampled_from(HIGHER_IS_BETTER[:3]), shares),
        st.builds(Simple, st.sampled_from(HIGHER_IS_BETTER[:3]), shares),
        st.builds(IntentDrop, shares, st.integers(1, 30)),
        st.builds(MustPassUtterances, shares),
        st.builds(PlatformGain, shares),
        st.builds(Superiority, st.sampled_from([0.01, 0.05, 0.5]), shares, st.just(0.02)),
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
    supports = {intent: draw(st.integers(1, 30)) for intent in INTENTS}

    def one(model: str) -> Report:
        metrics = st.dictionaries(st.sampled_from(HIGHER_IS_BETTER[:3]), values)
        known = draw(st.sets(st.sampled_from(INTENTS)))
        passed = draw(st.lists(st.booleans(), max_size=5))
        return Report(
            model=model,
            test_set="a" * 32,
            examples=100,
            metrics=draw(metrics),
            intents={i: figures(draw(values), supports[i]) for i in sorted(known)},
            must_pass=tuple(must_pass_result(passed=p) for p in passed),
        )

    serves = draw(st.booleans()) if champion is None else champion
    return Evaluation(one("challenger"), one("champion") if serves else None)
