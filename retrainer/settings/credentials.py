"""Settings in files of a folder: systemd's credentials, and the secrets of containers.

A file there that is named like a variable of the environment counts as that variable:
$CREDENTIALS_DIRECTORY/RETRAINER_DATABASE holds the option `database`. A variable that is set in the
environment too wins, so that one call can be tried with another value.
"""

from collections.abc import Mapping
from pathlib import Path

from retrainer.errors import ConfigurationError
from retrainer.settings.environment import CONFIG_VARIABLE, PREFIX, Surroundings

FOLDER_VARIABLE = "CREDENTIALS_DIRECTORY"
#: Bytes of one file: as many as systemd allows for all credentials of a service.
_LARGEST = 1 << 20


def with_credentials(environment: Mapping[str, str]) -> Surroundings:
    """The environment, and the files of the folder that its CREDENTIALS_DIRECTORY names.

    Files of other names are none of ours. Each call reads the files anew.

    Raises:
        ConfigurationError: the folder or one of its files cannot be read.
    """
    if isinstance(environment, Surroundings):
        return environment
    folder = environment.get(FOLDER_VARIABLE)
    given = {name.upper() for name in environment}
    files = {
        file.name: file
        for file in (_settings_in(Path(folder)) if folder else ())
        if file.name.upper() not in given
    }
    contents = {name: _content(file) for name, file in files.items()}
    return Surroundings(environment, files, contents)


def _settings_in(folder: Path) -> list[Path]:
    try:
        found = sorted(file for file in folder.iterdir() if file.name.upper().startswith(PREFIX))
    except OSError as error:
        raise ConfigurationError(
            f"{FOLDER_VARIABLE}: {folder} cannot be read: {error.strerror}",
            tip="it names the folder of the credentials; unset it if there are none",
        ) from error
    for file in found:
        if file.name.upper() == CONFIG_VARIABLE:
            raise ConfigurationError(
                f"the credential {file} comes too late to say where the config file is",
                tip=f"set {CONFIG_VARIABLE} in the environment, or use --config",
            )
    return found


def _content(file: Path) -> str:
    """What the file holds, without the newline that editors put at its end."""
    try:
        if not file.is_file():  # a pipe would never end
            raise ConfigurationError(f"the credential {file} is not a file")
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the credential {file} cannot be read: {error.strerror}",
            tip="the user that retrainer runs as has to be able to read it",
        ) from error
    if len(content) > _LARGEST:
        raise ConfigurationError(f"the credential {file} is larger than {_LARGEST} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the credential {file} is not UTF-8: {error.reason} at byte {error.start}"
        ) from None  # the cause holds the content
    return text.removesuffix("\n").removesuffix("\r")
