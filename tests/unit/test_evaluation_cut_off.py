"""The longest step cut off at any of its effects: it measures the same, and counts once."""

import json
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from support.worlds import POLICY, Laboratory, utterances

from retrainer.domain.cycle import Status
from retrainer.domain.reuse import Uses
from retrainer.domain.rules import BoundedCost, HoldoutReuse, PassedStories, ServedActions
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.errors import LeaseLost
from retrainer.pipeline import records
from retrainer.pipeline.evaluation_step import evaluate
from retrainer.pipeline.runner import MAXIMUM_ATTEMPTS
from retrainer.pipeline.steps import CYCLE
from retrainer.wiring.records import artifact_store

EVERY_GUARD = Policy(
    "every guard",
    (
        *POLICY.rules,
        NamedRule("stories", PassedStories()),
        NamedRule("actions", ServedActions()),
        NamedRule("cost", BoundedCost()),
        NamedRule("reuse", HoldoutReuse()),
    ),
)
#: What changes something on disk; between two of these it does not matter when the power is cut.
EFFECTS = ("write", "delete", "write_training_project", "train")


class PowerCut(BaseException):
    """The process ends here: nothing of retrainer may catch this."""


@dataclass
class Effects:
    """Counts the effects of a step, and cuts the power after one of them; 0: never."""

    cut: int = 0
    done: list[str] = field(default_factory=list)

    def follow(self, name, act):
        result = act()
        self.done.append(name)
        if len(self.done) == self.cut:
            raise PowerCut
        return result


class Cut:
    """Another's methods; those with an effect are counted, and may be cut off."""

    def __init__(self, other, effects):
        self._other, self._effects = other, effects

    def __getattr__(self, name):
        found = getattr(self._other, name)
        if name not in EFFECTS:
            return found
        return lambda *given, **named: self._effects.follow(name, lambda: found(*given, **named))


def cut(world, effects):
    rasa, artifacts = Cut(world.rasa, effects), Cut(world.artifacts, effects)
    return replace(world, rasa=rasa, artifacts=artifacts)


@pytest.fixture(params=["holdout", "cross_validation"])
def served(request, tmp_path):
    """A champion serves, better data has arrived, and every guard asks for something."""
    lab = Laboratory(tmp_path, policy=EVERY_GUARD, folds=2)
    rows = [{"text": "track-way-3 the order", "intent": "track"}]
    (lab.project / "stories.json").write_text(json.dumps(rows))
    lab.stories = ("stories.json",)
    lab.champion = lab.run().cycle.challenger
    lab.mode = request.param
    lab.write(utterances(60))
    return lab


def instead(name, act):
    """The steps of a cycle of which one acts otherwise."""
    return [replace(step, act=act) if step.name == name else step for step in CYCLE]


def test_a_power_cut_anywhere_leads_to_the_same_evaluation(served):
    """Whichever answer, training or record is cut off: the same figures, each use counted once."""
    kept, effects = served.folder / "kept", Effects()

    def everywhere(cycle, state, world):
        shutil.copytree(served.folder / "records", kept)
        expected = evaluate(cycle, state, cut(world, effects))
        uses = records.read_uses(served.artifacts)
        for point, name in enumerate(effects.done, start=1):
            shutil.rmtree(served.folder / "records")
            shutil.copytree(kept, served.folder / "records")
            with pytest.raises(PowerCut):
                evaluate(cycle, state, cut(world, Effects(point)))
            assert evaluate(cycle, state, world) == expected, f"after effect {point}, {name}"
            assert records.read_uses(served.artifacts) == uses, f"after effect {point}, {name}"
        return expected

    report = served.run(steps=instead("evaluate", everywhere))
    assert report.cycle.status is Status.COMPLETED
    writes = {"holdout": 4, "cross_validation": 7}[served.mode]
    assert effects.done.count("write") == writes, "answers, stories, uses; and a trial of each fold"
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert not (served.folder / "cycles" / report.cycle.challenger).exists()
    assert not list((served.folder / "records" / "cycles").glob("*"))


def test_what_is_abandoned_leaves_its_use_of_the_holdout_alone(served):
    """Folds, answers, stories and record of a cycle that is given up go; what it used stays used."""

    def cut_off(cycle, state, world):
        evaluate(cycle, state, world)
        raise PowerCut

    for _ in range(MAXIMUM_ATTEMPTS):
        with pytest.raises(PowerCut):
            served.run(steps=instead("evaluate", cut_off))
        served.clock.advance(timedelta(minutes=2))
    name = records.read_uses(served.artifacts).last
    assert records.read_stories(served.artifacts, name) is not None
    report = served.run()
    assert (report.cycle.status, report.cycle.challenger) == (Status.ABANDONED, name)
    left = {f.parent.relative_to(served.folder / "records") for f in _files(served, "records")}
    assert {str(folder) for folder in left} == {f"models/{served.champion}", "holdout"}
    assert not list((served.folder / "cycles").glob(f"{name}*"))
    again = served.run()
    assert again.state.verdict.outcome is Outcome.PROMOTE
    assert again.state.evaluation.reuse.most == 1


def test_whoever_lost_the_cycle_counts_no_use(served):
    """A process that slept while others went on must not write over what they counted."""

    class Slow(Cut):
        def test_stories(self, *given, **named):
            """Meanwhile somebody else takes the cycle over."""
            served.clock.advance(timedelta(minutes=5))
            served.store.begin("shop", None, owner="host/boot/ns/2/2", lease=timedelta(hours=9))
            return self._other.test_stories(*given, **named)

    def overtaken(cycle, state, world):
        return evaluate(cycle, state, replace(world, rasa=Slow(world.rasa, Effects())))

    before = records.read_uses(served.artifacts)
    with pytest.raises(LeaseLost):
        served.run(steps=instead("evaluate", overtaken))
    assert records.read_uses(served.artifacts) == before


@pytest.mark.parametrize("place", [None, "records", "memory://evaluation-cut-off"])
def test_two_assistants_count_their_own_uses(place, tmp_path):
    """The same utterance in two projects is two utterances, wherever the records are kept."""
    one, two = (
        artifact_store(tmp_path / "retrainer.toml", place, name, tmp_path / name)
        for name in ("one", "two")
    )
    used = Uses().after("one-1", ["key"], datetime(2026, 11, 21, tzinfo=UTC))
    records.write_uses(one, used)
    assert records.read_uses(one) == used
    assert records.read_uses(two) is None


def _files(lab, folder):
    return [path for path in (lab.folder / folder).rglob("*") if path.is_file()]
