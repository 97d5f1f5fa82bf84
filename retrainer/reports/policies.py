"""Policies in words: which there are, what one would do, what another would have decided."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrainer.domain.cycle import Cycle
from retrainer.domain.policies import ABOUT
from retrainer.domain.statistics import POWER
from retrainer.domain.verdict import Check, Policy, Verdict
from retrainer.reports import checks
from retrainer.reports.json_report import plain
from retrainer.reports.sections import Section
from retrainer.reports.values import counted, listed, printable

if TYPE_CHECKING:  # numpy is imported by what simulates
    from retrainer.domain.simulated_policy import Prospects, Setting
    from retrainer.domain.simulated_year import Figure, Served

_EQUAL = "as good as the champion"


def listing(policies: Sequence[Policy], *, used_by: Mapping[str, Sequence[str]]) -> Section:
    """Policies, a line each; `used_by` names the assistants that each decides about."""
    rows = tuple(
        (
            policy.name,
            listed(used_by.get(policy.name, ())),
            ABOUT.get(policy, "of the configuration"),
            listed(_names(policy, blocking=True)) or "none: it never promotes",
        )
        for policy in policies
    )
    return Section("Policies", rows, ("name", "used by", "what for", "blocking rules"))


# --- simulate --------------------------------------------------------------------------------


def simulation_title(policy: str, setting: "Setting") -> str:
    """What is simulated."""
    return (
        f"policy {printable(policy)} on {counted(setting.items, 'utterance')}, models that are "
        f"right on {_percent(setting.accuracy)} of them and differ in it on "
        f"{_percent(setting.discordance)}"
    )


def not_simulated(left_out: Sequence[str]) -> str | None:
    """Which blocking rules the simulation does without."""
    if not left_out:
        return None
    return f"not simulated, so passed by every challenger: {printable(', '.join(left_out))}"


def simulation(found: "Prospects") -> tuple[Section, ...]:
    """Nights, the smallest holdouts, and a year."""
    return _nights(found), _smallest(found), _year(found)


def _nights(found: "Prospects") -> Section:
    rows = tuple(
        (
            _truth(gain),
            *(_percent(share) for share in (odds.promote, odds.hold, odds.reject)),
        )
        for gain, odds in found.nights.items()
    )
    return Section(
        "One night", rows, ("a challenger that is truly", ">promoted", ">held", ">rejected")
    )


def _smallest(found: "Prospects") -> Section:
    from retrainer.domain.simulation import MOST  # noqa: PLC0415 - needs numpy

    rows = tuple(
        (_truth(gain), f"more than {MOST:,}" if items is None else f"about {items:,}")
        for gain, items in found.smallest.items()
    )
    return Section(
        f"Utterances needed to promote it {POWER:.0%} of the time",
        rows,
        ("a challenger that is truly", ">utterances"),
    )


def _year(found: "Prospects") -> Section:
    year = found.setting.year
    attended = found.attended if found.year.holds.mean >= _ASKED else None
    columns = ("", ">nobody approves", *([">a person looks"] if attended else []))
    runs = [found.year, *([attended] if attended else [])]
    rows = tuple((name, *(tell(run) for run in runs)) for name, tell in _FIGURES.items())
    alike = ("the same after a year of equal models", _points(found.equal.optimism))
    rows += ((*alike, *([""] if attended else [])),)
    person = (
        " A person looks: approves 4 of 5 challengers that are held and truly better, none else."
        if attended
        else ""
    )
    return Section(
        f"A year of {counted(year.nights, 'night')}, simulated {found.year.years} times",
        rows,
        columns,
        note=(
            f"Challengers start at {_percent(year.start)}, get {year.trend * 100:.3f} points better "
            f"each night, give or take {year.spread * 100:.1f}, and are {year.damage * 100:.0f} "
            f"points worse on {year.accidents:.0%} of the nights. After +-: the simulation's own "
            f"error.{person}"
        ),
    )


#: Nights a year on which a person is asked, for it to matter who that is.
_ASKED = 0.5


def _points(figure: "Figure") -> str:
    return f"{figure.mean * 100:+.2f} +- {figure.error * 100:.2f} points"


def _number(figure: "Figure") -> str:
    return f"{figure.mean:.2f} +- {figure.error:.2f}"


def _accuracy(figure: "Figure") -> str:
    return f"{figure.mean * 100:.2f} +- {figure.error * 100:.2f} %"


_FIGURES: Mapping[str, Callable[["Served"], str]] = {
    "true accuracy that users get": lambda run: _accuracy(run.accuracy),
    "  if the best so far always served": lambda run: _accuracy(run.best),
    "promotions of a truly worse model": lambda run: _number(run.worse),
    "promotions": lambda run: _number(run.promotions),
    "nights held for a person": lambda run: _number(run.holds),
    "displayed less true score, at the end": lambda run: _points(run.optimism),
}


def simulation_to_json(
    policy: str, found: "Prospects", *, left_out: Sequence[str], origin: Mapping[str, str]
) -> dict[str, Any]:
    """The simulation for programs; `origin` says where `items`, `discordance`, `accuracy` are from.

    Shares are 0 to 1; `gain` is the challenger's true one; `nights` and `smallest_holdout` are
    lists by gain; the figures of a year are a `mean` and its Monte Carlo `error`.
    """
    setting = found.setting
    document: dict[str, Any] = plain(
        {
            "policy": policy,
            "not_simulated": tuple(left_out),
            "items": setting.items,
            "discordance": setting.discordance,
            "accuracy": setting.accuracy,
            "origin": origin,
            "nights": [{"gain": gain, **plain(odds)} for gain, odds in found.nights.items()],
            "smallest_holdout": [
                {"gain": gain, "power": POWER, "items": items}
                for gain, items in found.smallest.items()
            ],
            "year": plain(found.setting.year) | _run(found.year),
            "year_with_a_person": _run(found.attended),
            "year_of_equal_models": _run(found.equal),
        }
    )
    return document


def _run(served: "Served") -> dict[str, Any]:
    document: dict[str, Any] = plain(served)
    return document


# --- explain ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecidedAnew:
    """A cycle, what was decided, and what another policy says of the same evaluation."""

    cycle: Cycle
    recorded: Verdict
    other: Verdict


def explained_line(anew: DecidedAnew) -> str:
    """What both say, and why the other one does."""
    recorded, other = anew.recorded, anew.other
    return printable(
        f"cycle {anew.cycle.number} of {anew.cycle.assistant}: policy {recorded.policy} said "
        f"{recorded.outcome.value.upper()}; policy {other.policy} says "
        f"{other.outcome.value.upper()}: {other.reason}"
    )


def checks_side_by_side(anew: DecidedAnew) -> Section:
    """Every check of both policies."""
    recorded, other = anew.recorded, anew.other
    columns = ("check", recorded.policy, f"{other.policy} now", "")
    return Section("Checks", tuple(_side_by_side(recorded, other)), columns)


def verdicts_side_by_side(anew: Sequence[DecidedAnew]) -> Section:
    """Cycles, a line each."""
    rows = tuple(
        (
            str(each.cycle.number),
            each.cycle.assistant,
            f"{each.recorded.outcome.value.upper()} by {each.recorded.policy}",
            f"{each.other.outcome.value.upper()} by {each.other.policy}",
            each.other.reason,
        )
        for each in anew
    )
    same = sum(each.recorded.outcome is each.other.outcome for each in anew)
    note = f"{same} of {counted(len(anew), 'verdict')} would be the same"
    return Section("Verdicts", rows, (">#", "assistant", "recorded", "now", "because"), note)


def _side_by_side(recorded: Verdict, other: Verdict) -> Iterator[tuple[str, ...]]:
    before = {check.rule: check for check in recorded.checks}
    after = {check.rule: check for check in other.checks}
    for name in dict.fromkeys([*before, *after]):
        then, now = before.get(name), after.get(name)
        sentences = dict.fromkeys(check.sentence for check in (then, now) if check)
        first, *more = sentences
        yield name, _outcome(then), _outcome(now), first
        for sentence in more:
            yield "", "", "", f"now: {sentence}"


def _outcome(check: Check | None) -> str:
    return "-" if check is None else checks.verdict_of(check)


def explained_to_json(anew: DecidedAnew) -> dict[str, Any]:
    """Both verdicts, each as in `json_report`."""

    def told(verdict: Verdict) -> dict[str, Any]:
        document: dict[str, Any] = plain(verdict) | {"reason": plain(verdict.reason)}
        return document

    return {
        "cycle": anew.cycle.number,
        "assistant": anew.cycle.assistant,
        "recorded": told(anew.recorded),
        "other": told(anew.other),
        "same": anew.recorded.outcome is anew.other.outcome,
    }


def _names(policy: Policy, *, blocking: bool) -> list[str]:
    return [named.name for named in policy.rules if named.blocking is blocking]


def _truth(gain: float) -> str:
    return _EQUAL if not gain else f"{gain * 100:+.0f} points"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
