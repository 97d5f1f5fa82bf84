"""`retrainer db`: the schema of the database."""

import typer

from retrainer.cli.help import Commands
from retrainer.cli.output import say
from retrainer.wiring import Application

app = Commands(help="Look at the database that records every cycle, or upgrade it.")


def upgrade(context: typer.Context) -> None:
    """Create the database, or bring it to the schema that this version needs.

    Back it up first. Nothing happens to one that is up to date.
    """
    from retrainer.store import schema

    engine = Application.from_config(context.obj).bare_engine
    before = schema.current(engine).revision or "empty"
    after = schema.upgrade(engine).revision
    say(f"the schema is {after}" + ("" if before == after else f", it was {before}"))


def current(context: typer.Context) -> None:
    """Print the schema revision that the database has."""
    from retrainer.store import schema

    engine = Application.from_config(context.obj).bare_engine
    found = schema.current(engine)
    typer.echo(f"{found.revision or 'none'} ({found.standing})")


def check(context: typer.Context) -> None:
    """Exit with 0 if the database has the schema that this version needs, with 78 if not."""
    from retrainer.store import schema

    schema.check(Application.from_config(context.obj).bare_engine)
    say("the schema is the one that this version of retrainer needs")


app.add("upgrade", upgrade)
app.add("current", current)
app.add("check", check)
