"""Reports of cycles that ended in every way, with figures as a real assistant has them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from retrainer.domain.cost import Cost
from retrainer.domain.cycle import (
    Cycle,
    DataSummary,
    Finding,
    Model,
    Severity,
    Snapshot,
    State,
    Status,
    Trigger,
)
from retrainer.domain.evaluation import (
    Evaluation,
    Flip,
    LeftOut,
    MustPassResult,
    Report,
    StoryResult,
)
from retrainer.domain.metrics import IntentFigures
from retrainer.domain.paired import PairedAnswers
from retrainer.domain.policies import DEFAULT
from retrainer.domain.reuse import Accuracy, Reuse
from retrainer.domain.rules import MustPassUtterances, PerIntent, Simple
from retrainer.domain.selection import Candidate
from retrainer.domain.verdict import NamedRule, Outcome, Policy, decide
from retrainer.ports import CycleReport

STARTED = datetime(2026, 11, 21, 1, 0, 0, tzinfo=UTC)
#: What decides in these reports: figures alone, no paired answers.
POLICY = Policy(
    "default",
    (
        NamedRule("better", Simple(metric="f1_weighted")),
        NamedRule("must_pass", MustPassUtterances()),
        NamedRule("intents", PerIntent()),
    ),
)
CHAMPION = "helpdesk-20261118-010000-5"
INTENTS = (
    "cancel_order",
    "greet",
    "opening_hours",
    "refund_status",
    "talk_to_human",
    "track_order",
)


@dataclass(frozen=True)
class Line:
    """A line of the history, as the store has it."""

    cycle: Cycle
    ended_at: datetime | None = None
    verdict: Outcome | None = None
    stopped_by: str | None = None
    f1_champion: float | None = None
    f1_challenger: float | None = None
    examples: int | None = None
    same_as: int | None = None
    error: str | None = None
    failed_step: str | None = None
    champion: str | None = None
    challenger: str | None = None
    promoted: bool = False
    approved: bool | None = None


@dataclass(frozen=True)
class Step:
    """A step's record, as the store has it."""

    name: str
    seconds: float
    status: str = "done"
    attempts: int = 1
    error: str | None = None
    started_at: datetime = STARTED

    @property
    def ended_at(self) -> datetime | None:
        """When it ended."""
        return (
            None if self.status == "running" else self.started_at + timedelta(seconds=self.seconds)
        )


def cycle(number: int = 7, **changes: object) -> Cycle:
    """A cycle of the night."""
    begun = Cycle(number, "helpdesk", Trigger.SCHEDULE, STARTED, Status.COMPLETED)
    return replace(begun, **changes)  # type: ignore[arg-type]


def measurement(
    model: str, f1: float, intents: Mapping[str, float], failed: tuple[str, ...] = ()
) -> Report:
    """A model's figures; `failed` are the must-pass utterances that it gets wrong."""
    every = ("where is my parcel", "i want my money back", *failed)
    return Report(
        model=model,
        test_set="ab" * 16,
        examples=116,
        metrics={
            "accuracy": f1 + 0.004,
            "f1_weighted": f1,
            "f1_macro": f1 - 0.021,
            "served_f1_weighted": f1 - 0.008,
            "fallback_rate": 0.0431,
            "calibration_error": 0.0512,
            "confident_mistakes": 0.0172,
        },
        intents={
            name: IntentFigures(value, value, value, 19, {"chitchat": 2, "nlu_fallback": 1})
            for name, value in intents.items()
        },
        must_pass=tuple(
            MustPassResult(
                text,
                "refund_status",
                "cancel_order" if text in failed else "refund_status",
                0.81,
                "understood as cancel_order instead of refund_status" if text in failed else None,
            )
            for text in every
        ),
    )


def flip(text: str, *, regression: bool, confidence: float = 0.91) -> Flip:
    """An utterance about a parcel that one model takes for a cancellation."""
    right, wrong = "track_order", "cancel_order"
    first, second = (right, wrong) if regression else (wrong, right)
    return Flip(text, right, first, 0.64, second, confidence, regression)


def evaluation(
    *,
    f1: float = 0.8391,
    first: bool = False,
    known: bool = True,
    failed: tuple[str, ...] = (),
    drop: float = 0.0,
) -> Evaluation:
    """Champion and challenger on 116 examples."""
    before = dict.fromkeys(INTENTS, 0.81)
    after = before | {"track_order": 0.9, "greet": 0.84, "cancel_order": 0.81 - drop}
    if first:
        return Evaluation(measurement("helpdesk-20261121-010000-7", f1, after, failed))
    return Evaluation(
        challenger=measurement("helpdesk-20261121-010000-7", f1, after, failed),
        champion=measurement(CHAMPION, 0.8123, before),
        left_out=LeftOut(challenger_saw=1, champion_saw=2),
        champion_known=known,
        flips=(
            flip("can you tell me where my parcel is", regression=True),
            flip("it never arrived, what now?", regression=True, confidence=0.55),
            flip("parcel status please", regression=False, confidence=0.97),
            flip("wo ist mein Paket 📦 [bold]sofort[/bold] & <!channel>", regression=False),
            flip("track it", regression=False, confidence=0.48),
        ),
        unmeasured=("deny", "thanks"),
        served=paired(lost=7 if drop else 0),
    )


def paired(lost: int) -> PairedAnswers:
    """13 of 19 utterances of each intent understood, by the challenger so many fewer of one."""
    counts = {}
    for intent in INTENTS:
        worse = lost if intent == "cancel_order" else 0
        counts |= {
            (intent, intent, intent): 13 - worse,
            (intent, intent, "chitchat"): worse,
            (intent, "chitchat", "chitchat"): 6,
        }
    return PairedAnswers.of({triple: number for triple, number in counts.items() if number})


def better(won: int = 12, lost: int = 3, both: int = 50) -> PairedAnswers:
    """The challenger alone understands `won`, the champion alone `lost`; both `both` an intent."""
    counts = {(intent, intent, intent): both for intent in INTENTS}
    counts |= {(intent, "chitchat", "chitchat"): both // 5 for intent in INTENTS}
    counts["track_order", "track_order", "track_order"] -= won + lost
    counts["track_order", "chitchat", "track_order"] = won
    counts["track_order", "track_order", "chitchat"] = lost
    return PairedAnswers.of({triple: number for triple, number in counts.items() if number})


def data() -> DataSummary:
    """Numbers of the snapshot."""
    return DataSummary(580, 8, 464, 116, must_pass=12, whole={"deny": 4, "thanks": 3})


def _state(measured: Evaluation) -> State:
    return State(
        fingerprint="f" * 64,
        snapshot=Snapshot("3fa9c2d1e0ab" + "0" * 52, ("config.yml", "domain.yml"), "/srv/helpdesk"),
        findings=(
            Finding(
                Severity.WARNING,
                "the intent 'thanks' is not used in any story or rule",
                "domain.yml",
                12,
            ),
        ),
        data=data(),
        model=Model("helpdesk-20261121-010000-7", "c" * 64, 24_100_000, "3.6.21", STARTED, 54.2),
        uploaded=True,
        champion=CHAMPION if measured.champion else None,
        evaluation=measured,
        verdict=decide(measured, POLICY),
    )


def _ended(of: Cycle, state: State, seconds: float = 245, **problem: str) -> CycleReport:
    return CycleReport(of, state, of.started_at + timedelta(seconds=seconds), **problem)


def promoted() -> CycleReport:
    """The challenger won."""
    state = _state(evaluation())
    return _ended(cycle(), replace(state, promoted=(CHAMPION, cycle().challenger), confirmed=True))


def first_model() -> CycleReport:
    """No champion yet; the must-pass utterances decided."""
    state = _state(evaluation(first=True))
    return _ended(cycle(), replace(state, promoted=(None, cycle().challenger), confirmed=True))


def rejected() -> CycleReport:
    """A bad night: must-pass utterances fail and an intent drops."""
    failed = ("please give me my money back", "refund, <now> & *here*!")
    return _ended(cycle(), _state(evaluation(f1=0.7702, failed=failed, drop=0.2345)))


def unknown_champion() -> CycleReport:
    """As promoted, against a champion of unknown origin."""
    return _ended(cycle(), _state(evaluation(known=False)))


def held() -> CycleReport:
    """The champion could not be measured."""
    measured = evaluation()
    assert measured.champion is not None
    champion = replace(measured.champion, metrics={"f1_weighted": float("nan")})
    return _ended(cycle(), _state(replace(measured, champion=champion)))


def dry_run() -> CycleReport:
    """Decided, nothing done."""
    return _ended(cycle(dry_run=True), _state(evaluation()))


def skipped() -> CycleReport:
    """Nothing had changed."""
    state = State(fingerprint="f" * 64, same_as=4, snapshot=_state(evaluation()).snapshot)
    return _ended(cycle(status=Status.SKIPPED), state, 0.41)


def failed() -> CycleReport:
    """Rasa died in the training."""
    state = State(fingerprint="f" * 64, snapshot=_state(evaluation()).snapshot, data=data())
    return _ended(
        cycle(status=Status.FAILED, trigger=Trigger.MANUAL, force=True, resumed=1),
        state,
        error="the Rasa worker was killed by signal 9 (out of memory?)\nlast lines of its log:\n"
        "  Epochs:  12%|\x1b[31m█▏\x1b[0m        | 12/100",
        tip="give the machine more memory, then `retrainer run-once --assistant helpdesk`",
        failed_step="train",
    )


def abandoned() -> CycleReport:
    """Interrupted too often."""
    return _ended(
        cycle(status=Status.ABANDONED, resumed=4),
        State(),
        9_000,
        error="interrupted 4 times, 3 are allowed",
        tip="`retrainer run-once` starts afresh",
    )


def running() -> CycleReport:
    """Not ended yet."""
    return CycleReport(cycle(status=Status.RUNNING), State(data=data()))


def _under_default(measured: Evaluation, **known: object) -> CycleReport:
    """Judged by the policy that is shipped."""
    state = replace(_state(measured), verdict=decide(measured, DEFAULT), **known)  # type: ignore[arg-type]
    return _ended(cycle(), state)


def promoted_by_default() -> CycleReport:
    """The shipped policy with its many rules, of which one warns; both models were timed."""
    measured = replace(evaluation(), served=better(), classified=better(), reuse=reuse(uses=300))
    assert measured.champion is not None
    champion = replace(measured.champion, cost=Cost(24_000_000, 0.0041, 0.0092, 50))
    challenger = replace(measured.challenger, cost=Cost(24_100_000, 0.0043, 0.0095, 50))
    measured = replace(measured, champion=champion, challenger=challenger)
    return _under_default(measured, promoted=(CHAMPION, cycle().challenger), confirmed=True)


def reuse(uses: int) -> Reuse:
    """The utterances were asked so often, and the champion's score on them is partly luck."""
    return Reuse({uses: 360}, chosen_by=Accuracy(280, 300), later=Accuracy(50, 60))


def rejected_by_many() -> CycleReport:
    """A bad night by the shipped policy: worse, must-pass utterances and stories fail."""
    answers = better(won=2, lost=40)
    measured = evaluation(f1=0.7702, failed=("please give me my money back", "refund, *now*!"))
    measured = replace(measured, served=answers, classified=answers)
    assert measured.champion is not None
    stories = ("a parcel that is late", "[bold]a *refund* & a <!here>[/bold]", "small talk")
    passed = tuple(StoryResult(name, "tests/test_stories.yml") for name in stories)
    wrong = "turn 1 ('where is it'): understood as cancel_order instead of track_order"
    failed = (*(replace(story, problem=wrong) for story in passed[:2]), passed[2])
    before = (passed[0], replace(passed[1], problem=wrong), passed[2])
    measured = replace(
        measured,
        champion=replace(measured.champion, stories=before),
        challenger=replace(measured.challenger, stories=failed),
    )
    return _under_default(measured)


def held_by_default() -> CycleReport:
    """Too little evidence for the shipped policy."""
    answers = better(won=2, lost=0, both=16)
    return _under_default(replace(evaluation(), served=answers, classified=answers))


def cross_validated() -> CycleReport:
    """The recipes were compared, fold by fold."""
    folds = replace(evaluation(), mode="cross_validation", folds=5, left_out=LeftOut())
    return _under_default(replace(folds, served=better(), classified=better()))


def not_compared() -> CycleReport:
    """A cross-validation in which the champion's recipe could not be trained."""
    measured = evaluation()
    assert measured.champion is not None
    return _under_default(
        replace(
            measured,
            champion=replace(measured.champion, metrics={}, intents={}),
            left_out=LeftOut(),
            champion_known=False,
            flips=(),
            served=None,
            mode="cross_validation",
            folds=5,
            obstacle=f"it is not recorded what {CHAMPION} was trained on",
        )
    )


def several_challengers() -> CycleReport:
    """Four were tried, half of the holdout chose one of them."""
    measured = replace(evaluation(), served=better(), classified=better())
    tried = (
        Candidate("config.yml", 1, seconds=50.0, score=0.8123),
        Candidate("config.yml", 2, seconds=51.0, score=0.8391, chosen=True),
        Candidate("small.yml", 1, seconds=9.0, score=0.0),
        Candidate("config.yml", finetuned_from="", skipped="there is no champion yet"),
    )
    measured = replace(measured, left_out=LeftOut(selection=58))
    return _under_default(measured, candidates=tried)


ENDINGS = {
    build.__name__: build
    for build in (
        *(promoted, first_model, rejected, unknown_champion, held, dry_run),
        *(promoted_by_default, rejected_by_many, held_by_default),
        *(cross_validated, not_compared, several_challengers),
        *(skipped, failed, abandoned, running),
    )
}


def history() -> tuple[Line, ...]:
    """A week."""
    night = timedelta(days=1)
    first = cycle(1, started_at=STARTED - 6 * night)
    after = timedelta(minutes=4, seconds=5)

    def line(number: int, seconds: float = 245, **known: object) -> Line:
        status = known.pop("status", Status.COMPLETED)
        dry = known.pop("dry_run", False)
        begun = first.started_at + (number - 1) * night
        of = cycle(number, started_at=begun, status=status, dry_run=dry)
        return Line(of, begun + timedelta(seconds=seconds), **known)  # type: ignore[arg-type]

    lines = (
        line(1, verdict=Outcome.PROMOTE, f1_challenger=0.7911, examples=110),
        line(2, verdict=Outcome.PROMOTE, f1_champion=0.7911, f1_challenger=0.8391, examples=110),
        line(
            3,
            verdict=Outcome.REJECT,
            stopped_by="better, must_pass, per_intent, stories, known_intents",
            f1_champion=0.8391,
            f1_challenger=0.7702,
            examples=112,
        ),
        line(4, 0.41, status=Status.SKIPPED, same_as=3),
        line(
            5, 7403, status=Status.FAILED, failed_step="train", error="killed by signal 9\nlog: ..."
        ),
        line(
            6,
            dry_run=True,
            verdict=Outcome.HOLD,
            f1_champion=0.8391,
            f1_challenger=0.84,
            examples=116,
        ),
        replace(line(7, status=Status.RUNNING), ended_at=None),
    )
    assert lines[0].ended_at == first.started_at + after
    return lines[::-1]


def steps() -> tuple[Step, ...]:
    """The steps of a cycle that was interrupted in the training."""
    return (
        Step("pull", 0.4),
        Step("validate", 17.2),
        Step("split", 2.1),
        Step("train", 54.2, attempts=2),
        Step("upload", 0.1),
        Step("evaluate", 31.0, "failed", 1, "the Rasa worker died\nlog"),
        Step("notify", 0, "running"),
    )
