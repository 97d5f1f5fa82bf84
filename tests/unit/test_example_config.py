"""config.example.toml against the model that reads it."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from retrainer.domain.metrics import LOWER_IS_BETTER, METRICS
from retrainer.domain.rules import RULES
from retrainer.pipeline.conclusion import EVENTS
from retrainer.settings import load, policy_of
from retrainer.settings.model import AssistantSettings, NotifierSettings, Settings, TokenSettings

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
CONTENT = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
ASSISTANT = "assistants.helpdesk"
_TABLES = {"policies", "notifiers", "assistants", "tokens"}


def options(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every option below a model as (dotted key, default)."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        annotation = field.annotation
        default = field.get_default(call_default_factory=True)
        if isinstance(annotation, type) and issubclass(annotation, NotifierSettings):
            continue
        if isinstance(default, BaseModel) and not default.model_extra and name != "platform":
            yield from options(type(default), f"{key}.")
        elif name not in _TABLES and name not in {"source", "sources", "platform"}:
            yield key, default


def plugin_options() -> Iterator[tuple[str, object]]:
    for group, name, table in (
        ("sources", "directory", f"{ASSISTANT}.source"),
        ("sources", "git", "assistants.bank.source"),
        ("sources", "rasa_x", "assistants.shop.source"),
        ("platforms", "embedded", f"{ASSISTANT}.platform"),
        ("platforms", "rasa_server", "assistants.bank.platform"),
        ("platforms", "rasa_x", "assistants.shop.platform"),
        ("platforms", "object_storage", "assistants.faq.platform"),
        ("notifiers", "console", "notifiers.terminal"),
        ("notifiers", "slack", "notifiers.team"),
        ("notifiers", "git", "notifiers.repository"),
        ("notifiers", "mlflow", "notifiers.experiments"),
    ):
        (point,) = entry_points(group=f"retrainer.{group}", name=name)
        yield from options(point.load().Options, f"{table}.")


ALL = [
    *options(Settings),
    *options(AssistantSettings, f"{ASSISTANT}."),
    *options(TokenSettings, "http.tokens.pipeline."),
    *plugin_options(),
]


def written(key: str) -> object:
    here: object = CONTENT
    for part in key.split("."):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here


@pytest.mark.parametrize(("key", "default"), ALL, ids=[key for key, _ in ALL])
def test_the_example_has_every_option_with_its_default(key, default):
    """Each option stands in the example: with its default, or commented out where it is empty."""
    value = written(key)
    if default is None or default is PydanticUndefined:
        name = key.rpartition(".")[2]
        commented = re.search(rf"^#? ?{name} = ", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
        assert commented, f"{key} is not in config.example.toml"
        return
    assert value is not None, f"{key} is not in config.example.toml"
    normal = tuple(value) if isinstance(value, list) else value
    if isinstance(normal, str) and hasattr(default, "total_seconds"):
        unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}[normal[-1]]
        assert float(normal[:-1]) * unit == default.total_seconds()
    else:
        assert str(normal) == str(default)


def test_the_example_has_no_option_that_is_not_known():
    """The example can be used as it is: every key in it is understood."""
    settings = load(EXAMPLE)
    policy = policy_of(settings, "default", where=EXAMPLE)
    assert {type(named.rule) for named in policy.rules} == set(RULES.values())


def test_the_example_names_every_metric_and_event():
    """A reader finds all words that the config understands."""
    text = EXAMPLE.read_text(encoding="utf-8")
    missing = [word for word in [*METRICS, *EVENTS] if not re.search(rf"\b{word}\b", text)]
    assert set(missing) <= LOWER_IS_BETTER


def test_every_option_of_the_example_has_a_comment():
    """No option is left to be guessed: a comment stands above it or above its table."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    bare = [
        line for before, line in pairwise(lines) if re.match(r"[a-z_]+ = ", line) and not before
    ]
    assert bare == []
