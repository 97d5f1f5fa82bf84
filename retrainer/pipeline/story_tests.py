"""What Rasa's own story test says of a model, asked once for each state of the stories."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from retrainer.domain.cycle import State
from retrainer.domain.evaluation import StoryResult
from retrainer.errors import RasaError
from retrainer.pipeline import records
from retrainer.pipeline.data_steps import snapshot_of
from retrainer.pipeline.world import World


def story_results(
    model: str, fetch: Callable[[], tuple[Path, Path]], state: State, world: World
) -> tuple[StoryResult, ...] | None:
    """How each test story fared; empty where none are configured, None if they could not be run.

    `fetch` gives the model's archive and the folder of its code; only called if it is to be asked.
    """
    if not world.assistant.stories:
        return ()
    root = world.snapshots.folder(snapshot_of(state)).absolute()
    files = tuple(root / name for name in world.assistant.stories)
    digest = _digest(root, files)
    known = records.read_stories(world.artifacts, model)
    if known is not None and known.digest == digest:
        return known.results
    archive, code = fetch()
    try:
        found = world.rasa.test_stories(archive, files, world.listener.progress, code=code)
    except RasaError as error:
        if type(error) is not RasaError:  # of the process, which another attempt may mend
            raise
        why = str(error).replace(f"{root}/", "")
        world.listener.warn(f"the test stories could not be run for {model}: {why}")
        return None
    results = tuple(replace(r, file=r.file.removeprefix(f"{root}/")) for r in found)
    records.write_stories(world.artifacts, model, records.Stories(digest, results))
    return results


def _digest(root: Path, paths: Sequence[Path]) -> str:
    """Content address of the files, and of those in the folders: 64 hexadecimal digits."""
    files = {
        file
        for path in paths
        for file in (path.rglob("*") if path.is_dir() else (path,))
        if file.is_file()
    }
    total = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(root)}\0{content}\n".encode())
    return total.hexdigest()
