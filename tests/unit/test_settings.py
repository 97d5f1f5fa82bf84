"""The configuration: every error names its place, nothing unknown is taken for a default."""

import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from retrainer.domain.policies import DEFAULT
from retrainer.domain.rules import Floor
from retrainer.errors import EXIT_CONFIGURATION, ConfigurationError
from retrainer.settings import find_config, load, policy_of

MINIMAL = """
[assistants.helpdesk]
source = { type = "directory", path = "project" }
"""


def write(folder: Path, content: str) -> Path:
    path = folder / "retrainer.toml"
    path.write_text(content, encoding="utf-8")
    return path


def error_of(folder: Path, content: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(write(folder, content))
    assert caught.value.exit_code == EXIT_CONFIGURATION
    return str(caught.value)


def test_a_minimal_file_is_enough(tmp_path):
    """One assistant with a source is all that has to be said."""
    settings = load(write(tmp_path, MINIMAL))
    assistant = settings.assistants["helpdesk"]
    assert assistant.source.type == "directory"
    assert assistant.source.options == {"path": "project"}
    assert assistant.training.time_limit == timedelta(hours=4)
    assert policy_of(settings, assistant.policy, where=tmp_path) is DEFAULT


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (MINIMAL + "polcy = 'x'", "assistants.helpdesk.polcy: unknown key, did you mean policy?"),
        (MINIMAL + "[assistants.helpdesk.evaluation]\nholdout = 'much'", "evaluation.holdout:"),
        (MINIMAL + "[assistants.helpdesk.evaluation]\nholdout = 1.5", "evaluation.holdout:"),
        (MINIMAL + "[assistants.helpdesk.retention]\nmodels = 1", "retention.models:"),
        (
            MINIMAL + "[assistants.helpdesk.training]\ntime_limit = '4w'",
            "training.time_limit: a dur",
        ),
        (
            MINIMAL + "[assistants.helpdesk.training]\ntime_limit = '0s'",
            "training.time_limit: a dur",
        ),
        (MINIMAL + "must_pass = ['../outside.yml']", "helpdesk.must_pass.0: '../outside.yml' must"),
        (MINIMAL + "policy = 'odd'", "policy: unknown policy 'odd'; known are default"),
        ("databse = 'x'" + MINIMAL, "databse: unknown key, did you mean database?"),
        (
            "[assistants.'Help Desk']\nsource = {type='directory'}",
            "'Help Desk' is not a usable name",
        ),
        ("[assistants.x]", "assistants.x: set `source`, or else `sources`"),
        ("", "assistants: 0 are configured, at least 1 is needed"),
        ("a = [", "not TOML:"),
    ],
)
def test_an_error_names_the_file_and_the_key(tmp_path, content, place):
    """A wrong file is refused with the path of the key, or the line where it is not TOML."""
    message = error_of(tmp_path, content)
    assert place in message
    assert "retrainer.toml" in message


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ("a = { rule = 'flor' }", "policies.p.a.rule: unknown rule 'flor'; known are "),
        ("a = { minimum = 1 }", "policies.p.a.rule: missing"),
        ("a = { rule = 'floor', metric = 'f2', minimum = 0.5 }", "unknown metric 'f2'"),
        ("a = { rule = 'floor', metric = 'accuracy', minimum = 1.5 }", "between 0 and 1, not 1.5"),
        ("a = { rule = 'floor', metric = 'accuracy' }", "policies.p.a.minimum: "),
        (
            "a = { rule = 'must_pass', limit = 1 }",
            "policies.p.a.limit: unknown key; rule must_pass",
        ),
        ("a = { rule = 'must_pass', blocking = 1 }", "policies.p.a.blocking: true or false"),
        ("a = { rule = 'simple', metric = 'fallback_rate' }", "is better when it is lower"),
    ],
)
def test_a_wrong_rule_is_refused_at_the_start(tmp_path, rule, place):
    """A policy that cannot be meant is an error, whether or not an assistant uses it."""
    assert place in error_of(tmp_path, f"{MINIMAL}[policies.p]\n{rule}\n")


def test_the_default_policy_can_be_replaced(tmp_path):
    """A table of the name `default` takes the built-in policy's place; order and names stay."""
    rules = "[policies.default]\nb = {rule='floor', metric='accuracy', minimum=0.5, blocking=false}"
    settings = load(write(tmp_path, MINIMAL + rules))
    policy = policy_of(settings, "default", where=tmp_path)
    (named,) = policy.rules
    assert (named.name, named.blocking, named.rule) == ("b", False, Floor("accuracy", 0.5))


def test_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    """A value of the environment replaces the one of the file, deep in a table too."""
    monkeypatch.setenv("RETRAINER_DATABASE", "postgresql+psycopg://me:canary@host/db")
    monkeypatch.setenv("RETRAINER_ASSISTANTS__HELPDESK__TRAINING__TIME_LIMIT", "90s")
    settings = load(write(tmp_path, MINIMAL + "[assistants.helpdesk.training]\ntime_limit='4h'"))
    assert settings.assistants["helpdesk"].training.time_limit == timedelta(seconds=90)
    assert settings.assistants["helpdesk"].source.options == {"path": "project"}
    assert settings.database is not None
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("RETRAINER_DATABSE", ", did you mean RETRAINER_DATABASE?"),
        ("RETRAINER_RASA_PYTHON", ", did you mean RETRAINER_RASA__PYTHON?"),
        (
            "RETRAINER_ASSISTANTS_HELPDESK__POLICY",
            ", did you mean RETRAINER_ASSISTANTS__HELPDESK__POLICY?",
        ),
        ("RETRAINER_DATABASE__URL", ", did you mean RETRAINER_DATABASE?"),
        ("RETRAINER_XYZZY", ""),
        ("retrainer_databse", ", did you mean RETRAINER_DATABASE?"),
    ],
)
def test_an_unknown_variable_is_refused(tmp_path, variable, hint):
    """A variable that is no option is an error that names it and what it was meant to be."""
    with pytest.raises(ConfigurationError) as caught:
        load(write(tmp_path, MINIMAL), {variable: "secret"})
    assert str(caught.value) == (
        f"the environment variable {variable} is no option of retrainer{hint}"
    )


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("RETRAINER_RASA__PYTHN", "rasa.pythn: unknown key, did you mean python?"),
        ("RETRAINER_RASA__START_LIMIT", "rasa.start_limit: a duration is a number"),
        ("RETRAINER_ASSISTANTS__HELPDESK__POLCY", "assistants.helpdesk.polcy: unknown key"),
        (
            "RETRAINER_ASSISTANTS__HELPDSK__POLICY",
            "assistants.helpdsk: set `source`, or else `sources`",
        ),
        ("RETRAINER_NOTIFIERS__TEAM__TOKEN", "notifiers.team.type: Field required"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path, variable, message):
    """An error in a value that the file does not hold names the variable, never its value."""
    with pytest.raises(ConfigurationError) as caught:
        load(write(tmp_path, MINIMAL), {variable: "hunter2"})
    assert f"the environment variable {variable}: {message}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "variable",
    [
        "RETRAINER_ASSISTANTS__HELPDESK__TRAINING__SEEDS",
        "RETRAINER_ASSISTANTS__HELPDESK__EVALUATION__STORIES",
    ],
)
def test_a_list_in_the_environment_that_is_none_is_named(tmp_path, variable):
    """With how a list is written there, which nobody guesses."""
    path = write(tmp_path, MINIMAL)
    with pytest.raises(ConfigurationError, match=f"variable {variable}: a list or") as caught:
        load(path, {"RETRAINER_STATE_DIR": "x", variable: "1,a"})
    assert caught.value.tip == 'one text of a list is written ["text"]'


def test_an_error_of_the_file_is_not_put_down_to_a_variable(tmp_path):
    """What the file lacks is said of the file, whatever else the environment sets."""
    content = "[assistants.helpdesk]\npolicy = 'default'"
    with pytest.raises(ConfigurationError, match=r"retrainer\.toml: assistants\.helpdesk: set"):
        load(write(tmp_path, content), {"RETRAINER_ASSISTANTS__HELPDESK__DATA": '["nlu"]'})


def test_variables_that_are_no_settings_are_let_through(tmp_path):
    """The config file's own variable, those of the project's tests and others' are no error."""
    others = ("RETRAINER_CONFIG", "RETRAINER_TEST_X", "RETRAINER_BENCH_DATA", "RETRAINERS", "HOME")
    assert load(write(tmp_path, MINIMAL), dict.fromkeys(others, "x")).database is None


def test_the_environment_is_the_one_that_is_given(tmp_path, monkeypatch):
    """A caller that gives an environment of its own is not reached by the process's."""
    monkeypatch.setenv("RETRAINER_DATABASE", "sqlite:////elsewhere.db")
    assert load(write(tmp_path, MINIMAL), {}).database is None


def test_options_of_a_plugin_are_not_shown(tmp_path):
    """Which of them is secret only the plugin knows: no `repr`, `str` or traceback has a value."""
    notifier = "[notifiers.team]\ntype = 'slack'\ntoken = 'xoxb-hunter2'\nchannel = '#hunter2'\n"
    settings = load(write(tmp_path, MINIMAL + notifier))
    team = settings.notifiers["team"]
    assert team.options == {"token": "xoxb-hunter2", "channel": "#hunter2"}
    for shown in (repr(settings), str(settings), repr(team), str(team), f"{team}"):
        assert "hunter2" not in shown
        assert "token=" in shown
    broken = MINIMAL + notifier.replace("type = 'slack'", "tipe = 'hunter2'")
    with pytest.raises(ConfigurationError) as caught:
        load(write(tmp_path, broken))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_file_says_how_to_write_one(tmp_path):
    """The first thing that a newcomer sees names the next command."""
    with pytest.raises(ConfigurationError) as caught:
        find_config(tmp_path / "retrainer.toml")
    assert "retrainer init" in (caught.value.tip or "")


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    """Bytes that are not UTF-8 are named with their position."""
    path = tmp_path / "retrainer.toml"
    path.write_bytes(b"state_dir = '\xff'")
    with pytest.raises(ConfigurationError, match=r"not UTF-8: .* at byte 13"):
        load(path)
