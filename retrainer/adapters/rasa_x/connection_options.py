"""How the config describes the connection to a Rasa X server."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


class ConnectionOptions(BaseModel):
    """Options of everything that speaks to Rasa X; sources and platforms extend them."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str
    """Address of the server, with or without `/api`."""

    project: str = Field(default="default", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the project; Rasa X knows hardly any other than "default"."""

    api_token: SecretStr | None = None
    """API token of a user; or else `username` and `password`, or `token`."""

    username: str | None = None
    """Name of a user who logs in; that of the Community Edition is "me"."""

    password: SecretStr | None = None
    """Password of that user."""

    token: SecretStr | None = None
    """Service token of the deployment (RASA_X_TOKEN)."""

    ca_file: Path | None = None
    """File of the certificate authorities to trust, an absolute path; empty: the usual ones."""

    verify: bool = True
    """Whether the server's certificate is checked."""

    era: Literal["auto", "2018", "2019", "2020", "2021", "1.x"] = "auto"
    """Which years' protocol the server speaks; "auto" asks it."""

    timeout: float = Field(default=30.0, gt=0, le=3600, allow_inf_nan=False)
    """Seconds to wait for an answer."""

    transfer_timeout: float = Field(default=3600.0, gt=0, le=86400, allow_inf_nan=False)
    """Seconds that an upload, a download or an evaluation may take."""

    @field_validator("url")
    @classmethod
    def _usable(cls, url: str) -> str:
        if not _URL.fullmatch(url):
            raise ValueError("it must be like https://HOST, without user, password, ? and #")
        return url

    @field_validator("ca_file")
    @classmethod
    def _readable(cls, file: Path | None) -> Path | None:
        if file is not None and not (file.is_absolute() and file.is_file()):
            raise ValueError(f"'{file}' is not the absolute path of a file")
        return file

    @model_validator(mode="after")
    def _one_who_asks(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if sum(map(bool, (self.api_token, self.username, self.token))) != 1:
            raise ValueError("set one of: api_token; username and password; token")
        return self

    @property
    def root(self) -> str:
        """The address without `/api` and without a slash at its end."""
        return self.url.rstrip("/").removesuffix("/api").rstrip("/")

    @property
    def trust(self) -> bool | str:
        """Which certificates are trusted, in the words of `Http`."""
        return str(self.ca_file) if self.ca_file and self.verify else self.verify

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        given = (self.api_token, self.password, self.token)
        return tuple(secret.get_secret_value() for secret in given if secret)
