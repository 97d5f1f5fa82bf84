"""A whole cycle on fakes: what each kind of night leads to."""

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from support.worlds import Laboratory, mislabelled, utterances

from retrainer.domain.cycle import Finding, PromotionReason, Severity, Status
from retrainer.domain.rules import Simple
from retrainer.domain.verdict import NamedRule, Outcome, Policy
from retrainer.errors import ModelConflict, PlatformError
from retrainer.pipeline import records
from retrainer.pipeline.steps import CYCLE


@pytest.fixture
def lab(tmp_path):
    return Laboratory(tmp_path)


@pytest.fixture
def served(lab):
    """A laboratory whose first model serves."""
    lab.champion = lab.run().cycle.challenger
    assert lab.platform.champion == lab.champion
    return lab


def test_the_first_model_is_promoted_by_floors_alone(lab):
    """Without a champion nothing is compared, and what passes the floors serves."""
    report = lab.run()
    assert report.cycle.status is Status.COMPLETED
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert report.state.evaluation.champion is None
    assert lab.platform.champion == report.cycle.challenger
    assert report.state.confirmed
    (row,) = lab.store.promotions("shop")
    assert (row.previous, row.model, row.reason, row.cycle) == (
        None,
        report.cycle.challenger,
        PromotionReason.GATE,
        report.cycle.number,
    )


def test_better_data_is_promoted_over_the_champion(served):
    """A challenger that wins on what neither has seen takes the champion's place."""
    served.write(utterances(60))
    report = served.run()
    before, after = report.state.evaluation.champion, report.state.evaluation.challenger
    assert after.metrics["f1_weighted"] > before.metrics["f1_weighted"]
    assert before.test_set == after.test_set
    assert served.platform.champion == report.cycle.challenger
    assert [p.model for p in served.store.promotions("shop")] == [
        report.cycle.challenger,
        served.champion,
    ]


def test_wrong_labels_are_rejected(served):
    """A bad night leaves the champion in its place, and its model stored for a look."""
    served.write(mislabelled(25))
    report = served.run()
    assert report.cycle.status is Status.COMPLETED
    assert report.state.verdict.outcome is Outcome.REJECT
    assert any(flip.regression for flip in report.state.evaluation.flips)
    assert served.platform.champion == served.champion
    assert report.cycle.challenger in [m.name for m in served.platform.models()]


def test_an_unchanged_project_is_skipped_without_rasa(served):
    """Nothing new means nothing trained, whatever became of the last challenger."""
    served.rasa.calls.clear()
    report = served.run()
    assert report.cycle.status is Status.SKIPPED
    assert report.state.same_as == 1
    assert served.rasa.calls == ["closed"]


def test_after_a_rejection_the_same_data_is_not_trained_again(served):
    """A verdict stands until the inputs change."""
    served.write(mislabelled(25))
    rejected = served.run()
    assert served.run().state.same_as == rejected.cycle.number


def test_force_trains_unchanged_data(served):
    """A person may ask for a cycle that nothing else asks for."""
    report = served.run(force=True)
    assert report.cycle.status is Status.COMPLETED
    assert report.state.verdict is not None


def test_a_changed_policy_is_a_changed_input(served):
    """What decides is part of what a verdict depends on."""
    served.policy = Policy("other", (NamedRule("better", Simple("accuracy")),))
    assert served.run().cycle.status is Status.COMPLETED


def test_a_dry_run_leaves_nothing_but_its_row(served):
    """Measured and decided, but no upload, no promotion, no file; and it is no reason to skip."""
    served.write(utterances(60))
    report = served.run(dry_run=True)
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert served.platform.champion == served.champion
    assert [m.name for m in served.platform.models()] == [served.champion]
    assert records.read_manifest(served.artifacts, report.cycle.challenger) is None
    assert not list((served.folder / "cycles").glob(f"{report.cycle.challenger}*"))
    assert served.run().state.verdict.outcome is Outcome.PROMOTE
    assert served.platform.champion != served.champion


def test_the_champion_is_never_asked_the_same_utterance_twice(served):
    """Answers are kept by model and text: only new test examples cost a prediction."""
    asked = served.rasa.asked.copy()
    served.rasa.asked.clear()
    served.write({**utterances(25), "extra": ["something else entirely", "and one more thing"]})
    report = served.run()
    texts = report.state.evaluation.challenger.examples + 2
    assert report.state.evaluation.champion.examples == texts - 2
    assert len(asked) == len(set(asked))
    assert len(served.rasa.asked) == texts


def test_examples_that_the_champion_trained_on_are_left_out_and_counted(served):
    """A larger holdout takes in what the champion was trained on; that must not count."""
    served.holdout = 0.5
    report = served.run()
    evaluation = report.state.evaluation
    assert evaluation.left_out.champion_saw > 0
    assert evaluation.left_out.challenger_saw == 0
    seen = records.read_manifest(served.artifacts, served.champion)
    held_out = evaluation.challenger.examples + evaluation.left_out.champion_saw
    assert held_out == report.state.data.held_out
    assert seen


def test_a_champion_of_unknown_origin_is_said_to_be_so(served):
    """Without its manifest the champion may have seen any example, and the report says it."""
    served.artifacts.delete(f"models/{served.champion}/manifest.json")
    report = served.run(force=True)
    assert report.state.evaluation.champion_known is False


def test_explicit_test_data_joins_the_holdout(served):
    """A test file is measured on beside the holdout, unless a model trained on its examples."""
    seen = utterances(1)["track"][0]
    (served.project / "test.json").write_text(
        f'[{{"text": "{seen}", "intent": "track"}},'
        ' {"text": "track-way-3 please", "intent": "track"}]'
    )
    without = served.run(force=True).state.evaluation
    served.test_data = ("test.json",)
    evaluation = served.run().state.evaluation
    assert evaluation.challenger.examples == without.challenger.examples + 1
    assert evaluation.left_out.challenger_saw + evaluation.left_out.champion_saw == 1


@pytest.mark.parametrize(
    ("intents", "must_pass", "message"),
    [
        ({"only": ["one", "two"]}, {}, "holds 1 intent (only), at least 2 are needed"),
        (utterances(5), {"who are you": "bot"}, "unknown intent 'bot': no training example has it"),
    ],
)
def test_a_pointless_project_fails_before_training(served, intents, must_pass, message):
    """What would make a training or its test pointless is found first, and named."""
    served.rasa.calls.clear()
    served.write(intents, must_pass)
    report = served.run()
    assert report.cycle.status is Status.FAILED
    assert report.failed_step == "validate"
    assert message in report.error
    assert "train" not in served.rasa.calls
    assert served.platform.champion == served.champion


def test_an_intent_that_the_domain_lacks_is_found(served):
    """Training data and domain have to agree; the place of the example is in the message."""
    (served.project / "domain.yml").write_text('["track"]')
    report = served.run()
    assert "nlu.json:26: unknown intent 'cancel': the domain does not declare it" in report.error


def test_errors_of_the_validator_stop_the_cycle(served):
    """What `rasa data validate` calls an error fails the cycle; a warning only if asked to."""
    served.rasa.findings = (Finding(Severity.WARNING, "odd", "domain.yml", 3),)
    served.write(utterances(26))
    assert served.run().state.findings == served.rasa.findings
    served.fail_on_warnings = True
    served.write(utterances(27))
    assert "domain.yml:3: odd" in served.run().error
    served.fail_on_warnings = False
    served.rasa.findings = (Finding(Severity.ERROR, "broken"),)
    served.write(utterances(28))
    assert "1 finding that must be mended, 0 are allowed:\nbroken" in served.run().error


def test_a_missing_must_pass_file_names_the_option(served):
    """A file that the snapshot lacks is an error, never an empty list."""
    (served.project / "must_pass.json").unlink()
    report = served.run()
    assert "must_pass: must_pass.json is not in the project's snapshot" in report.error
    assert "include" in report.tip


def test_a_failed_cycle_leaves_no_trace_on_the_platform(served):
    """What a failed cycle started is undone; the next one is a new one."""
    served.write(utterances(60))
    served.platform.failures["fetch"] = PlatformError("the platform is away")
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "evaluate")
    assert [m.name for m in served.platform.models()] == [served.champion]
    assert not (served.folder / "cycles" / report.cycle.challenger).exists()
    served.platform.failures.clear()
    assert served.run().state.verdict.outcome is Outcome.PROMOTE


def test_a_champion_that_moved_meanwhile_is_not_overwritten(served):
    """If somebody else changed the active model since it was measured, a person has to look."""
    served.write(utterances(60))
    other = served.platform.champion

    def meanwhile(cycle, state, world):
        after = steps["decide"].act(cycle, state, world)
        served.platform.champion = "somebody-elses"
        return after

    steps = {step.name: step for step in CYCLE}
    changed = [replace(s, act=meanwhile) if s.name == "decide" else s for s in CYCLE]
    report = served.run(steps=changed)
    assert report.state.verdict.outcome is Outcome.HOLD
    assert "somebody-elses" in report.state.verdict.reason
    assert other in report.state.verdict.reason
    assert served.platform.champion == "somebody-elses"
    served.platform.champion = other
    again = served.run()
    assert again.cycle.status is Status.COMPLETED, "it has to be measured against what serves now"


def test_an_outside_change_is_put_on_the_ledger(served):
    """The ledger stays the whole story, also of what retrainer did not do."""
    served.write(utterances(60))
    served.run()
    served.platform.champion = served.champion
    served.run()
    newest = served.store.promotions("shop")[0]
    assert (newest.model, newest.reason) == (served.champion, PromotionReason.OUTSIDE)


def does_not_serve(platform, error=None):
    """Steps of a cycle whose challenger does not serve."""

    def unconfirmed(cycle, state, world):
        platform.unconfirmed[cycle.challenger] = error or PlatformError("no answer")
        return act(cycle, state, world)

    act = next(step.act for step in CYCLE if step.name == "promote")
    return [replace(s, act=unconfirmed) if s.name == "promote" else s for s in CYCLE]


def test_a_model_that_does_not_serve_is_rolled_back(served):
    """Promoted but not confirmed: the model before serves again, and the ledger says why."""
    served.write(utterances(60))
    report = served.run(steps=does_not_serve(served.platform))
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "confirm")
    assert f"{served.champion} is back: no answer" in report.error
    assert served.platform.champion == served.champion
    newest = served.store.promotions("shop")[0]
    assert (newest.model, newest.reason) == (served.champion, PromotionReason.ROLLBACK)


def test_a_rollback_is_confirmed_and_told_of(served):
    """What serves after a rollback is asked as after a promotion, and people hear of it."""
    served.write(utterances(60))
    confirmations = served.platform.calls["confirm"]
    report = served.run(steps=does_not_serve(served.platform))
    assert served.platform.calls["confirm"] == confirmations + 2
    told = {p.notifier: p.report for p in served.store.due_notifications() if p.report == report}
    assert set(told) == {"everything", "bad news"}


def test_a_rollback_that_does_not_serve_either_says_so(served):
    """With both models out of order people read what is wrong with each, and what is active."""
    served.write(utterances(60))
    served.platform.unconfirmed[served.champion] = PlatformError("the server is down")
    report = served.run(steps=does_not_serve(served.platform, PlatformError("no answer")))
    assert report.cycle.status is Status.FAILED
    assert f"{served.champion} is back, but is not confirmed to serve either" in report.error
    assert "the server is down" in report.error
    assert "no answer" in report.error
    assert served.platform.champion == served.champion
    assert served.store.promotions("shop")[0].reason is PromotionReason.ROLLBACK


def test_a_rollback_that_fails_says_what_is_active(served):
    """A champion that cannot be brought back is not on the ledger as if it had been."""
    served.write(utterances(60))
    steps = does_not_serve(served.platform)

    def moved(cycle, state, world):
        served.platform.champion = "somebody-elses"
        return act(cycle, state, world)

    act = next(step.act for step in CYCLE if step.name == "confirm")
    report = served.run(steps=[replace(s, act=moved) if s.name == "confirm" else s for s in steps])
    assert f"{served.champion} could not be brought back: somebody-elses is active" in report.error
    assert served.platform.champion == "somebody-elses"
    assert served.store.promotions("shop")[0].reason is PromotionReason.GATE


def test_a_first_model_that_does_not_serve_says_what_to_do(lab):
    """With nothing to go back to, the message names the command that helps."""
    lab.platform.failures["confirm"] = PlatformError("no answer")
    report = lab.run()
    assert "there was no model before it" in report.error
    assert "retrainer promote" in report.tip


def test_a_conflicting_upload_fails_the_cycle(served):
    """Another model under the challenger's name is never overwritten."""
    served.write(utterances(60))
    served.platform.failures["upload"] = ModelConflict("another content")
    report = served.run()
    assert (report.failed_step, report.error) == ("upload", "another content")


def test_retention_keeps_champion_and_predecessor(lab):
    """Old models go by count, but never the champion or the one before it."""
    lab.keep_models = 2
    champion = lab.run().cycle.challenger
    lab.write(utterances(60))
    successor = lab.run().cycle.challenger
    for last in (20, 21, 22):
        lab.write(mislabelled(last))
        newest = lab.run().cycle.challenger
    names = [m.name for m in lab.platform.models()]
    assert {champion, successor} <= set(names)
    assert len(names) == 4
    assert newest in names
    manifests = [records.read_manifest(lab.artifacts, name) for name in names]
    kept = {folder.name for folder in (lab.folder / "snapshots").iterdir() if folder.is_dir()}
    assert {manifest.snapshot for manifest in manifests} == kept


def test_a_source_that_fails_is_a_failed_cycle(served):
    """A pull that cannot be done is recorded, and nothing is touched."""
    served.project = served.folder / "gone"
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "pull")
    assert isinstance(report.error, str)
    assert "gone" in report.error


def test_everybody_who_wants_to_is_told(served):
    """A notification is queued for each notifier that listens to this kind of end."""
    queued = [n.notifier for n in served.store.due_notifications()]
    assert queued == ["everything"]
    (served.project / "data" / "nlu.json").write_text("[broken")
    assert "nlu.json:1: " in served.run().error
    assert [n.notifier for n in served.store.due_notifications()] == [
        "everything",
        "everything",
        "bad news",
    ]


def test_duration_is_recorded(served):
    """A report says when the cycle ended."""
    report = served.run()
    assert report.ended_at - report.cycle.started_at < timedelta(minutes=1)


@pytest.mark.parametrize("record", ["manifest.json", "predictions.json"])
def test_a_damaged_record_of_the_champion_stops_no_cycle(served, record):
    """Answers are asked for again; training data that is not known is said to be unknown."""
    served.artifacts.write(f"models/{served.champion}/{record}", b"{broken")
    report = served.run(force=True)
    assert report.cycle.status is Status.COMPLETED
    assert report.state.evaluation.champion_known == (record != "manifest.json")


@pytest.mark.parametrize("record", ["contents.json", "training_project.json"])
def test_a_lost_record_of_the_cycle_fails_it(served, record):
    """A step that finds the work of an earlier one gone ends the cycle in good order."""

    def lose(cycle, state, world):
        world.artifacts.delete(f"cycles/{cycle.challenger}/{record}")
        return train.act(cycle, state, world)

    train = next(step for step in CYCLE if step.name == "train")
    steps = [replace(s, act=lose) if s.name == "train" else s for s in CYCLE]
    report = served.run(force=True, steps=steps)
    assert report.cycle.status is Status.FAILED
    assert f"{record} that an earlier step wrote is gone" in report.error
    assert served.platform.champion == served.champion


def test_a_challenger_without_its_manifest_is_not_measured(served):
    """Without knowing what it trained on, no example is known to be unseen."""

    def lose(cycle, state, world):
        world.artifacts.delete(f"models/{cycle.challenger}/manifest.json")
        return evaluate.act(cycle, state, world)

    evaluate = next(step for step in CYCLE if step.name == "evaluate")
    steps = [replace(s, act=lose) if s.name == "evaluate" else s for s in CYCLE]
    report = served.run(force=True, steps=steps)
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "evaluate")
    assert "trained on is gone" in report.error


def test_a_champion_whose_answers_are_known_is_not_fetched(served):
    """A model on a far platform is not downloaded to be asked nothing."""
    served.platform.calls.clear()
    served.run(force=True)
    assert served.platform.calls["fetch"] == 0


def test_what_could_not_be_tidied_up_is_said(served):
    """Old models that stay are no reason to fail a cycle, and none to be silent."""
    served.keep_models = 2
    served.platform.failures["remove"] = PlatformError("it is in use")
    for last in (21, 22, 23):
        served.write(mislabelled(last))
        assert served.run().cycle.status is Status.COMPLETED
    assert any("it is in use" in warning for warning in served.listener.warnings)


def test_each_model_is_asked_with_the_code_that_it_was_trained_with(served):
    """Custom components may differ between champion and challenger."""
    first = served.run(force=True).state.snapshot.digest
    served.artifacts.delete(f"models/{served.champion}/predictions.json")
    served.write(utterances(60))
    report = served.run()
    assert report.state.snapshot.digest != first
    assert served.rasa.code[served.champion].name == first
    assert served.rasa.code[report.cycle.challenger].name == report.state.snapshot.digest


def test_a_damaged_version_keeps_every_snapshot(served):
    """What a person may still mend must not lose what it was trained on."""
    orphan = served.folder / "snapshots" / ("0" * 64)
    orphan.mkdir()
    served.platform.problems = ("shop-x: its record cannot be read",)
    served.write(mislabelled(25))
    served.run()
    assert orphan.exists()
    assert any("cannot be read" in warning for warning in served.listener.warnings)
    served.platform.problems = ()
    served.run(force=True)
    assert not orphan.exists()


def test_a_promotion_that_cannot_be_made_fails_the_cycle(served):
    """The platform refuses, nothing changed: the champion serves on, and the ledger has no row."""
    served.write(utterances(60))
    served.platform.failures["activate"] = PlatformError("read-only")
    report = served.run()
    assert (report.cycle.status, report.failed_step) == (Status.FAILED, "promote")
    assert report.error == "read-only"
    assert served.platform.champion == served.champion
    assert len(served.store.promotions("shop")) == 1


def test_a_champion_whose_snapshot_is_gone_is_asked_with_todays_code(served):
    """Its components have most likely not changed, and not asking it would end all comparison."""
    manifest = records.read_manifest(served.artifacts, served.champion)
    shutil.rmtree(served.folder / "snapshots" / manifest.snapshot)
    served.artifacts.delete(f"models/{served.champion}/predictions.json")
    served.write(utterances(60))
    report = served.run()
    assert report.state.verdict.outcome is Outcome.PROMOTE
    assert served.rasa.code[served.champion].name == report.state.snapshot.digest
