"""`retrainer run`: the daemon."""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated, Literal

import typer

from retrainer.wiring import Application

LogFormat = Literal["auto", "human", "json"]


def run(
    context: typer.Context,
    log_format: Annotated[
        LogFormat | None,
        typer.Option("--log-format", help="Instead of `daemon.log_format` of the configuration."),
    ] = None,
) -> None:
    """Keep running: begin each assistant's cycles when they are due, until it is told to stop.

    What is due comes from [assistants.NAME.schedule], from new data, from `retrainer trigger` and
    from hooks. A cycle that was interrupted is taken up. Further daemons may run: on PostgreSQL they
    share the work, on SQLite they stand by.

    SIGTERM and Ctrl-C stop it within `daemon.stop_limit`, the running cycle goes on at the next
    start; a second one ends it at once. SIGHUP reads the configuration again, and keeps the old one
    if it is not usable.

    Exit codes: 0 it was told to stop, 1 it failed, 78 the configuration is wrong.
    """
    keep_running(lambda: Application.from_config(context.obj), log_format)


def keep_running(load: Callable[[], Application], log_format: LogFormat | None = None) -> None:
    """The daemon, until it is told to stop; `load` reads the configuration."""
    from retrainer import web
    from retrainer.adapters import logs
    from retrainer.adapters.service_manager import ServiceManager
    from retrainer.daemon.service import Daemon
    from retrainer.settings.secrets import secret_values

    def log_for(app: Application) -> None:
        secrets = secret_values(app.settings, app.environment)
        logs.configure(log_format or app.settings.daemon.log_format, sys.stderr, secrets)

    manager = ServiceManager.from_environment(os.environ)
    application = load()
    log_for(application)
    daemon = Daemon(application, load=load, manager=manager, adopted=log_for)
    http = application.settings.http.enabled
    with web.beside(application, daemon) if http else nullcontext():
        daemon.run()
