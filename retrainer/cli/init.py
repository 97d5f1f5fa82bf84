"""`retrainer init`: a configuration for the Rasa project in this folder."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from retrainer.cli.output import say
from retrainer.errors import ConfigurationError, StorageError
from retrainer.settings.loading import CONFIG_FILE

_MUST_PASS = "tests/must_pass.yml"  # noqa: S105 - utterances, not a password

_CONFIG = """\
# retrainer: keeps this assistant's model fresh. config.example.toml lists every option.

[assistants.{name}]
must_pass = ["{must_pass}"]
policy = "default"

[assistants.{name}.source]
type = "directory"
path = "{project}"

[assistants.{name}.evaluation]
holdout = 0.2  # share of the examples that no training ever sees

# What a challenger has to show before it serves. `retrainer show` prints each of these checks.
[policies.default.good_enough]
rule = "floor"  # decides alone as long as there is no champion
metric = "f1_weighted"
minimum = 0.6

[policies.default.better]
rule = "simple"
metric = "f1_weighted"
more_than = 0.0

[policies.default.must_pass]
rule = "must_pass"

[policies.default.intents]
rule = "per_intent"
margin = 0.10
minimum_support = 10

# [notifiers.team]
# type = "slack"
# webhook_url = "https://hooks.slack.com/services/..."  # or RETRAINER_NOTIFIERS__TEAM__WEBHOOK_URL
"""


def init(
    project: Annotated[
        Path,
        typer.Argument(metavar="PROJECT", help="The folder with Rasa's config.yml and domain.yml."),
    ] = Path(),
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="Name of the assistant. Without it: the folder's."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write retrainer.toml in this folder for a Rasa project, and a list of must-pass utterances."""
    target = Path(CONFIG_FILE)
    if target.exists() and not force:
        raise ConfigurationError(
            f"{target} is there already", tip="edit it, or replace it with `retrainer init --force`"
        )
    _require_project(project)
    must_pass = project / _MUST_PASS
    content = _CONFIG.format(
        name=name or _name_from(project.resolve().name),
        project=project.as_posix().replace('"', '\\"'),
        must_pass=_MUST_PASS,
    )
    try:
        target.write_text(content, encoding="utf-8")
        if not must_pass.exists():
            must_pass.parent.mkdir(parents=True, exist_ok=True)
            starter = files("retrainer.demo") / "starter_must_pass.yml"
            must_pass.write_bytes(starter.read_bytes())
    except OSError as error:
        raise StorageError(f"writing {error.filename} failed: {error.strerror}") from error
    say(f"wrote {target} and {must_pass}: list there what every model has to understand")
    say("next: `retrainer rasa setup`, then `retrainer check`, then `retrainer run-once`")


def _require_project(project: Path) -> None:
    missing = [name for name in ("config.yml", "domain.yml") if not (project / name).exists()]
    if len(missing) == 2 or not project.is_dir():  # noqa: PLR2004 - neither of the two
        raise ConfigurationError(
            f"{project.resolve()} is not a Rasa project: it has neither {' nor '.join(missing)}",
            tip="name the project's folder: `retrainer init FOLDER`",
        )


def _name_from(folder: str) -> str:
    """A usable name of an assistant, made of the folder's."""
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.lower()).strip("-_")[:40]
    return name or "assistant"
