"""Where a git repository is, and how its server is told who asks.

Everything secret goes to git through the environment of its process: nothing of it stands in the
list of processes, in a configuration file or in an error.
"""

import os
import re
import shlex
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from retrainer.adapters.http.redaction import redacted
from retrainer.adapters.processes import proxies
from retrainer.errors import ConfigurationError

#: Bytes of one file that git, git-lfs and DVC may write, such as a pack of a whole history.
LARGEST_FILE = 20 * 1000**3
#: `user@host:path`, which git takes for ssh as well.
_SHORT_SSH = re.compile(r"(?:[\w.+-]+@)?[\w.-]{2,}:(?!//)[^\s]+")
#: What git allows in the name of a branch or a tag, but for what only its own commands need.
_REFERENCE = re.compile(r"(?!-)(?!.*(?:\.\.|//|@\{|\.lock$|/$|\.$))[^\s\x00-\x20\x7f~^:?*\[\\]+")
_WEB = ("https", "http")
_SCHEMES = ("", "ssh", "file", *_WEB)
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
#: Of our own environment, what git and ssh need to know the user's keys and settings.
_PASSED_ON = ("SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
#: Takes user and token from the environment, so that the process list holds their names alone.
_CREDENTIALS = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$RETRAINER_GIT_USERNAME" "$RETRAINER_GIT_TOKEN"; }; f'
)
#: Nothing that a repository holds may start a program or choose how others are spoken to.
_SAFE: Mapping[str, str] = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "gc.autoDetach": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.ssh.allow": "always",
    # What lies in Git LFS is fetched by name, and only what the project needs of it.
    "filter.lfs.required": "false",
    "filter.lfs.smudge": "",
    "filter.lfs.clean": "",
    "filter.lfs.process": "",
}


def require_reference(name: str) -> str:
    """The name, if a branch or a tag may have it; empty is allowed. Raises ValueError if not."""
    if name and not _REFERENCE.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a branch or a tag")
    return name


def require_inside(path: str) -> str:
    """The path, if it stays in the repository; raises ValueError if not."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} must lie inside the repository")
    return path


class GitOptions(BaseModel):
    """Options that say where a repository is; for the source and for writing back."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str
    """Address of the repository: https://, ssh://, git@host:path, or a folder of this machine."""

    username: str = Field(default="git", pattern=r"^[^\x00-\x1f\x7f]+$")
    """User name for https; most servers take any beside a token."""

    token: SecretStr | None = None
    """Access token or password for https."""

    key_file: Path | None = None
    """Private key for ssh; empty: what the ssh agent and ~/.ssh have."""

    known_hosts: Path | None = None
    """File of the host keys that ssh trusts; empty: ~/.ssh/known_hosts."""

    trust_new_hosts: bool = False
    """Whether ssh trusts a host that it sees for the first time, and keeps its key."""

    ca_file: Path | None = None
    """File of certificate authorities for https; empty: those of this machine."""

    ssh: tuple[str, ...] = Field(default=("ssh",), min_length=1)
    """The ssh program, with options of your own."""

    git: str = "git"
    """The git program, 2.31 or newer."""

    timeout: float = Field(default=600.0, gt=0, le=86_400, allow_inf_nan=False)
    """Seconds that one exchange with the server may take."""

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        if not url or url.startswith("-") or re.search(r"[\x00-\x1f\x7f]", url):
            raise ValueError("the address of a repository is needed")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError("it is not a URL") from None
        if "::" in url.partition("/")[0] or parts.scheme not in _SCHEMES:
            if not _SHORT_SSH.fullmatch(url):
                raise ValueError("https://, ssh://, git@host:path or a folder is needed")
            return url
        user, at, _ = url.partition("@")
        if at and (parts.scheme in _WEB or (parts.scheme == "ssh" and user.count(":") > 1)):
            raise ValueError("leave user and password out of it: set username and token")
        return url

    @field_validator("token")
    @classmethod
    def _one_line(cls, token: SecretStr | None) -> SecretStr | None:
        if token and re.search(r"[\x00-\x1f\x7f]", token.get_secret_value()):
            raise ValueError("a line break or another control character is in it")
        return token

    @model_validator(mode="after")
    def _kept_secret(self) -> Self:
        if self.token and not self.url.startswith("https://"):
            host = urlsplit(self.url).hostname or ""
            if not (self.url.startswith("http://") and _LOOPBACK.fullmatch(host)):
                raise ValueError("a token is for https:// only; for ssh set key_file")
        return self


@dataclass(frozen=True)
class GitRemote:
    """A repository of a server. `place` is its address as people see it, `url` as git does.

    `environment` is for the git process; `secrets` are never shown. `git` is the program,
    `timeout` the seconds that one exchange may take.
    """

    url: str
    place: str
    git: str
    timeout: float
    environment: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_options(cls, options: GitOptions, *, folder: Path) -> Self:
        """The repository that the options describe; relative paths start at `folder`.

        Raises:
            ConfigurationError: a file that they name does not exist.
        """
        url = _address(options.url, folder)
        given = options.token.get_secret_value() if options.token else ""
        # As git sends it; a server's error, which git prints, may repeat that.
        sent = b64encode(f"{options.username}:{given}".encode()).decode()
        configuration = {**_SAFE, **_of_protocol(url, options, folder)}
        environment = {
            **proxies(with_passwords=True),
            "LC_ALL": "C",  # its words are read by `git_faults`
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS_REQUIRE": "never",
            "GCM_INTERACTIVE": "never",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_SSH_VARIANT": "ssh",
            "GIT_SSH_COMMAND": shlex.join(_ssh(options, folder)),
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        }
        if given:
            environment |= {
                "RETRAINER_GIT_USERNAME": options.username,
                "RETRAINER_GIT_TOKEN": given,
            }
        return cls(
            url=url,
            place=redacted(url, (given,)),
            git=options.git,
            timeout=options.timeout,
            environment=environment | _as_environment(configuration),
            secrets=(given, sent) if given else (),
        )


def _address(url: str, folder: Path) -> str:
    """The URL; of a folder its absolute path."""
    if "://" in url or _SHORT_SSH.fullmatch(url):
        return url
    return str((folder / Path(url).expanduser()).resolve())


def _of_protocol(url: str, options: GitOptions, folder: Path) -> dict[str, str]:
    """The part of git's configuration that depends on the protocol."""
    parts = urlsplit(url)
    if url.startswith(("/", "file://")):
        # `user`: as the address that was configured, never as one that a repository names.
        return {"protocol.file.allow": "user"}
    if parts.scheme not in _WEB:
        return {}
    server = f"{parts.scheme}://{parts.netloc}"
    configuration = {
        f"protocol.{parts.scheme}.allow": "always",
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": str(max(1, int(options.timeout))),
    }
    if options.ca_file:
        configuration["http.sslCAInfo"] = str(_existing(options.ca_file, folder, "ca_file"))
    if options.token:
        configuration |= {"credential.helper": "", f"credential.{server}.helper": _CREDENTIALS}
    return configuration


def _ssh(options: GitOptions, folder: Path) -> list[str]:
    """The ssh command, which never asks anybody anything."""
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "accept-new" if options.trust_new_hosts else "yes",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(max(1, int(min(options.timeout, 30)))),
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
        "ControlPath": "none",  # a shared connection would outlive git
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
    }
    if options.known_hosts:
        known = _absolute(options.known_hosts, folder)
        settings["UserKnownHostsFile"] = f'"{known}"'
    words = [*options.ssh, *(w for k, v in settings.items() for w in ("-o", f"{k}={v}"))]
    if options.key_file:
        key = _existing(options.key_file, folder, "key_file")
        words += ["-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
    return words


def _existing(path: Path, folder: Path, key: str) -> Path:
    found = _absolute(path, folder)
    if not found.is_file():
        raise ConfigurationError(
            f"{key} names {found}, which is not a file", tip=f"correct {key} in the config"
        )
    return found


def _absolute(path: Path, folder: Path) -> Path:
    return (folder / path.expanduser()).absolute()


def _as_environment(configuration: Mapping[str, str]) -> dict[str, str]:
    """Settings of git for one process, over those of all its configuration files."""
    pairs = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for number, (key, value) in enumerate(configuration.items()):
        pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return pairs
