"""`retrainer serve-models`: Rasa servers follow the champion."""

import typer

from retrainer.cli.options import OnlyAssistant
from retrainer.cli.output import say
from retrainer.errors import ConfigurationError
from retrainer.wiring import Application

_ENDPOINTS = """\
# endpoints.yml of the Rasa servers of {assistant}
models:
  url: {address}/models/{assistant}/champion
{token}  wait_time_between_pulls: 10
"""
_TOKEN = "  token: ${RETRAINER_HTTP__TOKEN}\n"  # noqa: S105 - Rasa puts in the variable's value


def serve_models(context: typer.Context, assistant: OnlyAssistant = None) -> None:
    """Serve the models by HTTP to Rasa servers, which then follow the champion with no restart.

    Where it listens is said by [http] in the configuration. Prints what to write into endpoints.yml
    of the Rasa servers. Servers that pull from Rasa X only need another host name: its addresses
    are understood, too.

    Runs until it is stopped with Ctrl-C or SIGTERM.
    """
    from retrainer import web

    app = Application.from_config(context.obj)
    http = app.settings.http
    names = app.assistants(assistant)
    if http.rasa_x_assistant and http.rasa_x_assistant not in app.settings.assistants:
        raise ConfigurationError(
            f"{app.config}: http.rasa_x_assistant: there is no assistant "
            f"{http.rasa_x_assistant!r}; known are {', '.join(app.settings.assistants)}"
        )
    models = web.ModelServer(
        {name: app.platform(name) for name in names},
        clock=app.clock,
        tell=say,
        token=http.token.get_secret_value() if http.token else None,
        rasa_x_assistant=http.rasa_x_assistant,
    )
    listening = web.listen(http.host, http.port, token=http.token is not None)
    address = web.address_of(listening)
    for name in names:
        token = _TOKEN if http.token else ""
        say(_ENDPOINTS.format(assistant=name, address=address, token=token))
    say(f"listening at {address}")
    web.serve(web.application(models), listening, stop_limit=http.stop_limit.total_seconds())
