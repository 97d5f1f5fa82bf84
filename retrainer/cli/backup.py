"""`retrainer backup` and `restore`: everything that is kept, in one file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrainer.cli.options import AsJson
from retrainer.cli.output import say, show_json
from retrainer.wiring import Application

if TYPE_CHECKING:  # SQLAlchemy is imported when a command needs it
    from retrainer.wiring.backup import Backup


def backup(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write it, such as backup.tar.gz.")
    ],
    as_json: AsJson = False,
) -> None:
    """Write the database, the models, their records and the snapshots to one file.

    Safe while cycles run. The configuration and what it holds of secrets is not in it.
    """
    from retrainer.wiring.backup import back_up

    made = back_up(Application.from_config(context.obj), file)
    if as_json:
        show_json(_document(made))
        return
    say(f"{made.file}: {_contents(made)}")
    _say_more(made)
    say("keep it with a copy of the configuration, which is not in it")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `retrainer backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also if that deletes what is there now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put back what a backup holds, on this or another machine, in SQLite or PostgreSQL.

    It is checked as a whole before anything is touched. Stop the service first.
    """
    from retrainer.wiring.backup import restore as restore_from

    restored = restore_from(Application.from_config(context.obj), file, force=force)
    if as_json:
        show_json(_document(restored))
        return
    say(f"restored from {restored.file}: {_contents(restored)}")
    _say_more(restored)
    if restored.manifest.running:
        numbers = ", ".join(map(str, restored.manifest.running))
        say(f"interrupted, and taken up again by the next run: cycle {numbers}")
    say("next: `retrainer check`, then start the service or `retrainer run-once`")


def _contents(made: "Backup") -> str:
    manifest = made.manifest
    return (
        f"{manifest.cycles} cycles, {len(manifest.files)} files, {manifest.size} bytes, "
        f"as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC (retrainer {manifest.retrainer})"
    )


def _say_more(made: "Backup") -> None:
    for assistant, champion in made.champions.items():
        say(f"champion of {assistant}: {champion}")
    for assistant in made.elsewhere:
        say(f"the models of {assistant} are kept by its platform, and are not in a backup")


def _document(made: "Backup") -> dict[str, Any]:
    manifest = made.manifest
    return {
        "file": str(made.file),
        "made_at": manifest.made_at.isoformat(),
        "retrainer": manifest.retrainer,
        "schema_revision": manifest.schema_revision,
        "cycles": manifest.cycles,
        "interrupted": list(manifest.running),
        "files": len(manifest.files),
        "bytes": manifest.size,
        "champions": dict(made.champions),
        "models_elsewhere": list(made.elsewhere),
    }
