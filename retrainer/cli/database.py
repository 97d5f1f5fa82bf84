"""`retrainer db`: the schema of the database."""

import typer

from retrainer.cli.output import say
from retrainer.wiring import Application

app = typer.Typer(help="The database that records every cycle.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context) -> None:
    """Bring the database to the schema that this version needs. Back it up first."""
    from retrainer.store import schema

    engine = Application.from_config(context.obj).bare_engine
    before = schema.current(engine).revision or "empty"
    after = schema.upgrade(engine).revision
    say(f"the schema is {after}" + ("" if before == after else f", it was {before}"))


@app.command()
def current(context: typer.Context) -> None:
    """Print the schema revision that the database has."""
    from retrainer.store import schema

    engine = Application.from_config(context.obj).bare_engine
    found = schema.current(engine)
    typer.echo(f"{found.revision or 'none'} ({found.standing})")


@app.command()
def check(context: typer.Context) -> None:
    """Exit with 0 if the database has the schema that this version needs, with 78 if not."""
    from retrainer.store import schema

    schema.check(Application.from_config(context.obj).bare_engine)
    say("the schema is the one that this version of retrainer needs")
