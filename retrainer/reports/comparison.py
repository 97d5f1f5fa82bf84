"""Champion against challenger in sections: figures with intervals, power, intents, confusions, flips.

Of the answers as users get them, unless a row says otherwise. Needs numpy for the intervals.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from retrainer.domain.evaluation import Evaluation, Flip, Report
from retrainer.domain.paired import NO_ANSWER, Answers, PairedAnswers, PairedCounts
from retrainer.domain.statistics import (
    POWER,
    items_needed,
    mcnemar_mid_p,
    minimum_detectable_effect,
)
from retrainer.domain.verdict import Outcome, Verdict, metric
from retrainer.reports.json_report import plain
from retrainer.reports.sections import Section
from retrainer.reports.values import change, counted, quoted, share

if TYPE_CHECKING:  # numpy, which most commands do without
    from retrainer.domain.resampling import GainInterval

#: Gains, in points, of which it is said how many utterances would show them.
_GAINS = (1, 2, 5)
_ALPHA = 0.05
_CONFUSIONS = 15
_MODELS = ("champion", "challenger")
_MARKS = {Outcome.PROMOTE: "✓", Outcome.HOLD: "?", Outcome.REJECT: "✗", None: "-"}
#: What the intervals are of, by the name of the metric.
_RESAMPLED = {
    "served": {
        "served_accuracy": "accuracy",
        "served_f1_weighted": "f1_weighted",
        "served_f1_macro": "f1_macro",
    },
    "classified": {
        "accuracy": "accuracy",
        "f1_weighted": "f1_weighted",
        "f1_macro": "f1_macro",
    },
}


def sections(evaluation: Evaluation, verdict: Verdict, most: int | None) -> tuple[Section, ...]:
    """Everything that is known of a comparison; at most so many flips of either kind."""
    if evaluation.champion is None:
        raise LookupError("there is no champion to compare with")
    evidence = replace(_evidence(evaluation), note=_unknown_training(evaluation))
    found = [_checks(verdict), _figures(evaluation), evidence]
    found += [_intents(evaluation), _confusions(evaluation), _entities(evaluation)]
    found += [_must_pass(evaluation), *_flips(evaluation.flips, most)]
    return tuple(section for section in found if section.rows)


def headline(evaluation: Evaluation, verdict: Verdict) -> str:
    """What a cycle would do, and why."""
    before = evaluation.champion.model if evaluation.champion else "no champion"
    after = evaluation.challenger.model
    return f"{verdict.outcome.value.upper()} {after} against {before}: {verdict.reason}"


def to_json(evaluation: Evaluation, verdict: Verdict) -> Mapping[str, Any]:
    """The comparison for programs; the keys are an interface, as those of `json_report`.

    `evaluation` and `verdict` as there, `differences` by metric with `observed`, `low` and `high`
    of the 95 % interval (BCa), `evidence` the discordant pairs and what they can show.
    """
    counts = evaluation.served.totals if evaluation.served else PairedCounts(0, 0, 0)
    intervals = {
        name: {"observed": found.gain, "low": found.low, "high": found.high}
        for name, found in differences(evaluation).items()
    }
    return {
        "format": 1,
        "result": verdict.outcome.value.upper(),
        "headline": headline(evaluation, verdict),
        "verdict": plain(verdict) | {"reason": verdict.reason},
        "differences": plain(intervals),
        "evidence": plain(
            {
                "items": counts.items,
                "wins": counts.wins,
                "losses": counts.losses,
                "p": mcnemar_mid_p(counts.wins, counts.losses),
                "minimum_detectable_effect": _smallest_gain(counts),
            }
        ),
        "evaluation": plain(evaluation),
    }


def differences(evaluation: Evaluation) -> "Mapping[str, GainInterval]":
    """What each metric that can be resampled gained, with its interval, by the metric's name."""
    from retrainer.domain.resampling import intervals  # noqa: PLC0415 - numpy, which few need

    found: dict[str, GainInterval] = {}
    ways: tuple[Answers, ...] = ("served", "classified")
    for answers in ways:
        names, paired = _RESAMPLED[answers], evaluation.paired(answers)
        if paired is not None:
            averages = intervals(paired).averages
            found |= {name: averages[of] for name, of in names.items() if of in averages}
    return found


def details(evaluation: Evaluation) -> tuple[Section, ...]:
    """What `retrainer show` adds to the figures of a cycle: evidence, confusions, entities."""
    if evaluation.served is None:
        return ()
    found = (_evidence(evaluation), _confusions(evaluation), _entities(evaluation))
    return tuple(section for section in found if section.rows)


def _checks(verdict: Verdict) -> Section:
    rows = []
    for check in verdict.checks:
        advisory = "" if check.blocking else " (advisory)"
        rows.append((_MARKS[check.outcome], check.rule + advisory, check.sentence))
        rows += [("", "", f"- {detail}") for detail in check.details]
    return Section(f"Checks of policy {verdict.policy}", tuple(rows), ("", "rule", "what it saw"))


def _figures(evaluation: Evaluation) -> Section:
    after, before = evaluation.challenger, evaluation.champion or evaluation.challenger
    intervals = differences(evaluation)
    rows = []
    for name in dict.fromkeys([*after.metrics, *before.metrics]):
        between = between_points(intervals[name]) if name in intervals else ""
        rows.append((name, *_both(before, after, name), between))
    columns = ("metric", ">champion", ">challenger", ">change", ">95 % interval")
    note = "Changes and intervals in points; intervals: paired bootstrap, bias-corrected (BCa)."
    return Section("Figures", tuple(rows), columns, note)


def between_points(interval: "GainInterval") -> str:
    """Both ends in points."""
    return f"{interval.low * 100:+.2f} to {interval.high * 100:+.2f}"


def _both(before: Report, after: Report, name: str) -> tuple[str, str, str]:
    old, new = metric(before, name), metric(after, name)
    return share(old), share(new), change(old, new)


def _evidence(evaluation: Evaluation) -> Section:
    counts = evaluation.served.totals if evaluation.served else PairedCounts(0, 0, 0)
    out = evaluation.left_out.challenger_saw + evaluation.left_out.champion_saw
    left_out = f"; {out} left out because a model had seen them" if out else ""
    alone = f"the challenger alone is right on {counts.wins}, the champion alone on {counts.losses}"
    p = mcnemar_mid_p(counts.wins, counts.losses)
    rows = [
        ("utterances", f"{counts.items}{left_out}"),
        ("discordant pairs", f"{counts.wins + counts.losses} ({counts.discordance:.1%}): {alone}"),
        ("chance", f"p = {p:.4f} (McNemar mid-p, one-sided)"),
    ]
    if counts.items:
        smallest, discordance = _smallest_gain(counts), _discordance(counts)
        shown = "none" if smallest is None else f"{smallest * 100:+.2f} points"
        rows.append(
            (f"smallest gain found {POWER:.0%} of the time", f"{shown} at alpha {_ALPHA:g}")
        )
        needed = [
            f"{items_needed(max(discordance, gain / 100), gain / 100, _ALPHA):,} for +{gain}"
            for gain in _GAINS
        ]
        rows.append(
            (
                "utterances that it takes",
                f"{', '.join(needed)} points, as often at alpha {_ALPHA:g}",
            )
        )
    return Section("Evidence", tuple(rows), ("figure", "value"))


def _unknown_training(evaluation: Evaluation) -> str:
    """What to know of the figures where a model may have seen the utterances."""
    if evaluation.champion_known:
        return ""
    return (
        "It was not said what the models were trained on (--training-data): one that has seen these "
        "utterances looks better than it is."
    )


def _discordance(counts: PairedCounts) -> float:
    """With few differences their share is known badly: Agresti and Coull's correction."""
    return (counts.wins + counts.losses + 2) / (counts.items + 4)


def _smallest_gain(counts: PairedCounts) -> float | None:
    """What a test at alpha .05 finds in most cases on so many utterances."""
    if not counts.items:
        return None
    return minimum_detectable_effect(counts.items, _discordance(counts), _ALPHA)


def _intents(evaluation: Evaluation) -> Section:
    after, before = evaluation.challenger.intents, {}
    if evaluation.champion is not None:
        before = dict(evaluation.champion.intents)
    paired = evaluation.classified.by_intent() if evaluation.classified else {}
    order = sorted(
        {*before, *after},
        key=lambda i: (-abs(after[i].f1 - before[i].f1) if i in after and i in before else 0.0, i),
    )
    rows = []
    for intent in order:
        old = before[intent].f1 if intent in before else None
        new = after[intent].f1 if intent in after else None
        counts = paired.get(intent, PairedCounts(0, 0, 0))
        figures = (share(old), share(new), change(old, new))
        rows.append((intent, str(counts.items), *figures, str(counts.losses), str(counts.wins)))
    columns = ("intent", ">examples", ">champion", ">challenger", ">change", ">losses", ">wins")
    note = (
        "F1 by the classifier, fallbacks undone, as Rasa counts; the most changed first. "
        "Losses: only the champion is right; wins: only the challenger."
    )
    return Section("Intents", tuple(rows), columns, note)


def _confusions(evaluation: Evaluation) -> Section:
    """What is taken for what, the most changed first."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for (gold, before, after), number in _triples(evaluation.served).items():
        for model, answer in zip(_MODELS, (before, after), strict=True):
            if answer != gold:
                counts.setdefault((gold, answer), Counter())[model] += number
    order = sorted(
        counts,
        key=lambda pair: (
            -abs(counts[pair]["challenger"] - counts[pair]["champion"]),
            -counts[pair].total(),
            pair,
        ),
    )
    rows = [
        (gold, answer or "nothing", *(str(counts[gold, answer][model]) for model in _MODELS))
        for gold, answer in order[:_CONFUSIONS]
    ]
    more = len(order) - len(rows)
    note = f"… and {counted(more, 'more pair')}." if more > 0 else ""
    columns = ("annotated", "taken for", ">by the champion", ">by the challenger")
    return Section("Confused pairs, the most changed first", tuple(rows), columns, note)


def _triples(paired: PairedAnswers | None) -> Mapping[tuple[str, str, str], int]:
    return paired.triples() if paired is not None else {}


def _entities(evaluation: Evaluation) -> Section:
    after = evaluation.challenger.entities
    before = evaluation.champion.entities if evaluation.champion else {}
    rows = []
    for kind in sorted({*before, *after}):
        old, new = before.get(kind), after.get(kind)
        support = max(figures.support for figures in (old, new) if figures is not None)
        f1 = (old.f1 if old else None, new.f1 if new else None)
        rows.append((kind, str(support), share(f1[0]), share(f1[1]), change(*f1)))
    columns = ("entity", ">annotated", ">champion", ">challenger", ">change")
    note = "F1, span and type both right."
    return Section("Entities", tuple(rows), columns, note)


def _must_pass(evaluation: Evaluation) -> Section:
    failed = [result for result in evaluation.challenger.must_pass if result.problem]
    rows = tuple(("✗", f"{quoted(r.text)} ({r.expected}): {r.problem}") for r in failed)
    title = f"Must-pass utterances that the challenger fails: {len(failed)}"
    return Section(title, rows)


def _flips(flips: Sequence[Flip], most: int | None) -> list[Section]:
    found = []
    for regression, word, only, mark in (
        (True, "Worse", "champion", "✗"),
        (False, "Better", "challenger", "✓"),
    ):
        chosen = [flip for flip in flips if flip.regression is regression]
        shown = chosen if most is None else chosen[:most]
        rows = tuple((mark, quoted(flip.text), flip.intent, *_taken_for(flip)) for flip in shown)
        title = f"{word}: {counted(len(chosen), 'utterance')} that only the {only} understood"
        more = len(chosen) - len(shown)
        note = f"… and {more} more: --flips all." if more else ""
        columns = ("", "utterance", "annotated", "champion", "challenger")
        found.append(Section(title, rows, columns, note))
    return found


def _taken_for(flip: Flip) -> tuple[str, str]:
    before, after = flip.champion or NO_ANSWER, flip.challenger or NO_ANSWER
    return (
        f"{before or 'nothing'} {flip.champion_confidence:.2f}",
        f"{after or 'nothing'} {flip.challenger_confidence:.2f}",
    )
