"""What a shell script sees of `run-once`: exit codes, JSON, and assistants that share a file."""

import pytest
from support.commands import ASSISTANT, POLICY, Workplace, utterances

pytestmark = [pytest.mark.end_to_end, pytest.mark.rasa]


def test_nothing_changed(place: Workplace):
    """A skipped night ends with 12 under --exit-code and starts no Rasa."""
    before = place.logs()
    place.run("run-once", "--exit-code", code=12)
    place.run("run-once")
    assert place.logs() == before
    assert [row["status"] for row in place.history()] == ["skipped", "skipped", "completed"]
    assert place.history()[0]["same_as"] == 1


def test_rejected_and_dry_run(place: Workplace):
    """A dry run says what would be and leaves no trace; the real one ends with 10."""
    champion = place.champion()
    intents = utterances()
    place.write({"greet": intents["order"], "order": intents["greet"], "bye": intents["bye"]})
    (document,) = place.documents("run-once", "--dry-run", "--json", "--exit-code", code=10)
    assert (document["verdict"]["outcome"], document["cycle"]["dry_run"]) == ("reject", True)
    assert [model["model"] for model in place.documents("models", "--json")] == [champion]
    answer = place.run("run-once", "--exit-code", code=10)
    assert "order me a red pizza" in answer.out
    assert place.champion() == champion
    assert len(place.documents("models", "--json")) == 2
    (shown,) = place.documents("show", "--json")
    assert shown["cycle"]["number"] == place.history()[0]["number"]
    place.run("show", str(shown["cycle"]["number"]))


def test_a_rejected_model_is_promoted_by_force_alone(place: Workplace):
    """A person may go against the verdict, and the ledger says so, who and why."""
    intents = utterances()
    place.write({"greet": intents["order"], "order": intents["greet"], "bye": intents["bye"]})
    (document,) = place.documents("run-once", "--json")
    model, cycle = document["cycle"]["challenger"], document["cycle"]["number"]
    refused = place.run("promote", model, "--reason", "I know better", code=1)
    assert refused.errors == [
        f"cycle {cycle} says REJECT to {model}; `retrainer show {cycle}` says why"
    ]
    assert "--force" in refused.err
    place.run("promote", model, "--reason", "I know better", "--force")
    assert place.champion() == model
    newest, *_ = place.documents("ledger", "--json")
    assert newest["note"] == f"forced against REJECT of cycle {cycle}: I know better"
    assert newest["actor"] != "unknown"


def test_of_several_assistants_one_is_broken_and_one_is_held(trained: Workplace, tmp_path):
    """Each gets its cycle; a failure decides the exit code, and the verdict is no failure."""
    place = Workplace.make(tmp_path / "place", trained.rasa_python, "broken", "shop")
    place.configure(
        ASSISTANT.format(name="broken")
        + ASSISTANT.format(name="shop").replace("easy", "careful")
        + POLICY
        + '[policies.careful]\nbetter = { rule = "simple", metric = "f1_weighted" }\n'
    )
    (place.folder / "broken" / "domain.yml").unlink()
    place.run("run-once", "--assistant", "shop", "--exit-code", code=11)
    answer = place.run("run-once", "--exit-code", code=1)
    ends = [(row["assistant"], row["status"], row["verdict"]) for row in place.history()]
    assert ends == [
        ("shop", "skipped", None),
        ("broken", "failed", None),
        ("shop", "completed", "hold"),
    ]
    assert "no domain in" in answer.out
    assert place.champion("shop") is None
    place.run("run-once", "--assistant", "other", code=78)
