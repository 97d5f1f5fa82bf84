"""Child processes that start in milliseconds, since what they import is imported already.

    child = processes.Process(target=function, args=(...))

They are forked from a server that has imported `PRELOADED`; a test process has one such server.
"""

import multiprocessing

#: What the children import anyway. (Modules of the tests themselves cannot be among them.)
PRELOADED = (
    *("pytest", "hypothesis", "psycopg", "sqlalchemy.dialects.postgresql.psycopg"),
    *("retrainer.wiring", "retrainer.store.schema", "retrainer.store.run_store"),
    *("retrainer.adapters.embedded_registry", "retrainer.adapters.directory_source"),
    *("retrainer.adapters.snapshots", "retrainer.testing.rasa", "retrainer.pipeline.runner"),
    *("retrainer.settings.loading", "retrainer.settings.plugins", "retrainer.adapters.rasa_client"),
    *("retrainer.adapters.git.source", "retrainer.cli.run", "retrainer.daemon.service"),
    *("retrainer.web", "retrainer.adapters.logs", "retrainer.settings.secrets"),
)

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(list(PRELOADED))
