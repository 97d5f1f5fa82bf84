"""Test stories in a cycle: asked of both models, once for each state of the stories."""

import json

import pytest
from support.worlds import Laboratory, utterances

from retrainer.domain.cycle import Status
from retrainer.domain.rules import Floor, PassedStories
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.errors import RasaTimeout
from retrainer.pipeline import records
from retrainer.testing.rasa import FakeRasa

#: Ways of saying that every good model was trained on.
STORIES = {"track-way-3 the order": "track", "cancel-way-4 the order": "cancel"}
POLICY = Policy(
    "stories",
    (NamedRule("good_enough", Floor("f1_weighted", 0.0)), NamedRule("stories", PassedStories())),
)


@pytest.fixture
def laboratory(tmp_path):
    """An assistant with two test stories, which its policy asks for."""
    laboratory = Laboratory(tmp_path, policy=POLICY, stories=("test_stories.json",))
    write_stories(laboratory, STORIES)
    return laboratory


def write_stories(laboratory, stories):
    """Replace the project's test stories."""
    rows = [{"text": text, "intent": intent} for text, intent in stories.items()]
    (laboratory.project / "test_stories.json").write_text(json.dumps(rows))


def times_asked(laboratory):
    """How often models were asked for stories so far."""
    return laboratory.rasa.calls.count("test_stories")


def check_of(report):
    """What the rule said."""
    (check,) = [check for check in report.state.verdict.checks if check.rule == "stories"]
    return check


def test_a_story_that_begins_to_fail_rejects_the_challenger(laboratory):
    """Both models are asked; the story that only the champion passes is named with its file."""
    assert laboratory.run().state.verdict.outcome is Outcome.PROMOTE
    right = utterances(30)
    laboratory.write({"track": right["cancel"], "cancel": right["track"]})
    report = laboratory.run()
    assert report.state.verdict.outcome is Outcome.REJECT
    check = check_of(report)
    assert check.observed >= 1
    assert "(test_stories.json), passed by the champion: turn 1" in check.details[0]
    assert all(result.problem is None for result in report.state.evaluation.champion.stories)


def test_without_stories_nobody_is_asked(tmp_path):
    """An assistant without test stories pays nothing for them."""
    laboratory = Laboratory(tmp_path)
    report = laboratory.run()
    assert report.state.evaluation.challenger.stories == ()
    assert {"check_stories", "test_stories"}.isdisjoint(laboratory.rasa.calls)


def test_the_champion_is_tested_again_only_with_other_stories(laboratory):
    """As long as the stories stay as they are its results are known, and no archive is fetched."""
    laboratory.run()
    laboratory.write(utterances(30))
    laboratory.run()
    assert times_asked(laboratory) == 2
    write_stories(laboratory, {**STORIES, "cancel-way-5 the order": "cancel"})
    report = laboratory.run()
    assert times_asked(laboratory) == 4
    assert len(report.state.evaluation.champion.stories) == 3


def test_a_resumed_cycle_goes_on_with_what_is_known(laboratory):
    """A model that was tested before the interruption is not tested again after it."""
    laboratory.run()
    laboratory.write(utterances(30))
    write_stories(laboratory, {**STORIES, "cancel-way-5 the order": "cancel"})

    class Impatient(FakeRasa):
        def test_stories(self, archive, files, progress, *, code=None):
            """Stopped at the second model."""
            if "test_stories" in self.calls:
                raise KeyboardInterrupt
            return super().test_stories(archive, files, progress, code=code)

    laboratory.rasa = Impatient()
    with pytest.raises(KeyboardInterrupt):
        laboratory.run()
    laboratory.rasa = FakeRasa()
    report = laboratory.run()
    assert report.cycle.resumed == 1
    assert times_asked(laboratory) == 1
    assert report.cycle.status is Status.COMPLETED


def test_a_record_that_is_damaged_is_as_good_as_none(laboratory):
    """Results that cannot be read are made anew."""
    champion = laboratory.run().state.model.name
    laboratory.artifacts.write(f"{records.model_name(champion)}/stories.json", b"{")
    laboratory.write(utterances(30))
    laboratory.run()
    assert times_asked(laboratory) == 3


def test_a_model_without_dialogue_is_held(laboratory):
    """Stories that could not be run are no passed ones; a person is told why, and decides."""
    laboratory.run()
    laboratory.write(utterances(30))
    name = f"shop-{laboratory.clock.now():%Y%m%d}"
    laboratory.rasa = Mute()
    report = laboratory.run()
    assert report.state.model.name.startswith(name)
    assert report.state.evaluation.challenger.stories is None
    assert report.state.verdict.outcome is Outcome.HOLD
    assert "could not be run for" in check_of(report).sentence
    assert any("holds no dialogue policies" in said for said in laboratory.listener.warnings)


class Mute(FakeRasa):
    """None of the models that it trains has any dialogue."""

    def train(self, project, name, into, progress, **options):
        """As usual."""
        self.without_dialogue.add(name)
        return super().train(project, name, into, progress, **options)


def test_a_process_that_fails_is_no_verdict(laboratory):
    """What says nothing of the model fails the cycle, as it does for predictions."""

    class Slow(FakeRasa):
        def test_stories(self, *_, **__):
            """What a hanging worker ends with."""
            raise RasaTimeout("took longer than 3600 s")

    laboratory.rasa = Slow()
    assert laboratory.run().cycle.status is Status.FAILED


def test_missing_stories_are_named_before_the_training(laboratory):
    """A path that the snapshot does not have stops the cycle at once."""
    (laboratory.project / "test_stories.json").unlink()
    report = laboratory.run()
    assert report.cycle.status is Status.FAILED
    assert "evaluation.stories: test_stories.json is not in the project's snapshot" in report.error
    assert "train" not in laboratory.rasa.calls


def test_the_setting_is_an_input_of_the_verdict(laboratory):
    """Who configures stories gets another verdict on the same data, not "nothing changed"."""
    laboratory.stories = ()
    laboratory.run()
    assert laboratory.run().cycle.status is Status.SKIPPED
    laboratory.stories = ("test_stories.json",)
    assert laboratory.run().cycle.status is Status.COMPLETED
