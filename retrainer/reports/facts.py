"""What is known of a cycle beside its verdict: its facts, and what to know of its figures."""

from collections.abc import Mapping, Sequence

from retrainer.domain.cost import Cost
from retrainer.domain.cycle import Origin, Severity, Trigger
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.reuse import optimism
from retrainer.domain.selection import Candidate
from retrainer.ports import CycleReport
from retrainer.reports.values import counted, duration, listed, moment, printable, share, size
from retrainer.reports.words import elapsed


def facts(report: CycleReport) -> tuple[tuple[str, str], ...]:
    """Label and value of everything else that is known of the cycle."""
    state, rows = report.state, [("cycle", _occasion(report))]
    if model := state.model:
        made = f"Rasa {model.rasa_version}, {size(model.size)}"
        took = f", trained in {duration(model.training_seconds)}" if model.training_seconds else ""
        rows.append(("challenger", f"{model.name}, {made}{took}"))
    if state.evaluation is not None:
        rows.append(("champion", state.champion or "none yet"))
    if state.snapshot:
        files = counted(len(state.snapshot.files), "file")
        rows.append(
            ("snapshot", f"{state.snapshot.digest[:12]} of {state.snapshot.origin}, {files}")
        )
        rows += [("origin", _origin(origin)) for origin in state.snapshot.origins if origin.details]
    if data := state.data:
        more = [f"{data.training} to train on", f"{data.held_out} held out"]
        more += [f"{counted(data.test_files, 'example')} of test files"] if data.test_files else []
        more += [counted(data.must_pass, "must-pass utterance")] if data.must_pass else []
        whole = f"{counted(data.examples, 'example')} of {counted(data.intents, 'intent')}"
        rows.append(("data", f"{whole}: {', '.join(more)}"))
    if state.evaluation is not None and (cost := _costs(state.evaluation)):
        rows.append(("cost", cost))
    return tuple((label, printable(value)) for label, value in rows)


def remarks(report: CycleReport, most: int | None = None) -> tuple[str, ...]:
    """What a reader of the figures should know; lists of more than `most` intents are cut."""
    state, said = report.state, []
    evaluation = state.evaluation
    if evaluation is not None:
        said += _how_it_was_measured(evaluation)
        said += optimism(evaluation.reuse) if evaluation.reuse else ()
    said += _candidates(state.candidates)
    if evaluation is not None and (platform := _by_the_platform(evaluation)):
        said.append(platform)
    if state.data is not None and (whole := state.data.whole):
        named = listed([f"{intent} ({number})" for intent, number in whole.items()], most)
        said.append(
            f"{counted(len(whole), 'intent')} too small to split, all examples train: {named}"
        )
    if evaluation is not None and (unmeasured := evaluation.unmeasured):
        named = listed(unmeasured, most)
        said.append(
            f"{counted(len(unmeasured), 'intent')} not measured for want of test examples: {named}"
        )
    if state.findings:
        errors = sum(f.severity is Severity.ERROR for f in state.findings)
        warnings = counted(len(state.findings) - errors, "warning")
        said.append(f"the validation found {counted(errors, 'error')} and {warnings}")
    return tuple(printable(remark) for remark in said)


def _how_it_was_measured(evaluation: Evaluation) -> list[str]:
    said, champion = [], evaluation.champion
    if evaluation.mode == "cross_validation":
        compared = champion is not None and not evaluation.obstacle
        said.append(
            f"{counted(evaluation.folds, 'model')} {'of each side' if compared else 'like the challenger'} were "
            "trained without a fold each and asked for it: these are figures of config and data, "
            f"not of the {'two models themselves' if compared else 'model itself'}"
        )
    elif champion is not None and not evaluation.champion_known:
        said.append(
            f"it is not recorded what {champion.model} was trained on: it may have seen these "
            "examples, and then its figures are too good"
        )
    if chosen := evaluation.left_out.selection:
        said.append(
            f"{counted(chosen, 'example')} left out of the comparison: the challenger was chosen by "
            "them among several"
        )
    return said


def _candidates(tried: Sequence[Candidate]) -> list[str]:
    """A line for each of several challengers."""
    said = []
    for candidate in tried if len(tried) > 1 else ():
        fate = ["chosen"] if candidate.chosen else []
        if candidate.skipped:
            fate.append(f"left out, {candidate.skipped}")
        elif candidate.score is not None:
            fate.append(f"understands {share(candidate.score)} of the half that chooses")
        said.append(f"challenger {candidate.label}: {', '.join(fate) or 'not measured'}")
    return said


def _costs(evaluation: Evaluation) -> str:
    """Size and speed of both models, as far as they were measured."""
    before = evaluation.champion.cost if evaluation.champion else None
    sides = (("champion", before), ("challenger", evaluation.challenger.cost))
    return "; ".join(f"{role} {_cost(cost)}" for role, cost in sides if cost)


def _cost(cost: Cost) -> str:
    if cost.median is None or cost.p95 is None:
        return size(cost.size)
    times = f"median {cost.median * 1000:.1f} ms, 95 % within {cost.p95 * 1000:.1f} ms"
    return f"{size(cost.size)}, {times} of {counted(cost.utterances, 'utterance')}"


def _origin(origin: Origin) -> str:
    """Where a part of the snapshot came from, with all that its source says of it."""
    at = [f"of {moment(origin.at)} UTC"] if origin.at else []
    return ", ".join([str(origin), *at, *(f"{k} {v}" for k, v in origin.details.items())])


def _by_the_platform(evaluation: Evaluation) -> str | None:
    """What the platform measured by itself, as a figure beside ours."""
    after, before = evaluation.challenger.platform, None
    if evaluation.champion is not None:
        before = evaluation.champion.platform
    if after is None and before is None:
        return None
    figures = _figure(after.f1 if after else None)
    if evaluation.champion is not None:
        figures = f"{_figure(before.f1 if before else None)} -> {figures}"
    return f"the platform's own F1, on the examples that it stores: {figures}"


def _figure(value: float | None) -> str:
    return "not measured" if value is None else share(value)


def _occasion(report: CycleReport) -> str:
    cycle = report.cycle
    asked: Mapping[Trigger, str] = {
        Trigger.MANUAL: "by hand",
        Trigger.SCHEDULE: "by schedule",
        Trigger.DATA: "because of new data",
        Trigger.HOOK: "by a hook",
    }
    said = [f"{cycle.number}, begun {moment(cycle.started_at)} UTC {asked[cycle.trigger]}"]
    said += [elapsed(report)]
    said += ["dry run: nothing was promoted"] if cycle.dry_run else []
    said += ["forced"] if cycle.force else []
    said += [f"resumed {counted(cycle.resumed, 'time')}"] if cycle.resumed else []
    return ", ".join(said)
