"""Pulls from git that other processes make; a module of its own, since children import it quickly."""

import os
from collections.abc import Mapping
from pathlib import Path

from retrainer.adapters.git.source import GitSource


def pull(environment: Mapping[str, str], url: str, git: str, cache: Path, into: Path) -> None:
    """Pull into a new folder, with a git of this name; the commit is written to `INTO.revision`."""
    os.environ.update(environment)
    options = GitSource.Options.model_validate({"url": url, "git": git, "timeout": 20})
    into.mkdir()
    (origin,) = GitSource.from_options(options, folder=Path("/"), cache=cache).pull(into)
    into.with_suffix(".revision").write_text(str(origin.revision))
