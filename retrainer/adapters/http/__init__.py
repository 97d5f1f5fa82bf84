"""The one HTTP client: limits of time, few retries, clear errors, and no secret in any word."""

from retrainer.adapters.http.answer import Answer, refused
from retrainer.adapters.http.client import Http
from retrainer.adapters.http.redaction import redacted

__all__ = ["Answer", "Http", "redacted", "refused"]
