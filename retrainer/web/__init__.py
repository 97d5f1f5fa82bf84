"""What retrainer serves by HTTP: models, to the Rasa servers that pull them."""

from retrainer.web.models import ModelServer
from retrainer.web.server import address_of, application, listen, serve

__all__ = ["ModelServer", "address_of", "application", "listen", "serve"]
