"""What retrainer serves by HTTP.

Models to the Rasa servers that pull them; beside the daemon also health, metrics, history, triggers
and approvals.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from retrainer.web.models import ModelServer
from retrainer.web.server import address_of, application, listen, serve
from retrainer.wiring import Application

if TYPE_CHECKING:
    from retrainer.web.daemon_view import DaemonView

__all__ = ["ModelServer", "address_of", "application", "beside", "listen", "serve"]


@contextmanager
def beside(app: Application, daemon: "DaemonView") -> Iterator[None]:
    """As `service.beside`; FastAPI is imported only where it is used."""
    from retrainer.web import service  # noqa: PLC0415 - as above

    with service.beside(app, daemon):
        yield
