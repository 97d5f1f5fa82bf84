"""What `retrainer check` and the step `validate` share: one reading of a project, one judgement."""

import pytest
from support.worlds import Laboratory

from retrainer.domain.cycle import Finding, Severity, Status
from retrainer.errors import ProjectError
from retrainer.pipeline import data_steps

WARNING = Finding(Severity.WARNING, "an unused response", "domain.yml", 3)
ERROR = Finding(Severity.ERROR, "a duplicate", "domain.yml", 4)


def inspect(laboratory: Laboratory) -> data_steps.Inspection:
    world = laboratory.world()
    return data_steps.inspect(laboratory.project, world.assistant, world.rasa, world.find_project)


def test_a_sound_project(tmp_path):
    """Examples, must-pass utterances and Rasa's findings are all in the inspection."""
    laboratory = Laboratory(tmp_path)
    laboratory.rasa.findings = (WARNING,)
    found = inspect(laboratory)
    assert len(found.contents.examples) == 50
    assert len(found.contents.must_pass) == 2
    assert found.findings == (WARNING,)


def test_findings_name_files_as_the_project_does(tmp_path):
    """No finding names the folder that the project was copied to."""
    laboratory = Laboratory(tmp_path)
    inside = f"{laboratory.project}/data/nlu.json"
    laboratory.rasa.findings = (Finding(Severity.WARNING, f"see {inside}", inside, 1),)
    (finding,) = inspect(laboratory).findings
    assert str(finding) == "data/nlu.json:1: see data/nlu.json"


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_fatal(strict):
    """Errors always are, warnings if the user wants it so; nothing else is."""
    found = data_steps.fatal([WARNING, ERROR], fail_on_warnings=strict)
    assert found == ((WARNING, ERROR) if strict else (ERROR,))
    data_steps.require_sound([], fail_on_warnings=strict)
    with pytest.raises(ProjectError, match="that must be mended, 0 are allowed"):
        data_steps.require_sound([WARNING, ERROR], fail_on_warnings=strict)


def test_a_must_pass_utterance_may_have_to_be_refused(tmp_path):
    """Rasa's fallback is no intent of the training data, and may be asked for all the same."""
    laboratory = Laboratory(tmp_path)
    laboratory.write({"track": ["a", "b"], "cancel": ["c", "d"]}, {"blah": "nlu_fallback"})
    assert inspect(laboratory).findings == ()
    laboratory.write({"track": ["a", "b"], "cancel": ["c", "d"]}, {"blah": "nlu_fallbak"})
    (finding,) = inspect(laboratory).findings
    assert "unknown intent 'nlu_fallbak'" in finding.message


def test_an_unknown_must_pass_intent_is_fatal(tmp_path):
    """An utterance that no model could ever understand stops the check as it stops the cycle."""
    laboratory = Laboratory(tmp_path)
    laboratory.write({"track": ["a", "b"], "cancel": ["c", "d"]}, {"hello": "refund"})
    (finding,) = inspect(laboratory).findings
    assert finding.severity is Severity.ERROR
    assert "unknown intent 'refund'" in finding.message
    assert laboratory.run().cycle.status is Status.FAILED
