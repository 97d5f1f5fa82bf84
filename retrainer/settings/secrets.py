"""Every secret that the configuration holds, so that none of them gets into a log."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from retrainer.settings.model import PluginSettings, Settings
from retrainer.settings.plugins import plugin_of

#: A shorter one would blacken ordinary words; nobody should rely on it anyway.
SHORTEST = 6
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_WEB = ("http", "https")
#: Names of variables and of parameters in a URL whose values are secret.
_SECRET_NAME = re.compile(
    r"(?i)(.*[_-])?(token|password|passwd|pgpassword|secret|sig|"
    r"(api|access|account|storage|secret|private)[_-]?key|secret[_-]access[_-]key)"
)
#: In which group of entry points a plugin's options are looked up, by the option that names it.
_GROUPS = {
    "source": "sources",
    "sources": "sources",
    "platform": "platforms",
    "notifiers": "notifiers",
}


def secret_values(settings: Settings, environment: Mapping[str, str]) -> frozenset[str]:
    """What must not be shown: each secret as it is, and the password in each URL.

    Of the settings and of the options of their plugins, whatever is a `SecretStr`; of the
    environment, variables that are named like a secret, which libraries read by themselves
    (AWS_SECRET_ACCESS_KEY, PGPASSWORD, a proxy's password). Secrets of fewer than 6 characters are
    left out, and so are those of a plugin that is unknown or does not take its options.
    """
    found = set(_of(settings))
    for name, value in environment.items():
        found.update([value] if _SECRET_NAME.fullmatch(name) else [], _in_urls(value))
    return frozenset(secret for secret in found if len(secret) >= SHORTEST)


def _of(value: object, group: str = "") -> Iterator[str]:
    """The secrets in a value of any depth; `group` is that of plugins in it."""
    if isinstance(value, SecretStr | SecretBytes):
        secret = value.get_secret_value()
        yield from _with_parts(secret.decode("latin-1") if isinstance(secret, bytes) else secret)
    elif isinstance(value, PluginSettings):
        yield from _of(_options(value, group))
        yield from _of(value.options)  # in which URLs can be seen, if nothing else
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _of(getattr(value, name), _GROUPS.get(name, ""))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _of(each, group)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _of(each, group)
    elif isinstance(value, str):
        yield from _in_urls(value)


def _options(settings: PluginSettings, group: str) -> BaseModel | None:
    """The plugin's options as its model reads them; None if it does not."""
    plugin = plugin_of(group, settings)
    with suppress(ValidationError):
        if plugin is not None:
            options: BaseModel = plugin.Options.model_validate(settings.options)
            return options
    return None


def _with_parts(secret: str) -> Iterator[str]:
    """The secret; of one that is a URL also what stands for it elsewhere."""
    yield secret
    yield from _in_urls(secret)
    with suppress(ValueError):
        parts = urlsplit(secret)
        if parts.scheme in _WEB:  # a webhook: its path is the secret, and what servers repeat
            yield parts.path
            yield parts.path.rpartition("/")[2]


def _in_urls(text: str) -> Iterator[str]:
    """Passwords and tokens in the addresses of a text, as they are and as they are written."""
    for address in _URL.findall(text):
        with suppress(ValueError):
            parts = urlsplit(address)
            # Without a password the user of a web address is a token; elsewhere he is a user.
            secret = parts.password or (parts.username if parts.scheme in _WEB else None)
            yield from (secret, unquote(secret)) if secret else ()
            for name, value in parse_qsl(parts.query):
                yield from [value] if _SECRET_NAME.fullmatch(name) else []
