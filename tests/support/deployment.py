"""What lies in deploy/, read as the programs read it that it is written for."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from retrainer.settings.model import DaemonSettings
from retrainer.wiring import Application

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKER = DEPLOY / "docker"
KUBERNETES = DEPLOY / "kubernetes"
#: Whoever stops the service has to give it this long: its own limit, and some more.
PATIENCE = DaemonSettings().stop_limit + timedelta(seconds=15)


def shipped(path: str) -> str:
    """The content of a file in deploy/."""
    return (DEPLOY / path).read_text(encoding="utf-8")


def documents(path: Path) -> list[Any]:
    """The YAML documents of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def application(
    config: Path, folder: Path, variables: Mapping[str, str], *credentials: str
) -> Application:
    """The application that this config describes, its plugins made, with these credentials as files.

    Raises:
        ConfigurationError: one of them is not known, or the config is wrong.
    """
    folder.mkdir(exist_ok=True)
    for name in credentials:
        value = "sqlite://" if name == "RETRAINER_DATABASE" else "a-long-random-word"
        (folder / name).write_text(value, encoding="utf-8")
    made = Application.from_config(config, {**variables, "CREDENTIALS_DIRECTORY": str(folder)})
    made.require_plugins()
    return made


def dockerfile() -> list[list[tuple[str, str]]]:
    """The stages of the Dockerfile, each a list of (instruction, what it says)."""
    from dockerfile_parse import DockerfileParser  # noqa: PLC0415 - used by one module

    with (DOCKER / "Dockerfile").open("rb") as file:
        structure = DockerfileParser(fileobj=file).structure
    stages: list[list[tuple[str, str]]] = []
    for step in structure:
        if step["instruction"] == "FROM":
            stages.append([])
        if step["instruction"] != "COMMENT":
            stages[-1].append((step["instruction"], step["value"]))
    return stages


def compose() -> str:
    """compose.yaml with its variables at their defaults, as Docker reads it."""
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("$$", "$")


def in_build_context(path: str) -> bool:
    """Whether .dockerignore lets this file or folder of the project into the image's build."""
    taken = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            anywhere = line.startswith("**/")
            parts = path.split("/")
            if (
                pattern == "*"
                or (anywhere and pattern in parts)
                or path == pattern
                or path.startswith(f"{pattern}/")
            ):
                taken = line.startswith("!")
    return taken


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The specification of each pod in the Kubernetes manifests, with the file's name."""
    for file in sorted(KUBERNETES.glob("*/*.yaml")):
        for document in documents(file):
            match document:
                case {"kind": "StatefulSet", "spec": {"template": {"spec": spec}}}:
                    yield file.name, spec
                case {
                    "kind": "CronJob",
                    "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}},
                }:
                    yield file.name, spec
