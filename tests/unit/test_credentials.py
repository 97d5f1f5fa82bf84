"""Settings from a folder of credentials, as systemd and containers hand them over."""

import os
import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from retrainer.errors import ConfigurationError
from retrainer.settings import load, with_credentials
from retrainer.wiring import Application

MINIMAL = """
[assistants.helpdesk.source]
type = "directory"
path = "project"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "retrainer.toml"
    path.write_text(MINIMAL)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "credentials"
    made.mkdir()
    return made


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    return {"CREDENTIALS_DIRECTORY": str(folder), **more}


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_named_like_a_variable_is_that_variable(config, folder, end):
    """Its content is the value, without the newline that editors put at its end."""
    (folder / "RETRAINER_DATABASE").write_bytes(f"sqlite:////x.db{end}".encode())
    database = load(config, surroundings(folder)).database
    assert database is not None
    assert database.get_secret_value() == "sqlite:////x.db"


def test_only_the_last_newline_is_dropped(config, folder):
    """What else stands in the file belongs to the secret: spaces, and newlines within."""
    (folder / "RETRAINER_HTTP__TOKEN").write_bytes(b" two\nlines \n\n")
    token = load(config, surroundings(folder)).http.token
    assert token is not None
    assert token.get_secret_value() == " two\nlines \n"


def test_deep_options_and_those_of_plugins_may_be_credentials(config, folder):
    """Two underscores stand between keys, case does not matter, as in the environment."""
    prefix = "RETRAINER_ASSISTANTS__HELPDESK__"
    (folder / f"{prefix}TRAINING__TIME_LIMIT").write_text("90s\n")
    (folder / f"{prefix.lower()}source__token").write_text("hunter2\n")
    helpdesk = load(config, surroundings(folder)).assistants["helpdesk"]
    assert helpdesk.training.time_limit == timedelta(seconds=90)
    assert helpdesk.source is not None
    assert helpdesk.source.options == {"path": "project", "token": "hunter2"}


@pytest.mark.parametrize("name", ["RETRAINER_DATABASE", "retrainer_database"])
def test_the_environment_wins_over_a_credential(config, folder, name):
    """One call can be tried with another value; and a credential wins over the file."""
    config.write_text("database = 'sqlite:////file.db'\n" + MINIMAL)
    (folder / "RETRAINER_DATABASE").write_text("sqlite:////credential.db")
    credential = load(config, surroundings(folder)).database
    variable = load(config, surroundings(folder, **{name: "sqlite:////variable.db"})).database
    assert credential is not None
    assert credential.get_secret_value() == "sqlite:////credential.db"
    assert variable is not None
    assert variable.get_secret_value() == "sqlite:////variable.db"


def test_an_unknown_credential_is_refused(config, folder):
    """As an unknown variable is: a mistyped name must not leave an option at its default."""
    (folder / "RETRAINER_DATABSE").write_text("hunter2")
    with pytest.raises(ConfigurationError) as caught:
        load(config, surroundings(folder))
    assert str(caught.value) == (
        f"the credential {folder}/RETRAINER_DATABSE is no option of retrainer, "
        "did you mean RETRAINER_DATABASE?"
    )


def test_a_wrong_value_is_put_down_to_its_file(config, folder):
    """The error names the credential and never its content, on the whole way to the user."""
    file = folder / "RETRAINER_RASA__START_LIMIT"
    file.write_text("hunter2")
    with pytest.raises(ConfigurationError) as caught:
        load(config, surroundings(folder))
    assert f"the credential {file}: rasa.start_limit: a duration is" in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_option_of_a_plugin_is_put_down_to_its_file(config, folder):
    """Plugins check their own options later, and their errors name the credential too."""
    file = folder / "RETRAINER_ASSISTANTS__HELPDESK__SOURCE__TOKEN"
    file.write_text("hunter2")
    application = Application.from_config(config, surroundings(folder))
    with pytest.raises(ConfigurationError) as caught:
        application.source("helpdesk")
    assert str(caught.value) == (
        f"the credential {file}: assistants.helpdesk.source.token: unknown key"
    )


def test_files_of_other_names_are_none_of_ours(config, folder):
    """Keys of other programs, and the folders that Kubernetes keeps beside its files, may be there."""
    (folder / "deploy_key").write_bytes(b"\xff")
    (folder / "RETRAINERS").write_text("x")
    (folder / "..data").mkdir()
    assert load(config, surroundings(folder)).model_dump() == load(config, {}).model_dump()


def test_a_link_to_a_file_is_read(config, folder):
    """Kubernetes mounts a secret as links, so that it can exchange all of it at once."""
    (folder / "..data").mkdir()
    (folder / "..data" / "RETRAINER_RECORDS").write_text("memory://records")
    (folder / "RETRAINER_RECORDS").symlink_to("..data/RETRAINER_RECORDS")
    assert load(config, surroundings(folder)).records == "memory://records"


def test_credentials_are_read_anew_each_time(config, folder):
    """A config that is read again takes up a secret that was exchanged."""
    file = folder / "RETRAINER_RECORDS"
    file.write_text("memory://old")
    before = Application.from_config(config, surroundings(folder)).settings
    file.write_text("memory://new")
    after = Application.from_config(config, surroundings(folder)).settings
    assert (before.records, after.records) == ("memory://old", "memory://new")


def test_a_folder_that_is_not_there_is_an_error(config, tmp_path):
    """The service must not run on without the secrets that it was meant to get."""
    with pytest.raises(ConfigurationError, match=r"missing cannot be read: No such file") as caught:
        load(config, surroundings(tmp_path / "missing"))
    assert str(caught.value).startswith("CREDENTIALS_DIRECTORY: ")


def test_the_config_file_cannot_be_named_by_a_credential(config, folder):
    """It is looked for before credentials are read, so that such a one would have no effect."""
    (folder / "RETRAINER_CONFIG").write_text("/elsewhere.toml")
    with pytest.raises(ConfigurationError, match="comes too late"):
        load(config, surroundings(folder))


def test_what_is_no_file_of_text_is_refused(config, folder):
    """A folder, a pipe that would never end, binary content and a huge file are named errors."""
    file = folder / "RETRAINER_DATABASE"
    file.mkdir()
    with pytest.raises(ConfigurationError, match="is not a file"):
        load(config, surroundings(folder))
    file.rmdir()
    os.mkfifo(file)
    with pytest.raises(ConfigurationError, match="is not a file"):
        load(config, surroundings(folder))
    file.unlink()
    file.write_bytes(b"hunter2\xff")
    with pytest.raises(ConfigurationError, match=r"not UTF-8: .* at byte 7") as caught:
        load(config, surroundings(folder))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    file.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(ConfigurationError, match="larger than 1048576 bytes"):
        load(config, surroundings(folder))


def test_no_secret_is_shown(folder):
    """What holds the credentials shows none of them."""
    (folder / "RETRAINER_DATABASE").write_text("hunter2")
    both = with_credentials(surroundings(folder, HOME="/root"))
    assert dict(both)["RETRAINER_DATABASE"] == "hunter2"
    assert len(both) == 3
    assert "hunter2" not in repr(both) + str(both)
