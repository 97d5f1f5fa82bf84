"""One assistant's world made of fakes, in a folder of a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.snapshots import FolderSnapshots
from retrainer.domain.evaluation import Mode
from retrainer.domain.rules import Floor, MustPassUtterances, PerIntent, Simple
from retrainer.domain.verdict import NamedRule, Policy
from retrainer.pipeline.conclusion import EVENTS
from retrainer.pipeline.runner import run_cycle
from retrainer.pipeline.steps import CYCLE, Step
from retrainer.pipeline.world import Assistant, World
from retrainer.ports import ActionServer, CycleReport, DataSource, Platform, RunStore
from retrainer.testing.clock import FakeClock
from retrainer.testing.listeners import FakeListener
from retrainer.testing.platforms import FakePlatform
from retrainer.testing.rasa import FakeRasa, find_project, write_project
from retrainer.testing.stores import FakeRunStore

POLICY = Policy(
    "test",
    (
        NamedRule("good_enough", Floor("f1_weighted", 0.5)),
        NamedRule("better", Simple("f1_weighted")),
        NamedRule("must_pass", MustPassUtterances()),
        NamedRule("intents", PerIntent()),
    ),
)
MUST_PASS = {"track-way-3 the order": "track", "cancel-way-3 the order": "cancel"}
#: What of a folder belongs to a project that FakeRasa reads.
PROJECT = ("*.json", "*.yml", "data/*")
OWNER = "host/boot/ns/1/1"


def utterances(last: int) -> dict[str, list[str]]:
    """The first `last` utterances of each of two intents.

    Each intent is said in 15 ways, and only a way that was trained on is understood: up to 15 most
    of the holdout is a guess, from 45 on nearly all of it is right.
    """
    return {
        intent: [f"{intent}-way-{n % 15} the order {intent[0]}{n}" for n in range(last)]
        for intent in ("track", "cancel")
    }


def mislabelled(last: int) -> dict[str, list[str]]:
    """The same utterances, half of them with the other intent's label."""
    right = utterances(last)
    track, cancel = right["track"], right["cancel"]
    half = last // 2
    return {"track": track[half:] + cancel[:half], "cancel": cancel[half:] + track[:half]}


@dataclass
class Laboratory:
    """A world whose every part a test may look at and change between cycles."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    rasa: FakeRasa = field(default_factory=FakeRasa)
    listener: FakeListener = field(default_factory=FakeListener)
    policy: Policy = POLICY
    keep_models: int = 10
    mode: Mode = "holdout"
    folds: int = 5
    holdout: float = 0.2
    test_data: tuple[str, ...] = ()
    stories: tuple[str, ...] = ()
    fail_on_warnings: bool = False
    maximum_loss: float = 1.0
    configs: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    finetune: bool = False

    def __post_init__(self) -> None:
        self.store: RunStore = FakeRunStore(self.clock)
        self.platform: FakePlatform | Platform = FakePlatform(self.folder / "platform")
        self.artifacts = FolderArtifacts(self.folder / "records")
        self.project = self.folder / "project"
        self.action_server: ActionServer | None = None
        #: None: the project's folder.
        self.source: DataSource | None = None
        self.find_project = find_project
        self.write(utterances(25))

    def write(
        self, intents: Mapping[str, Sequence[str]], must_pass: Mapping[str, str] | None = None
    ) -> None:
        """Replace the project's data."""
        write_project(self.project, intents, MUST_PASS if must_pass is None else must_pass)

    def world(self) -> World:
        """The world as it is now."""
        return World(
            assistant=Assistant(
                name="shop",
                policy=self.policy,
                must_pass=("must_pass.json",),
                test_data=self.test_data,
                stories=self.stories,
                mode=self.mode,
                folds=self.folds,
                holdout=self.holdout,
                fail_on_warnings=self.fail_on_warnings,
                maximum_loss=self.maximum_loss,
                configs=self.configs,
                seeds=self.seeds,
                finetune=self.finetune,
                keep_models=self.keep_models,
            ),
            clock=self.clock,
            source=self.source or DirectorySource(self.project, include=PROJECT),
            snapshots=FolderSnapshots(self.folder / "snapshots"),
            find_project=self.find_project,
            rasa=self.rasa,
            platform=self.platform,
            artifacts=self.artifacts,
            store=self.store,
            folder=self.folder / "cycles",
            listener=self.listener,
            notifiers={"everything": frozenset(EVENTS), "bad news": frozenset({"failed"})},
            action_server=self.action_server,
        )

    def run(
        self,
        *,
        owner: str = OWNER,
        dry_run: bool = False,
        force: bool = False,
        steps: Sequence[Step] = CYCLE,
        wait: timedelta = timedelta(minutes=1),
    ) -> CycleReport:
        """Run a cycle, some time after whatever came before."""
        self.clock.advance(wait)
        return run_cycle(self.world(), owner=owner, dry_run=dry_run, force=force, steps=steps)
