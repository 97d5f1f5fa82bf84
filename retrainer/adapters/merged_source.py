"""A project put together from several sources, such as Rasa X and a git repository."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from retrainer.adapters.files import digest_of, storage_errors
from retrainer.adapters.folders import unfinished
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError
from retrainer.ports import DataSeen, DataSource


class MergedSource:
    """A `DataSource` of what other sources hold, by the names that the config gives them."""

    def __init__(self, sources: Mapping[str, DataSource]) -> None:
        self._sources = dict(sources)

    @property
    def counts_examples(self) -> bool:
        """Whether one of the sources counts its examples."""
        return any(source.counts_examples for source in self._sources.values())

    def look(self) -> DataSeen:
        """What all of them show together; the examples are those of the sources that count theirs.

        Raises:
            ProjectError, ServerError: as each source does.
        """
        seen = {name: source.look() for name, source in self._sources.items()}
        counts = [each.examples for each in seen.values() if each.examples is not None]
        tokens = sorted((name, each.token) for name, each in seen.items())
        return DataSeen(digest_of(*tokens), sum(counts) if counts else None)

    def pull(self, into: Path) -> tuple[Origin, ...]:
        """Pull every source into the folder `into`; a file comes from one of them only.

        Raises:
            ProjectError: two sources hold a file of the same name, or one of them has no project.
            ServerError: as each source does.
            StorageError: a file could not be written.
        """
        origins: list[Origin] = []
        holder: dict[str, str] = {}
        for name, source in self._sources.items():
            with unfinished(into.parent) as part:
                origins += [replace(o, source=o.source or name) for o in source.pull(part)]
                for file in sorted(path for path in part.rglob("*") if path.is_file()):
                    relative = file.relative_to(part).as_posix()
                    _require_free(relative, into, holder, name)
                    holder[relative] = name
                    with storage_errors("writing", into / relative):
                        (into / relative).parent.mkdir(parents=True, exist_ok=True)
                        file.replace(into / relative)
        return tuple(origins)


def _require_free(relative: str, into: Path, holder: Mapping[str, str], name: str) -> None:
    """Make sure that no other source has a file of that name, or a folder, or a file for a folder."""
    path = PurePosixPath(relative)
    taken = next((str(p) for p in (path, *path.parents) if str(p) in holder), None)
    if taken is None and (into / relative).is_dir():
        taken = next(file for file in holder if path in PurePosixPath(file).parents)
    if taken is not None:
        other = "" if taken == relative else f" (there {taken})"
        raise ProjectError(
            f"{relative} comes from two sources, {holder[taken]}{other} and {name}, "
            "and may come from one only",
            tip=f"leave it out of one of them, with sources.{name}.exclude or parts",
        )
