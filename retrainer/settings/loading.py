"""Reading the configuration: TOML file, credentials, environment; each error with its place."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

from retrainer.domain.policies import POLICIES
from retrainer.errors import ConfigurationError
from retrainer.settings.credentials import with_credentials
from retrainer.settings.environment import CONFIG_VARIABLE, place, require_known
from retrainer.settings.model import Settings
from retrainer.settings.policies import policy_of

CONFIG_FILE = "retrainer.toml"


def find_config(given: Path | None) -> Path:
    """The config file: as given, as RETRAINER_CONFIG says, or `retrainer.toml` in this folder.

    Raises:
        ConfigurationError: it is not there.
    """
    path = given or Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)
    if not path.is_file():
        raise ConfigurationError(
            f"{path} is not there, and it has to say which assistants to keep fresh",
            tip="run `retrainer init` to write one, or name yours with --config",
        )
    return path.resolve()


def anchored(config: Path, path: Path) -> Path:
    """A path that stands in a config file, absolute: `~` is a home, a relative one starts there.

    Not resolved: the interpreter of an environment is a link that has to stay one.

    Raises:
        ConfigurationError: there is no such home.
    """
    try:
        return (config.parent / path.expanduser()).absolute()
    except RuntimeError as error:
        raise ConfigurationError(f"{config}: {path}: there is no such home") from error


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this file and of the environment with its credentials, which wins.

    Raises:
        ConfigurationError: with the file and line, or the path of each wrong key or its variable.
    """
    settings = _settings(path, _read(path), with_credentials(environment))
    if not settings.assistants:
        raise ConfigurationError(
            f"{path}: assistants: 0 are configured, at least 1 is needed",
            tip="add a table such as [assistants.helpdesk]; `retrainer init` writes an example",
        )
    _check_policies(path, settings)
    return settings


def load_if_there(
    given: Path | None, environment: Mapping[str, str] = os.environ
) -> tuple[Path, Settings]:
    """For what does without a config file: its path and settings, or the environment's alone.

    Raises:
        ConfigurationError: as `load`; or a file was named, and it is not there.
    """
    path = given or Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)
    if given or CONFIG_VARIABLE in os.environ or path.is_file():
        path = find_config(given)
        return path, load(path, environment)
    return path.absolute(), _settings(path, {}, with_credentials(environment))


def _settings(path: Path, content: dict[str, Any], environment: Mapping[str, str]) -> Settings:
    """The settings of a file's content and of the environment, each key checked."""
    require_known(environment, Settings, content)

    class FileSettings(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is not ours
            env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - that of the process
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            given = EnvSettingsSource(settings_cls)
            given.env_vars = {name.lower(): value for name, value in environment.items()}
            return given, InitSettingsSource(settings_cls, init_kwargs=content)

    try:
        settings: Settings = FileSettings()
    except ValidationError as error:  # which holds values, and so maybe secrets: `from None`
        raise invalid(path, error, Settings, environment=environment, content=content) from None
    except SettingsError as error:
        raise _not_json(environment) or ConfigurationError(f"the environment: {error}") from None
    return settings


def _not_json(environment: Mapping[str, str]) -> ConfigurationError | None:
    """Which variable cannot be read, which is not in the library's own error."""
    for name, value in environment.items():
        alone = EnvSettingsSource(Settings)
        alone.env_vars = {name.lower(): value}
        try:
            alone()
        except SettingsError:
            return ConfigurationError(
                f"the environment variable {name}: a list or table is needed, as JSON",
                tip='one text of a list is written ["text"]',
            )
    return None


def invalid(
    path: Path,
    error: ValidationError,
    model: type[BaseModel],
    *prefix: str,
    environment: Mapping[str, str],
    content: Mapping[str, Any] | None = None,
) -> ConfigurationError:
    """A ValidationError as a person wants it: one line a key, with its path or its variable."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        keys = (*prefix, *map(str, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            known = _keys_at(model, problem["loc"][:-1])
            message = "unknown key" + _did_you_mean(keys[-1], known)
        lines.append(f"{place(path, keys, environment, content)}: {message}")
    return ConfigurationError("\n".join(lines), tip="config.example.toml lists every option")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: not UTF-8: {error.reason} at byte {error.start}"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path}: not readable: {error.strerror}") from error


def _check_policies(path: Path, settings: Settings) -> None:
    for name in settings.policies:
        policy_of(settings, name, where=path)
    for name, assistant in settings.assistants.items():
        try:
            policy_of(settings, assistant.policy, where=path)
        except KeyError:
            known = ", ".join(dict.fromkeys([*POLICIES, *settings.policies]))
            raise ConfigurationError(
                f"{path}: assistants.{name}.policy: unknown policy {assistant.policy!r}; "
                f"known are {known}"
            ) from None


def _keys_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Known keys of the section at `place`, as far as the model tells."""
    here: Any = model
    for part in place:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[str(part)].annotation if part in here.model_fields else None
        else:  # dict[Name, Section]: any key leads to the section
            here = next(iter(getattr(here, "__args__", ())[1:]), None)
    if isinstance(here, type) and issubclass(here, BaseModel):
        return list(here.model_fields)
    return []


def _did_you_mean(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {close[0]}?" if close else ""


#: What a running process cannot change: its files, its connections, its socket.
_FIXED = ("state_dir", "database", "http")


def require_unchanged(config: Path, old: Settings, new: Settings) -> None:
    """Make sure that a running process can go over to the new settings.

    Raises:
        ConfigurationError: something has changed that takes a restart.
    """
    for key in _FIXED:
        if getattr(new, key) != getattr(old, key):
            raise ConfigurationError(
                f"{config}: `{key}` has changed, which takes a restart",
                tip="restart the service: a cycle that runs goes on afterwards",
            )
