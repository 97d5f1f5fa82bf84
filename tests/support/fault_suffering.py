"""A real daemon at work, to which something bad happens, and what is demanded of it then.

    with scene(folder) as it:
        suffered = suffer(it, Fault("SQLite locked", strike, said="locked"), seconds=40)

Each fault strikes in the middle of a cycle. While it lasts, `retrainer status` is asked. When it is
over, all that was asked for has to be done, by the same process, in bounded time: no cycle,
training or promotion is lost or doubled, the right model serves, and people were told.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import sqlalchemy as sa
from support.fault_scenes import RECOVERY, Answer, Scene
from support.waiting import wait_until

from retrainer.domain.cycle import PromotionReason, Status
from retrainer.store.tables import requests

#: Lines of the log that a fault may add in a minute, beside those of the cycles.
LINES_A_MINUTE = 12
#: Seconds between two tries at most: the longest delay, and a try that takes its time to fail.
LONGEST_PAUSE = 60.0 + 40.0
_LOUD = ("warning", "error", "critical")


@dataclass(frozen=True)
class Fault:
    """Something bad.

    `strike` makes it last as long as its block; `said` are words that the log has to have about it
    (empty: nothing needs to be said), `over` those about its end. With `closed` nobody can ask for
    a cycle meanwhile; `status` is the exit code of `retrainer status`, None where it is not asked.
    `silent` ones are told of afterwards at best. `ended` is called when the fault is over. `allowed`
    are the ends of cycles that it excuses beside a good one; one that `retrains` keeps models from
    being written.
    """

    name: str
    strike: Callable[[Scene], AbstractContextManager[object]]
    said: str = ""
    over: str = ""
    closed: bool = False
    status: int | None = 0
    silent: bool = False
    ended: Callable[[Scene], None] = lambda _: None
    allowed: tuple[Status, ...] = ()
    retrains: bool = False
    recovery: float = RECOVERY


@dataclass(frozen=True)
class Suffered:
    """What a fault came to; seconds of it, until all was well again, and of `retrainer status`."""

    fault: str
    lasted: float
    recovered: float
    lost: int
    doubled: int
    lines: int
    pauses: Sequence[float]
    status: str
    words: str


def suffer(scene: Scene, fault: Fault, seconds: float) -> Suffered:
    """Let the daemon suffer the fault for so long, and demand all of the above.

    Raises:
        AssertionError: it did not do what is demanded.
    """
    before, pid = len(scene.lines()), scene.running.pid
    begun = len(scene.home.trainings())
    scene.ask()
    wait_until(lambda: len(scene.home.trainings()) > begun, seconds=60)
    began = time.monotonic()
    with fault.strike(scene):
        if not fault.closed:
            scene.ask()
        answer = None if fault.status is None else scene.status()
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))
        if fault.said and not fault.silent:
            wait_until(lambda: bool(_says(fault.said, scene.lines()[before:])), seconds=60)
        lasted = time.monotonic() - began
    fault.ended(scene)
    over = time.monotonic()
    if fault.closed:
        scene.ask()
    scene.settle(fault.recovery)
    recovered = time.monotonic() - over
    assert scene.running.pid == pid
    status = _require_status(fault, answer)
    if fault.over:
        wait_until(lambda: bool(_says(fault.over, scene.lines()[before:])), seconds=30)
    lines = scene.lines()[before:]
    loud = [line for line in lines if line["level"] in _LOUD]
    words = _require_words(fault, lines)
    assert len(loud) <= LINES_A_MINUTE * (1 + (lasted + recovered) / 60), loud
    pauses = _pauses(lines)
    assert max(pauses, default=0) <= LONGEST_PAUSE, pauses
    lost, doubled = losses(scene, fault.allowed, retrains=fault.retrains)
    assert not lost + doubled, f"{fault.name}: {lost + doubled}"
    return Suffered(
        fault.name,
        lasted,
        recovered,
        len(lost),
        len(doubled),
        len(loud),
        pauses,
        status,
        words,
    )


def _require_words(fault: Fault, lines: Sequence[Mapping[str, str]]) -> str:
    """The line about the fault; what it says to do is on it."""
    if not fault.said:
        return ""
    about = _says(fault.said, lines)
    said = [line["message"] for line in lines]
    assert about, f"nobody said {fault.said!r}: {said}"
    assert fault.silent or any(line.get("tip") for line in about if line["level"] in _LOUD), about
    return about[0]["message"]


def _says(words: str, lines: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return [line for line in lines if words in line["message"]]


def _require_status(fault: Fault, answer: Answer | None) -> str:
    """What `retrainer status` did, in a few words."""
    if answer is None:
        return ""
    assert answer.code == fault.status, answer
    assert "Traceback" not in answer.text, answer
    assert answer.seconds < 60, answer
    assert answer.text if answer.code == 0 else "tip: " in answer.text, answer
    return f"exit {answer.code} in {answer.seconds:.1f} s"


def _pauses(lines: Sequence[Mapping[str, str]]) -> tuple[float, ...]:
    """Seconds between the tries to use what is away."""
    times = [
        datetime.fromisoformat(line["time"]).timestamp()
        for line in lines
        if "tried again in" in line["message"] and "assistant" not in line
    ]
    return tuple(round(b - a, 1) for a, b in pairwise(times))


def losses(
    scene: Scene, allowed: Sequence[Status] = (), *, retrains: bool = False
) -> tuple[list[str], list[str]]:
    """What was lost, and what was done twice, as sentences."""
    scene.ends |= set(allowed)
    rows = sorted(scene.home.cycles(), key=lambda row: row.cycle.number)
    lost = [
        f"cycle {row.cycle.number} is {row.cycle.status}: {row.error}"
        for row in rows
        if row.cycle.status not in scene.ends
    ]
    with scene.reading() as connection:
        made = connection.execute(sa.select(requests)).mappings().all()
    answered = {row["number"] for row in made if row["cycle"] is not None}
    lost += [f"{r} was never answered" for r in scene.asked if r.number not in answered]
    doubled = _twice("training of", scene.home.trainings())
    scene.excused |= set(doubled if retrains else ())
    doubled = [sentence for sentence in doubled if sentence not in scene.excused]
    doubled += _twice("requests of", [row["fire_time"] for row in made if row["fire_time"]])
    app = scene.home.application()
    try:
        ledger = app.store.promotions("shop")[::-1]
        champion = app.platform("shop").active()
    finally:
        app.engine.dispose()
    doubled += _twice("promotion of", [promotion.model for promotion in ledger])
    promoted = [row.cycle.challenger for row in rows if row.promoted]
    if [promotion.model for promotion in ledger] != promoted:
        lost.append(f"promotions: {promoted} were made, {ledger} are on the ledger")
    if [p.previous for p in ledger] != [None, *promoted][: len(ledger)]:
        lost.append(f"the ledger has a gap: {ledger}")
    lost += [f"{p.model} was found active" for p in ledger if p.reason is not PromotionReason.GATE]
    if champion != promoted[-1]:
        lost.append(f"{champion} serves instead of {promoted[-1]}")
    told = json.dumps(scene.slack.messages)
    lost += [
        f"nobody was told of {row.cycle.challenger}"
        for row in rows
        if row.promoted and row.cycle.challenger not in told
    ]
    return lost, doubled


def _twice(what: str, found: Sequence[object]) -> list[str]:
    return [f"{what} {each}: {n} times" for each, n in Counter(map(str, found)).items() if n > 1]
