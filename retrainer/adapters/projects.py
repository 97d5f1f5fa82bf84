"""Finding the parts of a Rasa project below its folder."""

from collections.abc import Sequence
from pathlib import Path

from retrainer.errors import ProjectError
from retrainer.ports import Project

_YAML = frozenset({".yml", ".yaml"})
_TRAINING_DATA = _YAML | {".json"}


def find_project(
    root: Path,
    *,
    config: str = "config.yml",
    domain: Sequence[str] = ("domain.yml", "domain"),
    data: Sequence[str] = ("data",),
) -> Project:
    """The project whose parts have these names below `root`; those that exist are used.

    `.yml` and `.yaml` stand for each other.

    Raises:
        ProjectError: there is no config, no domain or no training data.
    """
    root = root.absolute()
    configs = _existing(root, [config], _YAML)
    if not configs:
        raise _missing(root, "config", [config], "config")
    domains = _existing(root, domain, _YAML)
    if not domains:
        raise _missing(root, "domain", domain, "domain")
    training = _existing(root, data, _TRAINING_DATA)
    if not training:
        raise _missing(root, "training data", data, "data")
    return Project(root=root, config=configs[0], domain=domains, data=training)


def _existing(root: Path, names: Sequence[str], suffixes: frozenset[str]) -> tuple[Path, ...]:
    """The files of these names, and the folders that hold a file with one of the suffixes."""
    found: dict[Path, None] = {}
    for name in names:
        for path in (root / name, *_other_suffix(root / name)):
            if path.is_file() or any(p.suffix in suffixes and p.is_file() for p in path.rglob("*")):
                found[path] = None
                break
    return tuple(found)


def _other_suffix(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_suffix(s) for s in sorted(_YAML - {path.suffix}) if path.suffix in _YAML)


def _missing(root: Path, what: str, names: Sequence[str], key: str) -> ProjectError:
    return ProjectError(
        f"no {what} in {root}: looked for {', '.join(names)}",
        tip=f"add the {what} to the project, or name its place with `{key}` of this assistant in "
        "the config; source.include says which files are taken",
    )
