"""`retrainer policy`: which policies there are, what one would do, what another would have decided."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrainer.cli.help import Commands
from retrainer.cli.options import AsJson, OneAssistant
from retrainer.cli.output import messages, results, say, show, show_json
from retrainer.domain.policies import POLICIES
from retrainer.domain.verdict import Policy, decide
from retrainer.errors import ConfigurationError, CycleNotFound
from retrainer.settings import load_if_there
from retrainer.wiring import Application

if TYPE_CHECKING:  # SQLAlchemy and numpy are imported when a command needs them
    from retrainer.domain.simulated_policy import Setting, SimulatedPolicy
    from retrainer.ports import CycleReport
    from retrainer.reports.policies import DecidedAnew

#: The newest comparisons that say how often models differ, and a holdout where there are none.
_RECENT, _ITEMS = 10, 1000

app = Commands(help="Look at the policies that decide about new models, and try others.")

_Policy = Annotated[
    str | None,
    typer.Option(
        "--policy",
        "-p",
        metavar="NAME",
        help="One of the configuration, or one that is shipped. Without it: the assistant's.",
    ),
]
_Cycle = Annotated[
    str | None,
    typer.Argument(metavar="CYCLE", help="Number or model; without: the newest decided one."),
]
#: More would take minutes, and all that is told apart is by then.
_MOST_ITEMS = 100_000
_Items = Annotated[
    int | None,
    typer.Option(
        "--items", "-n", metavar="NUMBER", min=1, max=_MOST_ITEMS, help="Utterances of the holdout."
    ),
]
_Discordance = Annotated[
    float | None,
    typer.Option(
        "--discordance",
        "-d",
        metavar="SHARE",
        help="Share of them that one of two models gets right and the other not: 0.05.",
    ),
]


def list_policies(context: typer.Context, as_json: AsJson = False) -> None:
    """List the policies that are shipped and those of the configuration, and who uses which."""
    from retrainer.reports.policies import listing
    from retrainer.reports.sections import terminal

    known = _application(context)
    policies = [
        _policy(known, name) for name in dict.fromkeys([*POLICIES, *known.settings.policies])
    ]
    used_by = {
        policy.name: [
            name
            for name, assistant in known.settings.assistants.items()
            if assistant.policy == policy.name
        ]
        for policy in policies
    }
    if as_json:
        for policy in policies:
            show_json(_document(policy) | {"used_by": used_by[policy.name]})
        return
    show(terminal([listing(policies, used_by=used_by)]))


def show_policy(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which policy.")] = "default",
    as_json: AsJson = False,
) -> None:
    """Print a policy as TOML with all of its limits, ready to be pasted into a configuration.

    One that differs from it in few rules is written shorter with `extends = "NAME"`.
    """
    from retrainer.settings.policies import policy_toml

    policy = _policy(_application(context), name)
    if as_json:
        show_json(_document(policy))
    else:
        results.print(policy_toml(policy), markup=False, soft_wrap=True, end="")


def simulate(
    context: typer.Context,
    items: _Items = None,
    discordance: _Discordance = None,
    accuracy: Annotated[
        float | None,
        typer.Option("--accuracy", metavar="SHARE", help="Share that the first model gets right."),
    ] = None,
    nights: Annotated[
        int, typer.Option("--nights", metavar="NUMBER", min=1, help="Length of the year.")
    ] = 365,
    policy: _Policy = None,
    assistant: OneAssistant = None,
    as_json: AsJson = False,
) -> None:
    """Simulate what a policy does on a holdout of some size, in a night and in a year.

    How often it promotes equal, better and worse models, how many utterances it needs, and what
    users get in the end. What is not said is taken from the assistant's last evaluations. Needs no
    configuration, and always gives the same figures.
    """
    from retrainer.domain.simulated_policy import prospects
    from retrainer.reports import policies
    from retrainer.reports.sections import terminal

    known = _application(context)
    given = {"items": items, "discordance": discordance, "accuracy": accuracy}
    told = policy is not None and items is not None and discordance is not None
    name = None if told and assistant is None else _assistant(known, assistant)
    chosen = _policy(
        known, policy or (known.settings.assistants[name].policy if name else "default")
    )
    asked = _simulated(chosen)
    setting, origin = _setting(known, name, given, nights)
    with _progress() as advance:
        found = prospects(asked.rule, setting, advance)
    if as_json:
        show_json(
            policies.simulation_to_json(chosen.name, found, left_out=asked.left_out, origin=origin)
        )
        return
    say(policies.simulation_title(chosen.name, setting))
    for what, where in origin.items():
        say(f"  {what}: {where}")
    if missing := policies.not_simulated(asked.left_out):
        say(missing)
    show(terminal(policies.simulation(found)))


def explain(
    context: typer.Context,
    cycle: _Cycle = None,
    policy: _Policy = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--last", metavar="NUMBER", min=1, help="Instead of a cycle: so many, a line each."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide recorded cycles anew under another policy, and show both side by side.

    Nothing is measured, promoted or recorded. Without --policy: what the assistant's policy is now.
    """
    from retrainer.reports import policies
    from retrainer.reports.sections import terminal
    from retrainer.store.evaluations import recently_decided
    from retrainer.store.history import get, not_found

    if cycle is not None and last is not None:
        raise typer.BadParameter(f"a cycle ({cycle}) or --last {last}, not both")
    known = Application.from_config(context.obj)
    if known.past is None:
        raise not_found(cycle or "latest")
    newest = [str(number) for number in recently_decided(known.past, last or 1)]
    if not (chosen := newest if cycle is None else [cycle]):
        raise CycleNotFound("no cycle was decided yet", tip="run one with `retrainer run-once`")
    found = [get(known.past, number).report for number in chosen]
    anew = [_anew(known, report, policy) for report in found]
    if as_json:
        for each in anew:
            show_json(policies.explained_to_json(each))
    elif last is None:
        results.print(policies.explained_line(anew[0]), markup=False)
        show(terminal([policies.checks_side_by_side(anew[0])]))
    else:
        show(terminal([policies.verdicts_side_by_side(anew)]))


def _anew(known: Application, report: "CycleReport", policy: str | None) -> "DecidedAnew":
    """The cycle's evaluation, decided under the policy of this name; None: the assistant's."""
    from retrainer.reports.policies import DecidedAnew

    evaluation, recorded = report.state.evaluation, report.state.verdict
    if evaluation is None or recorded is None:
        raise CycleNotFound(
            f"cycle {report.cycle.number} was not decided: there is no evaluation to judge anew",
            tip="`retrainer history` shows which cycles were",
        )
    other = known.policy(report.cycle.assistant) if policy is None else _policy(known, policy)
    return DecidedAnew(report.cycle, recorded, decide(evaluation, other))


def _simulated(policy: Policy) -> "SimulatedPolicy":
    from retrainer.domain.simulated_policy import simulated

    asked = simulated(policy)
    if not asked.judged:
        raise ConfigurationError(
            f"0 blocking rules of policy {policy.name} judge by wins and losses, at least 1 is "
            "needed to simulate it",
            tip="`retrainer policy list` shows the rules; superiority is one that can be simulated",
        )
    return asked


def _application(context: typer.Context) -> Application:
    """As configured; without a configuration what is shipped is there all the same."""
    path, settings = load_if_there(context.obj)
    return Application(path, settings)


def _policy(known: Application, name: str) -> Policy:
    from retrainer.wiring.comparison import policy_named

    return policy_named(known.config, known.settings, name)


def _document(policy: Policy) -> dict[str, Any]:
    from retrainer.reports.json_report import plain
    from retrainer.settings.policies import rule_table

    rules = {named.name: plain(rule_table(named)) for named in policy.rules}
    return {"policy": policy.name, "rules": rules}


def _assistant(known: Application, name: str | None) -> str | None:
    """The assistant of that name, or the only one; None if there is none."""
    names = known.assistants(name)
    if len(names) > 1:
        raise ConfigurationError(
            f"{len(names)} assistants are configured, 1 has to be chosen",
            tip=f"add --assistant with one of {', '.join(names)}, "
            "or say --policy, --items and --discordance",
        )
    return names[0] if names else None


def _setting(
    known: Application,
    assistant: str | None,
    given: Mapping[str, float | None],
    nights: int,
) -> tuple["Setting", Mapping[str, str]]:
    """What to simulate, and where each of its figures comes from."""
    from retrainer.domain.simulated_policy import Setting

    values: dict[str, Any] = asdict(Setting(_ITEMS))
    origin = dict.fromkeys(given, "assumed, since no comparison of two models is recorded")
    if assistant and known.past and None in given.values():
        from retrainer.store.evaluations import recent_comparisons

        recent = recent_comparisons(known.past, assistant, _RECENT)
        seen = Setting.seen_in([found.served for _, found in recent if found.served])
        if seen is not None:
            values |= asdict(seen)
            cycles = ", ".join(str(number) for number, found in recent if found.served)
            origin = dict.fromkeys(given, f"as in the last cycles of {assistant}: {cycles}")
    chosen = {name: value for name, value in given.items() if value is not None}
    origin |= dict.fromkeys(chosen, "as given")
    try:
        return Setting(**(values | chosen | {"nights": nights})), origin
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar while it simulates, on a terminal only."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    hidden = not messages.is_terminal
    with Progress(*columns, console=messages, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=None)

        def advance(what: str, number: int, total: int) -> None:
            bar.update(task, description=what, completed=number, total=total)

        yield advance


app.add("list", list_policies)
app.add("show", show_policy)
app.add("simulate", simulate)
app.add("explain", explain)
