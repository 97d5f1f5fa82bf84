"""From the config file to things: where paths lead, and that looking makes nothing."""

import traceback
from pathlib import Path

import pytest

from retrainer.errors import ConfigurationError, SchemaError
from retrainer.settings import RasaSettings, TrainingSettings
from retrainer.store import schema
from retrainer.store.engine import make_engine
from retrainer.wiring import Application
from retrainer.wiring.rasa_interpreter import time_limits

MINIMAL = """
[assistants.shop]
source = { type = "directory", path = "project" }
"""


def application(folder: Path, content: str = "", **variables: str) -> Application:
    folder.mkdir(exist_ok=True)
    config = folder / "retrainer.toml"
    config.write_text(content + MINIMAL)
    return Application.from_config(config, variables)


PATHS = [
    ("~/there", "{home}/there"),
    ("there", "{folder}/there"),
    ("../there", "{folder}/../there"),
    ("/there", "/there"),
]


@pytest.mark.parametrize(("given", "expected"), PATHS)
@pytest.mark.parametrize("by_variable", [False, True])
def test_paths_start_at_the_config_file(tmp_path, monkeypatch, given, expected, by_variable):
    """`~` is the home; a relative path starts at the config file, not where the command runs."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir("/")
    folder = tmp_path / "folder"
    variables = {
        "RETRAINER_STATE_DIR": given,
        "RETRAINER_RASA__PYTHON": given,
        "RETRAINER_RASA__ENVIRONMENT": given,
    }
    content = f"state_dir = '{given}'\n[rasa]\npython = '{given}'\nenvironment = '{given}'\n"
    made = application(folder, **variables) if by_variable else application(folder, content)
    path = Path(expected.format(home=tmp_path / "home", folder=folder))
    assert made.state_dir == path.resolve()
    assert made.interpreter.own == path
    assert made.interpreter.environment == path


@pytest.mark.parametrize(("given", "expected"), PATHS)
def test_a_database_file_starts_there_too(tmp_path, monkeypatch, given, expected):
    """The same rule holds for the path in an SQLite URL."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "folder"
    made = application(folder, f"database = 'sqlite:///{given}'\n")
    path = expected.format(home=tmp_path / "home", folder=folder)
    assert made.bare_engine.url.database == path


def test_an_interpreter_s_link_is_kept(tmp_path):
    """The interpreter of an environment is a link, and resolved it would be another one."""
    (tmp_path / "python").symlink_to("/bin/sh")
    made = application(tmp_path, "[rasa]\npython = 'python'\n")
    assert made.interpreter.own == tmp_path / "python"


def test_an_unknown_home_is_refused(tmp_path):
    """A home that does not exist is an error, not a folder called ~nobody-of-that-name."""
    made = application(tmp_path, "state_dir = '~nobody-of-that-name/x'\n")
    with pytest.raises(ConfigurationError, match="~nobody-of-that-name/x: there is no such home"):
        _ = made.state_dir


def test_the_past_is_looked_at_without_making_it(tmp_path):
    """Reading before the first cycle finds nothing, and leaves nothing behind."""
    assert application(tmp_path).past is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["retrainer.toml"]


def test_the_past_has_the_right_schema(tmp_path):
    """A database of another schema is refused, one of this version's is read."""
    engine = make_engine(f"sqlite:///{tmp_path}/.retrainer/retrainer.db")
    schema.upgrade(engine)
    assert application(tmp_path).past is not None
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE retrainer_schema SET version_num = '9999'")
    with pytest.raises(SchemaError, match="newer"):
        _ = application(tmp_path).past


def test_an_error_in_a_plugin_s_options_names_the_variable_and_no_value(tmp_path):
    """A secret that comes from the environment is not repeated, the variable is."""
    made = application(
        tmp_path,
        "[notifiers.team]\ntype = 'slack'\n",
        RETRAINER_NOTIFIERS__TEAM__TOKN="hunter2",
        RETRAINER_NOTIFIERS__TEAM__WEBHOOK_URL="hunter2",
    )
    with pytest.raises(ConfigurationError) as caught:
        _ = made.notifiers
    assert (
        "the environment variable RETRAINER_NOTIFIERS__TEAM__TOKN: notifiers.team.tokn: "
        "unknown key, did you mean token?"
    ) in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in repr(made)


def test_every_time_limit_names_its_key():
    """What a message advises to raise is an option that exists, with the configuration's default."""
    limits = time_limits(RasaSettings(), TrainingSettings(), "assistants.shop.training")
    assert limits.of("start") == (300.0, "rasa.start_limit")
    assert limits.of("read") == (600.0, "rasa.read_limit")
    assert limits.of("train") == (14_400.0, "assistants.shop.training.time_limit")
    assert limits.of("predict") == (3600.0, "rasa.predict_limit")


SEVERAL = """
[assistants.shop.sources]
annotations = { type = "directory", path = "annotations" }
code = { type = "directory", path = "code" }
"""


def test_a_project_may_come_from_several_sources(tmp_path):
    """Each named source gives its part, and the snapshot says which came from where."""
    for name, file in (("annotations", "data/nlu.yml"), ("code", "config.yml")):
        path = tmp_path / name / file
        path.parent.mkdir(parents=True)
        path.write_text(name)
    (tmp_path / "retrainer.toml").write_text(SEVERAL)
    (tmp_path / "into").mkdir()
    source = Application.from_config(tmp_path / "retrainer.toml", {}).source("shop")
    origins = source.pull(tmp_path / "into")
    assert [(o.source, o.place) for o in origins] == [
        ("annotations", str(tmp_path / "annotations")),
        ("code", str(tmp_path / "code")),
    ]
    assert (tmp_path / "into/data/nlu.yml").read_text() == "annotations"
    assert (tmp_path / "into/config.yml").read_text() == "code"


@pytest.mark.parametrize("content", ["[assistants.x]", f"{SEVERAL}\n[assistants.shop.source]\n"])
def test_a_project_comes_from_one_source_or_from_named_ones(tmp_path, content):
    """Neither and both are mistakes."""
    (tmp_path / "retrainer.toml").write_text(content.replace("source]", 'source]\ntype = "x"'))
    with pytest.raises(ConfigurationError, match="set `source`, or else `sources`"):
        Application.from_config(tmp_path / "retrainer.toml", {})


def test_a_notifier_may_be_for_some_assistants_only(tmp_path):
    """A channel hears of its own assistants; an unknown one is a mistake."""
    told = '[notifiers.team]\ntype = "console"\nassistants = ["{}"]\n'
    other = '[assistants.other]\nsource = { type = "directory", path = "project" }\n'
    made = application(tmp_path, told.format("other") + other)
    assert made.told_of("shop") == {}
    assert made.told_of("other") == {
        "team": frozenset({"promoted", "held", "rejected", "failed", "abandoned"})
    }
    with pytest.raises(ConfigurationError, match="no assistant 'typo'"):
        _ = application(tmp_path, told.format("typo")).notifiers
