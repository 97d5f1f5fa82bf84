"""How Alembic runs the migrations: on the connection, and in the transaction, that it is given.

`retrainer db upgrade` comes in here through `retrainer.store.schema`.
"""

# ruff: noqa: INP001 - a folder that Alembic reads, not a package

from alembic import context

from retrainer.store.schema import VERSION_TABLE
from retrainer.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite changes a table only by replacing it
)
with context.begin_transaction():
    context.run_migrations()
